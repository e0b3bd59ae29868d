//! `masked_conv(height x width, A or B, features, gates = 1)`: the masked convolution of section 3.4 of the paper. With
//! several gates, each has its own color groups, like the four gates of an LSTM and the two of a gated layer.

use pixelrnn_graph::Diagnostic;
use pixelrnn_ops::{Constant, Mask, MaskKind, MaskedConv};

use super::{Kind, Layer, Parameter};
use crate::elaborate::{Arguments, Build, ErrorReported, Flow};

/// `masked_conv(height x width, A or B, features, gates = 1)`: the masked convolution of section 3.4 of the paper.
///
/// Reads the rows above and the pixels to the left in the current row. At the current pixel, mask `A` (for
/// the first layer) reads earlier colors only; mask `B` (for all other layers) also reads the current color.
/// The stride is one, so the result is as large as the input. Kernels are odd.
///
/// With several colors, features form groups of equal size, one for each color. With `gates = n`, each `n`th
/// part of the features has its own groups. This is for layers whose output is split into `n` gates, as
/// [`gate`](super::items::gate) does with two.
///
/// Parameters: `weight [features, input features, height, width]`, `bias [features]`.
pub struct masked_conv;

pub(super) const LAYER: Layer = Layer {
    name: "masked_conv",
    usage: "masked_conv(height x width, A or B, features, gates = 1)",
    parameters: &[
        Parameter::required("kernel", Kind::Kernel { odd: true }),
        Parameter::required("mask", Kind::Word(&["A", "B"])),
        Parameter::required("features", Kind::Number),
        Parameter::number("gates", Kind::Number, 1),
    ],
    has_weights: true,
    terminal: false,
    build,
};

fn build(cx: &mut Build, args: &Arguments, flow: Flow) -> Result<Flow, ErrorReported> {
    let kind = if args.word("mask") == 0 { MaskKind::A } else { MaskKind::B };
    let kernel = args.kernel("kernel");
    if kind == MaskKind::B && flow.raw {
        return Err(cx.report(
            Diagnostic::error(args.span("mask"), "the first layer must have mask A")
                .remark("mask B would read the pixel that is predicted")
                .help("write `A` here"),
        ));
    }
    let colours = cx.image().colours;
    if kind == MaskKind::A && kernel == [1, 1] && colours == 1 {
        return Err(cx.report(
            Diagnostic::error(args.span("kernel"), "this convolution has nothing to read")
                .remark("with one color, mask A hides the only tap of a 1 x 1 kernel")
                .help("use a larger kernel, such as `7 x 7`"),
        ));
    }
    let (features, gates) = (args.number("features"), args.number("gates"));
    if !features.is_multiple_of(gates) {
        let wrong = format!("{features} features cannot be divided into {gates} equal gates");
        let help = format!("expected a multiple of {gates} features");
        return Err(cx.report(Diagnostic::error(args.span("gates"), wrong).help(help)));
    }
    conv(cx, Mask { kind, kernel, colours, gates }, features, flow)
}

/// Adds a convolution with its parameters `weight` and `bias`.
pub(super) fn conv(
    cx: &mut Build,
    mask: Mask,
    features: usize,
    flow: Flow,
) -> Result<Flow, ErrorReported> {
    conv_with(cx, mask, features, flow, true)
}

/// Like [`conv`], optionally without a bias.
pub(super) fn conv_with(
    cx: &mut Build,
    mask: Mask,
    features: usize,
    flow: Flow,
    biased: bool,
) -> Result<Flow, ErrorReported> {
    let [kh, kw] = mask.kernel;
    let fan_in = mask.fan_in(features, flow.features);
    let weight = cx.weight("weight", &[features, flow.features, kh, kw], fan_in)?;
    let bias = match biased {
        true => cx.zeros("bias", &[features])?,
        false => {
            let value = pixelrnn_graph::Array::zeros(vec![features]);
            cx.node("/no_bias", Constant { value }, &[])?
        }
    };
    cx.push(MaskedConv::on_maps(mask), &[flow.value, weight, bias], features)
}
