//! The loops taken apart: one pixel, and what happens between rows, for a loop outside.
//!
//! How to make an image with them:
//!
//! 1. Call `row` with `begun` zero and everything else zeros of the shapes of its inputs.
//! 2. For every pixel of the row call `step`. Its inputs are
//!    - `uniform [N, C]`, and for completion `given` and `mask` of the same shape;
//!    - each state `s`: of the first pixel what `row` gave as `s`, of every other what the step
//!      before gave as `s.next`;
//!    - each `row.*`, of which `row` gave `[W, N, F]`: the slice of this pixel.
//!
//!    It gives `pixel [N, C]`, the drawn levels, the states `s.next`, and `done.*`.
//! 3. Stack each `done.*` over the pixels of the row, `[W, N, F]`, and call `row` with `begun` one,
//!    those, and each cache `c` as the last call gave it in `c.next`. Go on with 2.
//!
//! All shapes stand in the graphs, so a driver needs no knowledge of the model: outputs of one graph
//! and inputs of the other go by the same names.

use std::collections::BTreeMap;

use pixelrnn_graph::{Array, BuildError, Dim, Graph, Role, Type, Value};
use pixelrnn_ops::{Add, Constant, Mul, Once, Pixel, PixelGraph, Row, Streaming, Sub};

use super::SampleError;
use super::sample::{Drawing, SampleOptions};
use super::walk::{Ends, Walk};
use crate::CausalProof;

/// Everything that a loop is made of, and what its parts are called.
struct Parts {
    cx: Streaming,
    image: Pixel,
    drawing: Drawing,
    /// How many nodes of the body over rows come before the inner loop.
    begins: usize,
}

impl Parts {
    fn of(proof: &CausalProof, options: &SampleOptions) -> Result<Parts, SampleError> {
        options.check()?;
        let graph = proof.graph();
        let ends = Ends::of(graph)?;
        let mut cx = Streaming::new(&graph.name, ends.colours, ends.width);
        cx.once.doc.clone_from(&graph.doc);
        let mut walk = Walk::begin(graph, &ends, &mut cx)?;
        let ty = Type::real([Dim::N, Dim::Fixed(ends.colours)]);
        let mut input = |name: &str| Pixel(cx.pixel.input(name, ty.clone(), Role::Data));
        let uniform = input("uniform");
        let fixed = options.complete.then(|| [input("given"), input("mask")]);
        cx.visit("mask", None, &[]);
        let fixed = match fixed {
            None => None,
            Some([given, mask]) => {
                let one = cx.once(Constant { value: Array::ones(vec![1; 2]) }, &[], "one")?;
                let one = cx.in_pixel(one, "one");
                let kept = cx.pixel(Mul, &[given, mask], "kept")?;
                Some([kept, cx.pixel(Sub, &[one, mask], "free")?])
            }
        };
        let drawing = Drawing { uniform, fixed, temperature: options.temperature };
        let image = drawing.pixel(&mut walk, &ends, &mut cx)?;
        let begins = cx.row.nodes().len();
        // In place of the inner loop: complete rows are given.
        for i in 0..cx.stacked.len() {
            let mut ty = cx.pixel.ty(cx.stacked[i].0.0).clone();
            ty.shape.insert(0, Dim::Fixed(ends.width));
            cx.stacked[i].1 = Some(Row(cx.row.input(format!("done.{i}"), ty, Role::Data)));
        }
        walk.end_row(&mut cx)?;
        Ok(Parts { cx, image, drawing, begins })
    }
}

/// Copies nodes of one graph into another.
fn copy(
    into: &mut PixelGraph,
    from: &PixelGraph,
    nodes: std::ops::Range<usize>,
    map: &mut BTreeMap<Value, Value>,
    prefix: &str,
) -> Result<(), BuildError> {
    for (id, node) in from.nodes().take(nodes.end).skip(nodes.start) {
        let inputs: Vec<Value> = node.inputs.iter().filter_map(|v| map.get(v).copied()).collect();
        let name = format!("{prefix}{}", node.name);
        let results = into.push(node.op.clone(), &inputs, &name, from.span(id))?;
        map.extend(node.outputs.iter().copied().zip(results));
    }
    Ok(())
}

/// A graph that begins with another one whole: what is computed before all loops.
fn before(cx: &Streaming, source: Value, data: &PixelGraph) -> Result<Began, BuildError> {
    let mut graph = Graph::new(cx.once.name.clone());
    graph.doc.clone_from(&cx.once.doc);
    // The batch is seen in an input of data, which must be there before it is asked for.
    let mut inside = BTreeMap::new();
    if let Some(input) = data.inputs().iter().find(|i| i.value == source) {
        let ty = data.ty(source).clone();
        inside.insert(source, graph.input(input.name.clone(), ty, Role::Data));
    }
    let mut outside = BTreeMap::new();
    for input in cx.once.inputs() {
        let ty = cx.once.ty(input.value).clone();
        outside.insert(input.value, graph.input(input.name.clone(), ty, input.role));
    }
    let count = cx.once.nodes().len();
    copy(&mut graph, &cx.once, 0..count, &mut outside, "")?;
    Ok(Began { graph, outside, inside })
}

