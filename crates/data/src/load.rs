//! From a source to a data set: the order in which options apply.

use crate::dataset::{Dataset, Held, Split};
use crate::error::{Absence, DataError};
use crate::random::{Purpose, stream};
use crate::read::{Part, Raw, read};
use crate::shape::Shape;
use crate::spec::{Binarize, Spec};
use crate::transform::{draw, requantise, shrink, threshold};

impl Spec {
    /// Reads the data: splits, then `limit`, `size`, `levels` and `binarize`, in this order.
    ///
    /// `seed` decides all that is random: orders and draws, now and in every epoch.
    ///
    /// Arrays of NumPy do not say how many levels their values have, unless an array `levels` lies
    /// beside them. Otherwise it is 2 if no value is above 1; N if `levels=N` is given and all
    /// values are below N; and 256 if not.
    ///
    /// # Errors
    /// If a file is missing, damaged or of the wrong kind, sizes of images differ, or an option
    /// asks for what cannot be.
    pub fn load(&self, seed: u64) -> Result<Dataset, DataError> {
        let (mut raw, from) = read(self)?;
        let to = self.levels.unwrap_or(from);
        // What has two levels already stays as it is.
        let binarize = self.binarize.filter(|_| to != 2);
        if let Some(size) = self.size {
            for (_, part) in raw.parts() {
                part.as_mut().map_or(Ok(()), |part| shrink(part, size))?;
            }
        }
        let shape = agree(&raw)?;
        let tail = raw.tail;
        for (split, part) in raw.parts() {
            let Ok(part) = part else { continue };
            requantise(&mut part.pixels, from, to);
            match binarize {
                None => {}
                Some(Binarize::Threshold) => threshold(&mut part.pixels, to),
                Some(Binarize::Resample) if split == Split::Train => {}
                Some(_) => match (split, tail) {
                    // The same image is the same in both splits.
                    (Split::Valid, Some(first)) => sample(part, to, seed, (Split::Train, first)),
                    _ => sample(part, to, seed, (split, 0)),
                },
            }
        }
        let classes = classes(&mut raw);
        let held = |part: Result<Part, Absence>| {
            part.map(|part| Held { pixels: part.pixels, labels: part.labels })
        };
        Ok(Dataset {
            name: self.to_string(),
            seed,
            shape,
            levels: if binarize.is_some() { 2 } else { to },
            train_levels: match binarize {
                Some(Binarize::Threshold | Binarize::Sample) => 2,
                Some(Binarize::Resample) | None => to,
            },
            train: held(raw.train),
            valid: held(raw.valid),
            test: held(raw.test),
            tail,
            classes,
            class_names: raw.class_names,
        })
    }
}

impl Raw {
    fn parts(&mut self) -> [(Split, &mut Result<Part, Absence>); 3] {
        [
            (Split::Train, &mut self.train),
            (Split::Valid, &mut self.valid),
            (Split::Test, &mut self.test),
        ]
    }
}

/// How many classes there are: as many as have names, and at least one more than the highest label.
fn classes(raw: &mut Raw) -> Option<usize> {
    let names = raw.class_names.len();
    let labels = raw.parts().into_iter().filter_map(|(_, part)| part.as_ref().ok());
    let highest = labels.filter_map(|part| part.labels.as_ref()?.iter().max().copied()).max()?;
    Some(names.max(highest as usize + 1))
}

/// Splits must have images of one size.
fn agree(raw: &Raw) -> Result<Shape, DataError> {
    let mut parts = [&raw.train, &raw.valid, &raw.test].into_iter().flatten();
    let Some(first) = parts.next() else {
        return Ok(Shape { height: 1, width: 1, colours: 1 });
    };
    match parts.find(|part| part.shape != first.shape) {
        Some(other) => Err(DataError::Sizes {
            place: other.place.clone(),
            found: other.shape,
            first: first.place.clone(),
            expected: first.shape,
        }),
        None => Ok(first.shape),
    }
}

/// Draws every value once. `first`: the split of the first image, and which one it is there.
fn sample(part: &mut Part, levels: usize, seed: u64, first: (Split, usize)) {
    let values = part.shape.values();
    for (image, pixels) in part.pixels.chunks_exact_mut(values).enumerate() {
        let image = (first.1 + image) as u64;
        let rng = stream(seed, Purpose::Sample(first.0), 0, image);
        let drawn: Vec<u8> = draw(pixels, levels, rng).collect();
        pixels.copy_from_slice(&drawn);
    }
}
