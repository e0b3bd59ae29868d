//! `slices_to_split`: replaces slices that together cover a whole axis by one `Split`, also inside loop
//! bodies.

use std::collections::BTreeMap;

use pixelrnn_graph::{BuildError, NodeId, Site, Value};
use pixelrnn_onnx::{OnnxGraph, OnnxOp};

use crate::cse_dce::Bodies;
use crate::rewrite::Rewrite;
use crate::unroll::MOST_PARTS;

/// Splits a value; in levels if there are many parts, as [`unroll`](crate::unroll) stacks them.
fn split(
    graph: &mut OnnxGraph,
    value: Value,
    axis: usize,
    sizes: &[usize],
    (name, site): (&str, Site),
) -> Result<Vec<Value>, BuildError> {
    if sizes.len() <= MOST_PARTS {
        let op = OnnxOp::Split { axis, sizes: sizes.to_vec() };
        return graph.push(op, &[value], name, site);
    }
    let sums: Vec<usize> = sizes.chunks(MOST_PARTS).map(|group| group.iter().sum()).collect();
    let groups = split(graph, value, axis, &sums, (&format!("{name}/groups"), site))?;
    let mut all = Vec::with_capacity(sizes.len());
    for (i, (group, sizes)) in groups.into_iter().zip(sizes.chunks(MOST_PARTS)).enumerate() {
        match sizes {
            [_] => all.push(group),
            _ => all.extend(split(graph, group, axis, sizes, (&format!("{name}/{i}"), site))?),
        }
    }
    Ok(all)
}

/// Merges slices of one value into splits.
///
/// # Errors
/// [`BuildError`] if the graph is not valid.
pub fn slices_to_split(graph: &OnnxGraph) -> Result<OnnxGraph, BuildError> {
    let mut slices: BTreeMap<(Value, usize), Vec<(usize, usize, NodeId)>> = BTreeMap::new();
    for (id, node) in graph.nodes() {
        if let OnnxOp::Slice { axis, start, end } = node.op {
            slices.entry((node.inputs[0], axis)).or_default().push((start, end, id));
        }
    }
    // For the first slice of each complete set: all its slices, in order along the axis.
    let mut complete: BTreeMap<NodeId, (usize, Vec<(usize, usize, NodeId)>)> = BTreeMap::new();
    for ((value, axis), mut parts) in slices {
        parts.sort_unstable();
        let extent = graph.ty(value).shape[axis].fixed();
        let chained = parts.windows(2).all(|w| w[0].1 == w[1].0);
        let whole = parts.first().map(|p| p.0) == Some(0) && parts.last().map(|p| p.1) == extent;
        if let (true, true, true, Some(&first)) =
            (parts.len() > 1, chained, whole, parts.iter().map(|(_, _, id)| id).min())
        {
            complete.insert(first, (axis, parts));
        }
    }
    let replaced: Vec<NodeId> =
        complete.values().flat_map(|(_, parts)| parts.iter().map(|p| p.2)).collect();
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    for (id, node) in graph.nodes() {
        if let Some((axis, parts)) = complete.get(&id) {
            let sizes: Vec<usize> = parts.iter().map(|(start, end, _)| end - start).collect();
            let value = rewrite.inputs_of(id)?[0];
            let place = (&node.name[..], graph.site(id));
            let results = split(&mut rewrite.new, value, *axis, &sizes, place)?;
            for ((_, _, part), result) in parts.iter().zip(results) {
                rewrite.set(graph.node(*part).outputs[0], result);
            }
        } else if !replaced.contains(&id) {
            let op = node.op.map_bodies(&slices_to_split)?;
            rewrite.node_as(id, op)?;
        }
    }
    rewrite.finish()
}
