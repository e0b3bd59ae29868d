//! The three graphs of a streamed model under construction, and the connections between them.

use std::collections::BTreeMap;
use std::sync::Arc;

use pixelrnn_graph::{Dim, Graph, Role, Site, Type, Value};

use super::track::Tracked;
use super::{PixelValue, PreludeValue, RowValue, StreamError, Sweep};
use crate::PixelGraph;
use crate::op::{Add, Broadcast, Concat, Constant, MatMul, Op, Slice, SplitAxis, Sub};

/// A value that is carried from row to row.
#[derive(Clone, Debug)]
pub struct Cache {
    /// The name of the loop's state.
    pub name: String,
    /// Its value before the first row.
    pub initial: PreludeValue,
    /// Its value in the body of the loop over rows.
    pub value: RowValue,
    /// Its value for the next row, once it is known.
    pub next: Option<RowValue>,
}

/// A value that is carried from pixel to pixel of a row. It is zero before the first pixel.
#[derive(Clone, Debug)]
pub struct State {
    /// Its value in the body of the loop over pixels.
    pub value: PixelValue,
    /// If given, the difference to this value is carried instead.
    origin: Option<PixelValue>,
    /// Its value for the next pixel, once it is known.
    pub next: Option<PixelValue>,
}

/// The context of a streaming rule: the three graphs, their connections, and the current node.
pub struct Streaming {
    /// The nodes that are computed once, before all loops.
    pub prelude: PixelGraph,
    /// The body of the loop over rows.
    pub row: PixelGraph,
    /// The body of the loop over pixels.
    pub pixel: PixelGraph,
    /// The colors of the image.
    pub colours: usize,
    /// The height of the image.
    pub height: usize,
    /// The width of the image.
    pub width: usize,
    /// What is carried from row to row.
    pub caches: Vec<Cache>,
    /// What is carried from pixel to pixel.
    pub states: Vec<State>,
    /// Values from before the loops that the body for a row reads, and the corresponding values in that body.
    pub row_invariants: BTreeMap<PreludeValue, RowValue>,
    /// Values from before the loops that the body for a pixel reads, and the corresponding values in that
    /// body.
    pub pixel_invariants: BTreeMap<PreludeValue, PixelValue>,
    /// Values `[H, ..]` from before the loops, and the slice of each that the body for a row gets.
    pub row_scanned: Vec<(PreludeValue, RowValue)>,
    /// Values of a whole row `[W, ..]`, and the slice of each that the body for a pixel gets.
    pub scanned: Vec<(RowValue, PixelValue)>,
    /// Values of one pixel whose complete rows are needed, and those rows once they exist.
    pub stacked: Vec<(PixelValue, Option<RowValue>)>,
    pub(super) sweeps: Vec<Sweep>,
    pub(super) values: BTreeMap<Value, Tracked>,
    node: String,
    site: Site,
    pub(super) inputs: Vec<Value>,
}

impl Streaming {
    /// Empty graphs for images with this number of colors, rows and columns. `layers` is the layer table of
    /// the declaration's graph.
    pub fn new(
        name: &str,
        [colours, height, width]: [usize; 3],
        layers: Arc<Vec<String>>,
    ) -> Streaming {
        let mut prelude: PixelGraph = Graph::new(name);
        prelude.share_layers(layers);
        Streaming {
            prelude,
            row: Graph::new("row"),
            pixel: Graph::new("pixel"),
            colours,
            height,
            width,
            caches: Vec::new(),
            states: Vec::new(),
            row_invariants: BTreeMap::new(),
            pixel_invariants: BTreeMap::new(),
            row_scanned: Vec::new(),
            scanned: Vec::new(),
            stacked: Vec::new(),
            sweeps: Vec::new(),
            values: BTreeMap::new(),
            node: String::new(),
            site: Site::NONE,
            inputs: Vec::new(),
        }
    }

    /// Sets the current node.
    pub fn visit(&mut self, node: &str, site: Site, inputs: &[Value]) {
        self.node = node.to_string();
        self.site = site;
        self.inputs = inputs.to_vec();
    }

