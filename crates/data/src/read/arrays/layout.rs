//! Which axes of an array are images, rows, columns and colors.

use crate::error::{DataError, Place};
use crate::shape::Shape;

/// Flat images with fewer values are not accepted: they are probably something else, such as
/// one-hot labels.
const LEAST_FLAT: u64 = 64;

/// The layout of an array of images.
pub struct Layout {
    /// The number of images.
    pub count: usize,
    /// The size of an image.
    pub shape: Shape,
    /// Whether the colors of an image are separate planes: [N, C, H, W].
    pub planar: bool,
    /// What was assumed where the shape is ambiguous, as a warning.
    pub note: Option<String>,
}

/// Interprets the shape of an array: [N, H, W], [N, H, W, C], [N, C, H, W], or [N, H * W * C].
///
/// # Errors
/// [`DataError::Extents`] if it is none of these.
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

/// The side length and the number of colors of a square image with this number of values.
fn flat(values: u64) -> Option<(u64, u64)> {
    let side = |n: u64| Some(n.isqrt()).filter(|side| side * side == n);
    side(values).map(|side| (side, 1)).or_else(|| {
        let plane = values.is_multiple_of(3).then_some(values / 3)?;
        Some((side(plane)?, 3))
    })
}

/// Converts [C, H, W] to [H, W, C].
pub fn planes_to_pixels(planes: &[u8], shape: Shape) -> Vec<u8> {
    let plane = shape.height * shape.width;
    let mut pixels = Vec::with_capacity(planes.len());
    for at in 0..plane {
        pixels.extend((0..shape.colours).filter_map(|c| planes.get(c * plane + at)));
    }
    pixels
}
