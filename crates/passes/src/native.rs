//! `native`: recurrences become operators of the engine of this process.

use pixelrnn_graph::BuildError;
use pixelrnn_ops::{LstmSweep, Op, PixelGraph, SweepForm};

use crate::expand::expand_but;
use crate::rewrite::Rewrite;

/// Expands composite operators as far as to those that the engine has, and marks these. If the graph is to be
/// differentiated, they also give what their gradients read.
///
/// # Errors
/// The builder's.
pub fn native(graph: &PixelGraph, differentiated: bool) -> Result<PixelGraph, BuildError> {
    let graph = expand_but(graph, |op| matches!(op, Op::LstmSweep(_)))?;
    let mut rewrite = Rewrite::new(&graph);
    rewrite.inputs();
    for (id, node) in graph.nodes() {
        let Op::LstmSweep(LstmSweep { shape, form: SweepForm::Plain }) = &node.op else {
            rewrite.node(id)?;
            continue;
        };
        let form = if differentiated { SweepForm::Saving } else { SweepForm::Native };
        let op = LstmSweep { shape: shape.clone(), form };
        let inputs = rewrite.inputs_of(id)?;
        let results = rewrite.new.push(op.into(), &inputs, &node.name, graph.site(id))?;
        rewrite.set(node.outputs[0], results[0]);
    }
    rewrite.finish()
}
