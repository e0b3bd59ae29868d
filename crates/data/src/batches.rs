//! Batches of a data set: levels as `f32` in [n, C, H, W], the input of a model.

use std::ops::Range;

use pixelrnn_graph::Array;

use crate::dataset::{Dataset, Images, Split};
use crate::error::DataError;
use crate::random::{Purpose, order, stream};
use crate::transform::draw;

/// A position in a run: the next batch. The default is the start, epoch 0, step 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The epoch, counted from 0.
    pub epoch: u64,
    /// The index of the batch in the epoch, counted from 0.
    pub step: usize,
}

/// A batch of images.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Levels, [n, C, H, W].
    pub images: Array,
    /// The indices of the images in the split.
    pub indices: Vec<usize>,
    /// The class of each image, in the order of `images`; `None` if the split has no labels.
    pub labels: Option<Vec<u32>>,
    /// Arrays for the conditions of a model, by name: `[n, ...]`, in the order of `images`.
    pub conditions: Vec<(String, Array)>,
    /// The position in the run.
    pub position: Position,
}

/// The common part of both iterators.
#[derive(Clone, Debug)]
struct Reader<'a> {
    images: Images<'a>,
    size: usize,
    /// The seed, if values are sampled again every epoch.
    resample: Option<u64>,
}

/// An infinite iterator over shuffled batches; see [`Dataset::shuffled`].
#[derive(Clone, Debug)]
pub struct Shuffled<'a> {
    reader: Reader<'a>,
    seed: u64,
    next: Position,
    /// The epoch that `order` belongs to.
    ordered: u64,
    order: Vec<usize>,
}

/// An iterator over batches in the order of the data; see [`Dataset::sequential`].
#[derive(Clone, Debug)]
pub struct Sequential<'a> {
    reader: Reader<'a>,
    step: usize,
}

impl<'a> Reader<'a> {
    fn new(data: &'a Dataset, split: Split, size: usize) -> Result<Reader<'a>, DataError> {
        if size == 0 {
            return Err(DataError::EmptyBatch);
        }
        let resample = (data.resamples() && split == Split::Train).then_some(data.seed);
        Ok(Reader { images: data.images(split)?, size, resample })
    }

    fn steps(&self) -> usize {
        self.images.count().div_ceil(self.size)
    }

    fn range(&self, step: usize) -> Range<usize> {
        let first = step.saturating_mul(self.size).min(self.images.count());
        first..first.saturating_add(self.size).min(self.images.count())
    }

    fn batch(&self, indices: Vec<usize>, position: Position) -> Result<Batch, DataError> {
        let shape = self.images.shape();
        let plane = shape.height * shape.width;
        let mut images =
            Array::zeros(vec![indices.len(), shape.colours, shape.height, shape.width]);
        // This function made the array, so it is contiguous.
        let values = images.as_slice_mut().unwrap_or_default();
        for (image, out) in indices.iter().zip(values.chunks_exact_mut(shape.values())) {
            let pixels = self.images.image(*image)?;
            let pixels = match self.resample {
                None => pixels,
                Some(seed) => {
                    let rng =
                        stream(seed, Purpose::Resample, position.epoch, self.images.source(*image));
                    draw(&pixels, self.images.levels(), rng).collect()
                }
            };
            for (at, pixel) in pixels.chunks_exact(shape.colours).enumerate() {
                for (colour, value) in pixel.iter().enumerate() {
                    out[colour * plane + at] = f32::from(*value);
                }
            }
        }
        let all = self.images.labels();
        let labels = all.map(|all| indices.iter().filter_map(|&i| all.get(i).copied()).collect());
        let mut conditions = Vec::new();
        for (name, _) in self.images.conditions() {
            let array = self.images.condition(name, &indices)?;
            conditions.extend(array.map(|array| (name.to_string(), array)));
        }
        Ok(Batch { images, indices, labels, conditions, position })
    }
}

impl<'a> Shuffled<'a> {
    pub(crate) fn new(
        data: &'a Dataset,
        split: Split,
        size: usize,
        from: Position,
    ) -> Result<Shuffled<'a>, DataError> {
        let reader = Reader::new(data, split, size)?;
        let (step, steps) = (from.step, reader.steps());
        if step >= steps {
            return Err(DataError::Position { step, steps });
        }
        let order = order(data.seed, from.epoch, reader.images.count());
        Ok(Shuffled { reader, seed: data.seed, next: from, ordered: from.epoch, order })
    }

    /// The position of the next batch. A run resumed at this position continues as if uninterrupted.
    pub fn position(&self) -> Position {
        self.next
    }

    /// The number of batches per epoch; the last one may be smaller.
    pub fn steps_per_epoch(&self) -> usize {
        self.reader.steps()
    }
}

impl Iterator for Shuffled<'_> {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Result<Batch, DataError>> {
        let position = self.next;
        if self.ordered != position.epoch {
            self.order = order(self.seed, position.epoch, self.reader.images.count());
            self.ordered = position.epoch;
        }
        let indices = self.order.get(self.reader.range(position.step))?.to_vec();
        self.next = match position.step + 1 < self.reader.steps() {
            true => Position { step: position.step + 1, ..position },
            false => Position { epoch: position.epoch.wrapping_add(1), step: 0 },
        };
        Some(self.reader.batch(indices, position))
    }
}

impl<'a> Sequential<'a> {
    pub(crate) fn new(
        data: &'a Dataset,
        split: Split,
        size: usize,
    ) -> Result<Sequential<'a>, DataError> {
        Ok(Sequential { reader: Reader::new(data, split, size)?, step: 0 })
    }
}

impl Iterator for Sequential<'_> {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Result<Batch, DataError>> {
        let indices: Vec<usize> = self.reader.range(self.step).collect();
        if indices.is_empty() {
            return None;
        }
        let position = Position { epoch: 0, step: self.step };
        self.step += 1;
        Some(self.reader.batch(indices, position))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.reader.steps().saturating_sub(self.step);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Sequential<'_> {}
