//! `images:FOLDER`: PNG and JPEG files, in all folders below, in the order of their paths.

mod jpeg;
mod png;

use std::fs;
use std::path::{Path, PathBuf};

use super::{Part, Raw, entries, tail};
use crate::error::{Absence, DataError, Place};
use crate::shape::Shape;
use crate::spec::Spec;
use crate::transform::shrink;

/// No format packs more pixels into a byte: deflate makes 1,032 bytes of one, each of at most
/// eight pixels; a JPEG needs one bit for 64.
const PIXELS_PER_BYTE: u64 = 8 * 1032;

/// The largest picture that is decoded.
const MAX_PIXELS: u64 = 1 << 28;

/// Folders in folders; more is a loop.
const MAX_DEPTH: usize = 32;

const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

/// Reads the pictures of a folder.
pub fn read(folder: &Path, spec: &Spec) -> Result<Raw, DataError> {
    let [train, valid, val, test] = ["train", "valid", "val", "test"].map(|name| folder.join(name));
    let valid = if valid.is_dir() { valid } else { val };
    let mut files = Files::default();
    let splits = [(&train, &mut files.train), (&valid, &mut files.valid), (&test, &mut files.test)];
    let mut divided = false;
    for (folder, files) in splits.into_iter().filter(|(folder, _)| folder.is_dir()) {
        *files = files_of(folder)?;
        divided = true;
    }
    if !divided {
        files.train = files_of(folder)?;
    }
    // A tenth of the files, and only what the limit leaves is decoded.
    let first = if files.valid.is_empty() { tail(files.train.len()).ok() } else { None };
    if let Some(first) = first {
        files.valid = files.train[first..].to_vec();
    }
    if files.train.is_empty() && files.valid.is_empty() && files.test.is_empty() {
        let wanted = "PNG or JPEG files (.png, .jpg, .jpeg)";
        return Err(DataError::NoFiles { folder: folder.to_path_buf(), wanted });
    }
    let mut decoder = Decoder { spec, first: None, coloured: false };
    let mut decoded = Vec::new();
    for files in [&files.train, &files.valid, &files.test] {
        decoded.push(decoder.split(files)?);
    }
    let missing = |wanted| Absence::File { folder: folder.to_path_buf(), wanted };
    let mut part = |wanted| {
        let pictures = decoded.remove(0);
        decoder.join(pictures).ok_or_else(|| missing(wanted))
    };
    Ok(Raw {
        levels: Some(256),
        train: part("the folder `train`"),
        valid: part("the folder `valid`"),
        test: part("the folder `test`"),
        tail: first,
        class_names: Vec::new(),
    })
}

#[derive(Default)]
struct Files {
    train: Vec<PathBuf>,
    valid: Vec<PathBuf>,
    test: Vec<PathBuf>,
}

/// All pictures in a folder and below it.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut files = Vec::new();
    walk(folder, 0, &mut files)?;
    Ok(files)
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), DataError> {
    if depth > MAX_DEPTH {
        let what = "folders lie more than 32 deep in each other; is it a loop of links?";
        return Err(DataError::Unsupported { place: Place::file(folder), what });
    }
    for (_, path) in entries(folder)? {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        if path.is_dir() {
            walk(&path, depth + 1, files)?;
        } else if ending.is_some_and(|e| ENDINGS.contains(&e.as_str())) && path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

/// Decodes pictures and sees to it that they agree.
struct Decoder<'a> {
    spec: &'a Spec,
    first: Option<(Place, Shape)>,
    coloured: bool,
}

impl Decoder<'_> {
    fn split(&mut self, files: &[PathBuf]) -> Result<Vec<Part>, DataError> {
        let limit = self.spec.limit.unwrap_or(usize::MAX);
        files.iter().take(limit).map(|file| self.picture(file)).collect()
    }

    fn picture(&mut self, path: &Path) -> Result<Part, DataError> {
        let mut part = decode(path)?;
        if let Some(to) = self.spec.size {
            shrink(&mut part, to)?;
        }
        let (first, expected) = self.first.get_or_insert_with(|| (part.place.clone(), part.shape));
        if (part.shape.height, part.shape.width) != (expected.height, expected.width) {
            return Err(DataError::Sizes {
                place: part.place,
                found: part.shape,
                first: first.clone(),
                expected: *expected,
            });
        }
        self.coloured |= part.shape.colours == 3;
        Ok(part)
    }

    /// One part of many pictures; grey ones take the colours of the others.
    fn join(&self, pictures: Vec<Part>) -> Option<Part> {
        let first = pictures.first()?;
        let colours = if self.coloured { 3 } else { 1 };
        let (place, shape) = (first.place.clone(), Shape { colours, ..first.shape });
        let mut pixels = Vec::new();
        for picture in pictures {
            match picture.shape.colours == colours {
                true => pixels.extend(picture.pixels),
                false => pixels.extend(picture.pixels.iter().flat_map(|&v| [v, v, v])),
            }
        }
        Some(Part { place, shape, pixels, labels: None })
    }
}

/// Decodes a file; its first bytes, not its name, say how.
fn decode(path: &Path) -> Result<Part, DataError> {
    let place = Place::file(path);
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return Err(DataError::Io { place, error }),
    };
    match &bytes {
        b if b.starts_with(b"\x89PNG") => png::decode(place, &bytes),
        b if b.starts_with(b"\xff\xd8") => jpeg::decode(place, &bytes),
        b => {
            let found = b.iter().take(4).copied().collect();
            Err(DataError::Magic { place, expected: "a PNG or JPEG picture", found })
        }
    }
}

/// Refuses a size that a file of this length cannot hold, before memory is asked for.
fn plausible(place: &Place, size: (u64, u64), length: usize) -> Result<(), DataError> {
    let pixels = size.0.saturating_mul(size.1);
    let room = (length as u64).saturating_mul(PIXELS_PER_BYTE).min(MAX_PIXELS);
    match pixels > room {
        true => {
            let (place, declared) = (place.clone(), u128::from(pixels));
            Err(DataError::Oversized { place, declared, room })
        }
        false => Ok(()),
    }
}
