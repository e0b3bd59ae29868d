//! The three graphs of a streamed model while they grow, and what passes between them.

use std::collections::BTreeMap;

use pixelrnn_graph::{Dim, Graph, Role, Span, Type, Value};

use super::{Once, Pixel, Row, StreamError, Sweep};
use crate::PixelGraph;
use crate::op::{Add, Broadcast, Concat, Constant, MatMul, Op, Slice, SplitAxis, Sub};

/// What is carried from row to row.
#[derive(Clone, Debug)]
pub struct Cache {
    pub name: String,
    pub initial: Once,
    pub value: Row,
    pub next: Option<Row>,
}

/// What is carried from pixel to pixel of a row; zero before the first.
#[derive(Clone, Debug)]
pub struct State {
    pub value: Pixel,
    /// The difference to this is carried.
    origin: Option<Pixel>,
    pub next: Option<Pixel>,
}

/// A map of the declaration's graph at this pixel.
#[derive(Clone, Debug)]
struct Map {
    features: usize,
    /// Of each colour group that was computed: its value, if it has features.
    groups: Vec<Option<Pixel>>,
    /// Groups from the first on, side by side.
    prefixes: BTreeMap<usize, Pixel>,
}

/// The three graphs, the connections between them, and the node whose rule is asked.
pub struct Streaming {
    pub once: PixelGraph,
    pub row: PixelGraph,
    pub pixel: PixelGraph,
    pub colours: usize,
    pub width: usize,
    pub caches: Vec<Cache>,
    pub states: Vec<State>,
    /// Values before the loops that a body reads, and what they are called there.
    pub row_invariants: BTreeMap<Once, Row>,
    pub pixel_invariants: BTreeMap<Once, Pixel>,
    /// Values of a whole row `[W, ..]` and what one pixel sees of them.
    pub scanned: Vec<(Row, Pixel)>,
    /// Values of one pixel whose rows are wanted; the rows once there are any.
    pub stacked: Vec<(Pixel, Option<Row>)>,
    pub(super) sweeps: Vec<Sweep>,
    maps: BTreeMap<Value, Map>,
    parameters: BTreeMap<Value, Once>,
    node: String,
    span: Option<Span>,
    inputs: Vec<Value>,
}

impl Streaming {
    /// Empty graphs for images of so many colours and so many columns.
    pub fn new(name: &str, colours: usize, width: usize) -> Streaming {
        Streaming {
            once: Graph::new(name),
            row: Graph::new("row"),
            pixel: Graph::new("pixel"),
            colours,
            width,
            caches: Vec::new(),
            states: Vec::new(),
            row_invariants: BTreeMap::new(),
            pixel_invariants: BTreeMap::new(),
            scanned: Vec::new(),
            stacked: Vec::new(),
            sweeps: Vec::new(),
            maps: BTreeMap::new(),
            parameters: BTreeMap::new(),
            node: String::new(),
            span: None,
            inputs: Vec::new(),
        }
    }

    /// Says whose rule is asked next.
    pub fn visit(&mut self, node: &str, span: Option<Span>, inputs: &[Value]) {
        self.node = node.to_string();
        self.span = span;
        self.inputs = inputs.to_vec();
    }

    /// The name of the node whose rule is asked.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The place that the node stems from.
    pub fn span(&self) -> Option<Span> {
        self.span
    }

    /// The error that the node looks ahead.
    pub fn ahead(&self) -> StreamError {
        StreamError::Ahead { node: self.node.clone(), span: self.span }
    }

    /// The error that the node combines maps that do not fit.
    pub fn misshapen(&self) -> StreamError {
        StreamError::Shape { node: self.node.clone(), span: self.span }
    }

    // Nodes.

    /// Adds a node before the loops; `part` is the end of its name.
    ///
    /// # Errors
    /// The operator does not accept the inputs.
    pub fn once(
        &mut self,
        op: impl Into<Op>,
        inputs: &[Once],
        part: &str,
    ) -> Result<Once, StreamError> {
        let inputs: Vec<Value> = inputs.iter().map(|v| v.0).collect();
        let name = format!("{}/{part}", self.node);
        Ok(Once(self.once.push(op.into(), &inputs, &name, self.span)?[0]))
    }

    /// Adds a node to the loop over rows.
    ///
    /// # Errors
    /// As [`Streaming::once`].
    pub fn row(
        &mut self,
        op: impl Into<Op>,
        inputs: &[Row],
        part: &str,
    ) -> Result<Row, StreamError> {
        let inputs: Vec<Value> = inputs.iter().map(|v| v.0).collect();
        let name = format!("{}/{part}", self.node);
        Ok(Row(self.row.push(op.into(), &inputs, &name, self.span)?[0]))
    }

    /// Adds a node to the loop over pixels.
    ///
    /// # Errors
    /// As [`Streaming::once`].
    pub fn pixel(
        &mut self,
        op: impl Into<Op>,
        inputs: &[Pixel],
        part: &str,
    ) -> Result<Pixel, StreamError> {
        let inputs: Vec<Value> = inputs.iter().map(|v| v.0).collect();
        let name = format!("{}/{part}", self.node);
        Ok(Pixel(self.pixel.push(op.into(), &inputs, &name, self.span)?[0]))
    }

