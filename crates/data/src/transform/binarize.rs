//! `binarize=sample` and `binarize=resample`.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// Samples 1 with probability level / (levels - 1), which is exact at both ends. Uses one 32-bit
/// random word per value.
pub fn draw<'a>(
    intensities: &'a [u8],
    levels: usize,
    mut rng: ChaCha8Rng,
) -> impl Iterator<Item = u8> + 'a {
    let top = levels.saturating_sub(1) as u64;
    // A uniform random integer below `top`, up to 2^-32.
    let mut below_top = move || (u64::from(rng.next_u32()) * top) >> 32;
    intensities.iter().map(move |&v| u8::from(below_top() < u64::from(v)))
}
