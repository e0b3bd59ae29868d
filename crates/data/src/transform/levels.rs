//! `levels=N`.

/// A value v of `from` levels becomes floor(v * to / from). Values are below `from`, and `to` is at
/// most 256.
pub fn requantise(pixels: &mut [u8], from: usize, to: usize) {
    if from != to {
        pixels.iter_mut().for_each(|v| *v = (usize::from(*v) * to / from.max(1)) as u8);
    }
}
