//! `skip(features)`: a skip connection to the end of the surrounding `collect` block.

use pixelrnn_graph::Diagnostic;
use pixelrnn_ops::{Mask, MaskKind};

use super::{Kind, Layer, Parameter, masked_conv};
use crate::elaborate::{Arguments, Build, ErrorReported, Flow};

/// `skip(features)`: a skip connection to the end of the surrounding `collect { ... }` block.
///
/// The map passes through unchanged. A 1 x 1 convolution of it, with mask B, is added to the result of the
/// block, which must have the same number of features.
///
/// Parameters: `weight [features, input features, 1, 1]`, `bias [features]`.
pub struct skip;

pub(super) const LAYER: Layer = Layer {
    name: "skip",
    usage: "skip(features)",
    parameters: &[Parameter::required("features", Kind::Number)],
    has_weights: true,
    terminal: false,
    build,
};

/// Returns the map unchanged. A 1 x 1 convolution of it, with mask B, is added after the block.
fn build(cx: &mut Build, args: &Arguments, flow: Flow) -> Result<Flow, ErrorReported> {
    cx.needs_mask_a(&flow)?;
    if !cx.collecting() {
        return Err(cx.report(
            Diagnostic::error(cx.here(), "this skip connection is outside of a `collect` block")
                .help("put the blocks with skip connections inside `collect { ... }`"),
        ));
    }
    let kernel = [1, 1];
    let mask = Mask { kind: MaskKind::B, kernel, colours: cx.image().colours, gates: 1 };
    let through = flow.clone();
    let tap = masked_conv::conv(cx, mask, args.number("features"), flow)?;
    cx.collect(tap, args.span("features"));
    Ok(through)
}
