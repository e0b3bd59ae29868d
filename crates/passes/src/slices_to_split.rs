//! `slices_to_split`: replaces slices that together cover a whole axis by one `Split`, also inside loop
//! bodies.

use std::collections::BTreeMap;

use pixelrnn_graph::{BuildError, NodeId, Value};
use pixelrnn_onnx::{OnnxGraph, OnnxOp};

use crate::cse_dce::Bodies;
use crate::rewrite::Rewrite;

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
            let sizes = parts.iter().map(|(start, end, _)| end - start).collect();
            let inputs = rewrite.inputs_of(id)?;
            let op = OnnxOp::Split { axis: *axis, sizes };
            let results = rewrite.new.push(op, &inputs, &node.name, graph.site(id))?;
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
