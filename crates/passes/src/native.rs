//! `native`: replaces recurrences and masked convolutions by operators of the engine of this process.

use pixelrnn_graph::{BuildError, Value};
use pixelrnn_ops::{Layout, LstmSweep, MaskedConv, Op, PixelGraph, SweepForm, Transpose};

use crate::expand::expand_but;
use crate::rewrite::Rewrite;

/// Expands composite operators, except those that the engine implements, and marks these. In a graph that
/// will be differentiated, they also return what their gradients read.
///
/// # Errors
/// [`BuildError`] if the graph is not valid.
pub fn native(graph: &PixelGraph, differentiated: bool) -> Result<PixelGraph, BuildError> {
    let graph = expand_but(graph, |op| matches!(op, Op::LstmSweep(_)))?;
    let mut rewrite = Rewrite::new(&graph);
    rewrite.inputs();
    for (id, node) in graph.nodes() {
        let site = graph.site(id);
        let inputs = rewrite.inputs_of(id)?;
        let mut push = |op: Op, inputs: &[Value], part: &str| {
            rewrite.new.push(op, inputs, &format!("{}{part}", node.name), site).map(|v| v[0])
        };
        let result = match &node.op {
            Op::LstmSweep(LstmSweep { shape, form: SweepForm::Plain }) => {
                let form = if differentiated { SweepForm::Saving } else { SweepForm::Native };
                push(LstmSweep { shape: shape.clone(), form }.into(), &inputs, "")?
            }
            Op::MaskedConv(conv) if differentiated => {
                let native = MaskedConv { layout: Layout::Native, ..conv.clone() };
                match conv.layout {
                    Layout::PixelMajor | Layout::Native => push(native.into(), &inputs, "")?,
                    Layout::Maps => {
                        let turn = || Op::from(Transpose { perm: vec![2, 3, 0, 1] });
                        let x = push(turn(), &inputs[..1], "/pixels")?;
                        let y = push(native.into(), &[x, inputs[1], inputs[2]], "")?;
                        push(turn(), &[y], "/maps")?
                    }
                }
            }
            _ => {
                rewrite.node(id)?;
                continue;
            }
        };
        rewrite.set(node.outputs[0], result);
    }
    rewrite.finish()
}
