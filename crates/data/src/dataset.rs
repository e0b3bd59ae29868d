//! A data set in memory.

use crate::batches::{Position, Sequential, Shuffled};
use crate::error::{Absence, DataError};
use crate::shape::Shape;

/// What images are used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// To train on.
    Train,
    /// To choose between models and settings with.
    Valid,
    /// To report.
    Test,
}

impl Split {
    /// Every split.
    pub const ALL: [Split; 3] = [Split::Train, Split::Valid, Split::Test];

    /// As it is written: `train`, `valid`, `test`.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Valid => "valid",
            Split::Test => "test",
        }
    }
}

/// Images and what is known about them; made by [`Spec::load`](crate::Spec::load).
#[derive(Clone, Debug)]
pub struct Dataset {
    pub(crate) name: String,
    pub(crate) seed: u64,
    pub(crate) shape: Shape,
    pub(crate) levels: usize,
    /// Levels of the training images in memory: more than `levels` if they are drawn anew for every
    /// epoch.
    pub(crate) train_levels: usize,
    pub(crate) train: Result<Held, Absence>,
    pub(crate) valid: Result<Held, Absence>,
    pub(crate) test: Result<Held, Absence>,
    /// Where in the training images the validation images begin, if they are some of them.
    pub(crate) tail: Option<usize>,
    /// How many classes the labels tell apart.
    pub(crate) classes: Option<usize>,
    pub(crate) class_names: Vec<String>,
}

/// The images of a split in memory.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// [N, H, W, C].
    pub(crate) pixels: Vec<u8>,
    /// A class for each image.
    pub(crate) labels: Option<Vec<u32>>,
}

/// The images of a split.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    pixels: &'a [u8],
    labels: Option<&'a [u32]>,
    shape: Shape,
    levels: usize,
}

impl Dataset {
    /// The text that named it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The seed of its orders and draws.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The size of every image.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// How many levels the values of batches have, from 0.
    pub fn levels(&self) -> usize {
        self.levels
    }

    /// Whether the training images are drawn anew for every epoch (`binarize=resample`).
    pub fn resamples(&self) -> bool {
        self.train_levels != self.levels
    }

    /// How many classes its labels tell apart: labels are below this. `None` without labels.
    pub fn classes(&self) -> Option<usize> {
        self.classes
    }

    /// The names of the classes, from class 0; empty if the source does not name them.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The splits that it has.
    pub fn splits(&self) -> Vec<Split> {
        Split::ALL.into_iter().filter(|split| self.held(*split).is_ok()).collect()
    }

    /// The images of a split. Where training images are drawn anew for every epoch, these are their
    /// intensities.
    ///
    /// # Errors
    /// [`DataError::NoSplit`], with the reason.
    pub fn images(&self, split: Split) -> Result<Images<'_>, DataError> {
        let levels = if split == Split::Train { self.train_levels } else { self.levels };
        match self.held(split) {
            Ok(held) => Ok(Images {
                pixels: &held.pixels,
                labels: held.labels.as_deref(),
                shape: self.shape,
                levels,
            }),
            Err(absence) => Err(DataError::NoSplit {
                name: self.name.clone(),
                split,
                absence: absence.clone(),
                present: self.splits(),
            }),
        }
    }

    /// How many training images are validation images too, because the source has none of its own.
    /// [`Self::hold_out`] makes it zero.
    pub fn shared(&self) -> usize {
        match (&self.train, self.tail) {
            (Ok(train), Some(first)) => {
                (train.pixels.len() / self.shape.values()).saturating_sub(first)
            }
            _ => 0,
        }
    }

    /// Takes the validation images out of the training images.
    ///
    /// A source with validation images of its own stays as it is. For others [`Split::Valid`] is
    /// the last tenth of the training images, rounded down, and until this is called
    /// [`Split::Train`] holds them still: a final model is trained on all, one that is to be judged
    /// by validation images on those that are left. The order is the source's: where it means
    /// something, as in patches of one photograph after the other, the tail is not like the rest.
    #[must_use]
    pub fn hold_out(mut self) -> Dataset {
        if let (Ok(train), Some(first)) = (&mut self.train, self.tail.take()) {
            train.pixels.truncate(first.saturating_mul(self.shape.values()));
            if let Some(labels) = &mut train.labels {
                labels.truncate(first);
            }
        }
        self
    }

    /// Training batches in random order, epoch after epoch without end, from a position on.
    ///
    /// Image and order depend on the seed and the epoch alone.
    ///
    /// # Errors
    /// If there is no such split, `size` is 0, or the epoch has no such step.
    pub fn shuffled(
        &self,
        split: Split,
        size: usize,
        from: Position,
    ) -> Result<Shuffled<'_>, DataError> {
        Shuffled::new(self, split, size, from)
    }

    /// All images of a split once, in their order: for evaluation. Where training images are drawn
    /// anew for every epoch, these are the draws of epoch 0.
    ///
    /// # Errors
    /// If there is no such split or `size` is 0.
    pub fn sequential(&self, split: Split, size: usize) -> Result<Sequential<'_>, DataError> {
        Sequential::new(self, split, size)
    }

    fn held(&self, split: Split) -> Result<&Held, &Absence> {
        let part = match split {
            Split::Train => &self.train,
            Split::Valid => &self.valid,
            Split::Test => &self.test,
        };
        part.as_ref()
    }
}

impl<'a> Images<'a> {
    /// How many.
    pub fn count(self) -> usize {
        self.pixels.len() / self.shape.values()
    }

    /// Their size.
    pub fn shape(self) -> Shape {
        self.shape
    }

    /// How many levels their values have.
    pub fn levels(self) -> usize {
        self.levels
    }

    /// The classes of all images, in their order; `None` if the split has no labels.
    pub fn labels(self) -> Option<&'a [u32]> {
        self.labels
    }

    /// The values of an image, [H, W, C].
    ///
    /// # Errors
    /// [`DataError::NoImage`], or the file that holds it cannot be read.
    pub fn image(self, index: usize) -> Result<Vec<u8>, DataError> {
        let (values, count) = (self.shape.values(), self.count());
        let first = index.saturating_mul(values);
        let pixels = self.pixels.get(first..first.saturating_add(values));
        Ok(pixels.ok_or(DataError::NoImage { index, count })?.to_vec())
    }

    /// All values, [N, H, W, C]: for data that is known to be small.
    ///
    /// # Errors
    /// The file that holds them cannot be read.
    pub fn pixels(self) -> Result<Vec<u8>, DataError> {
        let images = (0..self.count()).map(|index| self.image(index));
        Ok(images.collect::<Result<Vec<_>, _>>()?.concat())
    }
}
