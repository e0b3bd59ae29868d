//! A data set with random access to its images.

use std::sync::Arc;

use pixelrnn_graph::Array;
use sha2::{Digest, Sha256};

use crate::batches::{Position, Sequential, Shuffled};
use crate::bytes::Bytes;
use crate::conditions::Condition;
use crate::error::{Absence, DataError, Place};
use crate::hex::hex;
use crate::random::{Purpose, stream};
use crate::read::Part;
use crate::shape::Shape;
use crate::spec::Binarize;
use crate::transform::draw;

/// A split of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// Training images.
    Train,
    /// Validation images.
    Valid,
    /// Test images.
    Test,
}

impl Split {
    /// All splits, in order.
    pub const ALL: [Split; 3] = [Split::Train, Split::Valid, Split::Test];

    /// The name: `train`, `valid`, `test`.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Valid => "valid",
            Split::Test => "test",
        }
    }
}

pixelrnn_graph::named!(Split, "split");

/// A data set of images, loaded by [`Spec::load`](crate::Spec::load).
#[derive(Clone, Debug)]
pub struct Dataset {
    pub(crate) name: String,
    pub(crate) seed: u64,
    pub(crate) shape: Shape,
    pub(crate) levels: usize,
    /// The number of levels of the training images that [`Images::image`] returns. It is larger
    /// than `levels` if they are sampled again every epoch.
    pub(crate) train_levels: usize,
    /// The level that each stored value becomes.
    pub(crate) table: [u8; 256],
    /// How levels are sampled after `table` was applied, and the number of levels before sampling.
    pub(crate) draw: Option<(Binarize, usize)>,
    pub(crate) train: Result<View, Absence>,
    pub(crate) valid: Result<View, Absence>,
    pub(crate) test: Result<View, Absence>,
    /// The number of classes; `None` without labels.
    pub(crate) classes: Option<usize>,
    pub(crate) class_names: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) selection: Option<String>,
}

/// The images of one split of the source, after options such as `size` were applied.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) place: Place,
    /// The values of all images in [N, H, W, C].
    pub(crate) bytes: Bytes,
    /// The number of values per image.
    pub(crate) values: usize,
    /// The indices in the source of the images in `bytes`, in ascending order; `None` for all
    /// images.
    pub(crate) held: Option<Vec<usize>>,
    /// The split of the source. Validation images that were taken from the training images are in
    /// the training split.
    pub(crate) split: Split,
    /// The SHA-256 of the images that are used.
    pub(crate) hash: [u8; 32],
}

/// The images of a split: a subset of a store.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) store: Arc<Store>,
    pub(crate) entries: Vec<Entry>,
    /// The class of each image.
    pub(crate) labels: Option<Vec<u32>>,
    /// Conditions, with a row for each image of the source.
    pub(crate) conditions: Vec<Arc<Condition>>,
}

/// An image of a view.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Its index in the store.
    pub(crate) at: u32,
    /// Its index in the source.
    pub(crate) source: u32,
}

/// Read access to the images of a split.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    data: &'a Dataset,
    view: &'a View,
    split: Split,
}

impl Dataset {
    /// The specification of the data set as text.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The seed for shuffling and sampling.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The size of every image.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The number of levels in batches. Values are from 0 to `levels - 1`.
    pub fn levels(&self) -> usize {
        self.levels
    }

    /// Whether the training images are resampled every epoch (`binarize=resample`).
    pub fn resamples(&self) -> bool {
        self.train_levels != self.levels
    }

    /// The number of classes; every label is below it. `None` without labels.
    pub fn classes(&self) -> Option<usize> {
        self.classes
    }

    /// The names of the classes, from class 0; empty if the source does not name them.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The same images, with the classes numbered as in `names`, for instance those of the data that a model was
    /// trained on. Nothing changes if one of both has no names.
    ///
    /// # Errors
    /// [`DataError::ClassName`] if a class is not among the names.
    pub fn numbered_by(mut self, names: &[String]) -> Result<Dataset, DataError> {
        if names.is_empty() || self.class_names.is_empty() || self.class_names == names {
            return Ok(self);
        }
        let mut numbers = Vec::new();
        for class in &self.class_names {
            let number = names.iter().position(|name| name == class);
            let unknown = || DataError::ClassName { class: class.clone(), names: names.to_vec() };
            numbers.push(number.ok_or_else(unknown)? as u32);
        }
        for view in [&mut self.train, &mut self.valid, &mut self.test].into_iter().flatten() {
            let labels = view.labels.iter_mut().flatten();
            labels
                .for_each(|label| *label = numbers.get(*label as usize).copied().unwrap_or(*label));
        }
        self.classes = Some(names.len());
        self.class_names = names.to_vec();
        Ok(self)
    }

