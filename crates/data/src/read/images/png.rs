//! PNG: any depth and palette, reduced to 8 bits; no transparency.

use std::io::Cursor;

use png::{ColorType, Decoder, DecodingError, Transformations};

use super::plausible;
use crate::error::{DataError, Place};
use crate::read::Part;
use crate::shape::Shape;

pub fn decode(place: Place, bytes: &[u8]) -> Result<Part, DataError> {
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
    Ok(Part { place, shape, pixels, labels: None })
}

/// Drops an alpha channel that says nothing.
fn opaque(place: &Place, pixels: &[u8], colours: usize) -> Result<Vec<u8>, DataError> {
    let mut kept = Vec::with_capacity(pixels.len());
    for pixel in pixels.chunks_exact(colours + 1) {
        if pixel[colours] != u8::MAX {
            let what = "it has transparent pixels; put it on a background first";
            return Err(DataError::Unsupported { place: place.clone(), what });
        }
        kept.extend_from_slice(&pixel[..colours]);
    }
    Ok(kept)
}
