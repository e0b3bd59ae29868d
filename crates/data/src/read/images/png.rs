//! PNG: any depth and palette, reduced to 8 bits; transparency is not supported.

use std::io::Cursor;

use png::{ColorType, Decoder, DecodingError, Transformations};

use super::turn::turned;
use super::{opaque, plausible};
use crate::error::{DataError, Place};
use crate::read::Picture;
use crate::shape::Shape;

pub fn decode(place: Place, bytes: &[u8]) -> Result<Picture, DataError> {
    let wrong = |error: DecodingError| DataError::Picture {
        place: place.clone(),
        kind: "PNG",
        reason: error.to_string(),
    };
    let mut decoder = Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(Transformations::normalize_to_color8());
    let info = decoder.read_header_info().map_err(wrong)?;
    let (width, height) = (info.width, info.height);
    plausible(&place, (u64::from(height), u64::from(width)), bytes.len())?;
    let mut reader = decoder.read_info().map_err(wrong)?;
    let size = reader.output_buffer_size().ok_or_else(|| DataError::Damaged {
        place: place.clone(),
        what: "it is larger than memory can be",
    })?;
    let mut pixels = vec![0; size];
    let frame = reader.next_frame(&mut pixels).map_err(wrong)?;
    pixels.truncate(frame.buffer_size());
    reader.finish().map_err(wrong)?;
    let (colours, alpha) = match frame.color_type {
        ColorType::Grayscale | ColorType::Indexed => (1, false),
        ColorType::GrayscaleAlpha => (1, true),
        ColorType::Rgb => (3, false),
        ColorType::Rgba => (3, true),
    };
    if alpha {
        pixels = opaque(&place, &pixels, colours)?;
    }
    let shape = Shape { height: frame.height as usize, width: frame.width as usize, colours };
    let exif = reader.info().exif_metadata.as_deref();
    Ok(turned(Picture { place, shape, pixels }, exif))
}