    /// The name of the current node.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The layer and the place in the declaration that the current node comes from.
    pub fn site(&self) -> Site {
        self.site
    }

    /// The error for a node that reads values that are not drawn yet.
    pub fn ahead(&self) -> StreamError {
        StreamError::Ahead { node: self.node.clone(), span: self.site.span }
    }

    /// The error for a node that combines maps whose shapes do not fit.
    pub fn misshapen(&self) -> StreamError {
        StreamError::Shape { node: self.node.clone(), span: self.site.span }
    }

    // Nodes.

    /// Adds a node before the loops; `part` is the suffix of its name.
    ///
    /// # Errors
    /// The operator does not accept the inputs.
    pub fn prelude(
        &mut self,
        op: impl Into<Op>,
        inputs: &[PreludeValue],
        part: &str,
    ) -> Result<PreludeValue, StreamError> {
        let inputs: Vec<Value> = inputs.iter().map(|v| v.0).collect();
        let name = format!("{}/{part}", self.node);
        Ok(PreludeValue(self.prelude.push(op.into(), &inputs, &name, self.site)?[0]))
    }

    /// Adds a node to the loop over rows.
    ///
    /// # Errors
    /// As [`Streaming::prelude`].
    pub fn row(
        &mut self,
        op: impl Into<Op>,
        inputs: &[RowValue],
        part: &str,
    ) -> Result<RowValue, StreamError> {
        let inputs: Vec<Value> = inputs.iter().map(|v| v.0).collect();
        let name = format!("{}/{part}", self.node);
        Ok(RowValue(self.row.push(op.into(), &inputs, &name, self.site)?[0]))
    }

    /// Adds a node to the loop over pixels.
    ///
    /// # Errors
    /// As [`Streaming::prelude`].
    pub fn pixel(
        &mut self,
        op: impl Into<Op>,
        inputs: &[PixelValue],
        part: &str,
    ) -> Result<PixelValue, StreamError> {
        let inputs: Vec<Value> = inputs.iter().map(|v| v.0).collect();
        let name = format!("{}/{part}", self.node);
        Ok(PixelValue(self.pixel.push(op.into(), &inputs, &name, self.site)?[0]))
    }

    /// The extents of a value from before the loops.
    pub fn extents(&self, v: PreludeValue) -> Vec<usize> {
        self.prelude.ty(v.0).extents(1)
    }

    /// A range of an axis of a value from before the loops. Adds no node if it is the whole axis.
    ///
    /// # Errors
    /// The range is outside the axis.
    pub fn prelude_slice(
        &mut self,
        v: PreludeValue,
        axis: usize,
        start: usize,
        length: usize,
        part: &str,
    ) -> Result<PreludeValue, StreamError> {
        if self.extents(v).get(axis) == Some(&length) {
            return Ok(v);
        }
        self.prelude(Slice { axis, start, length }, &[v], part)
    }

    /// A range of the features of a pixel, `[N, length]`. Adds no node if it is all of them.
    ///
    /// # Errors
    /// The range is outside the features.
    pub fn pixel_slice(
        &mut self,
        v: PixelValue,
        start: usize,
        length: usize,
        part: &str,
    ) -> Result<PixelValue, StreamError> {
        if self.pixel.ty(v.0).shape[1] == Dim::Fixed(length) {
            return Ok(v);
        }
        self.pixel(Slice { axis: 1, start, length }, &[v], part)
    }

    /// Concatenates values from before the loops.
    ///
    /// # Errors
    /// Their shapes do not fit.
    pub fn prelude_concat(
        &mut self,
        parts: &[PreludeValue],
        axis: usize,
        part: &str,
    ) -> Result<PreludeValue, StreamError> {
        match parts {
            [one] => Ok(*one),
            _ => self.prelude(Concat { axis }, parts, part),
        }
    }

    /// Concatenates features of a pixel.
    ///
    /// # Errors
    /// Their shapes do not fit.
    pub fn pixel_concat(
        &mut self,
        parts: &[PixelValue],
        part: &str,
    ) -> Result<PixelValue, StreamError> {
        match parts {
            [one] => Ok(*one),
            _ => self.pixel(Concat { axis: 1 }, parts, part),
        }
    }

