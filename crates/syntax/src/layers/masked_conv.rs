//! `masked_conv(height x width, A|B, features)`: section 3.4.

use pixelrnn_graph::Diagnostic;
use pixelrnn_ops::{Mask, MaskKind, MaskedConv};

use super::{Kind, Layer, Parameter};
use crate::elaborate::{Arguments, Build, Flow, Refused};

pub(super) const LAYER: Layer = Layer {
    name: "masked_conv",
    usage: "masked_conv(height x width, A or B, features)",
    parameters: &[
        Parameter::required("kernel", Kind::Kernel),
        Parameter::required("mask", Kind::Word(&["A", "B"])),
        Parameter::required("features", Kind::Number),
    ],
    has_weights: true,
    build,
};

fn build(cx: &mut Build, args: &Arguments, flow: Flow) -> Result<Flow, Refused> {
    let kind = if args.word("mask") == 0 { MaskKind::A } else { MaskKind::B };
    let kernel = args.kernel("kernel");
    if kind == MaskKind::B && flow.raw {
        return Err(cx.refuse(
            Diagnostic::error(args.span("mask"), "the first layer must have mask A")
                .remark("mask B reads the pixel that is to be predicted")
                .help("write `A` here"),
        ));
    }
    let colours = cx.image().colours;
    if kind == MaskKind::A && kernel == [1, 1] && colours == 1 {
        return Err(cx.refuse(
            Diagnostic::error(args.span("kernel"), "this convolution has nothing to read")
                .remark("mask A takes away the only tap of a 1 x 1 kernel with one colour")
                .help("use a larger kernel, such as `7 x 7`"),
        ));
    }
    conv(cx, Mask { kind, kernel, colours, gates: 1 }, args.number("features"), flow)
}

/// A convolution with its parameters `weight` and `bias`.
pub(super) fn conv(
    cx: &mut Build,
    mask: Mask,
    features: usize,
    flow: Flow,
) -> Result<Flow, Refused> {
    let [kh, kw] = mask.kernel;
    let fan_in = mask.fan_in(features, flow.features);
    let weight = cx.weight("weight", &[features, flow.features, kh, kw], fan_in)?;
    let bias = cx.zeros("bias", &[features])?;
    cx.push(MaskedConv::on_maps(mask), &[flow.value, weight, bias], features)
}
