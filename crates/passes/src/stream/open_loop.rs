//! The graphs `step` and `row`: one pixel, and the step between two rows. [`super`] documents how to use
//! them.

use std::collections::BTreeMap;

use pixelrnn_graph::{Array, BuildError, Dim, Graph, OutputRole, Role, Site, Type, Value};
use pixelrnn_ops::{
    Add, ClampUniform, Constant, Mul, PixelGraph, PixelValue, PreludeValue, RowValue, StreamError,
    Streaming, Sub,
};

use super::sample::{Drawing, SampleOptions, streaming};
use super::scan_loops::Body;
use super::walk::Walk;
use super::{SampleError, scan_loops};
use crate::causality::ProvedScale;

/// The three graphs of a streamed model, with the body of the inner loop separated.
struct Parts {
    cx: Streaming,
    step: Body,
    /// The inputs of a step that are neither states nor slices: uniform numbers, given levels and masks.
    data: Vec<Value>,
    /// The number of nodes of the row body that come before the inner loop.
    begins: usize,
}

impl Parts {
    fn of(proved: &ProvedScale, options: &SampleOptions) -> Result<Parts, SampleError> {
        options.check()?;
        let (mut cx, ends) = streaming(proved)?;
        let mut walk = Walk::begin(proved.graph(), &ends, &mut cx)?;
        if !cx.row_scanned.is_empty() {
            return Err(StreamError::Whole("a map to condition on").into());
        }
        let ty = Type::real([Dim::N, Dim::Fixed(ends.colours)]);
        let mut input = |name: &str, role| PixelValue(cx.pixel.input(name, ty.clone(), role));
        let uniform = input("uniform", Role::Uniform);
        let mut data = vec![uniform.0];
        let fixed =
            options.complete.then(|| [input("given", Role::Given), input("mask", Role::Kept)]);
        data.extend(fixed.iter().flatten().map(|pixel| pixel.0));
        cx.visit("uniform", Site::NONE, &[]);
        let uniform = cx.pixel(ClampUniform, &[uniform], "clamped")?;
        let distribution = ends.distribution;
        let drawing = Drawing { uniform, fixed, options: *options, distribution };
        let image = drawing.pixel(&mut walk, &mut cx)?;
        // Ensures that at least one value is stacked.
        cx.stack(image);
        let step = scan_loops::pixel_body(&mut cx, &data, &[("pixel".into(), image.0)])?;
        let begins = cx.row.nodes().len();
        // Complete rows are inputs, in place of the inner loop.
        for i in 0..cx.stacked.len() {
            let mut ty = cx.pixel.ty(cx.stacked[i].0.0).clone();
            ty.shape.insert(0, Dim::Fixed(ends.width));
            let row = cx.row.input(format!("done.{i}"), ty, Role::State);
            cx.stacked[i].1 = Some(RowValue(row));
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
        let find =
            |v: &Value| map.get(v).copied().ok_or_else(|| BuildError::unmapped(from, Some(id), *v));
        let inputs: Vec<Value> = node.inputs.iter().map(find).collect::<Result<_, _>>()?;
        let name = format!("{prefix}{}", node.name);
        let results = into.push(node.op.clone(), &inputs, &name, from.site(id))?;
        map.extend(node.outputs.iter().copied().zip(results));
    }
    Ok(())
}

/// A graph that begins with the nodes before all loops. Its first input is `source`, an input of the body
/// with a batch axis.
fn before(cx: &Streaming, source: Value, body: &PixelGraph) -> Result<Began, BuildError> {
    let mut graph = Graph::new(cx.prelude.name.clone());
    graph.doc.clone_from(&cx.prelude.doc);
    graph.share_layers(cx.prelude.layers());
    let mut began = Began { graph, outside: BTreeMap::new(), inside: BTreeMap::new() };
    began.input(body, source);
    for input in cx.prelude.inputs() {
        let ty = cx.prelude.ty(input.value).clone();
        let value = began.graph.input_like(input, ty);
        began.outside.insert(input.value, value);
    }
    let count = cx.prelude.nodes().len();
    copy(&mut began.graph, &cx.prelude, 0..count, &mut began.outside, "")?;
    Ok(began)
}

struct Began {
    graph: PixelGraph,
    /// The values of this graph for values from before the loops.
    outside: BTreeMap<Value, Value>,
    /// The values of this graph for values of the body.
    inside: BTreeMap<Value, Value>,
}

impl Began {
    fn once(&self, v: PreludeValue) -> Result<Value, StreamError> {
        let value = self.outside.get(&v.0).copied();
        value.ok_or(StreamError::Form("what comes before the loops is incomplete"))
    }

