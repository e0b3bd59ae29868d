//! Closes loops: turns a body whose inputs are in any order into a scan.

use pixelrnn_graph::{Array, BuildError, Role, Site, Value};
use pixelrnn_ops::{
    Constant, Mul, PixelGraph, PreludeValue, RowValue, Scan, StreamError, Streaming,
};

use crate::rewrite::Rewrite;

/// Copies a graph with its inputs in this order, and with these outputs. Inputs that are left out must not be
/// read.
fn arrange(
    graph: &PixelGraph,
    inputs: &[Value],
    outputs: &[(String, Value)],
) -> Result<PixelGraph, BuildError> {
    let mut rewrite = Rewrite::new(graph);
    for value in inputs {
        if let Some(input) = graph.inputs().iter().find(|i| i.value == *value) {
            rewrite.input(input);
        }
    }
    rewrite.nodes()?;
    let values: Vec<Value> = outputs.iter().map(|o| o.1).collect();
    let values = rewrite.get(&values)?;
    let mut new = rewrite.new;
    for ((name, _), value) in outputs.iter().zip(values) {
        new.output(name.clone(), value);
    }
    Ok(new)
}

/// The closed body of the loop over pixels.
pub(super) struct Body {
    /// Inputs: `state.*`, invariants, scanned values, additional inputs. Outputs: `state.*.next`, `done.*`,
    /// additional outputs.
    pub graph: PixelGraph,
    /// The value of each state before the first pixel.
    pub initial: Vec<PreludeValue>,
}

/// Closes the body of the loop over pixels.
///
/// The states are multiplied by zero in the first column, although the loop's initial states are zero, since
/// tract does not reset the states of an inner loop when the outer loop moves on.
pub(super) fn pixel_body(
    cx: &mut Streaming,
    inputs: &[Value],
    outputs: &[(String, Value)],
) -> Result<Body, StreamError> {
    cx.visit("state", Site::NONE, &[]);
    let mut initial = Vec::new();
    let mut going = None;
    for i in 0..cx.states.len() {
        let shape = cx.pixel.ty(cx.states[i].value.0).shape.clone();
        initial.push(cx.initial(None, &shape, "initial")?);
    }
    if !initial.is_empty() {
        let flag = |i: ndarray::IxDyn| if i[0] > 0 { 1.0 } else { 0.0 };
        let value = Array::from_shape_fn(vec![cx.width, 1, 1], flag);
        let row = cx.prelude(Constant { value }, &[], "going")?;
        let row = cx.in_row(row, "going");
        going = Some(cx.scan(row, "going"));
    }
    let mut rewrite = Rewrite::new(&cx.pixel);
    let mut states = Vec::new();
    for (i, state) in cx.states.iter().enumerate() {
        let ty = cx.pixel.ty(state.value.0).clone();
        states.push(rewrite.new.input(format!("state.{i}"), ty, Role::Local));
    }
    let invariants = cx.pixel_invariants.values().map(|v| v.0);
    let scanned = cx.scanned.iter().map(|(_, v)| v.0);
    for value in invariants.chain(scanned).chain(inputs.iter().copied()) {
        if let Some(input) = cx.pixel.inputs().iter().find(|i| i.value == value) {
            rewrite.input(input);
        }
    }
    for (state, value) in cx.states.iter().zip(states) {
        let mut factors = vec![value];
        if let Some(going) = going {
            factors.push(rewrite.value(going.0)?);
        }
        let inside = rewrite.new.push(Mul.into(), &factors, "state/inside", Site::NONE)?[0];
        rewrite.set(state.value.0, inside);
    }
    rewrite.nodes()?;
    let next: Option<Vec<Value>> = cx.states.iter().map(|s| s.next.map(|v| v.0)).collect();
    let next = rewrite.get(&next.ok_or(StreamError::Form("a state has no next value"))?)?;
    let done: Vec<Value> = cx.stacked.iter().map(|(v, _)| v.0).collect();
    let done = rewrite.get(&done)?;
    let others: Vec<Value> = outputs.iter().map(|o| o.1).collect();
    let others = rewrite.get(&others)?;
    let mut graph = rewrite.new;
    for (i, value) in next.into_iter().enumerate() {
        graph.output(format!("state.{i}.next"), value);
    }
    for (i, value) in done.into_iter().enumerate() {
        graph.output(format!("done.{i}"), value);
    }
    for ((name, _), value) in outputs.iter().zip(others) {
        graph.output(name.clone(), value);
    }
    Ok(Body { graph, initial })
}

/// Adds the loop over pixels to the body of the loop over rows. From then on, complete rows are available.
pub(super) fn pixels(cx: &mut Streaming) -> Result<(), StreamError> {
    let Body { graph, initial } = pixel_body(cx, &[], &[])?;
    let invariants: Vec<_> = cx.pixel_invariants.keys().copied().collect();
    let (states, count) = (initial.len(), invariants.len());
    let mut inputs = Vec::new();
    for once in initial.into_iter().chain(invariants) {
        inputs.push(cx.in_row(once, "initial").0);
    }
    inputs.extend(cx.scanned.iter().map(|(row, _)| row.0));
    let scan = Scan { body: Box::new(graph), states, invariants: count, reverse: false };
    let results = cx.row.push(scan.into(), &inputs, "pixels", Site::NONE)?;
    for ((_, row), value) in cx.stacked.iter_mut().zip(&results[states..]) {
        *row = Some(RowValue(*value));
    }
    Ok(())
}

/// Adds the loop over rows after the nodes before all loops. `scanned` are values `[H, ..]` with the row that
/// the body sees of each; `stacked` are the rows whose stacks are the results.
pub(super) fn rows(
    cx: &mut Streaming,
    scanned: &[(Value, RowValue)],
    stacked: &[RowValue],
) -> Result<Vec<Value>, StreamError> {
    let mut inputs: Vec<Value> = cx.caches.iter().map(|c| c.value.0).collect();
    inputs.extend(cx.row_invariants.values().map(|v| v.0));
    inputs.extend(scanned.iter().map(|(_, v)| v.0));
    inputs.extend(cx.row_scanned.iter().map(|(_, v)| v.0));
    let mut outputs = Vec::new();
    for cache in &cx.caches {
        let next = cache.next.ok_or(StreamError::Form("a cache has no next value"))?;
        outputs.push((format!("{}.next", cache.name), next.0));
    }
    outputs.extend(stacked.iter().enumerate().map(|(i, v)| (format!("image.{i}"), v.0)));
    let body = arrange(&cx.row, &inputs, &outputs)?;
    let mut actual: Vec<Value> = cx.caches.iter().map(|c| c.initial.0).collect();
    actual.extend(cx.row_invariants.keys().map(|v| v.0));
    actual.extend(scanned.iter().map(|(v, _)| *v));
    actual.extend(cx.row_scanned.iter().map(|(v, _)| v.0));
    let states = cx.caches.len();
    let invariants = cx.row_invariants.len();
    let scan = Scan { body: Box::new(body), states, invariants, reverse: false };
    let results = cx.prelude.push(scan.into(), &actual, "rows", Site::NONE)?;
    Ok(results[states..].to_vec())
}
