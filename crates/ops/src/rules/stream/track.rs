//! Tracks the values of the declaration's graph: when each is known, and in which form.

use std::collections::BTreeMap;

use pixelrnn_graph::{Dim, Type, Value};

use super::{PixelValue, PreludeValue, RowValue, StreamError, Streaming};
use crate::op::{Concat, MergeAxes, Op, Slice, Transpose};

/// When a value is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Before the first pixel: it depends on parameters and conditions alone.
    Given,
    /// When its row begins: it depends on rows above, too.
    Row,
    /// At its pixel.
    Pixel,
}

/// A value of the declaration's graph, and where the streamed graphs have it.
#[derive(Clone, Debug)]
pub(super) struct Tracked {
    ty: Type,
    known: Known,
    /// Views of the value, computed on demand: its current row, its current pixel, and the pixel ordered by
    /// color group, keyed by the number of gates.
    row: Option<RowValue>,
    pixel: Option<PixelValue>,
    by_group: BTreeMap<usize, PixelValue>,
}

#[derive(Clone, Debug)]
enum Known {
    /// A value from before the loops, in the layout of the declaration's graph.
    Given(PreludeValue),
    /// `[W, N, F]`, features in the declared order.
    Row(RowValue),
    /// The color groups that are known so far, in order; `None` for a group without features.
    Pixel { gates: usize, groups: Vec<Option<PixelValue>>, prefixes: BTreeMap<usize, PixelValue> },
}

/// The ranges `(start, length)` of the declared features, ordered by group: for each group, its part of every
/// gate.
fn stretches(bounds: &[usize], gates: usize) -> Vec<(usize, usize)> {
    let gate = bounds.last().copied().unwrap_or(0);
    let groups = bounds.windows(2).filter(|b| b[0] < b[1]);
    groups.flat_map(|b| (0..gates).map(move |k| (k * gate + b[0], b[1] - b[0]))).collect()
}

impl Streaming {
    /// Records that a value of the declaration's graph is computed before the loops.
    pub fn set_given(&mut self, value: Value, ty: Type, at: PreludeValue) {
        self.track(value, ty, Known::Given(at));
    }

    /// Records that a value of the declaration's graph is known when a row begins.
    pub fn set_row(&mut self, value: Value, ty: Type, at: RowValue) {
        self.track(value, ty, Known::Row(at));
    }

    /// Records that a value of the declaration's graph is a map known at its pixel, with `gates` gates.
    pub fn set_map(&mut self, value: Value, ty: Type, gates: usize) {
        let (groups, prefixes) = (Vec::new(), BTreeMap::new());
        self.track(value, ty, Known::Pixel { gates, groups, prefixes });
    }

    fn track(&mut self, value: Value, ty: Type, known: Known) {
        let tracked = Tracked { ty, known, row: None, pixel: None, by_group: BTreeMap::new() };
        self.values.insert(value, tracked);
    }

    /// Records the next color group of a map.
    pub fn set_group(&mut self, value: Value, group: Option<PixelValue>) {
        if let Some(Tracked { known: Known::Pixel { groups, .. }, .. }) =
            self.values.get_mut(&value)
        {
            groups.push(group);
        }
    }

    fn tracked(&self, input: usize) -> Result<&Tracked, StreamError> {
        let value = self.inputs.get(input).and_then(|v| self.values.get(v));
        value.ok_or(StreamError::Form("a layer reads a value that nothing has made"))
    }

    fn tracked_mut(&mut self, input: usize) -> Result<&mut Tracked, StreamError> {
        let value = self.inputs.get(input).and_then(|v| self.values.get_mut(v));
        value.ok_or(StreamError::Form("a layer reads a value that nothing has made"))
    }

    /// The number of inputs of the node.
    pub fn arity(&self) -> usize {
        self.inputs.len()
    }

    /// The type of an input, as in the declaration's graph.
    ///
    /// # Errors
    /// There is no such input.
    pub fn input_type(&self, input: usize) -> Result<&Type, StreamError> {
        Ok(&self.tracked(input)?.ty)
    }

