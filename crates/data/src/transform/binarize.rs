//! `binarize=sample` and `binarize=resample`.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// 1 with probability level / (levels - 1), exact at both ends; one word of random bits a value.
pub fn draw<'a>(
    intensities: &'a [u8],
    levels: usize,
    mut rng: ChaCha8Rng,
) -> impl Iterator<Item = u8> + 'a {
    let top = levels.saturating_sub(1) as u64;
    // A whole number below `top`, each as likely as the next but for 2^-32.
    let mut below_top = move || (u64::from(rng.next_u32()) * top) >> 32;
    intensities.iter().map(move |&v| u8::from(below_top() < u64::from(v)))
}