    /// Multiplies the features of a pixel by a matrix.
    ///
    /// # Errors
    /// Their shapes do not fit.
    pub fn pixel_product(
        &mut self,
        x: PixelValue,
        matrix: PreludeValue,
        part: &str,
    ) -> Result<PixelValue, StreamError> {
        let matrix = self.in_pixel(matrix, &format!("{part}_matrix"));
        self.pixel(MatMul, &[x, matrix], part)
    }

    /// Broadcasts a vector `[features]`, or zero, to `[N, features]` or `[W, N, features]`.
    ///
    /// # Errors
    /// The vector has another number of features.
    pub fn initial(
        &mut self,
        vector: Option<PreludeValue>,
        shape: &[Dim],
        part: &str,
    ) -> Result<PreludeValue, StreamError> {
        let rank = shape.len();
        let mut v = match vector {
            Some(v) => v,
            None => {
                let features = shape[rank - 1].with_batch(1);
                let value = pixelrnn_graph::Array::zeros(vec![features]);
                self.prelude(Constant { value }, &[], part)?
            }
        };
        for _ in 1..rank {
            v = self.prelude_lead(v, part)?;
        }
        self.prelude(Broadcast { to: shape.to_vec() }, &[v], part)
    }

    /// Adds a first axis of extent one.
    ///
    /// # Errors
    /// [`StreamError::Build`] for a value without axes.
    pub fn prelude_lead(
        &mut self,
        v: PreludeValue,
        part: &str,
    ) -> Result<PreludeValue, StreamError> {
        self.prelude(SplitAxis { axis: 0, parts: 1 }, &[v], part)
    }

    /// Adds a first axis of extent one.
    ///
    /// # Errors
    /// [`StreamError::Build`] for a value without axes.
    pub fn row_lead(&mut self, v: RowValue, part: &str) -> Result<RowValue, StreamError> {
        self.row(SplitAxis { axis: 0, parts: 1 }, &[v], part)
    }

    /// The shape of a row with this number of features.
    pub fn row_shape(&self, features: usize) -> [Dim; 3] {
        [Dim::Fixed(self.width), Dim::N, Dim::Fixed(features)]
    }

    /// The bounds of the color groups of a map with this number of features.
    pub fn bounds(&self, features: usize) -> Vec<usize> {
        (0..=self.colours).map(|g| (g * features).div_ceil(self.colours)).collect()
    }

    // Connections.

    /// The value in the body of the loop over rows for a value from before the loops.
    pub fn in_row(&mut self, v: PreludeValue, part: &str) -> RowValue {
        if let Some(&known) = self.row_invariants.get(&v) {
            return known;
        }
        let ty = self.prelude.ty(v.0).clone();
        let inside = RowValue(input(&mut self.row, &self.node, part, ty));
        self.row_invariants.insert(v, inside);
        inside
    }

    /// The value in the body of the loop over pixels for a value from before the loops.
    pub fn in_pixel(&mut self, v: PreludeValue, part: &str) -> PixelValue {
        if let Some(&known) = self.pixel_invariants.get(&v) {
            return known;
        }
        let ty = self.prelude.ty(v.0).clone();
        let inside = PixelValue(input(&mut self.pixel, &self.node, part, ty));
        self.pixel_invariants.insert(v, inside);
        // The value reaches the inner loop through the outer one.
        self.in_row(v, part);
        inside
    }

    /// The current row of a value `[H, ..]` from before the loops.
    pub fn scan_rows(&mut self, v: PreludeValue, part: &str) -> RowValue {
        if let Some(&(_, known)) = self.row_scanned.iter().find(|(from, _)| *from == v) {
            return known;
        }
        let ty = self.prelude.ty(v.0);
        let ty = Type::real(ty.shape[1..].iter().copied());
        let inside = RowValue(input(&mut self.row, &self.node, part, ty));
        self.row_scanned.push((v, inside));
        inside
    }