    /// The extents of a value before the loops.
    pub fn extents(&self, v: Once) -> Vec<usize> {
        self.once.ty(v.0).extents(1)
    }

    /// Part of a value before the loops; all of it as it is.
    ///
    /// # Errors
    /// The part is not there.
    pub fn once_slice(
        &mut self,
        v: Once,
        axis: usize,
        start: usize,
        length: usize,
        part: &str,
    ) -> Result<Once, StreamError> {
        if self.extents(v).get(axis) == Some(&length) {
            return Ok(v);
        }
        self.once(Slice { axis, start, length }, &[v], part)
    }

    /// Some features `[N, length]` of a pixel; all of them as they are.
    ///
    /// # Errors
    /// They are not there.
    pub fn pixel_slice(
        &mut self,
        v: Pixel,
        start: usize,
        length: usize,
        part: &str,
    ) -> Result<Pixel, StreamError> {
        if self.pixel.ty(v.0).shape[1] == Dim::Fixed(length) {
            return Ok(v);
        }
        self.pixel(Slice { axis: 1, start, length }, &[v], part)
    }

    /// Values before the loops side by side.
    ///
    /// # Errors
    /// They do not fit.
    pub fn once_concat(
        &mut self,
        parts: &[Once],
        axis: usize,
        part: &str,
    ) -> Result<Once, StreamError> {
        match parts {
            [one] => Ok(*one),
            _ => self.once(Concat { axis }, parts, part),
        }
    }

    /// Features of a pixel side by side.
    ///
    /// # Errors
    /// They do not fit.
    pub fn pixel_concat(&mut self, parts: &[Pixel], part: &str) -> Result<Pixel, StreamError> {
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
        x: Pixel,
        matrix: Once,
        part: &str,
    ) -> Result<Pixel, StreamError> {
        let matrix = self.in_pixel(matrix, &format!("{part}_matrix"));
        self.pixel(MatMul, &[x, matrix], part)
    }

    /// `[N, features]` or `[W, N, features]` of a vector `[features]`, or of zeros.
    ///
    /// # Errors
    /// The vector has another number of features.
    pub fn initial(
        &mut self,
        vector: Option<Once>,
        shape: &[Dim],
        part: &str,
    ) -> Result<Once, StreamError> {
        let rank = shape.len();
        let mut v = match vector {
            Some(v) => v,
            None => {
                let features = shape[rank - 1].with_batch(1);
                let value = pixelrnn_graph::Array::zeros(vec![features]);
                self.once(Constant { value }, &[], part)?
            }
        };
        for _ in 1..rank {
            v = self.once_lead(v, part)?;
        }
        self.once(Broadcast { to: shape.to_vec() }, &[v], part)
    }

    /// The same with a new first axis of extent one.
    ///
    /// # Errors
    /// None in practice.
    pub fn once_lead(&mut self, v: Once, part: &str) -> Result<Once, StreamError> {
        self.once(SplitAxis { axis: 0, parts: 1 }, &[v], part)
    }

    /// The same with a new first axis of extent one.
    ///
    /// # Errors
    /// None in practice.
    pub fn row_lead(&mut self, v: Row, part: &str) -> Result<Row, StreamError> {
        self.row(SplitAxis { axis: 0, parts: 1 }, &[v], part)
    }

    /// The shape of a row of so many features.
    pub fn row_shape(&self, features: usize) -> [Dim; 3] {
        [Dim::Fixed(self.width), Dim::N, Dim::Fixed(features)]
    }

    // Connections.

    /// What a value before the loops is called in the loop over rows.
    pub fn in_row(&mut self, v: Once, part: &str) -> Row {
        if let Some(&known) = self.row_invariants.get(&v) {
            return known;
        }
        let ty = self.once.ty(v.0).clone();
        let inside = Row(input(&mut self.row, &self.node, part, ty));
        self.row_invariants.insert(v, inside);
        inside
    }

    /// What a value before the loops is called in the loop over pixels.
    pub fn in_pixel(&mut self, v: Once, part: &str) -> Pixel {
        if let Some(&known) = self.pixel_invariants.get(&v) {
            return known;
        }
        let ty = self.once.ty(v.0).clone();
        let inside = Pixel(input(&mut self.pixel, &self.node, part, ty));
        self.pixel_invariants.insert(v, inside);
        // It passes through the outer loop.
        self.in_row(v, part);
        inside
    }

