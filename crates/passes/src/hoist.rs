//! `hoist`: loop-invariant code motion. What a loop computes only from its invariants is computed once,
//! before the loop. A stacked result that equals a scanned tensor is replaced by that tensor.

use pixelrnn_graph::{BuildError, Input, Role, Value};
use pixelrnn_onnx::{OnnxGraph, OnnxOp, Scan};

use crate::rewrite::Rewrite;

/// Moves loop-invariant nodes out of every scan.
///
/// # Errors
/// [`BuildError`] if the graph is not valid.
pub fn hoist(graph: &OnnxGraph) -> Result<OnnxGraph, BuildError> {
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    for (id, node) in graph.nodes() {
        let OnnxOp::Scan(scan) = &node.op else {
            rewrite.node(id)?;
            continue;
        };
        let inputs = rewrite.inputs_of(id)?;
        let inner = hoist(&scan.body)?;
        let scan = Scan { body: inner, ..(**scan).clone() };
        let (scan, inputs) = hoist_one(&mut rewrite.new, &scan, &inputs, &node.name)?;
        let passed = passed_on(&scan, &inputs);
        let op = OnnxOp::Scan(Box::new(scan));
        let results = rewrite.new.push(op, &inputs, &node.name, graph.site(id))?;
        for ((&old, new), whole) in node.outputs.iter().zip(results).zip(passed) {
            rewrite.set(old, whole.unwrap_or(new));
        }
    }
    rewrite.finish()
}

/// For each result of a loop, the scanned tensor whose slices it stacks unchanged; `None` for other results.
fn passed_on(scan: &Scan, inputs: &[Value]) -> Vec<Option<Value>> {
    let carried = scan.states + scan.invariants;
    let scanned = || scan.body.inputs().iter().zip(inputs).skip(carried);
    let whole = |(i, value): (usize, Value)| match i >= scan.states {
        true => scanned().find(|(formal, _)| formal.value == value).map(|(_, &actual)| actual),
        false => None,
    };
    scan.body.outputs().iter().map(|o| o.value).enumerate().map(whole).collect()
}

fn hoist_one(
    outer: &mut OnnxGraph,
    scan: &Scan,
    inputs: &[Value],
    name: &str,
) -> Result<(Scan, Vec<Value>), BuildError> {
    let body = &scan.body;
    let carried = scan.states + scan.invariants;
    // For each invariant value of the body, the corresponding value outside the loop.
    let mut outside: Vec<Option<Value>> = vec![None; body.value_count()];
    for (formal, &actual) in body.inputs().iter().zip(inputs).take(carried).skip(scan.states) {
        outside[formal.value.index()] = Some(actual);
    }
    let mut moved = vec![false; body.nodes().len()];
    for (id, node) in body.nodes() {
        let actual: Option<Vec<Value>> = node.inputs.iter().map(|v| outside[v.index()]).collect();
        let fixed = !matches!(node.op, OnnxOp::Scan(_));
        let Some(actual) = actual.filter(|_| fixed) else { continue };
        let part = format!("{name}/{}", node.name);
        let results = outer.push(node.op.clone(), &actual, &part, body.site(id))?;
        for (&inner, result) in node.outputs.iter().zip(results) {
            outside[inner.index()] = Some(result);
        }
        moved[id.index()] = true;
    }
    // Results of moved nodes that the rest of the body reads become invariants.
    let mut read = vec![false; body.value_count()];
    for (id, node) in body.nodes() {
        if !moved[id.index()] {
            node.inputs.iter().for_each(|v| read[v.index()] = true);
        }
    }
    body.outputs().iter().for_each(|o| read[o.value.index()] = true);

    let mut new = Rewrite::new(body);
    let mut actual: Vec<Value> = inputs[..scan.states].to_vec();
    let formals: Vec<&Input> = body.inputs().iter().collect();
    for formal in &formals[..scan.states] {
        new.input(formal);
    }
    let mut invariants = 0;
    let mut add = |new: &mut Rewrite<OnnxOp>, name: &str, inner: Value, outer: Value| {
        let ty = body.ty(inner).clone();
        let value = new.new.input(name, ty, Role::Local);
        new.set(inner, value);
        actual.push(outer);
        invariants += 1;
    };
    for formal in &formals[scan.states..carried] {
        if let (true, Some(outer)) = (read[formal.value.index()], outside[formal.value.index()]) {
            add(&mut new, &formal.name, formal.value, outer);
        }
    }
    for (_, node) in body.nodes().filter(|(id, _)| moved[id.index()]) {
        for (port, &v) in node.outputs.iter().enumerate() {
            if let (true, Some(outer)) = (read[v.index()], outside[v.index()]) {
                let name = match port {
                    0 => format!("{}_once", node.name),
                    _ => format!("{}_once_{port}", node.name),
                };
                add(&mut new, &name, v, outer);
            }
        }
    }
    for formal in &formals[carried..] {
        new.input(formal);
    }
    actual.extend(&inputs[carried..]);
    for (id, _) in body.nodes().filter(|(id, _)| !moved[id.index()]) {
        new.node(id)?;
    }
    let body = new.finish()?;
    Ok((Scan { body, states: scan.states, invariants, reverse: scan.reverse }, actual))
}