struct Began {
    graph: PixelGraph,
    /// Values before the loops.
    outside: BTreeMap<Value, Value>,
    /// Values of the body.
    inside: BTreeMap<Value, Value>,
}

impl Began {
    fn once(&self, v: Once) -> Option<Value> {
        self.outside.get(&v.0).copied()
    }

    fn input(&mut self, name: &str, ty: &Type, inside: Value) -> Value {
        let value = self.graph.input(name, ty.clone(), Role::Data);
        self.inside.insert(inside, value);
        value
    }

    fn output(&mut self, name: String, inside: Value) {
        if let Some(&value) = self.inside.get(&inside) {
            self.graph.output(name, value);
        }
    }
}

/// One pixel; see this module's page.
///
/// # Errors
/// As [`sample`](super::sample()).
pub fn step(proof: &CausalProof, options: &SampleOptions) -> Result<PixelGraph, SampleError> {
    let Parts { cx, image, drawing, .. } = Parts::of(proof, options)?;
    let mut to = before(&cx, drawing.uniform.0, &cx.pixel)?;
    for input in cx.pixel.inputs() {
        let ty = cx.pixel.ty(input.value);
        if input.name == "given" || input.name == "mask" {
            to.input(&input.name, ty, input.value);
        }
    }
    for (&once, &inside) in &cx.pixel_invariants {
        if let Some(value) = to.once(once) {
            to.inside.insert(inside.0, value);
        }
    }
    for state in &cx.states {
        to.input(&state.name, cx.pixel.ty(state.value.0), state.value.0);
    }
    for (i, (_, inside)) in cx.scanned.iter().enumerate() {
        to.input(&format!("row.{i}"), cx.pixel.ty(inside.0), inside.0);
    }
    copy(&mut to.graph, &cx.pixel, 0..cx.pixel.nodes().len(), &mut to.inside, "")?;
    to.output("pixel".into(), image.0);
    for state in &cx.states {
        if let Some(next) = state.next {
            to.output(format!("{}.next", state.name), next.0);
        }
    }
    for (i, (value, _)) in cx.stacked.iter().enumerate() {
        to.output(format!("done.{i}"), value.0);
    }
    Ok(crate::tidy::tidy(&to.graph)?)
}

/// What happens between rows: the end of one and the beginning of the next; see this module's page.
///
/// # Errors
/// As [`sample`](super::sample()).
pub fn row(proof: &CausalProof) -> Result<PixelGraph, SampleError> {
    let Parts { cx, begins, .. } = Parts::of(proof, &SampleOptions::default())?;
    let source = cx.stacked.first().and_then(|(_, row)| *row).map(|row| row.0);
    let Some(source) = source else {
        return Err(pixelrnn_ops::StreamError::Form("nothing passes from row to row").into());
    };
    let mut to = before(&cx, source, &cx.row)?;
    let begun = to.graph.input("begun", Type::real([1usize]), Role::Data);
    for (&once, &inside) in &cx.row_invariants {
        if let Some(value) = to.once(once) {
            to.inside.insert(inside.0, value);
        }
    }
    for (i, (_, row)) in cx.stacked.iter().enumerate().skip(1) {
        if let Some(row) = row {
            to.input(&format!("done.{i}"), cx.row.ty(row.0), row.0);
        }
    }
    for cache in &cx.caches {
        to.input(&cache.name, cx.row.ty(cache.value.0), cache.value.0);
    }
    let count = cx.row.nodes().len();
    copy(&mut to.graph, &cx.row, 0..count, &mut to.inside, "end/")?;

    // The next row begins from what this one left, or from the very beginning.
    let one = Constant { value: Array::ones(vec![1]) };
    let one = to.graph.push(one.into(), &[], "begun/one", None)?[0];
    let fresh = to.graph.push(Sub.into(), &[one, begun], "begun/not", None)?[0];
    let mut next = BTreeMap::new();
    for cache in &cx.caches {
        let rank = cx.row.ty(cache.value.0).rank();
        let ended = cache.next.and_then(|v| to.inside.get(&v.0).copied());
        let (Some(ended), Some(initial)) = (ended, to.once(cache.initial)) else { continue };
        let mut parts = Vec::new();
        for (value, share) in [(ended, begun), (initial, fresh)] {
            let mut share = share;
            for _ in 1..rank {
                let lead = pixelrnn_ops::SplitAxis { axis: 0, parts: 1 };
                share = to.graph.push(lead.into(), &[share], "begun/wide", None)?[0];
            }
            let name = format!("{}/share", cache.name);
            parts.push(to.graph.push(Mul.into(), &[value, share], &name, None)?[0]);
        }
        let name = format!("{}/next", cache.name);
        let value = to.graph.push(Add.into(), &parts, &name, None)?[0];
        to.graph.output(format!("{}.next", cache.name), value);
        next.insert(cache.value.0, value);
    }
    to.inside.extend(next);
    copy(&mut to.graph, &cx.row, 0..begins, &mut to.inside, "begin/")?;
    for (i, (row, _)) in cx.scanned.iter().enumerate() {
        to.output(format!("row.{i}"), row.0);
    }
    for state in &cx.states {
        if let Some(value) = to.once(state.initial) {
            to.graph.output(state.name.clone(), value);
        }
    }
    Ok(crate::tidy::tidy(&to.graph)?)
}
