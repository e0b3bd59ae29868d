//! WebP, BMP, TIFF, and the first frame of a GIF, decoded by the crate `image`.
//!
//! PNG and JPEG are decoded by other crates: `image` would accept damaged and truncated files. It
//! decodes damaged blocks of a JPEG as gray, and does not check that a PNG is complete.

use std::io::Cursor;

use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::{MAX_PIXELS, opaque};
use crate::error::{DataError, Place};
use crate::read::Picture;
use crate::shape::Shape;

/// The maximal number of pixels in these formats, whose file lengths say little about the size.
const MOST: u64 = MAX_PIXELS / 4;

/// The format of a file, by its first bytes.
pub fn format(bytes: &[u8]) -> Option<ImageFormat> {
    let webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    match bytes {
        _ if webp => Some(ImageFormat::WebP),
        [b'B', b'M', ..] => Some(ImageFormat::Bmp),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some(ImageFormat::Tiff),
        [b'G', b'I', b'F', b'8', ..] => Some(ImageFormat::Gif),
        _ => None,
    }
}

pub fn decode(place: Place, bytes: &[u8], format: ImageFormat) -> Result<Picture, DataError> {
    let kind = match format {
        ImageFormat::WebP => "WebP",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Tiff => "TIFF",
        _ => "GIF",
    };
    let wrong = |error: image::ImageError| {
        let (place, reason) = (place.clone(), error.to_string());
        DataError::Picture { place, kind, reason }
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(8 * MOST);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(wrong)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MOST || pixels == 0 {
        let declared = u128::from(pixels);
        return Err(DataError::Oversized { place, declared, room: MOST });
    }
    let orientation = decoder.orientation().ok();
    let mut image = DynamicImage::from_decoder(decoder).map_err(wrong)?;
    if let Some(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    let (height, width) = (image.height() as usize, image.width() as usize);
    let (colours, pixels) = match image.color() {
        ColorType::L8 => (1, image.into_bytes()),
        ColorType::Rgb8 => (3, image.into_bytes()),
        ColorType::La8 => (1, opaque(&place, &image.into_bytes(), 1)?),
        ColorType::Rgba8 => (3, opaque(&place, &image.into_bytes(), 3)?),
        ColorType::L16 => (1, upper(&image.into_bytes())),
        ColorType::Rgb16 => (3, upper(&image.into_bytes())),
        _ => {
            let what = "its colors are not 8 or 16 bits of gray or of red, green and blue: save it as \
                        PNG";
            return Err(DataError::Unsupported { place, what: what.to_string() });
        }
    };
    Ok(Picture { place, shape: Shape { height, width, colours }, pixels })
}

/// The high bytes of 16-bit values.
fn upper(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks_exact(2).map(|pair| pair[usize::from(cfg!(target_endian = "little"))]).collect()
}