    /// The splits that exist.
    pub fn splits(&self) -> Vec<Split> {
        Split::ALL.into_iter().filter(|split| self.view(*split).is_ok()).collect()
    }

    /// Read access to the images of a split. If training images are sampled again every epoch, the
    /// intensities are returned.
    ///
    /// # Errors
    /// [`DataError::NoSplit`], with the reason.
    pub fn images(&self, split: Split) -> Result<Images<'_>, DataError> {
        match self.view(split) {
            Ok(view) => Ok(Images { data: self, view, split }),
            Err(absence) => Err(DataError::NoSplit {
                name: self.name.clone(),
                split,
                absence: absence.clone(),
                present: self.splits(),
            }),
        }
    }

    /// Warnings for the user: what was skipped, guessed or distorted, and suspicious values.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// How the validation images were chosen, if the source has none of its own.
    pub fn selection(&self) -> Option<&str> {
        self.selection.as_deref()
    }

    /// The SHA-256 of the data set, over images, labels, conditions, the mapping of values, and the
    /// choice of validation images. It does not read the images again.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let Shape { height, width, colours } = self.shape;
        let numbers = [height, width, colours, self.levels, self.train_levels, self.shared()];
        numbers.iter().for_each(|&n| hash.update((n as u64).to_le_bytes()));
        hash.update(self.table);
        hash.update(format!("{:?}", self.draw.map(|draw| (draw, self.seed))));
        for split in Split::ALL {
            let Ok(view) = self.view(split) else {
                hash.update(u64::MAX.to_le_bytes());
                continue;
            };
            hash.update((view.entries.len() as u64).to_le_bytes());
            hash.update(view.store.hash);
            view.entries.iter().for_each(|entry| hash.update(entry.source.to_le_bytes()));
            let labels = view.labels.as_deref().unwrap_or_default();
            hash.update((labels.len() as u64).to_le_bytes());
            labels.iter().for_each(|label| hash.update(label.to_le_bytes()));
            view.conditions.iter().for_each(|condition| hash.update(condition.hash));
        }
        hex(&hash.finalize())
    }

    /// The number of training images that are also validation images because the source has none of
    /// its own. Zero after [`Self::hold_out`].
    pub fn shared(&self) -> usize {
        let Ok(train) = &self.train else { return 0 };
        train.entries.iter().filter(|entry| self.validates(train, entry)).count()
    }

    /// Whether an image of a view is a validation image.
    fn validates(&self, view: &View, entry: &Entry) -> bool {
        let valid = self.valid.as_ref().ok().filter(|v| Arc::ptr_eq(&v.store, &view.store));
        valid.is_some_and(|v| v.entries.binary_search_by_key(&entry.source, |e| e.source).is_ok())
    }

    /// Removes the validation images from the training images.
    ///
    /// If the source has its own validation images, this changes nothing. Otherwise
    /// [`Split::Valid`] is a part of the training images (see [`Self::selection`]), and until this
    /// is called, [`Split::Train`] contains them, too. A final model is trained on all images; a
    /// model that is to be validated, on the others only.
    #[must_use]
    pub fn hold_out(mut self) -> Dataset {
        let Ok(train) = &self.train else { return self };
        let stays: Vec<bool> =
            train.entries.iter().map(|entry| !self.validates(train, entry)).collect();
        if let Ok(train) = &mut self.train {
            let mut stay = stays.iter().copied();
            train.entries.retain(|_| stay.next().unwrap_or(true));
            let mut stay = stays.iter().copied();
            if let Some(labels) = &mut train.labels {
                labels.retain(|_| stay.next().unwrap_or(true));
            }
        }
        self
    }

    /// Shuffled batches for training, from the position `from` on, for an unlimited number of
    /// epochs. The images and their order depend only on the seed and the epoch.
    ///
    /// # Errors
    /// If the split does not exist, `size` is 0, or the epoch has fewer steps.
    pub fn shuffled(
        &self,
        split: Split,
        size: usize,
        from: Position,
    ) -> Result<Shuffled<'_>, DataError> {
        Shuffled::new(self, split, size, from)
    }

    /// All images of a split once and in order, for evaluation. If training images are sampled
    /// again every epoch, these are the samples of epoch 0.
    ///
    /// # Errors
    /// If the split does not exist, or `size` is 0.
    pub fn sequential(&self, split: Split, size: usize) -> Result<Sequential<'_>, DataError> {
        Sequential::new(self, split, size)
    }

    fn view(&self, split: Split) -> Result<&View, &Absence> {
        let part = match split {
            Split::Train => &self.train,
            Split::Valid => &self.valid,
            Split::Test => &self.test,
        };
        part.as_ref()
    }
}

