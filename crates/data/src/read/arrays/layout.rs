//! Which of an array's dimensions are images, rows, columns and colors.

use crate::error::{DataError, Place};
use crate::shape::Shape;

/// Flat images of fewer values are taken for something else, such as one-hot labels.
const LEAST_FLAT: u64 = 64;

/// What an array holds.
pub struct Layout {
    /// How many images.
    pub count: usize,
    /// Their size.
    pub shape: Shape,
    /// Whether the planes of an image's colors lie one after the other: [N, C, H, W].
    pub planar: bool,
    /// What was concluded, if the shape does not say it.
    pub note: Option<String>,
}

/// Reads the shape of an array: [N, H, W], [N, H, W, C], [N, C, H, W], or [N, H * W * C].
///
/// # Errors
/// It is none of these.
pub fn layout(place: &Place, dims: &[u64]) -> Result<Layout, DataError> {
    let wrong = || DataError::Extents { place: place.clone(), found: dims.to_vec() };
    let (n, height, width, colours, planar) = match *dims {
        [n, h, w] => (n, h, w, 1, false),
        [n, h, w, c @ 1..=4] => (n, h, w, c, false),
        [n, c @ (1 | 3 | 4), h, w] => (n, h, w, c, c > 1),
        [n, values] if values >= LEAST_FLAT && n != values => {
            let (side, colours) = flat(values).ok_or_else(wrong)?;
            (n, side, side, colours, colours > 1)
        }
        _ => return Err(wrong()),
    };
    let extent = |n: u64| usize::try_from(n).ok().filter(|n| *n > 0).ok_or_else(wrong);
    let (height, width) = (extent(height)?, extent(width)?);
    let shape = Shape { height, width, colours: extent(colours)? };
    let note = match dims {
        [_, _] => {
            Some(format!("{place}: rows of {} values are taken as images of {shape}", dims[1]))
        }
        _ if planar => Some(format!("{place}: {dims:?} is taken as [N, C, H, W]")),
        _ => None,
    };
    Ok(Layout { count: extent(n)?, shape, planar, note })
}

/// The side and the colors of a square image with this number of values.
fn flat(values: u64) -> Option<(u64, u64)> {
    let side = |n: u64| Some(n.isqrt()).filter(|side| side * side == n);
    side(values).map(|side| (side, 1)).or_else(|| {
        let plane = values.is_multiple_of(3).then_some(values / 3)?;
        Some((side(plane)?, 3))
    })
}

/// [C, H, W] as [H, W, C].
pub fn planes_to_pixels(planes: &[u8], shape: Shape) -> Vec<u8> {
    let plane = shape.height * shape.width;
    let mut pixels = Vec::with_capacity(planes.len());
    for at in 0..plane {
        pixels.extend((0..shape.colours).filter_map(|c| planes.get(c * plane + at)));
    }
    pixels
}
