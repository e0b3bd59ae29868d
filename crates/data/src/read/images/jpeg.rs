//! JPEG: baseline and progressive, gray or color.

use std::io::Cursor;

use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::plausible;
use super::turn::turned;
use crate::error::{DataError, Place};
use crate::read::Picture;
use crate::shape::Shape;

pub fn decode(place: Place, bytes: &[u8]) -> Result<Picture, DataError> {
    let wrong = |error: DecodeErrors| DataError::Picture {
        place: place.clone(),
        kind: "JPEG",
        reason: error.to_string(),
    };
    if !ends(bytes) {
        let reason = "it is truncated: the end marker is missing".to_string();
        return Err(DataError::Picture { place, kind: "JPEG", reason });
    }
    // Without strict mode, damaged blocks are decoded as gray, without an error.
    let strict = DecoderOptions::default().set_strict_mode(true);
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(bytes), strict);
    decoder.decode_headers().map_err(wrong)?;
    let unsaid = || DataError::Damaged { place: place.clone(), what: "its size is missing" };
    let info = decoder.info().ok_or_else(unsaid)?;
    plausible(&place, (u64::from(info.height), u64::from(info.width)), bytes.len())?;
    let (colours, space) = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => (1, ColorSpace::Luma),
        _ => (3, ColorSpace::RGB),
    };
    decoder.set_options(strict.jpeg_set_out_colorspace(space));
    let pixels = decoder.decode().map_err(wrong)?;
    let shape = Shape { height: info.height.into(), width: info.width.into(), colours };
    match pixels.len() == shape.values() {
        true => Ok(turned(Picture { place, shape, pixels }, decoder.exif().map(Vec::as_slice))),
        false => Err(DataError::Damaged { place, what: "it does not decode to its own size" }),
    }
}

/// Whether the last scan is followed by an end-of-image marker. The decoder replaces missing data
/// by zeros. Within a scan, `ff` is never followed by the bytes of these markers.
fn ends(bytes: &[u8]) -> bool {
    let last = |marker: u8| bytes.windows(2).rposition(|pair| pair == [0xff, marker]);
    last(0xd9) > last(0xda)
}
