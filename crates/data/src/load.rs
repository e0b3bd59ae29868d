//! From a source to a data set: the order in which options apply.

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

/// Images that take more bytes than this lie in a file: in their own, if they lie there as they are
/// used, or in a temporary one.
pub const MEMORY: u64 = 1 << 29;

impl Spec {
    /// Reads the data: splits, then the options in the order of [`OPTIONS`](crate::OPTIONS).
    ///
    /// `seed` decides all that is random but which images are used: orders and draws, now and in
    /// every epoch. All images are read and checked once, one after the other. At most 512 MiB of
    /// them stay in memory.
    ///
    /// Arrays of NumPy do not say how many levels their values have, unless an array `levels` lies
    /// beside them. Otherwise it is 2 if no value is above 1; N if `levels=N` is given and all
    /// values are below N; and 256 if not.
    ///
    /// # Errors
    /// If a file is missing, damaged or of the wrong kind, sizes of images differ, or an option
    /// asks for what cannot be.
    pub fn load(&self, seed: u64) -> Result<Dataset, DataError> {
        self.load_noting(seed, MEMORY, Notes::of_user())
    }

    /// As [`Self::load`], with at most `memory` bytes of images in memory, and without notes of what
    /// was seen of large files.
    ///
    /// # Errors
    /// As [`Self::load`].
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
        // Twice if colored images follow gray ones.
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
        // What has two levels already stays as it is.
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

    /// The highest value among images that a limit leaves out, as far as it matters and as far as
    /// can be seen in [`REACH`] bytes, so that a limit does not change what the levels are.
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

/// How many levels unexplained bytes have.
fn levels(highest: usize, wanted: Option<usize>) -> usize {
    match (highest, wanted) {
        (0 | 1, _) => 2,
        (highest, Some(levels)) if highest < levels => levels,
        _ => 256,
    }
}

/// What to say of `levels=` where values that look like levels already are taken for shades of 256.
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

/// A share of the range that no value lies in, at one of its ends, of which this much is suspicious.
const UNUSED: f64 = 0.25;

/// What to say of `range=` where all values lie in a part of it.
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

/// How many classes there are: as many as the source has names for, and at least one more than the
/// highest label, whether or not a limit keeps an image of it. Also what is odd about the labels.
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

/// The splits as they are used, with their labels.
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
