//! `crop=`, `fit=`, `size=` and `colours=`: options that give all images the same size.

use super::shrink::shrink;
use crate::error::DataError;
use crate::read::Picture;
use crate::shape::Shape;
use crate::spec::Fit;

/// The changes to each image, in the order of the fields, except `fit`, which is a part of `size`.
pub struct Geometry {
    /// The size of the center to crop: height, width.
    pub crop: Option<(usize, usize)>,
    /// The new size: height, width.
    pub size: Option<(usize, usize)>,
    /// How images of other proportions are brought to `size`.
    pub fit: Fit,
    /// 1 for gray; 3 for red, green and blue.
    pub colours: Option<usize>,
}

impl Geometry {
    /// Whether images stay as they are.
    pub fn changes_nothing(&self) -> bool {
        self.crop.is_none() && self.size.is_none() && self.colours.is_none()
    }

    /// Transforms an image. A warning for the user is added to `warnings` once.
    ///
    /// # Errors
    /// If the image is too small, or its number of colors cannot be converted.
    pub fn apply(
        &self,
        mut picture: Picture,
        warnings: &mut Vec<String>,
    ) -> Result<Picture, DataError> {
        if let Some(size) = self.crop {
            let (from, to) = (picture.shape, size);
            if size.0 > from.height || size.1 > from.width {
                return Err(DataError::CropsNothing { place: picture.place, from, to });
            }
            picture = window(picture, size);
        }
        if let Some(size) = self.size {
            picture = self.resize(picture, size, warnings)?;
        }
        match self.colours {
            Some(colours) => recolour(picture, colours),
            None => Ok(picture),
        }
    }

    fn resize(
        &self,
        picture: Picture,
        to: (usize, usize),
        warnings: &mut Vec<String>,
    ) -> Result<Picture, DataError> {
        let Shape { height, width, .. } = picture.shape;
        // The largest part of the image with the new proportions, or the smallest frame around it.
        let part = |round: fn(usize, usize) -> usize, least: bool| {
            let wide = round(height.saturating_mul(to.1), to.0);
            let tall = round(width.saturating_mul(to.0), to.1);
            match (wide <= width) == least {
                true => (height, wide.max(1)),
                false => (tall.max(1), width),
            }
        };
        let same = height.saturating_mul(to.1) == width.saturating_mul(to.0);
        let picture = match self.fit {
            _ if same => picture,
            Fit::Crop => window(picture, part(usize::div_euclid, true)),
            Fit::Pad => {
                let (tall, wide) = part(usize::div_ceil, false);
                window(picture, (tall.max(height), wide.max(width)))
            }
            Fit::Squash => {
                if !warnings.iter().any(|w| w.contains("squashed")) {
                    warnings.push(format!(
                        "images are squashed: {} is {}, which becomes {} x {}; keep the proportions \
                         with `fit=crop` or `fit=pad`",
                        picture.place, picture.shape, to.0, to.1
                    ));
                }
                picture
            }
        };
        shrink(picture, to)
    }
}

/// The center of an image, padded with black where the image is smaller.
fn window(picture: Picture, (height, width): (usize, usize)) -> Picture {
    let Shape { height: tall, width: wide, colours } = picture.shape;
    let shape = Shape { height, width, colours };
    // If a difference is odd, the larger half is below or on the right.
    let (top, left) = (tall.saturating_sub(height) / 2, wide.saturating_sub(width) / 2);
    let (above, before) = (height.saturating_sub(tall) / 2, width.saturating_sub(wide) / 2);
    let mut pixels = vec![0; shape.values()];
    let copied = width.min(wide) * colours;
    for row in 0..height.min(tall) {
        let from = ((top + row) * wide + left) * colours;
        let to = ((above + row) * width + before) * colours;
        pixels[to..to + copied].copy_from_slice(&picture.pixels[from..from + copied]);
    }
    Picture { place: picture.place, shape, pixels }
}

/// Converts the number of colors. Gray is the luma of ITU-R BT.601, (299 R + 587 G + 114 B) / 1000,
/// rounded to the nearest level.
fn recolour(picture: Picture, colours: usize) -> Result<Picture, DataError> {
    let Picture { place, shape, pixels } = picture;
    let gray = |p: &[u8]| match *p {
        [r, g, b, ..] => {
            ((299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b) + 500) / 1000) as u8
        }
        _ => 0,
    };
    let pixels = match (shape.colours, colours) {
        (from, to) if from == to => pixels,
        (3, 1) => pixels.chunks_exact(3).map(gray).collect(),
        (1, 3) => pixels.iter().flat_map(|&v| [v, v, v]).collect(),
        (from, to) => return Err(DataError::Colours { place, from, to }),
    };
    Ok(Picture { place, shape: Shape { colours, ..shape }, pixels })
}
