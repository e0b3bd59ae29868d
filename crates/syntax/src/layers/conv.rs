//! `conv(height x width, features, bias = learned)`: a convolution without a mask. On a map of pixels that
//! are still to be predicted it leaks, which the causality check reports. It is for maps that contain no such
//! pixels.

use pixelrnn_ops::{Mask, MaskKind};

use super::{Kind, Layer, Parameter, masked_conv};
use crate::elaborate::{Arguments, Build, ErrorReported, Flow};

/// `conv(height x width, features, bias = learned or none)`: a convolution without a mask.
///
/// On a map of pixels that are still to be predicted it leaks, and the declaration does not compile.
///
/// Parameters: `weight [features, input features, height, width]`, `bias [features]`; with `bias = none` only
/// the weight.
pub struct conv;

pub(super) const LAYER: Layer = Layer {
    name: "conv",
    usage: "conv(height x width, features, bias = learned or none)",
    parameters: &[
        Parameter::required("kernel", Kind::Kernel { odd: true }),
        Parameter::required("features", Kind::Number),
        Parameter::word("bias", &["learned", "none"], 0),
    ],
    has_weights: true,
    terminal: false,
    build,
};

fn build(cx: &mut Build, args: &Arguments, flow: Flow) -> Result<Flow, ErrorReported> {
    let colours = cx.image().colours;
    let mask = Mask { kind: MaskKind::Open, kernel: args.kernel("kernel"), colours, gates: 1 };
    masked_conv::conv_with(cx, mask, args.number("features"), flow, args.word("bias") == 0)
}
