//! `unroll`: replaces every scan by its body, once for each step.

use ndarray::Axis;
use pixelrnn_graph::{BuildError, Graph, Value};
use pixelrnn_ops::{Concat, Constant, MergeAxes, Op, PixelGraph, Scan, Slice, SplitAxis};

use crate::rewrite::Rewrite;

/// Unrolls every scan. Scanned constants are sliced here, so that the causality analysis sees the constant of
/// each step.
///
/// # Errors
/// [`BuildError`] if a scanned tensor has only the axis of steps, so that it cannot be sliced.
pub fn unroll(graph: &PixelGraph) -> Result<PixelGraph, BuildError> {
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    for (id, node) in graph.nodes() {
        let Op::Scan(scan) = &node.op else {
            rewrite.node(id)?;
            continue;
        };
        let inputs = rewrite.inputs_of(id)?;
        let results = unroll_one(&mut rewrite.new, scan, &inputs, &node.name, graph.site(id))?;
        for (&old, new) in node.outputs.iter().zip(results) {
            rewrite.set(old, new);
        }
    }
    rewrite.finish()
}

fn unroll_one(
    graph: &mut PixelGraph,
    scan: &Scan,
    inputs: &[Value],
    name: &str,
    site: pixelrnn_graph::Site,
) -> Result<Vec<Value>, BuildError> {
    let body = unroll(&scan.body)?;
    let carried = scan.carried();
    let steps = inputs.get(carried).map_or(0, |&v| graph.ty(v).extents(1)[0]);
    let mut states = inputs[..scan.states].to_vec();
    let mut slices: Vec<Vec<(usize, Value)>> = vec![Vec::new(); scan.stacked()];
    for step in 0..steps {
        let t = if scan.reverse { steps - 1 - step } else { step };
        let prefix = format!("{name}/{t}");
        let mut actual = states.clone();
        actual.extend(&inputs[scan.states..carried]);
        for &x in &inputs[carried..] {
            actual.push(cut(graph, x, t, &prefix, site)?);
        }
        let results = inline(graph, &body, &actual, &prefix)?;
        for (all, &slice) in slices.iter_mut().zip(&results[scan.states..]) {
            let op = SplitAxis { axis: 0, parts: 1 };
            all.push((t, graph.push(op.into(), &[slice], &format!("{prefix}/stack"), site)?[0]));
        }
        states = results[..scan.states].to_vec();
    }
    for mut all in slices {
        all.sort_by_key(|&(t, _)| t);
        let all: Vec<Value> = all.into_iter().map(|(_, v)| v).collect();
        states.push(stack(graph, all, name, site)?);
    }
    Ok(states)
}

/// The most inputs of a `Concat` that ONNX Runtime can capture in a CUDA graph.
pub(crate) const MOST_PARTS: usize = 32;

/// Stacks the results of all steps.
fn stack(
    graph: &mut PixelGraph,
    mut parts: Vec<Value>,
    name: &str,
    site: pixelrnn_graph::Site,
) -> Result<Value, BuildError> {
    let mut concat = |parts: &[Value], name: String| {
        graph.push(Concat { axis: 0 }.into(), parts, &name, site).map(|made| made[0])
    };
    let mut level = 0;
    while parts.len() > MOST_PARTS {
        let groups = parts.chunks(MOST_PARTS).enumerate();
        let group = |(i, group): (usize, &[Value])| match group {
            [one] => Ok(*one),
            _ => concat(group, format!("{name}/stacked/{level}/{i}")),
        };
        parts = groups.map(group).collect::<Result<_, _>>()?;
        level += 1;
    }
    concat(&parts, format!("{name}/stacked"))
}

/// Slice `t` of a scanned tensor.
fn cut(
    graph: &mut PixelGraph,
    x: Value,
    t: usize,
    prefix: &str,
    site: pixelrnn_graph::Site,
) -> Result<Value, BuildError> {
    if let Some(Op::Constant(c)) = graph.maker(x).map(|n| &n.op) {
        let value = c.value.index_axis(Axis(0), t).to_owned();
        return Ok(graph.push(
            Constant { value }.into(),
            &[],
            &format!("{prefix}/constant"),
            site,
        )?[0]);
    }
    let slice = Slice { axis: 0, start: t, length: 1 };
    let part = graph.push(slice.into(), &[x], &format!("{prefix}/slice"), site)?[0];
    Ok(graph.push(MergeAxes { axis: 0 }.into(), &[part], &format!("{prefix}/step"), site)?[0])
}

/// Adds the nodes of a graph to another one, and returns the values of its outputs.
pub(crate) fn inline(
    into: &mut PixelGraph,
    body: &Graph<Op>,
    inputs: &[Value],
    prefix: &str,
) -> Result<Vec<Value>, BuildError> {
    let mut map: Vec<Option<Value>> = vec![None; body.value_count()];
    for (formal, &actual) in body.inputs().iter().zip(inputs) {
        map[formal.value.index()] = Some(actual);
    }
    for (id, node) in body.nodes() {
        let find =
            |v: &Value| map[v.index()].ok_or_else(|| BuildError::unmapped(body, Some(id), *v));
        let inputs: Vec<Value> = node.inputs.iter().map(find).collect::<Result<_, _>>()?;
        let name = match prefix {
            "" => node.name.clone(),
            prefix => format!("{prefix}/{}", node.name),
        };
        let results = into.push(node.op.clone(), &inputs, &name, body.site(id))?;
        for (&old, new) in node.outputs.iter().zip(results) {
            map[old.index()] = Some(new);
        }
    }
    let find = |v: Value| map[v.index()].ok_or_else(|| BuildError::unmapped(body, None, v));
    body.outputs().iter().map(|o| find(o.value)).collect()
}
