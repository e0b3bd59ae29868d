//! `size=HxW`: area averaging.
//!
//! A new pixel is the mean of the old pixels that it covers, each weighted by the covered area. It
//! is computed in integers, and rounded to the nearest level, halves up.

use crate::error::DataError;
use crate::read::Picture;
use crate::shape::Shape;

/// Reduces an image to the size `to` (height, width).
///
/// # Errors
/// [`DataError`] if that would enlarge it.
pub fn shrink(picture: Picture, to: (usize, usize)) -> Result<Picture, DataError> {
    let Picture { place, shape: from, pixels: image } = picture;
    if to == (from.height, from.width) {
        return Ok(Picture { place, shape: from, pixels: image });
    }
    if to.0 > from.height || to.1 > from.width {
        return Err(DataError::Enlarges { place, from, to });
    }
    let shape = Shape { height: to.0, width: to.1, colours: from.colours };
    let (rows, columns) = (cover(from.height, to.0), cover(from.width, to.1));
    let area = from.height as u64 * from.width as u64;
    let mut pixels = Vec::with_capacity(shape.values());
    for row in &rows {
        for column in &columns {
            for colour in 0..from.colours {
                let mut sum = 0;
                for &(y, high) in row {
                    let line = &image[y * from.width * from.colours..];
                    for &(x, wide) in column {
                        sum += high * wide * u64::from(line[x * from.colours + colour]);
                    }
                }
                pixels.push(((sum + area / 2) / area) as u8);
            }
        }
    }
    Ok(Picture { place, shape, pixels })
}

/// For each of `to` pixels, the old pixels that it covers, and how much of each. The weights of a
/// new pixel sum to `from`.
fn cover(from: usize, to: usize) -> Vec<Vec<(usize, u64)>> {
    let share = |new: usize, old: usize| {
        let end = ((new + 1) * from).min((old + 1) * to);
        (old, end.saturating_sub((new * from).max(old * to)) as u64)
    };
    (0..to)
        .map(|new| {
            (new * from / to..from).map(|old| share(new, old)).take_while(|s| s.1 > 0).collect()
        })
        .collect()
}
