//! `cifar10:FOLDER`: the binary version of CIFAR-10.

use std::path::{Path, PathBuf};

use super::input::Input;
use super::{Part, Raw, entries};
use crate::error::{Absence, DataError, Place};
use crate::shape::Shape;

const SHAPE: Shape = Shape { height: 32, width: 32, colours: 3 };
const PLANE: usize = 32 * 32;
/// A label, then a plane for each colour.
const RECORD: usize = 1 + 3 * PLANE;
const NAMES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Reads the batches of a folder.
pub fn read(folder: &Path) -> Result<Raw, DataError> {
    let mut train: Vec<(u32, PathBuf)> = Vec::new();
    let mut test = Vec::new();
    for (name, path) in entries(folder)? {
        let number = name.strip_prefix("data_batch_").and_then(|name| name.strip_suffix(".bin"));
        match number.and_then(|n| n.parse().ok()) {
            Some(number) => train.push((number, path)),
            None if name == "test_batch.bin" => test.push(path),
            None => {}
        }
    }
    if train.is_empty() && test.is_empty() {
        let wanted = "`data_batch_*.bin` or `test_batch.bin`: they come with the binary version of \
                      CIFAR-10, not with the one for Python";
        return Err(DataError::NoFiles { folder: folder.to_path_buf(), wanted });
    }
    train.sort();
    let train: Vec<PathBuf> = train.into_iter().map(|(_, path)| path).collect();
    Ok(Raw {
        levels: Some(256),
        train: part(folder, &train, "`data_batch_1.bin`")?,
        valid: Err(Absence::NoTrain),
        test: part(folder, &test, "`test_batch.bin`")?,
        tail: None,
        class_names: NAMES.map(str::to_string).to_vec(),
    })
}

fn part(
    folder: &Path,
    files: &[PathBuf],
    wanted: &'static str,
) -> Result<Result<Part, Absence>, DataError> {
    let Some(first) = files.first() else {
        return Ok(Err(Absence::File { folder: folder.to_path_buf(), wanted }));
    };
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for file in files {
        append(&mut pixels, &mut labels, file)?;
    }
    if pixels.is_empty() {
        let what = "it holds no record";
        return Err(DataError::Damaged { place: Place::file(first), what });
    }
    Ok(Ok(Part { place: Place::file(first), shape: SHAPE, pixels, labels: Some(labels) }))
}

fn append(pixels: &mut Vec<u8>, labels: &mut Vec<u32>, path: &Path) -> Result<(), DataError> {
    let mut input = Input::open(path)?;
    loop {
        let record = input.up_to(RECORD as u64)?;
        let place = || input.place().clone();
        let Some((label, planes)) = record.split_first() else { break };
        if planes.len() != RECORD - 1 {
            let what = "its length is no multiple of 3,073 bytes, one record of CIFAR-10";
            return Err(DataError::Damaged { place: place(), what });
        }
        if usize::from(*label) >= NAMES.len() {
            let what = "it has a label above 9: CIFAR-10 has ten classes";
            return Err(DataError::Damaged { place: place(), what });
        }
        labels.push(u32::from(*label));
        for at in 0..PLANE {
            pixels.extend([planes[at], planes[PLANE + at], planes[2 * PLANE + at]]);
        }
    }
    Ok(())
}
