//! `logits`: the last layer. A 1 x 1 convolution with mask B to the unnormalized log-probabilities of every
//! value: with two levels one logit per value, otherwise one per level.

use pixelrnn_graph::Diagnostic;
use pixelrnn_ops::{Distribution, Mask, MaskKind, SplitAxis};

use super::{Layer, masked_conv};
use crate::elaborate::{Arguments, Build, ErrorReported, Flow};

/// `logits`: the last layer, a 1 x 1 convolution with mask B to the unnormalized log-probabilities.
///
/// With two levels, the model's output is `[N, C, H, W]`, the logit of level 1. With more it is
/// `[N, C, L, H, W]`; a softmax over L gives the probabilities.
///
/// Parameters: `weight`, `bias`.
pub struct logits;

pub(super) const LAYER: Layer = Layer {
    name: "logits",
    usage: "logits",
    parameters: &[],
    has_weights: true,
    terminal: true,
    build,
};

fn build(cx: &mut Build, _: &Arguments, flow: Flow) -> Result<Flow, ErrorReported> {
    let image = cx.image();
    let Some(distribution) = Distribution::of_logits(image.levels) else {
        let wrong = format!("`logits` does not support {} levels", image.levels);
        return Err(cx.report(Diagnostic::error(cx.here(), wrong)));
    };
    end(cx, flow, "logits", distribution)
}

/// Ends a model: adds a 1 x 1 convolution to the parameters of a distribution.
pub(super) fn end(
    cx: &mut Build,
    flow: Flow,
    name: &str,
    distribution: Distribution,
) -> Result<Flow, ErrorReported> {
    cx.needs_mask_a(&flow)?;
    let image = cx.image();
    let [height, width] = cx.size(&flow);
    if [height, width] != [image.height, image.width] {
        let wrong = format!(
            "the output is {height} x {width}, but the image {} x {}",
            image.height, image.width
        );
        let wrong = Diagnostic::error(cx.here(), wrong);
        return Err(cx.report(wrong.help(
            "the last layer reads a map of the image's size: `deconv` is for smaller scales",
        )));
    }
    let features = image.colours * distribution.parameters();
    let kernel = [1, 1];
    let mask = Mask { kind: MaskKind::B, kernel, colours: image.colours, gates: 1 };
    let mut flow = masked_conv::conv(cx, mask, features, flow)?;
    if distribution.has_axis() {
        // [N, C P, H, W] to [N, C, P, H, W].
        let split = SplitAxis { axis: 1, parts: image.colours };
        flow = cx.push_part("/split", split, &[flow.value], features)?;
    }
    cx.finish(name, flow.value, distribution)?;
    Ok(flow)
}
