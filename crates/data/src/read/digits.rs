//! `digits`: embedded; `src/digits.md` says where they come from.

use std::path::Path;

use super::{Part, Raw};
use crate::error::{Absence, DataError, Place};
use crate::shape::Shape;

const SHAPE: Shape = Shape { height: 8, width: 8, colours: 1 };
const LEVELS: usize = 17;
const TRAIN: usize = 1500;

static PIXELS: &[u8; 1797 * 8 * 8] = include_bytes!("../digits.bin");
static LABELS: &[u8; 1797] = include_bytes!("../digits-labels.bin");

/// The first 1,500 train, the others test.
pub fn read() -> Result<Raw, DataError> {
    let (train, test) = PIXELS.split_at(TRAIN * SHAPE.values());
    let labels = LABELS.split_at(TRAIN);
    let place = Place::file(Path::new("digits"));
    let part = |pixels: &[u8], labels: &[u8]| Part {
        place: place.clone(),
        shape: SHAPE,
        pixels: pixels.to_vec(),
        labels: Some(labels.iter().map(|&l| u32::from(l)).collect()),
    };
    Ok(Raw {
        levels: Some(LEVELS),
        train: Ok(part(train, labels.0)),
        valid: Err(Absence::NoTrain),
        test: Ok(part(test, labels.1)),
        tail: None,
        class_names: Vec::new(),
    })
}
