//! Loads a data set from a specification: applies its options in order.

use crate::count::grouped;
use crate::dataset::{Dataset, View};
use crate::error::{Absence, DataError};
use crate::loader::{Loader, Stored};
use crate::read::{Part, REACH, Raw, Request};
use crate::remember::Notes;
use crate::select::Plan;
use crate::shape::Shape;
use crate::spec::{Binarize, OPTIONS, Spec};
use crate::transform::table;

/// The number of bytes of images that are kept in memory. Further images stay in their file, if it
/// stores them as they are used, or go to a temporary file.
pub const MEMORY: u64 = 1 << 29;

impl Spec {
    /// Reads the data, splits them, and applies the options in the order of
    /// [`OPTIONS`](crate::OPTIONS).
    ///
    /// `seed` determines shuffling and sampling in every epoch, but not which images are used. All
    /// images are read and checked once, in order. At most [`MEMORY`] bytes (512 MiB) of them stay
    /// in memory.
    ///
    /// NumPy arrays do not state the number of levels, unless there is also an array `levels`.
    /// Otherwise it is 2 if no value is above 1; else N if `levels=N` is given and all values are
    /// below N; else 256.
    ///
    /// # Errors
    /// If a file is missing, damaged or of another format, if images differ in size, or if an
    /// option cannot be applied.
    pub fn load(&self, seed: u64) -> Result<Dataset, DataError> {
        self.load_noting(seed, MEMORY, Notes::of_user())
    }

    /// Like [`Self::load`], with at most `memory` bytes of images in memory, and without the cache
    /// of fingerprints.
    ///
    /// # Errors
    /// Those of [`Self::load`].
    pub fn load_within(&self, seed: u64, memory: u64) -> Result<Dataset, DataError> {
        self.load_noting(seed, memory, None)
    }

    fn load_noting(
        &self,
        seed: u64,
        memory: u64,
        notes: Option<Notes>,
    ) -> Result<Dataset, DataError> {
        if self.fit.is_some() && self.size.is_none() {
            return Err(DataError::FitWithoutSize);
        }
        let format = self.source.format;
        let given = OPTIONS.iter().filter(|o| o.of_readers && (o.show)(self).is_some());
        if let Some(option) = { given }.find(|o| !format.takes.contains(&o.word)) {
            return Err(DataError::NotForFormat { option: option.word, format: format.word });
        }
        let path = self.source.location();
        let raw = (format.read)(&Request { path: &path, spec: self })?;
        let plan = Plan::new(self, &raw);
        let mut loader = Loader::new(self, &raw, memory, notes);
        // A second time, if gray images turn out to be mixed with colored ones.
        let stores = loop {
            if let Some(stores) = loader.stores(&raw, &plan)? {
                break stores;
            }
        };
        let shape = loader.first.map_or(Shape { height: 1, width: 1, colours: 1 }, |first| first.1);
        let mut warnings = raw.warnings.clone();
        warnings.extend(plan.warnings.iter().cloned());
        warnings.extend(loader.warnings);
        warnings.extend(self.range.zip(loader.mapped).and_then(unused_range));
        let mut highest = self.peek(&raw)?;
        for (store, name) in stores.iter().zip(["training", "validation", "test"]) {
            let Some((_, seen)) = store else { continue };
            highest = highest.max(seen.highest);
            let oddity = seen.oddity.as_ref();
            warnings.extend(oddity.map(|oddity| format!("the {name} images {oddity}")));
        }
        let (classes, odd_labels) = classes(&raw);
        warnings.extend(odd_labels);
        let from = raw.levels.unwrap_or_else(|| levels(highest, self.levels));
        let to = self.levels.unwrap_or(from);
        if raw.levels.is_none() {
            warnings.extend(unused_levels(highest, from, to));
        }
        // Data with two levels stay as they are.
        let binarize = self.binarize.filter(|_| to != 2);
        let [train, valid, test] = views(&raw, plan.clone(), &stores);
        Ok(Dataset {
            name: self.to_string(),
            seed,
            shape,
            levels: if binarize.is_some() { 2 } else { to },
            train_levels: match binarize {
                Some(Binarize::Threshold | Binarize::Sample) => 2,
                Some(Binarize::Resample) | None => to,
            },
            table: table(from, to, binarize == Some(Binarize::Threshold)),
            draw: binarize.filter(|way| *way != Binarize::Threshold).map(|way| (way, to)),
            train,
            valid,
            test,
            classes,
            class_names: raw.class_names,
            warnings,
            selection: plan.about,
        })
    }

