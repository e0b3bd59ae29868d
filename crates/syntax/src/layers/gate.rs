//! `gate`: the gated activation, tanh of the first half of the features times the sigmoid of the second
//! (van den Oord et al. 2016, *Conditional Image Generation with PixelCNN Decoders*).

use pixelrnn_graph::Diagnostic;
use pixelrnn_ops::{Mul, Sigmoid, Slice, Tanh};

use super::Layer;
use crate::elaborate::{Arguments, Build, ErrorReported, Flow};

/// `gate`: tanh of the first half of the features times the logistic function of the second.
pub struct gate;

pub(super) const LAYER: Layer = Layer {
    name: "gate",
    usage: "gate",
    parameters: &[],
    has_weights: false,
    terminal: false,
    build,
};

fn build(cx: &mut Build, _: &Arguments, flow: Flow) -> Result<Flow, ErrorReported> {
    cx.needs_mask_a(&flow)?;
    let length = flow.features / 2;
    if length == 0 || !flow.features.is_multiple_of(2) {
        let wrong =
            format!("`gate` needs an even number of features, and this map has {}", flow.features);
        let wrong = Diagnostic::error(cx.here(), wrong);
        return Err(cx.report(wrong.help("change the number of features of the layer before it")));
    }
    let half = |start: usize| Slice { axis: 1, start, length };
    let content = cx.push_part("/content", half(0), &[flow.value], length)?;
    let content = cx.push_part("/tanh", Tanh, &[content.value], length)?;
    let open = cx.push_part("/gate", half(length), &[flow.value], length)?;
    let open = cx.push_part("/sigmoid", Sigmoid, &[open.value], length)?;
    cx.push(Mul, &[content.value, open.value], length)
}