    /// Adds an input of a body as an input of this graph.
    fn input(&mut self, body: &PixelGraph, inside: Value) {
        if let Some(input) = body.inputs().iter().find(|i| i.value == inside) {
            let role = match input.role {
                Role::Local => Role::State,
                role => role,
            };
            self.named(&input.name, body.ty(inside).clone(), inside, role);
        }
    }

    fn named(&mut self, name: &str, ty: Type, inside: Value, role: Role) {
        let value = self.graph.input(name, ty, role);
        self.inside.insert(inside, value);
    }

    fn output(&mut self, name: String, inside: Value) -> Result<(), StreamError> {
        let value = self.inside.get(&inside).copied();
        let value = value.ok_or(StreamError::Form("an output of the loop is not computed"))?;
        self.graph.output_as(name, value, OutputRole::Next);
        Ok(())
    }
}

/// The graph for one pixel; see [`super`].
///
/// # Errors
/// As [`sample`](super::sample()). Also for a model with a condition that is a map.
pub fn step(proved: &ProvedScale, options: &SampleOptions) -> Result<PixelGraph, SampleError> {
    let Parts { cx, step, data, .. } = Parts::of(proved, options)?;
    let body = step.graph;
    // The body's inputs, in order: states, invariants, scanned values, data.
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
        let value = to.once(*once)?;
        to.inside.insert(inside, value);
    }
    for (i, &inside) in scanned.iter().enumerate() {
        to.named(&format!("row.{i}"), body.ty(inside).clone(), inside, Role::State);
    }
    copy(&mut to.graph, &body, 0..body.nodes().len(), &mut to.inside, "")?;
    for out in body.outputs() {
        to.output(out.name.clone(), out.value)?;
    }
    Ok(to.graph)
}

/// The graph for the step between two rows: the end of one and the beginning of the next; see [`super`].
///
/// # Errors
/// As [`sample`](super::sample()). Also for a model with a condition that is a map.
pub fn row(proved: &ProvedScale) -> Result<PixelGraph, SampleError> {
    let Parts { cx, step, begins, .. } = Parts::of(proved, &SampleOptions::default())?;
    let done: Vec<Value> = cx.stacked.iter().filter_map(|(_, row)| row.map(|v| v.0)).collect();
    let Some((&first, done)) = done.split_first() else {
        return Err(StreamError::Form("nothing is drawn").into());
    };
    let mut to = before(&cx, first, &cx.row)?;
    done.iter().for_each(|&v| to.input(&cx.row, v));
    let begun = to.graph.input("begun", Type::real([1usize]), Role::State);
    for (&once, &inside) in &cx.row_invariants {
        let value = to.once(once)?;
        to.inside.insert(inside.0, value);
    }
    for cache in &cx.caches {
        to.named(&cache.name, cx.row.ty(cache.value.0).clone(), cache.value.0, Role::State);
    }
    let count = cx.row.nodes().len();
    copy(&mut to.graph, &cx.row, 0..count, &mut to.inside, "end/")?;

    // The next row begins with the caches that this row left, or, if `begun` is zero, with the initial ones.
    let one = Constant { value: Array::ones(vec![1]) };
    let one = to.graph.push(one.into(), &[], "begun/one", Site::NONE)?[0];
    let fresh = to.graph.push(Sub.into(), &[one, begun], "begun/not", Site::NONE)?[0];
    let mut next = BTreeMap::new();
    for cache in &cx.caches {
        let rank = cx.row.ty(cache.value.0).rank();
        let ended = cache.next.and_then(|v| to.inside.get(&v.0).copied());
        let ended = ended.ok_or(StreamError::Form("a cache has no next value"))?;
        let initial = to.once(cache.initial)?;
        let mut parts = Vec::new();
        for (value, share) in [(ended, begun), (initial, fresh)] {
            let mut share = share;
            for _ in 1..rank {
                let lead = pixelrnn_ops::SplitAxis { axis: 0, parts: 1 };
                share = to.graph.push(lead.into(), &[share], "begun/wide", Site::NONE)?[0];
            }
            let name = format!("{}/share", cache.name);
            parts.push(to.graph.push(Mul.into(), &[value, share], &name, Site::NONE)?[0]);
        }
        let name = format!("{}/next", cache.name);
        let value = to.graph.push(Add.into(), &parts, &name, Site::NONE)?[0];
        to.graph.output_as(format!("{}.next", cache.name), value, OutputRole::Next);
        next.insert(cache.value.0, value);
    }
    to.inside.extend(next);
    copy(&mut to.graph, &cx.row, 0..begins, &mut to.inside, "begin/")?;
    for (i, (row, _)) in cx.scanned.iter().enumerate() {
        to.output(format!("row.{i}"), row.0)?;
    }
    for (i, &initial) in step.initial.iter().enumerate() {
        let value = to.once(initial)?;
        to.graph.output_as(format!("state.{i}"), value, OutputRole::Next);
    }
    Ok(to.graph)
}
