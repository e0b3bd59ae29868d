//! Sources to raw images: one file per format.

mod cifar;
mod digits;
mod idx;
mod images;
mod input;
mod npy;
mod npz;
mod zip;

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Absence, DataError, Place};
use crate::shape::Shape;
use crate::spec::{Source, Spec};

/// The images of a split, as they lie in the source.
pub struct Part {
    /// Where they came from.
    pub place: Place,
    /// Their size.
    pub shape: Shape,
    /// [N, H, W, C].
    pub pixels: Vec<u8>,
    /// The class of each image, if the source has classes.
    pub labels: Option<Vec<u32>>,
}

impl Part {
    pub fn count(&self) -> usize {
        self.pixels.len() / self.shape.values().max(1)
    }

    /// Keeps some of the images: from `first`, `count` at the most.
    pub fn slice(&self, first: usize, count: usize) -> Part {
        let values = self.shape.values();
        let first = first.min(self.count());
        let last = first.saturating_add(count).min(self.count());
        let pixels = self.pixels[first * values..last * values].to_vec();
        let labels = self.labels.as_ref().map(|labels| labels[first..last].to_vec());
        Part { place: self.place.clone(), shape: self.shape, pixels, labels }
    }

    /// Keeps the first images, `count` at the most.
    pub fn limit(&mut self, count: usize) {
        self.pixels.truncate(count.saturating_mul(self.shape.values()));
        if let Some(labels) = &mut self.labels {
            labels.truncate(count);
        }
    }

    /// Gives every image its class.
    ///
    /// # Errors
    /// [`DataError::LabelCount`] if there are more or fewer labels than images.
    pub fn label(&mut self, place: Place, labels: Vec<u32>) -> Result<(), DataError> {
        let (images, found) = (self.count(), labels.len());
        if images != found {
            return Err(DataError::LabelCount { place, found, images });
        }
        self.labels = Some(labels);
        Ok(())
    }
}

/// What a source holds, before any option but `limit` applies.
pub struct Raw {
    /// How many levels the values have, if the format or the file says so.
    pub levels: Option<usize>,
    pub train: Result<Part, Absence>,
    pub valid: Result<Part, Absence>,
    pub test: Result<Part, Absence>,
    /// Where in the training images the validation images begin, if they are some of them.
    pub tail: Option<usize>,
    /// What the classes are called, from class 0; empty if they have no names.
    pub class_names: Vec<String>,
}

/// Reads a source, and says how many levels its values have.
///
/// # Errors
/// Whatever is wrong with its files.
pub fn read(spec: &Spec) -> Result<(Raw, usize), DataError> {
    let mut raw = match &spec.source {
        Source::Digits => digits::read(),
        Source::Npz(path) => npz::read(path),
        Source::Npy(path) => npy::read(path),
        Source::Idx(path) => idx::read(path),
        Source::Cifar10(path) => cifar::read(path),
        Source::Images(path) => images::read(path, spec),
    }?;
    check_levels(&raw)?;
    let levels = raw.levels.unwrap_or_else(|| guess_levels(&raw, spec.levels));
    raw.take_tail();
    let limit = spec.limit.unwrap_or(usize::MAX);
    for part in [&mut raw.train, &mut raw.valid, &mut raw.test].into_iter().flatten() {
        part.limit(limit);
    }
    Ok((raw, levels))
}

/// Where the last tenth of `count` training images begins.
pub fn tail(count: usize) -> Result<usize, Absence> {
    match count / 10 {
        0 => Err(Absence::TooFew { count }),
        tenth => Ok(count - tenth),
    }
}

impl Raw {
    /// Gives a source without validation images the last tenth of its training images.
    fn take_tail(&mut self) {
        let Err(_) = &self.valid else { return };
        self.valid = match &self.train {
            Err(_) => Err(Absence::NoTrain),
            Ok(train) => tail(train.count()).map(|first| {
                self.tail = Some(first);
                train.slice(first, usize::MAX)
            }),
        };
    }
}

/// No value may be above what the source itself declares.
fn check_levels(raw: &Raw) -> Result<(), DataError> {
    let Some(levels) = raw.levels else { return Ok(()) };
    for part in [&raw.train, &raw.valid, &raw.test].into_iter().flatten() {
        let wrong = |value: &u8| usize::from(*value) >= levels;
        if let Some(at) = part.pixels.iter().position(wrong) {
            return Err(DataError::Value {
                place: part.place.clone(),
                image: at / part.shape.values().max(1),
                value: part.pixels[at],
                levels,
            });
        }
    }
    Ok(())
}

/// How many levels unexplained bytes have; [`Spec::load`] states the rule. All images are looked at,
/// so that a limit changes nothing.
fn guess_levels(raw: &Raw, wanted: Option<usize>) -> usize {
    let parts = [&raw.train, &raw.valid, &raw.test].into_iter().flatten();
    let highest = parts.filter_map(|part| part.pixels.iter().max()).max();
    match (highest.map_or(0, |&v| usize::from(v)), wanted) {
        (0 | 1, _) => 2,
        (highest, Some(levels)) if highest < levels => levels,
        _ => 256,
    }
}

/// The number of images and their size, from the shape of an array.
fn extents(place: &Place, dims: &[u64]) -> Result<Shape, DataError> {
    let wrong = || DataError::Extents { place: place.clone(), found: dims.to_vec() };
    let (height, width, colours) = match *dims {
        [n, h, w] if n > 0 => (h, w, 1),
        [n, h, w, c @ 1..=4] if n > 0 => (h, w, c),
        _ => return Err(wrong()),
    };
    let extent = |n: u64| usize::try_from(n).ok().filter(|n| *n > 0).ok_or_else(wrong);
    Ok(Shape { height: extent(height)?, width: extent(width)?, colours: extent(colours)? })
}

/// The entries of a folder, by name.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    let wrong = |error| DataError::Io { place: Place::file(folder), error };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        entries.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    entries.sort();
    Ok(entries)
}