    /// When an input is known.
    ///
    /// # Errors
    /// There is no such input.
    pub fn phase(&self, input: usize) -> Result<Phase, StreamError> {
        Ok(match self.tracked(input)?.known {
            Known::Given(_) => Phase::Given,
            Known::Row(_) => Phase::Row,
            Known::Pixel { .. } => Phase::Pixel,
        })
    }

    /// An input that is computed before the loops.
    ///
    /// # Errors
    /// [`StreamError`] if it is not.
    pub fn given(&self, input: usize) -> Result<PreludeValue, StreamError> {
        match self.tracked(input)?.known {
            Known::Given(value) => Ok(value),
            _ => Err(StreamError::Form("a weight depends on the image")),
        }
    }

    /// The number of features of an input that is a map.
    ///
    /// # Errors
    /// The input is not a map.
    pub fn features(&self, input: usize) -> Result<usize, StreamError> {
        match self.tracked(input)?.ty.extents(1)[..] {
            [_, f, _, _] => Ok(f),
            [_, c, p, _, _] => Ok(c * p),
            _ => Err(self.misshapen()),
        }
    }

    /// The number of gates of an input's features; 1 for an input that is not known group by group.
    ///
    /// # Errors
    /// There is no such input.
    pub fn gates(&self, input: usize) -> Result<usize, StreamError> {
        match self.tracked(input)?.known {
            Known::Pixel { gates, .. } => Ok(gates),
            _ => Ok(1),
        }
    }

    /// Whether an input has the same value at all positions of an image.
    ///
    /// # Errors
    /// It is neither `[N, F, 1, 1]` nor as large as the image.
    fn spread(&self, input: usize) -> Result<bool, StreamError> {
        let extents = self.tracked(input)?.ty.extents(1);
        match extents[..] {
            [_, _, h, w] if [h, w] == [self.height, self.width] => Ok(false),
            [_, _, 1, 1] => Ok(true),
            _ => Err(self.misshapen()),
        }
    }

    /// An input that is known when the row begins: `[W, N, F]`, or `[1, N, F]` if it is the same for all
    /// positions.
    ///
    /// # Errors
    /// It is known only at its pixel, or has another size than the image.
    pub fn row_of(&mut self, input: usize) -> Result<RowValue, StreamError> {
        let tracked = self.tracked(input)?;
        let given = match (&tracked.known, tracked.row) {
            (_, Some(row)) | (&Known::Row(row), None) => return Ok(row),
            (&Known::Given(given), None) => given,
            (Known::Pixel { .. }, None) => return Err(self.ahead()),
        };
        let spread = self.spread(input)?;
        let perm = vec![2, 3, 0, 1];
        let pixels = self.prelude(Transpose { perm }, &[given], "by_pixel")?;
        let row = match spread {
            true => {
                let one = self.prelude(MergeAxes { axis: 0 }, &[pixels], "for_all")?;
                self.in_row(one, "for_all")
            }
            false => self.scan_rows(pixels, "map"),
        };
        self.tracked_mut(input)?.row = Some(row);
        Ok(row)
    }

    /// The current pixel of an input that is known when the row begins: `[N, F]`, features in the declared
    /// order.
    ///
    /// # Errors
    /// As [`Streaming::row_of`].
    fn pixel_of(&mut self, input: usize) -> Result<PixelValue, StreamError> {
        if let Some(known) = self.tracked(input)?.pixel {
            return Ok(known);
        }
        let given = match self.tracked(input)?.known {
            Known::Given(given) if self.spread(input)? => Some(given),
            _ => None,
        };
        let pixel = match given {
            Some(given) => {
                let mut flat = given;
                for _ in 0..2 {
                    flat = self.prelude(MergeAxes { axis: 1 }, &[flat], "for_all")?;
                }
                self.in_pixel(flat, "for_all")
            }
            None => {
                let row = self.row_of(input)?;
                self.scan(row, "map")
            }
        };
        self.tracked_mut(input)?.pixel = Some(pixel);
        Ok(pixel)
    }