    /// Adds a cache, which carries a value from row to row. Returns its index in [`Streaming::caches`].
    pub fn cache(&mut self, initial: PreludeValue, part: &str) -> usize {
        let ty = self.prelude.ty(initial.0).clone();
        let value = input(&mut self.row, &self.node, part, ty);
        let name = last_input(&self.row);
        let value = RowValue(value);
        self.caches.push(Cache { name, initial, value, next: None });
        self.caches.len() - 1
    }

    /// Adds a state, which carries `[N, features]` from pixel to pixel of a row. Returns its index in
    /// [`Streaming::states`], and the value of the pixel to the left. For the first pixel, that value is the
    /// given vector `[features]`, or zero.
    ///
    /// The loop carries the difference to the vector, so the carried value is zero before the first pixel for
    /// any vector.
    ///
    /// # Errors
    /// The vector has another number of features.
    pub fn state(
        &mut self,
        vector: Option<PreludeValue>,
        features: usize,
        part: &str,
    ) -> Result<(usize, PixelValue), StreamError> {
        let ty = Type::real([Dim::N, Dim::Fixed(features)]);
        let value = PixelValue(input(&mut self.pixel, &self.node, part, ty));
        let mut left = value;
        let mut origin = None;
        if let Some(vector) = vector {
            let wide = self.prelude_lead(vector, &format!("{part}_origin"))?;
            let wide = self.in_pixel(wide, &format!("{part}_origin"));
            left = self.pixel(Add, &[left, wide], &format!("{part}_left"))?;
            origin = Some(wide);
        }
        self.states.push(State { value, origin, next: None });
        Ok((self.states.len() - 1, left))
    }

    /// Sets the value that the next pixel reads as that of its left neighbor.
    ///
    /// # Errors
    /// It has another shape.
    pub fn set_state(&mut self, place: usize, next: PixelValue) -> Result<(), StreamError> {
        let next = match self.states[place].origin {
            Some(origin) => self.pixel(Sub, &[next, origin], "carried")?,
            None => next,
        };
        self.states[place].next = Some(next);
        Ok(())
    }

    /// The current pixel of a row `[W, ..]`.
    pub fn scan(&mut self, v: RowValue, part: &str) -> PixelValue {
        if let Some(&(_, known)) = self.scanned.iter().find(|(row, _)| *row == v) {
            return known;
        }
        let ty = self.row.ty(v.0);
        let ty = Type::real(ty.shape[1..].iter().copied());
        let inside = PixelValue(input(&mut self.pixel, &self.node, part, ty));
        self.scanned.push((v, inside));
        inside
    }

    /// Requests the complete row of a pixel's value; see [`Streaming::complete`].
    pub fn stack(&mut self, v: PixelValue) {
        if !self.stacked.iter().any(|(known, _)| *known == v) {
            self.stacked.push((v, None));
        }
    }

    /// The complete row `[W, ..]` of a pixel's value.
    ///
    /// # Errors
    /// [`StreamError::Form`] if [`Streaming::stack`] did not request it.
    pub fn complete(&self, v: PixelValue) -> Result<RowValue, StreamError> {
        let row = self.stacked.iter().find(|(known, _)| *known == v).and_then(|(_, row)| *row);
        row.ok_or(StreamError::Form("a row was not stacked"))
    }

    /// Requests a sweep over the complete row. All sweeps are added together at the end of the row.
    pub fn sweep(&mut self, sweep: Sweep) {
        self.sweeps.push(sweep);
    }
}

/// Adds an input to a body. If its name is taken, a number is appended.
fn input(body: &mut PixelGraph, node: &str, part: &str, ty: Type) -> Value {
    let wanted = format!("{node}/{part}");
    let mut name = wanted.clone();
    let mut k = 1;
    while body.inputs().iter().any(|i| i.name == name) {
        k += 1;
        name = format!("{wanted}_{k}");
    }
    body.input(name, ty, Role::Local)
}

fn last_input(body: &PixelGraph) -> String {
    body.inputs().last().map(|i| i.name.clone()).unwrap_or_default()
}
