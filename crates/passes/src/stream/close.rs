//! Closing a loop: a body whose inputs are in any order becomes a scan.

use pixelrnn_graph::{Array, BuildError, Dim, Role, Type, Value};
use pixelrnn_ops::{
    Concat, Constant, Mul, Once, PixelGraph, Row, Scan, Slice, StreamError, Streaming,
};

use crate::rewrite::Rewrite;

/// A graph with its inputs in this order and these outputs. Inputs that are left out must not be read.
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

/// The body of the loop over pixels, closed.
pub(super) struct Body {
    /// Inputs: `state` if there is any, invariants, what is scanned, what else was asked for. Outputs:
    /// `state.next`, `done`, what else was asked for.
    pub graph: PixelGraph,
    /// What `state` is before the first pixel.
    pub initial: Option<Once>,
}

/// Closes the body of the loop over pixels. All states are carried as one tensor and all that is
/// stacked is stacked as one: an engine's time goes by nodes and tensors here, not by numbers.
///
/// The states are multiplied by zero in the first column, although the loop's initial state is zero:
/// tract keeps the states of an inner loop when the outer one goes on.
pub(super) fn pixel_body(
    cx: &mut Streaming,
    inputs: &[Value],
    outputs: &[(String, Value)],
) -> Result<Body, StreamError> {
    cx.visit("state", None, &[]);
    let width: usize = cx.states.iter().map(|s| s.features).sum();
    let shape = [Dim::N, Dim::Fixed(width)];
    let (mut initial, mut going) = (None, None);
    if width > 0 {
        let flag = |i: ndarray::IxDyn| if i[0] > 0 { 1.0 } else { 0.0 };
        let value = Array::from_shape_fn(vec![cx.width, 1, 1], flag);
        let row = cx.once(Constant { value }, &[], "going")?;
        let row = cx.in_row(row, "going");
        going = Some(cx.scan(row, "going"));
        initial = Some(cx.initial(None, &shape, "initial")?);
    }
    let mut rewrite = Rewrite::new(&cx.pixel);
    let state = going.map(|_| rewrite.new.input("state", Type::real(shape), Role::Data));
    let invariants = cx.pixel_invariants.values().map(|v| v.0);
    let scanned = cx.scanned.iter().map(|(_, v)| v.0);
    for value in invariants.chain(scanned).chain(inputs.iter().copied()) {
        if let Some(input) = cx.pixel.inputs().iter().find(|i| i.value == value) {
            rewrite.input(input);
        }
    }
    if let (Some(state), Some(going)) = (state, going) {
        let going = rewrite.get(&[going.0]);
        let all = [&[state], &going[..]].concat();
        let inside = rewrite.new.push(Mul.into(), &all, "state/inside", None)?[0];
        let widths: Vec<usize> = cx.states.iter().map(|s| s.features).collect();
        let parts = cut(&mut rewrite.new, inside, 1, &widths, "state/part")?;
        for (state, part) in cx.states.iter().zip(parts) {
            rewrite.set(state.value.0, part);
        }
    }
    for (id, _) in cx.pixel.nodes() {
        rewrite.node(id)?;
    }
    let next: Option<Vec<Value>> = cx.states.iter().map(|s| s.next.map(|v| v.0)).collect();
    let next = rewrite.get(&next.ok_or(StreamError::Form("a state has no next value"))?);
    let done: Vec<Value> = cx.stacked.iter().map(|(v, _)| v.0).collect();
    let done = rewrite.get(&done);
    let others: Vec<Value> = outputs.iter().map(|o| o.1).collect();
    let others = rewrite.get(&others);
    let mut graph = rewrite.new;
    for (name, parts) in [("state.next", next), ("done", done)] {
        if !parts.is_empty() {
            let all = join(&mut graph, &parts, name)?;
            graph.output(name, all);
        }
    }
    for ((name, _), value) in outputs.iter().zip(others) {
        graph.output(name.clone(), value);
    }
    Ok(Body { graph, initial })
}

/// Tensors `[N, ..]` side by side.
fn join(graph: &mut PixelGraph, parts: &[Value], name: &str) -> Result<Value, BuildError> {
    match parts {
        [one] => Ok(*one),
        _ => Ok(graph.push(Concat { axis: 1 }.into(), parts, &format!("{name}/all"), None)?[0]),
    }
}

/// A tensor as parts of these widths.
fn cut(
    graph: &mut PixelGraph,
    all: Value,
    axis: usize,
    widths: &[usize],
    name: &str,
) -> Result<Vec<Value>, BuildError> {
    if widths.len() == 1 {
        return Ok(vec![all]);
    }
    let mut parts = Vec::new();
    let mut start = 0;
    for &length in widths {
        parts.push(graph.push(Slice { axis, start, length }.into(), &[all], name, None)?[0]);
        start += length;
    }
    Ok(parts)
}

/// The widths of what is stacked.
fn widths(cx: &Streaming) -> Vec<usize> {
    cx.stacked.iter().map(|(v, _)| cx.pixel.ty(v.0).extents(1)[1]).collect()
}

/// The shape of the complete rows of all that is stacked.
pub(super) fn done_shape(cx: &Streaming) -> [Dim; 3] {
    cx.row_shape(widths(cx).iter().sum())
}

/// Says that this is the complete row of all that is stacked.
pub(super) fn set_done(cx: &mut Streaming, done: Value) -> Result<(), StreamError> {
    let widths = widths(cx);
    let parts = cut(&mut cx.row, done, 2, &widths, "done/part")?;
    for ((_, row), part) in cx.stacked.iter_mut().zip(parts) {
        *row = Some(Row(part));
    }
    Ok(())
}

/// Adds the loop over pixels to that over rows: complete rows are there from now on.
pub(super) fn pixels(cx: &mut Streaming) -> Result<(), StreamError> {
    let Body { graph, initial } = pixel_body(cx, &[], &[])?;
    let invariants: Vec<_> = cx.pixel_invariants.keys().copied().collect();
    let mut inputs = Vec::new();
    for once in initial.into_iter().chain(invariants) {
        inputs.push(cx.in_row(once, "initial").0);
    }
    inputs.extend(cx.scanned.iter().map(|(row, _)| row.0));
    let states = usize::from(initial.is_some());
    let invariants = cx.pixel_invariants.len();
    let scan = Scan { body: Box::new(graph), states, invariants, reverse: false };
    let results = cx.row.push(scan.into(), &inputs, "pixels", None)?;
    set_done(cx, results[states])
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
