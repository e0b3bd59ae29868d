//! `fuse_reshapes`: replaces a reshape of a reshape by one, and removes reshapes that change nothing, also
//! inside loop bodies. Each of them costs an engine as much as a small operator.

use std::collections::BTreeSet;

use pixelrnn_graph::{BuildError, Origin, Value};
use pixelrnn_onnx::{OnnxGraph, OnnxOp};

use crate::cse_dce::Bodies;
use crate::rewrite::Rewrite;

/// Fuses chains of reshapes.
///
/// # Errors
/// [`BuildError`] if the graph is not valid.
pub fn fuse_reshapes(graph: &OnnxGraph) -> Result<OnnxGraph, BuildError> {
    let seen: BTreeSet<Value> = graph.outputs().iter().map(|output| output.value).collect();
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    // Each output of a graph needs its own value, which is neither an input nor a constant.
    let mut taken: BTreeSet<Value> = BTreeSet::new();
    for (id, node) in graph.nodes() {
        if let OnnxOp::Reshape { .. } = node.op {
            let mut from = rewrite.inputs_of(id)?[0];
            while let Some(maker) = rewrite.new.maker(from)
                && let OnnxOp::Reshape { .. } | OnnxOp::Unsqueeze { .. } = maker.op
            {
                from = maker.inputs[0];
            }
            let result = node.outputs[0];
            let stands_for_itself = match rewrite.new.origin(from) {
                Origin::Input(_) => false,
                Origin::Node(maker, _) => {
                    !matches!(rewrite.new.node(maker).op, OnnxOp::Constant(_))
                        && !taken.contains(&from)
                }
            };
            let same = rewrite.new.ty(from) == graph.ty(result);
            let value = match same && (stands_for_itself || !seen.contains(&result)) {
                true => from,
                false => {
                    let op = node.op.clone();
                    rewrite.new.push(op, &[from], &node.name, graph.site(id))?[0]
                }
            };
            rewrite.set(result, value);
        } else {
            rewrite.node_as(id, node.op.map_bodies(&fuse_reshapes)?)?;
        }
        let outputs: Vec<Value> =
            node.outputs.iter().filter(|value| seen.contains(value)).copied().collect();
        taken.extend(rewrite.get(&outputs)?);
    }
    rewrite.finish()
}
