//! The three graphs of a streamed model while they grow, and what passes between them.

use std::collections::BTreeMap;
use std::sync::Arc;

use pixelrnn_graph::{Dim, Graph, Role, Site, Type, Value};

use super::track::Tracked;
use super::{PixelValue, PreludeValue, RowValue, StreamError, Sweep};
use crate::PixelGraph;
use crate::op::{Add, Broadcast, Concat, Constant, MatMul, Op, Slice, SplitAxis, Sub};

/// What is carried from row to row.
#[derive(Clone, Debug)]
pub struct Cache {
    /// The name of the loop's state.
    pub name: String,
    /// Its value before the first row.
    pub initial: PreludeValue,
    /// Its value in the body.
    pub value: RowValue,
    /// Its value for the next row, once it is known.
    pub next: Option<RowValue>,
}

/// What is carried from pixel to pixel of a row; zero before the first.
#[derive(Clone, Debug)]
pub struct State {
    /// Its value in the body.
    pub value: PixelValue,
    /// The difference to this is carried.
    origin: Option<PixelValue>,
    /// Its value for the next pixel, once it is known.
    pub next: Option<PixelValue>,
}

/// The three graphs, the connections between them, and the node whose rule is asked.
pub struct Streaming {
    /// What is computed once.
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
    /// Values before the loops that a body reads, and what they are called there.
    pub row_invariants: BTreeMap<PreludeValue, RowValue>,
    /// Values before the loops that the body for a pixel reads, and their names there.
    pub pixel_invariants: BTreeMap<PreludeValue, PixelValue>,
    /// Values `[H, ..]` before the loops and what one row sees of them.
    pub row_scanned: Vec<(PreludeValue, RowValue)>,
    /// Values of a whole row `[W, ..]` and what one pixel sees of them.
    pub scanned: Vec<(RowValue, PixelValue)>,
    /// Values of one pixel whose rows are wanted; the rows once there are any.
    pub stacked: Vec<(PixelValue, Option<RowValue>)>,
    pub(super) sweeps: Vec<Sweep>,
    pub(super) values: BTreeMap<Value, Tracked>,
    node: String,
    site: Site,
    pub(super) inputs: Vec<Value>,
}

impl Streaming {
    /// Empty graphs for images of this number of colors, rows and columns; `layers` is the layer table
    /// of the declaration's graph.
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

    /// Says whose rule is asked next.
    pub fn visit(&mut self, node: &str, site: Site, inputs: &[Value]) {
        self.node = node.to_string();
        self.site = site;
        self.inputs = inputs.to_vec();
    }

    /// The name of the node whose rule is asked.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Where the node stems from.
    pub fn site(&self) -> Site {
        self.site
    }

    /// The error that the node looks ahead.
    pub fn ahead(&self) -> StreamError {
        StreamError::Ahead { node: self.node.clone(), span: self.site.span }
    }

    /// The error that the node combines maps that do not fit.
    pub fn misshapen(&self) -> StreamError {
        StreamError::Shape { node: self.node.clone(), span: self.site.span }
    }

    // Nodes.

    /// Adds a node before the loops; `part` is the end of its name.
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

    /// The extents of a value before the loops.
    pub fn extents(&self, v: PreludeValue) -> Vec<usize> {
        self.prelude.ty(v.0).extents(1)
    }

    /// Part of a value before the loops; all of it as it is.
    ///
    /// # Errors
    /// The part is not there.
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

    /// Some features `[N, length]` of a pixel; all of them as they are.
    ///
    /// # Errors
    /// They are not there.
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

    /// Values before the loops side by side.
    ///
    /// # Errors
    /// They do not fit.
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

    /// Features of a pixel side by side.
    ///
    /// # Errors
    /// They do not fit.
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

    /// A pixel's features times a matrix.
    ///
    /// # Errors
    /// They do not fit.
    pub fn pixel_product(
        &mut self,
        x: PixelValue,
        matrix: PreludeValue,
        part: &str,
    ) -> Result<PixelValue, StreamError> {
        let matrix = self.in_pixel(matrix, &format!("{part}_matrix"));
        self.pixel(MatMul, &[x, matrix], part)
    }

    /// `[N, features]` or `[W, N, features]` of a vector `[features]`, or of zeros.
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

    /// The same with a new first axis of extent one.
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

    /// The same with a new first axis of extent one.
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

    /// Where the features of each of a map's color groups begin: one bound more than groups.
    pub fn bounds(&self, features: usize) -> Vec<usize> {
        (0..=self.colours).map(|g| (g * features).div_ceil(self.colours)).collect()
    }

    // Connections.

    /// What a value before the loops is called in the loop over rows.
    pub fn in_row(&mut self, v: PreludeValue, part: &str) -> RowValue {
        if let Some(&known) = self.row_invariants.get(&v) {
            return known;
        }
        let ty = self.prelude.ty(v.0).clone();
        let inside = RowValue(input(&mut self.row, &self.node, part, ty));
        self.row_invariants.insert(v, inside);
        inside
    }

    /// What a value before the loops is called in the loop over pixels.
    pub fn in_pixel(&mut self, v: PreludeValue, part: &str) -> PixelValue {
        if let Some(&known) = self.pixel_invariants.get(&v) {
            return known;
        }
        let ty = self.prelude.ty(v.0).clone();
        let inside = PixelValue(input(&mut self.pixel, &self.node, part, ty));
        self.pixel_invariants.insert(v, inside);
        // It passes through the outer loop.
        self.in_row(v, part);
        inside
    }

    /// What a row sees of a value `[H, ..]` before the loops.
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

    /// Carries something from row to row; its place among [`Streaming::caches`].
    pub fn cache(&mut self, initial: PreludeValue, part: &str) -> usize {
        let ty = self.prelude.ty(initial.0).clone();
        let value = input(&mut self.row, &self.node, part, ty);
        let name = last_input(&self.row);
        let value = RowValue(value);
        self.caches.push(Cache { name, initial, value, next: None });
        self.caches.len() - 1
    }

    /// Carries `[N, features]` from pixel to pixel of a row: its place among [`Streaming::states`], and
    /// what stands to the left of a pixel. Before the first that is the vector `[features]`, or zero.
    ///
    /// What is carried is the difference to the vector: it is zero in the first column, whatever the
    /// vector is.
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

    /// Gives what the next pixel finds to its left.
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

    /// What a pixel sees of a row `[W, ..]`.
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

    /// Asks for the complete row of a pixel's value; see [`Streaming::complete`].
    pub fn stack(&mut self, v: PixelValue) {
        if !self.stacked.iter().any(|(known, _)| *known == v) {
            self.stacked.push((v, None));
        }
    }

    /// The complete row `[W, ..]` of a pixel's value that was stacked.
    ///
    /// # Errors
    /// It was not.
    pub fn complete(&self, v: PixelValue) -> Result<RowValue, StreamError> {
        let row = self.stacked.iter().find(|(known, _)| *known == v).and_then(|(_, row)| *row);
        row.ok_or(StreamError::Form("a row was not stacked"))
    }

    /// Asks for a sweep over the complete row; all are made together at its end.
    pub fn sweep(&mut self, sweep: Sweep) {
        self.sweeps.push(sweep);
    }
}

/// Adds an input to a body, with a number behind its name if that is taken.
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
