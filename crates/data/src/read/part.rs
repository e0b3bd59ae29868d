//! The result of a reader: splits whose images are read on demand.

use std::sync::Arc;

use super::input::Input;
use crate::bytes::Bytes;
use crate::conditions::Condition;
use crate::error::{Absence, DataError, Place};
use crate::shape::Shape;

/// In compressed data, a `limit` chooses among the images in the first `REACH` bytes.
pub const REACH: u64 = 1 << 28;

/// An image.
pub struct Picture {
    /// The file or array that it is from.
    pub place: Place,
    /// Its size.
    pub shape: Shape,
    /// The values in [H, W, C].
    pub pixels: Vec<u8>,
}

/// Called with one image after the other. Returns whether to continue.
pub type Each<'a> = dyn FnMut(Picture) -> Result<bool, DataError> + 'a;

/// Access to the images of a split.
pub trait Pixels {
    /// Calls `each` with the images of the indices `wanted`, which are in ascending order, until it
    /// returns false. Returns whether all were visited. No other image is decoded.
    ///
    /// # Errors
    /// If an image cannot be read, and errors of `each`.
    fn visit(&self, wanted: &[usize], each: &mut Each) -> Result<bool, DataError>;

    /// Whether gray images are converted to color if others have color.
    fn mixes_colours(&self) -> bool {
        false
    }

    /// The number of images, from the first one, that can be reached by decompressing at most
    /// [`REACH`] bytes; `None` if all can.
    fn reach(&self) -> Option<usize> {
        None
    }

    /// All images as one range of bytes, if an uncompressed file contains them in [N, H, W, C].
    fn direct(&self) -> Option<Bytes> {
        None
    }
}

/// The images of a split, before options are applied.
pub struct Part {
    /// The file or folder.
    pub place: Place,
    /// The number of images.
    pub count: usize,
    /// The class of each image, if the source has labels.
    pub labels: Option<Vec<u32>>,
    /// Arrays for the conditions of a model, with a row for each image.
    pub conditions: Vec<Arc<Condition>>,
    /// The images themselves.
    pub pixels: Box<dyn Pixels>,
}

impl Part {
    /// Sets the labels.
    ///
    /// # Errors
    /// [`DataError::LabelCount`] if there are more or fewer labels than images.
    pub fn label(&mut self, place: Place, labels: Vec<u32>) -> Result<(), DataError> {
        let (images, found) = (self.count, labels.len());
        if images != found {
            return Err(DataError::LabelCount { place, found, images });
        }
        self.labels = Some(labels);
        Ok(())
    }

    /// Concatenates parts; `None` if there are none. Labels are kept if all parts have them;
    /// conditions are dropped.
    pub fn chain(mut parts: Vec<Part>) -> Option<Part> {
        if parts.len() < 2 {
            return parts.pop();
        }
        let labels: Option<Vec<Vec<u32>>> = parts.iter_mut().map(|p| p.labels.take()).collect();
        let place = parts.first()?.place.clone();
        let count = parts.iter().map(|part| part.count).sum();
        let labels = labels.map(|labels| labels.concat());
        let conditions = Vec::new();
        Some(Part { place, count, labels, conditions, pixels: Box::new(Chain(parts)) })
    }
}

/// Concatenated parts.
struct Chain(Vec<Part>);

impl Pixels for Chain {
    fn visit(&self, wanted: &[usize], each: &mut Each) -> Result<bool, DataError> {
        let (mut first, mut left) = (0, wanted);
        for part in &self.0 {
            let here = left.partition_point(|&index| index < first + part.count);
            let (mine, rest) = left.split_at(here);
            let mine: Vec<usize> = mine.iter().map(|index| index - first).collect();
            if !mine.is_empty() && !part.pixels.visit(&mine, each)? {
                return Ok(false);
            }
            (first, left) = (first + part.count, rest);
        }
        Ok(true)
    }

    fn mixes_colours(&self) -> bool {
        self.0.iter().any(|part| part.pixels.mixes_colours())
    }

    fn reach(&self) -> Option<usize> {
        let mut first = 0;
        for part in &self.0 {
            if let Some(reach) = part.pixels.reach().filter(|&reach| reach < part.count) {
                return Some(first + reach);
            }
            first += part.count;
        }
        None
    }
}

/// The content of a source.
pub struct Raw {
    /// The number of levels, if the format or the file states it.
    pub levels: Option<usize>,
    /// Training images.
    pub train: Result<Part, Absence>,
    /// Validation images that the source itself provides.
    pub valid: Result<Part, Absence>,
    /// Test images.
    pub test: Result<Part, Absence>,
    /// The names of the classes, from class 0; empty if they have none.
    pub class_names: Vec<String>,
    /// Warnings for the user: what was skipped, rotated or assumed.
    pub warnings: Vec<String>,
}

impl Raw {
    /// The three splits in the order of [`Split::ALL`](crate::Split::ALL).
    pub fn parts(&self) -> [&Result<Part, Absence>; 3] {
        [&self.train, &self.valid, &self.test]
    }
}

/// Opens a source of records at its start.
pub type Open = Arc<dyn Fn() -> Result<Input, DataError>>;

/// Converts the bytes of a record to the pixels of an image.
pub type Decode = Box<dyn Fn(&[u8]) -> Result<Vec<u8>, DataError>>;

/// Images of one size, as consecutive records after a header.
pub struct Records {
    /// Opens the source such that checksums, if there are any, are verified.
    pub open: Open,
    /// Opens the source such that bytes can be skipped without reading them, if possible.
    pub skim: Open,
    /// The number of bytes before the first record.
    pub head: u64,
    /// The number of bytes of a record.
    pub stride: u64,
    /// The number of records.
    pub count: usize,
    /// The size of each image.
    pub shape: Shape,
    /// Converts a record to pixels; `None` if the record is the pixels.
    pub decode: Option<Decode>,
}

impl Records {
    fn total(&self) -> u64 {
        self.stride.saturating_mul(self.count as u64)
    }
}

impl Pixels for Records {
    fn visit(&self, wanted: &[usize], each: &mut Each) -> Result<bool, DataError> {
        let whole = wanted.len() == self.count;
        let mut input = if whole { (self.open)()? } else { (self.skim)()? };
        input.skip(self.head)?;
        let mut next = 0;
        for &index in wanted {
            input.skip(self.stride.saturating_mul((index - next) as u64))?;
            let bytes = input.up_to(self.stride)?;
            if (bytes.len() as u64) < self.stride {
                let found = self.stride * index as u64 + bytes.len() as u64;
                let (place, expected) = (input.place().clone(), self.total());
                return Err(DataError::Truncated { place, expected, found });
            }
            let pixels = match &self.decode {
                None => bytes,
                Some(decode) => decode(&bytes)?,
            };
            if !each(Picture { place: input.place().clone(), shape: self.shape, pixels })? {
                return Ok(false);
            }
            next = index + 1;
        }
        if whole {
            input.end(self.total())?;
        }
        Ok(true)
    }

    fn reach(&self) -> Option<usize> {
        let input = (self.skim)().ok()?;
        let most = usize::try_from(REACH / self.stride.max(1)).unwrap_or(usize::MAX).max(1);
        input.is_compressed().then_some(most)
    }

    fn direct(&self) -> Option<Bytes> {
        let mut input = (self.skim)().ok()?;
        input.skip(self.head).ok()?;
        if self.decode.is_some() { None } else { input.direct() }
    }
}
