//! `expand`: composite operators become the graphs they stand for.

use pixelrnn_graph::BuildError;
use pixelrnn_ops::PixelGraph;

use crate::rewrite::Rewrite;

/// Expands every composite operator.
///
/// # Errors
/// The builder's, where a composite was given what its own shape rule should have refused.
pub fn expand(graph: &PixelGraph) -> Result<PixelGraph, BuildError> {
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    for (id, node) in graph.nodes() {
        let Some(composite) = node.op.composite() else {
            rewrite.node(id)?;
            continue;
        };
        let inputs = rewrite.inputs_of(id)?;
        let results = composite.expand(&mut rewrite.new, &inputs, &node.name, graph.site(id))?;
        for (&old, new) in node.outputs.iter().zip(results) {
            rewrite.set(old, new);
        }
    }
    rewrite.finish()
}