    /// The highest value of the source, including images that a limit leaves out, so that a limit
    /// does not change the number of levels. Reads until the result cannot change the number of
    /// levels any more, and at most [`REACH`] bytes per split.
    fn peek(&self, raw: &Raw) -> Result<usize, DataError> {
        let mut highest = 0;
        if self.limit.is_none() {
            return Ok(highest);
        }
        let enough = self.levels.unwrap_or(2);
        for part in raw.parts().into_iter().flatten() {
            let mut seen = 0;
            let all: Vec<usize> = (0..part.count).collect();
            part.pixels.visit(&all, &mut |picture| {
                seen += picture.pixels.len() as u64;
                let here = picture.pixels.iter().max().copied().unwrap_or(0);
                highest = highest.max(usize::from(here));
                Ok(highest < enough && seen < REACH)
            })?;
        }
        Ok(highest)
    }
}

/// The number of levels, if the source does not state it.
fn levels(highest: usize, wanted: Option<usize>) -> usize {
    match (highest, wanted) {
        (0 | 1, _) => 2,
        (highest, Some(levels)) if highest < levels => levels,
        _ => 256,
    }
}

/// A warning if `levels=` was probably misunderstood: the values look like levels, but are treated
/// as intensities from 0 to 255.
fn unused_levels(highest: usize, from: usize, to: usize) -> Option<String> {
    let used = highest * to / from.max(1) + 1;
    let lost = from == 256 && to < 256 && highest >= to && 2 * used <= to;
    lost.then(|| {
        format!(
            "the highest value is {highest}, so `levels={to}` makes {used} of {to} levels of values from \
             0 to 255; if they are levels already, write `levels={}`",
            highest + 1
        )
    })
}

/// A gap of this share at either end of `range=` is suspicious.
const UNUSED: f64 = 0.25;

/// A warning if all values are in a part of the `range=`.
fn unused_range(((low, high), (least, most)): ((f64, f64), (u8, u8))) -> Option<String> {
    let share = |level: u8| f64::from(level) / 255.0;
    if share(least) < UNUSED && share(most) > 1.0 - UNUSED {
        return None;
    }
    let value = |level: u8| low + (high - low) * share(level);
    Some(format!(
        "the values go from about {:.3} to {:.3} only, although `range={low}:{high}`: they become the \
         levels {least} to {most} of 0 to 255. Give the range that the values have",
        value(least),
        value(most)
    ))
}

/// The number of classes, and a warning if the labels are suspicious. There are as many classes as
/// names, and more than the highest label, even if a limit removes all images with that label.
fn classes(raw: &Raw) -> (Option<usize>, Option<String>) {
    let labels = raw.parts().into_iter().flatten().filter_map(|part| part.labels.as_ref());
    let labels: Vec<u32> = labels.flatten().copied().collect();
    let Some(&highest) = labels.iter().max() else { return (None, None) };
    let classes = raw.class_names.len().max(highest as usize + 1);
    let odd = if raw.class_names.is_empty() && !labels.contains(&0) {
        Some("no image has the label 0: where labels count from 1, subtract 1".to_string())
    } else if classes > labels.len() {
        let (images, highest) = (grouped(labels.len()), grouped(highest as usize));
        Some(format!("labels go up to {highest} for {images} images: are they classes?"))
    } else {
        None
    };
    (Some(classes), odd)
}

/// The splits as the data set presents them, with their labels.
fn views(raw: &Raw, plan: Plan, stores: &[Stored; 3]) -> [Result<View, Absence>; 3] {
    let view = |store: usize, part: &Result<Part, Absence>, indices: &[usize]| match part {
        Ok(part) => match &stores[store] {
            Some((store, _)) => Ok(View::new(store.clone(), indices, part)),
            None => Err(Absence::NoTrain),
        },
        Err(absence) => Err(absence.clone()),
    };
    let valid = plan.valid.and_then(|indices| match plan.holds_out {
        true => view(0, &raw.train, &indices),
        false => view(1, &raw.valid, &indices),
    });
    [
        view(0, &raw.train, &plan.train.unwrap_or_default()),
        valid,
        view(2, &raw.test, &plan.test.unwrap_or_default()),
    ]
}