impl View {
    /// The images of a store with these indices in the source. `part`, to which they belong, has
    /// the labels and conditions.
    pub(crate) fn new(store: Arc<Store>, indices: &[usize], part: &Part) -> View {
        let (labels, conditions) = (part.labels.as_deref(), part.conditions.clone());
        let labels = labels.map(|labels| indices.iter().filter_map(|&i| labels.get(i).copied()));
        let labels = labels.map(Iterator::collect);
        let at = |source: usize| match &store.held {
            Some(held) => held.binary_search(&source).unwrap_or(0),
            None => source,
        };
        let entry = |&source: &usize| Entry { at: at(source) as u32, source: source as u32 };
        let entries = indices.iter().map(entry).collect();
        View { store, entries, labels, conditions }
    }
}

impl<'a> Images<'a> {
    /// The number of images.
    pub fn count(self) -> usize {
        self.view.entries.len()
    }

    /// The size of the images.
    pub fn shape(self) -> Shape {
        self.data.shape
    }

    /// The number of levels.
    pub fn levels(self) -> usize {
        if self.split == Split::Train { self.data.train_levels } else { self.data.levels }
    }

    /// The classes of all images, in order; `None` if the split has no labels.
    pub fn labels(self) -> Option<&'a [u32]> {
        self.view.labels.as_deref()
    }

    /// The name and the shape of a row of each condition. See [`Self::condition`].
    pub fn conditions(self) -> impl Iterator<Item = (&'a str, &'a [usize])> {
        self.view.conditions.iter().map(|condition| (condition.name.as_str(), &condition.dims[..]))
    }

    /// The values of a condition for some images, as they are in the source: `[n, ...]`. `None` if
    /// the split has no such condition.
    ///
    /// # Errors
    /// [`DataError::NoImage`] for an invalid index; other errors if the values cannot be read.
    pub fn condition(self, name: &str, indices: &[usize]) -> Result<Option<Array>, DataError> {
        let Some(condition) = self.view.conditions.iter().find(|known| known.name == name) else {
            return Ok(None);
        };
        let count = self.count();
        if let Some(&index) = indices.iter().find(|&&index| index >= count) {
            return Err(DataError::NoImage { index, count });
        }
        let rows = indices.iter().map(|&index| self.source(index) as usize);
        condition.rows(rows).map(Some)
    }

    /// The levels of an image in [H, W, C].
    ///
    /// # Errors
    /// [`DataError::NoImage`] for an invalid index; other errors if the image cannot be read.
    pub fn image(self, index: usize) -> Result<Vec<u8>, DataError> {
        let (Images { data, view, .. }, count) = (self, self.count());
        let entry = view.entries.get(index).ok_or(DataError::NoImage { index, count })?;
        let store = &view.store;
        let mut pixels = vec![0; store.values];
        let read = store.bytes.read(u64::from(entry.at) * store.values as u64, &mut pixels);
        read.map_err(|error| DataError::Io { place: store.place.clone(), error })?;
        pixels.iter_mut().for_each(|value| *value = data.table[usize::from(*value)]);
        Ok(match data.draw {
            Some((Binarize::Resample, _)) if self.split == Split::Train => pixels,
            // The samples of an image do not depend on which split uses it.
            Some((_, levels)) => {
                let purpose = Purpose::Sample(store.split);
                let rng = stream(data.seed, purpose, 0, u64::from(entry.source));
                draw(&pixels, levels, rng).collect()
            }
            None => pixels,
        })
    }

    /// The index of an image in its source.
    pub(crate) fn source(self, index: usize) -> u64 {
        self.view.entries.get(index).map_or(0, |entry| u64::from(entry.source))
    }

    /// The levels of all images in [N, H, W, C]. For small data sets.
    ///
    /// # Errors
    /// If the images cannot be read.
    pub fn pixels(self) -> Result<Vec<u8>, DataError> {
        let images = (0..self.count()).map(|index| self.image(index));
        Ok(images.collect::<Result<Vec<_>, _>>()?.concat())
    }
}
