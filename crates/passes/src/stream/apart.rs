//! The loops taken apart: one pixel, and what happens between rows. [`super`] tells how to use them.

use std::collections::BTreeMap;

use pixelrnn_graph::{Array, BuildError, Dim, Graph, Role, Type, Value};
use pixelrnn_ops::{Add, Constant, Mul, Once, Pixel, PixelGraph, Row, StreamError, Streaming, Sub};

use super::close::Body;
use super::sample::{Drawing, SampleOptions};
use super::walk::{Ends, Walk};
use super::{SampleError, close};
use crate::CausalProof;

/// Everything that a loop is made of, and what its parts are called.
struct Parts {
    cx: Streaming,
    step: Body,
    /// What a step is given for itself.
    data: Vec<Value>,
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
        let mut data = vec![uniform.0];
        let fixed = options.complete.then(|| [input("given"), input("mask")]);
        data.extend(fixed.iter().flatten().map(|pixel| pixel.0));
        let drawing = Drawing { uniform, fixed, options: *options };
        let image = drawing.pixel(&mut walk, &ends, &mut cx)?;
        // So that something is stacked, whatever the model.
        cx.stack(image);
        let step = close::pixel_body(&mut cx, &data, &[("pixel".into(), image.0)])?;
        let begins = cx.row.nodes().len();
        // In place of the inner loop: complete rows are given.
        for i in 0..cx.stacked.len() {
            let mut ty = cx.pixel.ty(cx.stacked[i].0.0).clone();
            ty.shape.insert(0, Dim::Fixed(ends.width));
            cx.stacked[i].1 = Some(Row(cx.row.input(format!("done.{i}"), ty, Role::Data)));
        }
        walk.end_row(&mut cx)?;
        Ok(Parts { cx, step, data, begins })
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

/// A graph that begins with what is computed before all loops. Its first input is one of data, in
/// which the batch is seen.
fn before(cx: &Streaming, source: Value, body: &PixelGraph) -> Result<Began, BuildError> {
    let mut graph = Graph::new(cx.once.name.clone());
    graph.doc.clone_from(&cx.once.doc);
    let mut began = Began { graph, outside: BTreeMap::new(), inside: BTreeMap::new() };
    began.input(body, source);
    for input in cx.once.inputs() {
        let ty = cx.once.ty(input.value).clone();
        let value = began.graph.input(input.name.clone(), ty, input.role);
        began.outside.insert(input.value, value);
    }
    let count = cx.once.nodes().len();
    copy(&mut began.graph, &cx.once, 0..count, &mut began.outside, "")?;
    Ok(began)
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

    /// An input of a body as one of this graph.
    fn input(&mut self, body: &PixelGraph, inside: Value) {
        if let Some(input) = body.inputs().iter().find(|i| i.value == inside) {
            self.named(&input.name, body.ty(inside).clone(), inside);
        }
    }

    fn named(&mut self, name: &str, ty: Type, inside: Value) {
        let value = self.graph.input(name, ty, Role::Data);
        self.inside.insert(inside, value);
    }

    fn output(&mut self, name: String, inside: Value) {
        if let Some(&value) = self.inside.get(&inside) {
            self.graph.output(name, value);
        }
    }
}

/// One pixel; see the module's page.
///
/// # Errors
/// As [`sample`](super::sample()).
pub fn step(proof: &CausalProof, options: &SampleOptions) -> Result<PixelGraph, SampleError> {
    let Parts { cx, step, data, .. } = Parts::of(proof, options)?;
    let body = step.graph;
    // The body's inputs, in order: states, invariants, what is scanned, data.
    let inputs: Vec<Value> = body.inputs().iter().map(|i| i.value).collect();
    let (rest, data) = inputs.split_at(inputs.len().saturating_sub(data.len()));
    let Some((&uniform, data)) = data.split_first() else {
        return Err(StreamError::Form("nothing is drawn").into());
    };
    let mut to = before(&cx, uniform, &body)?;
    data.iter().for_each(|&v| to.input(&body, v));
    let (states, rest) = rest.split_at(step.initial.len());
    states.iter().for_each(|&v| to.input(&body, v));
    let (invariants, scanned) = rest.split_at(cx.pixel_invariants.len());
    for (once, &inside) in cx.pixel_invariants.keys().zip(invariants) {
        if let Some(value) = to.once(*once) {
            to.inside.insert(inside, value);
        }
    }
    for (i, &inside) in scanned.iter().enumerate() {
        to.named(&format!("row.{i}"), body.ty(inside).clone(), inside);
    }
    copy(&mut to.graph, &body, 0..body.nodes().len(), &mut to.inside, "")?;
    for out in body.outputs() {
        to.output(out.name.clone(), out.value);
    }
    Ok(crate::tidy::tidy(&to.graph)?)
}

/// What happens between rows: the end of one and the beginning of the next; see the module's page.
///
/// # Errors
/// As [`sample`](super::sample()).
pub fn row(proof: &CausalProof) -> Result<PixelGraph, SampleError> {
    let Parts { cx, step, begins, .. } = Parts::of(proof, &SampleOptions::default())?;
    let done: Vec<Value> = cx.stacked.iter().filter_map(|(_, row)| row.map(|v| v.0)).collect();
    let Some((&first, done)) = done.split_first() else {
        return Err(StreamError::Form("nothing is drawn").into());
    };
    let mut to = before(&cx, first, &cx.row)?;
    done.iter().for_each(|&v| to.input(&cx.row, v));
    let begun = to.graph.input("begun", Type::real([1usize]), Role::Data);
    for (&once, &inside) in &cx.row_invariants {
        if let Some(value) = to.once(once) {
            to.inside.insert(inside.0, value);
        }
    }
    for cache in &cx.caches {
        to.named(&cache.name, cx.row.ty(cache.value.0).clone(), cache.value.0);
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
    for (i, &initial) in step.initial.iter().enumerate() {
        if let Some(value) = to.once(initial) {
            to.graph.output(format!("state.{i}"), value);
        }
    }
    Ok(crate::tidy::tidy(&to.graph)?)
}
