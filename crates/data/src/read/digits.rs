//! `digits`: the embedded data set. `src/digits.md` states its source.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use super::Request;
use super::input::Input;
use super::part::{Open, Part, Raw, Records};
use crate::error::{Absence, DataError, Place};
use crate::shape::Shape;

const SHAPE: Shape = Shape { height: 8, width: 8, colours: 1 };
const LEVELS: usize = 17;
const TRAIN: usize = 1500;

static PIXELS: &[u8; 1797 * 8 * 8] = include_bytes!("../digits.bin");
static LABELS: &[u8; 1797] = include_bytes!("../digits-labels.bin");

/// The first 1,500 images are for training, the others for testing.
pub fn read(_: &Request) -> Result<Raw, DataError> {
    let (train, test) = PIXELS.split_at(TRAIN * SHAPE.values());
    let labels = LABELS.split_at(TRAIN);
    Ok(Raw {
        levels: Some(LEVELS),
        train: Ok(part(train, labels.0)),
        valid: Err(Absence::NoTrain),
        test: Ok(part(test, labels.1)),
        class_names: Vec::new(),
        warnings: Vec::new(),
    })
}

fn part(pixels: &'static [u8], labels: &[u8]) -> Part {
    let place = Place::file(Path::new("digits"));
    let here = place.clone();
    let length = pixels.len() as u64;
    let open: Open =
        Arc::new(move || Ok(Input::plain(here.clone(), Box::new(Cursor::new(pixels)), length)));
    let (stride, count) = (SHAPE.values() as u64, labels.len());
    let (skim, labels) = (open.clone(), labels.iter().map(|&label| u32::from(label)).collect());
    let records = Records { open, skim, head: 0, stride, count, shape: SHAPE, decode: None };
    Part { place, count, labels: Some(labels), conditions: Vec::new(), pixels: Box::new(records) }
}
