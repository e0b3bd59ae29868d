//! The orientation that a camera records in the Exif data.

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};

use crate::read::Picture;
use crate::shape::Shape;

/// Rotates or flips a picture as its Exif data say.
pub fn turned(picture: Picture, exif: Option<&[u8]>) -> Picture {
    let exif = exif.map(|exif| exif.strip_prefix(b"Exif\0\0").unwrap_or(exif));
    match exif.and_then(Orientation::from_exif_chunk) {
        Some(Orientation::NoTransforms) | None => picture,
        Some(orientation) => turn(picture, orientation),
    }
}

fn turn(picture: Picture, orientation: Orientation) -> Picture {
    let Shape { height, width, colours } = picture.shape;
    let (Ok(high), Ok(wide)) = (u32::try_from(height), u32::try_from(width)) else {
        return picture;
    };
    let pixels = picture.pixels.clone();
    let image = match colours {
        1 => GrayImage::from_raw(wide, high, pixels).map(DynamicImage::ImageLuma8),
        _ => RgbImage::from_raw(wide, high, pixels).map(DynamicImage::ImageRgb8),
    };
    let Some(mut image) = image else { return picture };
    image.apply_orientation(orientation);
    let shape = Shape { height: image.height() as usize, width: image.width() as usize, colours };
    Picture { place: picture.place, shape, pixels: image.into_bytes() }
}
