//! `conv(height x width, features)`: a convolution without a mask. On a map that holds pixels still
//! to be predicted it leaks, and the causality check says so; it is there for maps that do not.

use pixelrnn_ops::{Mask, MaskKind};

use super::{Kind, Layer, Parameter, masked_conv};
use crate::elaborate::{Arguments, Build, Flow, Refused};

pub(super) const LAYER: Layer = Layer {
    name: "conv",
    usage: "conv(height x width, features)",
    parameters: &[
        Parameter::required("kernel", Kind::Kernel),
        Parameter::required("features", Kind::Number),
    ],
    has_weights: true,
    build,
};

fn build(cx: &mut Build, args: &Arguments, flow: Flow) -> Result<Flow, Refused> {
    let colours = cx.image().colours;
    let mask = Mask { kind: MaskKind::Open, kernel: args.kernel("kernel"), colours, gates: 1 };
    masked_conv::conv(cx, mask, args.number("features"), flow)
}
