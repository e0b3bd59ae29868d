//! Closing a loop: a body whose inputs are in any order becomes a scan.

use pixelrnn_graph::{BuildError, Value};
use pixelrnn_ops::{PixelGraph, Row, Scan, StreamError, Streaming};

use crate::rewrite::Rewrite;

/// A graph with its inputs in this order and these outputs. Inputs that are left out must not be read.
pub(super) fn arrange(
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
    for (id, _) in graph.nodes() {
        rewrite.node(id)?;
    }
    let values: Vec<Value> = outputs.iter().map(|o| o.1).collect();
    let values = rewrite.get(&values);
    let mut new = rewrite.new;
    for ((name, _), value) in outputs.iter().zip(values) {
        new.output(name.clone(), value);
    }
    Ok(new)
}

/// The body of the loop over pixels: its inputs are states, invariants, scanned; its outputs the next
/// states, then what is stacked.
pub(super) fn pixel_body(cx: &Streaming) -> Result<PixelGraph, StreamError> {
    let mut inputs: Vec<Value> = cx.states.iter().map(|s| s.value.0).collect();
    inputs.extend(cx.pixel_invariants.values().map(|v| v.0));
    inputs.extend(cx.scanned.iter().map(|(_, v)| v.0));
    let mut outputs = Vec::new();
    for state in &cx.states {
        let next = state.next.ok_or(StreamError::Form("a state has no next value"))?;
        outputs.push((format!("{}.next", state.name), next.0));
    }
    for (i, (value, _)) in cx.stacked.iter().enumerate() {
        outputs.push((format!("row.{i}"), value.0));
    }
    Ok(arrange(&cx.pixel, &inputs, &outputs)?)
}

/// Adds the loop over pixels to that over rows: complete rows are there from now on.
pub(super) fn pixels(cx: &mut Streaming) -> Result<(), StreamError> {
    let body = pixel_body(cx)?;
    let initial: Vec<_> = cx.states.iter().map(|s| s.initial).collect();
    let invariants: Vec<_> = cx.pixel_invariants.keys().copied().collect();
    let mut inputs = Vec::new();
    for once in initial.into_iter().chain(invariants) {
        inputs.push(cx.in_row(once, "invariant").0);
    }
    inputs.extend(cx.scanned.iter().map(|(row, _)| row.0));
    let states = cx.states.len();
    let invariants = cx.pixel_invariants.len();
    let scan = Scan { body: Box::new(body), states, invariants, reverse: false };
    let results = cx.row.push(scan.into(), &inputs, "pixels", None)?;
    for ((_, row), value) in cx.stacked.iter_mut().zip(&results[states..]) {
        *row = Some(Row(*value));
    }
    Ok(())
}

/// Adds the loop over rows to what comes before all loops. `scanned` are values `[H, ..]` and what a
/// row sees of them; `stacked` are the rows that make up results.
pub(super) fn rows(
    cx: &mut Streaming,
    scanned: &[(Value, Row)],
    stacked: &[Row],
) -> Result<Vec<Value>, StreamError> {
    let mut inputs: Vec<Value> = cx.caches.iter().map(|c| c.value.0).collect();
    inputs.extend(cx.row_invariants.values().map(|v| v.0));
    inputs.extend(scanned.iter().map(|(_, v)| v.0));
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
    let states = cx.caches.len();
    let invariants = cx.row_invariants.len();
    let scan = Scan { body: Box::new(body), states, invariants, reverse: false };
    let results = cx.once.push(scan.into(), &actual, "rows", None)?;
    Ok(results[states..].to_vec())
}
