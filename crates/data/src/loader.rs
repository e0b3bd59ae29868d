//! Reads, checks, transforms and stores images, one after the other.

use std::sync::Arc;

use crate::bytes::{Bytes, Spool};
use crate::dataset::{Split, Store};
use crate::error::{DataError, Place};
use crate::read::{Part, Picture, Raw};
use crate::remember::Notes;
use crate::select::Plan;
use crate::shape::Shape;
use crate::spec::{Fit, Spec};
use crate::survey::{Seen, Survey};
use crate::transform::Geometry;

/// Reads images into stores.
pub struct Loader<'a> {
    geometry: Geometry,
    spec: &'a Spec,
    levels: Option<usize>,
    notes: Option<Notes>,
    /// The number of bytes that may be held in memory, and how many of them are left.
    memory: u64,
    room: u64,
    /// The first image. All others must have the same size.
    pub first: Option<(Place, Shape)>,
    /// The lowest and the highest level that `range` maps values to; `None` if there is no `range`.
    pub mapped: Option<(u8, u8)>,
    pub warnings: Vec<String>,
}

/// The images of a split, and the statistics of their values.
pub type Stored = Option<(Arc<Store>, Seen)>;

impl<'a> Loader<'a> {
    /// A loader that keeps at most `memory` bytes. `notes` is the cache of statistics.
    pub fn new(spec: &'a Spec, raw: &Raw, memory: u64, notes: Option<Notes>) -> Loader<'a> {
        Loader {
            geometry: Geometry {
                crop: spec.crop,
                size: spec.size,
                fit: spec.fit.unwrap_or(Fit::Squash),
                colours: spec.colours,
            },
            spec,
            levels: raw.levels,
            notes,
            memory,
            room: memory,
            first: None,
            mapped: None,
            warnings: Vec::new(),
        }
    }

    /// Loads the splits of the source. Returns `None` if it must be called again because gray
    /// images turned out to be mixed with colored ones.
    pub fn stores(&mut self, raw: &Raw, plan: &Plan) -> Result<Option<[Stored; 3]>, DataError> {
        (self.room, self.first) = (self.memory, None);
        self.warnings.clear();
        let own = |part: usize| plan.valid.as_ref().ok().filter(|_| part == 0 || !plan.holds_out);
        let mut train = plan.train.clone();
        if let (Some(train), Some(valid)) = (&mut train, own(0).filter(|_| plan.holds_out)) {
            train.extend(valid);
            train.sort_unstable();
            train.dedup();
        }
        let wanted = [train, own(1).cloned(), plan.test.clone()];
        let mut stores = [None, None, None];
        let splits = Split::ALL.into_iter().zip(raw.parts()).zip(wanted).zip(&mut stores);
        for (((split, part), wanted), store) in splits {
            let (Ok(part), Some(wanted)) = (part, wanted) else { continue };
            match self.store(split, part, &wanted)? {
                Some(made) => *store = Some(made),
                None => return Ok(None),
            }
        }
        Ok(Some(stores))
    }

    fn store(
        &mut self,
        split: Split,
        part: &Part,
        wanted: &[usize],
    ) -> Result<Option<(Arc<Store>, Seen)>, DataError> {
        if u32::try_from(part.count).is_err() {
            let what = "it holds more than 4,294,967,295 images".to_string();
            return Err(DataError::Unsupported { place: part.place.clone(), what });
        }
        let direct = match self.geometry.changes_nothing() {
            true => part.pixels.direct().filter(|bytes| bytes.length() > self.room),
            false => None,
        };
        let key = direct.as_ref().and_then(|bytes| {
            self.notes.as_ref()?.key(&part.place.path, bytes, wanted, self.levels)
        });
        let known = key.as_ref().and_then(|key| self.notes.as_ref()?.get(key));
        // If the statistics are cached, only one image is read, for its size.
        let read = if known.is_some() { &wanted[..wanted.len().min(1)] } else { wanted };
        let Some((bytes, seen, values)) = self.read(part, read, direct.is_none())? else {
            return Ok(None);
        };
        let held = if direct.is_none() { Some(wanted.to_vec()) } else { None };
        let seen = match (known, key, &self.notes) {
            (Some(known), _, _) => known,
            (None, Some(key), Some(notes)) => {
                notes.put(&key, &seen);
                seen
            }
            _ => seen,
        };
        let bytes = direct.unwrap_or(bytes);
        if let Bytes::Memory(bytes) = &bytes {
            self.room = self.room.saturating_sub(bytes.len() as u64);
        }
        let (place, hash) = (part.place.clone(), seen.hash);
        Ok(Some((Arc::new(Store { place, bytes, values, held, split, hash }), seen)))
    }

    /// Reads images. If `copies`, also collects them. Returns the bytes, the statistics, and the
    /// number of values per image, or `None` if all images must be read again as color images.
    fn read(
        &mut self,
        part: &Part,
        wanted: &[usize],
        copies: bool,
    ) -> Result<Option<(Bytes, Seen, usize)>, DataError> {
        let io = |error| DataError::Io { place: part.place.clone(), error };
        let (mut spool, mut survey) = (Spool::new(self.room), Survey::default());
        let (mut indices, mut values) = (wanted.iter(), 1);
        let whole = part.pixels.visit(wanted, &mut |picture| {
            self.check(&picture, indices.next().copied().unwrap_or(0))?;
            if self.spec.range.is_some() {
                for &value in &picture.pixels {
                    let (low, high) = self.mapped.unwrap_or((value, value));
                    self.mapped = Some((low.min(value), high.max(value)));
                }
            }
            let picture = self.geometry.apply(picture, &mut self.warnings)?;
            if !self.agrees(&picture, part.pixels.mixes_colours())? {
                return Ok(false);
            }
            values = picture.shape.values();
            survey.see(&picture.pixels);
            if copies {
                spool.push(&picture.pixels).map_err(io)?;
            }
            Ok(true)
        })?;
        Ok(match whole {
            true => Some((spool.finish().map_err(io)?, survey.seen(), values)),
            false => None,
        })
    }

    /// Checks that all values are below the number of levels that the source states.
    fn check(&self, picture: &Picture, image: usize) -> Result<(), DataError> {
        let Some(levels) = self.levels.filter(|&levels| levels < 256) else { return Ok(()) };
        match picture.pixels.iter().find(|&&value| usize::from(value) >= levels) {
            Some(&value) => {
                Err(DataError::Value { place: picture.place.clone(), image, value, levels })
            }
            None => Ok(()),
        }
    }

    /// Whether an image has the size of the first one. Returns false if all images must be read
    /// again as color images.
    ///
    /// # Errors
    /// [`DataError::Sizes`] if the sizes differ otherwise.
    fn agrees(&mut self, picture: &Picture, mixes: bool) -> Result<bool, DataError> {
        let (place, found) = (picture.place.clone(), picture.shape);
        let (first, expected) = self.first.get_or_insert_with(|| (place.clone(), found));
        if found == *expected {
            return Ok(true);
        }
        let colored = Shape { colours: found.colours, ..*expected };
        if mixes && self.spec.colours.is_none() && found == colored {
            self.geometry.colours = Some(3);
            return Ok(false);
        }
        Err(DataError::Sizes { place, found, first: first.clone(), expected: *expected })
    }
}