    /// Carries something from row to row; its place among [`Streaming::caches`].
    pub fn cache(&mut self, initial: Once, part: &str) -> usize {
        let ty = self.once.ty(initial.0).clone();
        let value = input(&mut self.row, &self.node, part, ty);
        let name = last_input(&self.row);
        let value = Row(value);
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
        vector: Option<Once>,
        features: usize,
        part: &str,
    ) -> Result<(usize, Pixel), StreamError> {
        let ty = Type::real([Dim::N, Dim::Fixed(features)]);
        let value = Pixel(input(&mut self.pixel, &self.node, part, ty));
        let mut left = value;
        let mut origin = None;
        if let Some(vector) = vector {
            let wide = self.once_lead(vector, &format!("{part}_origin"))?;
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
    pub fn set_state(&mut self, place: usize, next: Pixel) -> Result<(), StreamError> {
        let next = match self.states[place].origin {
            Some(origin) => self.pixel(Sub, &[next, origin], "carried")?,
            None => next,
        };
        self.states[place].next = Some(next);
        Ok(())
    }

    /// What a pixel sees of a row `[W, ..]`.
    pub fn scan(&mut self, v: Row, part: &str) -> Pixel {
        if let Some(&(_, known)) = self.scanned.iter().find(|(row, _)| *row == v) {
            return known;
        }
        let ty = self.row.ty(v.0);
        let ty = Type::real(ty.shape[1..].iter().copied());
        let inside = Pixel(input(&mut self.pixel, &self.node, part, ty));
        self.scanned.push((v, inside));
        inside
    }

    /// Asks for the complete row of a pixel's value; see [`Streaming::complete`].
    pub fn stack(&mut self, v: Pixel) {
        if !self.stacked.iter().any(|(known, _)| *known == v) {
            self.stacked.push((v, None));
        }
    }

    /// The complete row `[W, ..]` of a pixel's value that was stacked.
    ///
    /// # Errors
    /// It was not.
    pub fn complete(&self, v: Pixel) -> Result<Row, StreamError> {
        let row = self.stacked.iter().find(|(known, _)| *known == v).and_then(|(_, row)| *row);
        row.ok_or(StreamError::Form("a row was not stacked"))
    }

    /// Asks for a sweep over the complete row; all are made together at its end.
    pub fn sweep(&mut self, sweep: Sweep) {
        self.sweeps.push(sweep);
    }

    // Maps and parameters of the declaration's graph.

    /// Where the features of each of a map's colour groups begin: one bound more than groups.
    pub fn bounds(&self, features: usize) -> Vec<usize> {
        (0..=self.colours).map(|g| (g * features).div_ceil(self.colours)).collect()
    }

    /// Says where a parameter is.
    pub fn set_parameter(&mut self, parameter: Value, at: Once) {
        self.parameters.insert(parameter, at);
    }

    /// A parameter that the node reads.
    ///
    /// # Errors
    /// The input is not a parameter.
    pub fn parameter(&self, input: usize) -> Result<Once, StreamError> {
        let value = self.inputs.get(input).and_then(|v| self.parameters.get(v));
        value.copied().ok_or(StreamError::Form("a weight is not a parameter"))
    }

    /// Says that a value of the declaration's graph is a map of so many features.
    pub fn set_map(&mut self, value: Value, features: usize) {
        let map = Map { features, groups: Vec::new(), prefixes: BTreeMap::new() };
        self.maps.insert(value, map);
    }

    /// Gives the next colour group of a map.
    pub fn set_group(&mut self, value: Value, group: Option<Pixel>) {
        if let Some(map) = self.maps.get_mut(&value) {
            map.groups.push(group);
        }
    }

    fn map(&self, input: usize) -> Result<&Map, StreamError> {
        let map = self.inputs.get(input).and_then(|v| self.maps.get(v));
        map.ok_or(StreamError::Form("a layer reads what is not a map"))
    }

    /// The number of features of a map that the node reads.
    ///
    /// # Errors
    /// The input is not a map.
    pub fn features(&self, input: usize) -> Result<usize, StreamError> {
        Ok(self.map(input)?.features)
    }

    /// A colour group of a map that the node reads; `None` if it has no features.
    ///
    /// # Errors
    /// It is not known yet.
    pub fn group(&self, input: usize, group: usize) -> Result<Option<Pixel>, StreamError> {
        let group = self.map(input)?.groups.get(group).copied();
        group.ok_or_else(|| self.ahead())
    }

    /// The first so many colour groups of a map that the node reads, side by side; `None` if they
    /// have no features.
    ///
    /// # Errors
    /// They are not all known yet.
    pub fn groups(&mut self, input: usize, count: usize) -> Result<Option<Pixel>, StreamError> {
        let map = self.map(input)?;
        if let Some(&known) = map.prefixes.get(&count) {
            return Ok(Some(known));
        }
        if map.groups.len() < count {
            return Err(self.ahead());
        }
        let parts: Vec<Pixel> = map.groups[..count].iter().flatten().copied().collect();
        if parts.is_empty() {
            return Ok(None);
        }
        let all = self.pixel_concat(&parts, "colours")?;
        if let Some(map) = self.inputs.get(input).and_then(|v| self.maps.get_mut(v)) {
            map.prefixes.insert(count, all);
        }
        Ok(Some(all))
    }

    /// All features of a map that the node reads.
    ///
    /// # Errors
    /// They are not all known yet.
    pub fn whole(&mut self, input: usize) -> Result<Pixel, StreamError> {
        let colours = self.colours;
        self.groups(input, colours)?.ok_or(StreamError::Form("a map has no features"))
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
    body.input(name, ty, Role::Data)
}

fn last_input(body: &PixelGraph) -> String {
    body.inputs().last().map(|i| i.name.clone()).unwrap_or_default()
}