    /// Like `pixel_of`, with the features ordered by color group, each with its part of every gate.
    fn pixel_by_group(&mut self, input: usize, gates: usize) -> Result<PixelValue, StreamError> {
        if self.colours == 1 || gates == 1 {
            return self.pixel_of(input);
        }
        if let Some(&known) = self.tracked(input)?.by_group.get(&gates) {
            return Ok(known);
        }
        let features = self.features(input)?;
        if !features.is_multiple_of(gates) {
            return Err(self.misshapen());
        }
        let bounds = self.bounds(features / gates);
        let whole = self.pixel_of(input)?;
        let mut parts = Vec::new();
        for (start, length) in stretches(&bounds, gates) {
            parts.push(self.pixel_slice(whole, start, length, "gate")?);
        }
        let sorted = self.pixel_concat(&parts, "by_group")?;
        self.tracked_mut(input)?.by_group.insert(gates, sorted);
        Ok(sorted)
    }

    /// Orders the features along an axis of a weight by color group.
    ///
    /// # Errors
    /// [`StreamError::Build`] if a range of features is outside the axis.
    pub fn by_group(
        &mut self,
        v: PreludeValue,
        axis: usize,
        gates: usize,
        part: &str,
    ) -> Result<PreludeValue, StreamError> {
        if self.colours == 1 || gates == 1 {
            return Ok(v);
        }
        let bounds = self.bounds(self.extents(v)[axis] / gates);
        let mut parts = Vec::new();
        for (start, length) in stretches(&bounds, gates) {
            parts.push(self.prelude_slice(v, axis, start, length, part)?);
        }
        self.prelude_concat(&parts, axis, part)
    }

    /// Orders the features of a row `[W, N, F]` by color group. Their number must be a multiple of `gates`.
    ///
    /// # Errors
    /// [`StreamError::Build`] if a node cannot be added.
    pub fn row_by_group(
        &mut self,
        v: RowValue,
        gates: usize,
        part: &str,
    ) -> Result<RowValue, StreamError> {
        if self.colours == 1 || gates == 1 {
            return Ok(v);
        }
        let features = self.row.ty(v.0).shape[2].with_batch(1);
        let bounds = self.bounds(features / gates);
        let mut parts = Vec::new();
        for (start, length) in stretches(&bounds, gates) {
            parts.push(self.row(Slice { axis: 2, start, length }, &[v], part)?);
        }
        match parts[..] {
            [one] => Ok(one),
            _ => self.row(Concat { axis: 2 }, &parts, part),
        }
    }

    /// Orders the features of a row that are ordered by color group as they are declared. Their number must
    /// be a multiple of `gates`.
    ///
    /// # Errors
    /// [`StreamError::Build`] if a node cannot be added.
    pub fn row_as_declared(
        &mut self,
        v: RowValue,
        gates: usize,
        part: &str,
    ) -> Result<RowValue, StreamError> {
        if self.colours == 1 || gates == 1 {
            return Ok(v);
        }
        let features = self.row.ty(v.0).shape[2].with_batch(1);
        // For each range: where it is declared, where it is now, and its length.
        let mut at = 0;
        let mut moved: Vec<(usize, usize, usize)> = Vec::new();
        for (start, length) in stretches(&self.bounds(features / gates), gates) {
            moved.push((start, at, length));
            at += length;
        }
        moved.sort_unstable();
        let mut parts = Vec::new();
        for (_, start, length) in moved {
            parts.push(self.row(Slice { axis: 2, start, length }, &[v], part)?);
        }
        match parts[..] {
            [one] => Ok(one),
            _ => self.row(Concat { axis: 2 }, &parts, part),
        }
    }

