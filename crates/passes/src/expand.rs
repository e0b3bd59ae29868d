//! `expand`: expands composite operators to graphs of other operators.

use pixelrnn_graph::BuildError;
use pixelrnn_ops::{Op, PixelGraph};

use crate::rewrite::Rewrite;

/// Expands every composite operator.
///
/// # Errors
/// [`BuildError`] if the inputs of a composite do not fit.
pub fn expand(graph: &PixelGraph) -> Result<PixelGraph, BuildError> {
    expand_but(graph, |_| false)
}

/// Expands every composite operator, also inside expansions, except those for which `keep` returns true.
pub(crate) fn expand_but(
    graph: &PixelGraph,
    keep: fn(&Op) -> bool,
) -> Result<PixelGraph, BuildError> {
    let mut graph = expand_once(graph, keep)?;
    while graph.nodes().any(|(_, n)| n.op.composite().is_some() && !keep(&n.op)) {
        graph = expand_once(&graph, keep)?;
    }
    Ok(graph)
}

fn expand_once(graph: &PixelGraph, keep: fn(&Op) -> bool) -> Result<PixelGraph, BuildError> {
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    for (id, node) in graph.nodes() {
        let Some(composite) = node.op.composite().filter(|_| !keep(&node.op)) else {
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
