//! `native`: replaces recurrences, masked convolutions and likelihoods by operators of the engine of this process.

use pixelrnn_graph::{BuildError, Value};
use pixelrnn_ops::{
    CategoricalNll, Distribution, Layout, LstmSweep, MaskedConv, Nll, Op, PixelGraph, SplitAxis,
    SweepForm, Transpose,
};

use crate::expand::expand_but;
use crate::rewrite::Rewrite;

/// The maps of logits `[N, C L, H, W]` that parameters `[N, C, L, H, W]` are split from, and the convolution that
/// makes them.
fn logits_of(graph: &PixelGraph, parameters: Value) -> Option<(Value, &MaskedConv)> {
    let split = graph.maker(parameters)?;
    let Op::SplitAxis(SplitAxis { axis: 1, .. }) = split.op else { return None };
    let logits = split.inputs[0];
    match &graph.maker(logits)?.op {
        Op::MaskedConv(conv) if conv.layout == Layout::Maps => Some((logits, conv)),
        _ => None,
    }
}

/// Expands composite operators, except those that the engine implements, and marks these.
///
/// # Errors
/// [`BuildError`] if the graph is not valid.
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
        let push = |rewrite: &mut Rewrite<Op>, op: Op, inputs: &[Value], part: &str| {
            rewrite.new.push(op, inputs, &format!("{}{part}", node.name), site).map(|v| v[0])
        };
        let result = match &node.op {
            Op::LstmSweep(LstmSweep { shape, form: SweepForm::Plain }) => {
                let sweep = LstmSweep { shape: shape.clone(), form: SweepForm::Native };
                push(&mut rewrite, sweep.into(), &inputs, "")?
            }
            Op::MaskedConv(conv) if faster(conv) => {
                let native = MaskedConv { layout: Layout::Native, ..conv.clone() };
                match conv.layout {
                    Layout::PixelMajor | Layout::Native => {
                        push(&mut rewrite, native.into(), &inputs, "")?
                    }
                    Layout::Maps => {
                        let turn = || Op::from(Transpose { perm: vec![2, 3, 0, 1] });
                        let x = push(&mut rewrite, turn(), &inputs[..1], "/pixels")?;
                        let y = push(&mut rewrite, native.into(), &[x, inputs[1], inputs[2]], "")?;
                        push(&mut rewrite, turn(), &[y], "/maps")?
                    }
                }
            }
            Op::Nll(Nll { distribution: Distribution::Categorical(of) }) => {
                match logits_of(&graph, node.inputs[0]).filter(|(_, conv)| faster(conv)) {
                    Some((logits, _)) => {
                        let logits = rewrite.get(&[logits])?[0];
                        let swap = Op::from(Transpose { perm: vec![2, 3, 0, 1] });
                        let pixels = push(&mut rewrite, swap, &[logits], "/pixels")?;
                        let nll = CategoricalNll { levels: of.levels };
                        push(&mut rewrite, nll.into(), &[pixels, inputs[1]], "")?
                    }
                    None => rewrite.node(id)?[0],
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
