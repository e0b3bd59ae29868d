//! `native`: recurrences and masked convolutions become operators of the engine of this process.

use pixelrnn_graph::{BuildError, Value};
use pixelrnn_ops::{Layout, LstmSweep, MaskedConv, Op, PixelGraph, SweepForm, Transpose};

use crate::expand::expand_but;
use crate::rewrite::Rewrite;

/// Expands composite operators as far as to those that the engine has, and marks these. If the graph is to be
/// differentiated, they also give what their gradients read.
///
/// # Errors
/// The builder's.
pub fn native(graph: &PixelGraph, differentiated: bool) -> Result<PixelGraph, BuildError> {
    let graph = expand_but(graph, |op| matches!(op, Op::LstmSweep(_)))?;
    // Measured: in a graph without gradients, a convolution of the engine is faster if the maps are pixel-major
    // anyway, as beside recurrences, or if the mask leaves out a third of the products, as in color. On other
    // maps that of ONNX Runtime is, by up to two times.
    let recurrent = graph.nodes().any(|(_, node)| matches!(node.op, Op::LstmSweep(_)));
    let faster = |conv: &MaskedConv| differentiated || recurrent || conv.mask.colours > 1;
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
            Op::MaskedConv(conv) if faster(conv) => {
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
