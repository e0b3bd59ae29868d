//! Streams of random numbers.
//!
//! The seed, the purpose and the epoch are the key of a stream, and the image is its number. So no
//! number depends on how many were drawn before it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::dataset::Split;

/// What random numbers are for.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// The order of the images in an epoch.
    Shuffle,
    /// Sampling the values of a split once.
    Sample(Split),
    /// Sampling the values of the training images for an epoch.
    Resample,
    /// Choosing validation images among the training images.
    HoldOut,
    /// Choosing the images of a split that a limit keeps.
    Limit(Split),
}

impl Purpose {
    fn number(self) -> u64 {
        match self {
            Purpose::Shuffle => 1,
            Purpose::Resample => 2,
            Purpose::Sample(Split::Train) => 3,
            Purpose::Sample(Split::Valid) => 4,
            Purpose::Sample(Split::Test) => 5,
            Purpose::HoldOut => 6,
            Purpose::Limit(Split::Train) => 7,
            Purpose::Limit(Split::Valid) => 8,
            Purpose::Limit(Split::Test) => 9,
        }
    }
}

/// The stream for an image.
pub fn stream(seed: u64, purpose: Purpose, epoch: u64, image: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    let words = [seed, purpose.number(), epoch, 0];
    for (part, word) in key.chunks_exact_mut(8).zip(words) {
        part.copy_from_slice(&word.to_le_bytes());
    }
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(image);
    rng
}

/// The order of an epoch: a random permutation of the indices below `count`.
pub fn order(seed: u64, epoch: u64, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    shuffle(&mut order, &mut stream(seed, Purpose::Shuffle, epoch, 0));
    order
}

/// Shuffles values in place (Fisher-Yates).
pub fn shuffle<T>(values: &mut [T], rng: &mut ChaCha8Rng) {
    for last in (1..values.len()).rev() {
        values.swap(last, below(last + 1, rng));
    }
}

/// A uniform random number below `count`. Probabilities differ by at most one part in 2^64 / count.
pub fn below(count: usize, rng: &mut ChaCha8Rng) -> usize {
    ((u128::from(rng.next_u64()) * count as u128) >> 64) as usize
}
