//! `pads_to_concat`: replaces a sum of parts, each padded to the full extent, by their concatenation, also
//! inside loop bodies.
//!
//! The gradient of slices that cover an axis is such a sum.

use std::collections::BTreeMap;

use pixelrnn_graph::{BuildError, Value};
use pixelrnn_ops::{Concat, Op, PixelGraph};

use crate::cse_dce::Bodies;
use crate::rewrite::Rewrite;

/// The parts that a value consists of along an axis. It is zero elsewhere.
#[derive(Clone)]
struct Parts {
    axis: usize,
    /// For each part where it begins, where it ends, and its value; in order.
    parts: Vec<(usize, usize, Value)>,
}

impl Parts {
    /// The union of two lists of parts; `None` if parts overlap.
    fn with(&self, other: &Parts) -> Option<Parts> {
        let mut parts = [&self.parts[..], &other.parts[..]].concat();
        parts.sort_unstable();
        let apart = parts.windows(2).all(|pair| pair[0].1 <= pair[1].0);
        (self.axis == other.axis && apart).then_some(Parts { axis: self.axis, parts })
    }

    /// Whether the parts cover the whole extent.
    fn cover(&self, extent: Option<usize>) -> bool {
        let joined = self.parts.windows(2).all(|pair| pair[0].1 == pair[1].0);
        let ends = (self.parts.first().map(|p| p.0), self.parts.last().map(|p| p.1));
        joined && extent.is_some() && ends == (Some(0), extent)
    }
}

/// Replaces sums of padded parts by concatenations.
///
/// # Errors
/// [`BuildError`] if the graph is not valid.
pub fn pads_to_concat(graph: &PixelGraph) -> Result<PixelGraph, BuildError> {
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    // Keys are values of the old graph; the parts are values of the new one.
    let mut known: BTreeMap<Value, Parts> = BTreeMap::new();
    for (id, node) in graph.nodes() {
        let result = node.outputs[0];
        let inputs = rewrite.inputs_of(id)?;
        match &node.op {
            Op::Pad(pad) => {
                let extent = graph.ty(node.inputs[0]).shape[pad.axis].with_batch(1);
                let parts = vec![(pad.before, pad.before + extent, inputs[0])];
                known.insert(result, Parts { axis: pad.axis, parts });
            }
            Op::Add(_) => {
                let [a, b] = [0, 1].map(|i| known.get(&node.inputs[i]));
                let Some(parts) = a.zip(b).and_then(|(a, b)| a.with(b)) else {
                    rewrite.node(id)?;
                    continue;
                };
                if parts.cover(graph.ty(result).shape[parts.axis].fixed()) {
                    let values: Vec<Value> = parts.parts.iter().map(|p| p.2).collect();
                    let op = Concat { axis: parts.axis };
                    let new = rewrite.new.push(op.into(), &values, &node.name, graph.site(id))?;
                    rewrite.set(result, new[0]);
                    continue;
                }
                known.insert(result, parts);
            }
            _ => {}
        }
        rewrite.node_as(id, node.op.map_bodies(&pads_to_concat)?)?;
    }
    rewrite.finish()
}
