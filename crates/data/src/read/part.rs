//! What a reader hands over: splits whose images are read when they are asked for.

use std::sync::Arc;

use super::input::Input;
use crate::bytes::Bytes;
use crate::conditions::Condition;
use crate::error::{Absence, DataError, Place};
use crate::shape::Shape;

/// In compressed data, a `limit` chooses among the images in this number of bytes at the start.
pub const REACH: u64 = 1 << 28;

/// An image.
pub struct Picture {
    /// Where it came from.
    pub place: Place,
    /// Its size.
    pub shape: Shape,
    /// [H, W, C].
    pub pixels: Vec<u8>,
}

/// Takes one image after the other, and says whether it wants another one.
pub type Each<'a> = dyn FnMut(Picture) -> Result<bool, DataError> + 'a;

/// The images of a split, wherever they lie.
pub trait Pixels {
    /// Reads some of the images, until `each` wants no more; returns whether it still does.
    /// `wanted` is in rising order; no other image is decoded.
    ///
    /// # Errors
    /// Whatever is wrong with them, and what `each` says.
    fn visit(&self, wanted: &[usize], each: &mut Each) -> Result<bool, DataError>;

    /// Whether gray images among colored ones become colored.
    fn mixes_colours(&self) -> bool {
        false
    }

    /// How many images, from the first one, can be reached without decompressing more than
    /// [`REACH`] bytes; `None`: all.
    fn reach(&self) -> Option<usize> {
        None
    }

    /// All images in one piece, as they are, if they lie so in an uncompressed file.
    fn direct(&self) -> Option<Bytes> {
        None
    }
}

/// The images of a split, before any option applies.
pub struct Part {
    /// Where they are.
    pub place: Place,
    /// How many.
    pub count: usize,
    /// The class of each image, if the source has classes.
    pub labels: Option<Vec<u32>>,
    /// Arrays that a model may be conditioned on, with a row for each image.
    pub conditions: Vec<Arc<Condition>>,
    /// The images themselves.
    pub pixels: Box<dyn Pixels>,
}

impl Part {
    /// Gives every image its class.
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

    /// Several parts, one after the other; nothing if there is none. Labels are kept if all have
    /// them, conditions are not.
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

/// Parts one after the other.
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

/// What a source holds.
pub struct Raw {
    /// How many levels the values have, if the format or the file says so.
    pub levels: Option<usize>,
    /// Training images.
    pub train: Result<Part, Absence>,
    /// Validation images of the source's own.
    pub valid: Result<Part, Absence>,
    /// Test images.
    pub test: Result<Part, Absence>,
    /// What the classes are called, from class 0; empty if they have no names.
    pub class_names: Vec<String>,
    /// What the user should know: what was skipped, turned or guessed.
    pub warnings: Vec<String>,
}

impl Raw {
    /// The splits, and which they are.
    pub fn parts(&self) -> [&Result<Part, Absence>; 3] {
        [&self.train, &self.valid, &self.test]
    }
}

/// Opens a source of records at its beginning.
pub type Open = Arc<dyn Fn() -> Result<Input, DataError>>;

/// Bytes of a record to the pixels of an image.
pub type Decode = Box<dyn Fn(&[u8]) -> Result<Vec<u8>, DataError>>;

/// Images of one size, one after the other, behind a header.
pub struct Records {
    /// Opens it with checks of all that is read, if there are any.
    pub open: Open,
    /// Opens it so that what is not wanted is skipped without being read, if that can be.
    pub skim: Open,
    /// Bytes before the first record.
    pub head: u64,
    /// Bytes of a record.
    pub stride: u64,
    /// How many.
    pub count: usize,
    /// The size of all images.
    pub shape: Shape,
    /// How a record becomes pixels; `None`: it is the pixels.
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
