//! `levels=N` and `binarize=threshold`, combined into one table.

/// The level that each of 256 values becomes. A value v of `from` levels becomes floor(v * to /
/// from). With `threshold`, that then becomes 1 if level / (to - 1) is at least one half, else 0.
pub fn table(from: usize, to: usize, threshold: bool) -> [u8; 256] {
    let mut table = [0; 256];
    for (value, level) in table.iter_mut().enumerate() {
        let requantized = value * to / from.max(1);
        let binary = usize::from(2 * requantized + 1 >= to);
        *level = if threshold { binary } else { requantized }.min(255) as u8;
    }
    table
}