    /// A color group of an input whose features have `gates` gates; `None` if the group has no features.
    ///
    /// # Errors
    /// The group is not known yet, or the input has another number of gates.
    pub fn group_of(
        &mut self,
        input: usize,
        group: usize,
        gates: usize,
    ) -> Result<Option<PixelValue>, StreamError> {
        if let Known::Pixel { gates: own, groups, .. } = &self.tracked(input)?.known {
            if *own != gates && self.colours > 1 {
                return Err(self.misshapen());
            }
            let group = groups.get(group).copied();
            return group.ok_or_else(|| self.ahead());
        }
        let features = self.features(input)?;
        let whole = self.pixel_by_group(input, gates)?;
        // A single feature is shared by all groups.
        if features == 1 {
            return Ok(Some(whole));
        }
        let bounds = self.bounds(features / gates.max(1));
        let (start, length) = (gates * bounds[group], gates * (bounds[group + 1] - bounds[group]));
        if length == 0 {
            return Ok(None);
        }
        self.pixel_slice(whole, start, length, "group").map(Some)
    }

    /// A color group of an input, with the input's own number of gates.
    ///
    /// # Errors
    /// The group is not known yet.
    pub fn group(&mut self, input: usize, group: usize) -> Result<Option<PixelValue>, StreamError> {
        let gates = self.gates(input)?;
        self.group_of(input, group, gates)
    }

    /// The first color groups of an input, concatenated; `None` if they have no features.
    ///
    /// # Errors
    /// Not all of them are known yet.
    pub fn groups(
        &mut self,
        input: usize,
        count: usize,
    ) -> Result<Option<PixelValue>, StreamError> {
        let Known::Pixel { groups, prefixes, .. } = &self.tracked(input)?.known else {
            let bounds = self.bounds(self.features(input)?);
            let whole = self.pixel_of(input)?;
            return match bounds[count] {
                0 => Ok(None),
                length => self.pixel_slice(whole, 0, length, "groups").map(Some),
            };
        };
        if let Some(&known) = prefixes.get(&count) {
            return Ok(Some(known));
        }
        if groups.len() < count {
            return Err(self.ahead());
        }
        let parts: Vec<PixelValue> = groups[..count].iter().flatten().copied().collect();
        if parts.is_empty() {
            return Ok(None);
        }
        let all = self.pixel_concat(&parts, "colours")?;
        if let Known::Pixel { prefixes, .. } = &mut self.tracked_mut(input)?.known {
            prefixes.insert(count, all);
        }
        Ok(Some(all))
    }

    /// All features of an input.
    ///
    /// # Errors
    /// Not all of them are known yet.
    pub fn whole(&mut self, input: usize) -> Result<PixelValue, StreamError> {
        let colours = self.colours;
        self.groups(input, colours)?.ok_or(StreamError::Form("a map has no features"))
    }

    /// Requests the complete row of an input; see [`Streaming::complete_row`].
    ///
    /// # Errors
    /// Some features are not known at the end of the pixel.
    pub fn keep_row(&mut self, input: usize) -> Result<(), StreamError> {
        if self.phase(input)? == Phase::Pixel {
            let whole = self.whole(input)?;
            self.stack(whole);
        }
        Ok(())
    }

    /// The complete row `[W, N, F]` of an input, ordered by group if it has several gates.
    ///
    /// # Errors
    /// [`StreamError`] if the row was not requested.
    pub fn complete_row(&mut self, input: usize) -> Result<RowValue, StreamError> {
        if self.phase(input)? != Phase::Pixel {
            let row = self.row_of(input)?;
            // An input that is the same for all positions is broadcast to the width of the image.
            let mut shape = self.row.ty(row.0).shape.clone();
            if shape[0] == Dim::Fixed(self.width) {
                return Ok(row);
            }
            shape[0] = Dim::Fixed(self.width);
            return self.row(Op::from(crate::op::Broadcast { to: shape }), &[row], "spread");
        }
        let whole = self.whole(input)?;
        self.complete(whole)
    }
}
