//! `deconv(height x width, features)`: a transposed convolution whose stride equals its kernel, so every
//! pixel becomes `height x width` pixels. For conditions, as in the paper's Multi-Scale PixelRNN (section
//! 3.6).

use pixelrnn_graph::{Diagnostic, Dim};
use pixelrnn_ops::{Broadcast, Mask, MaskKind, MaskedConv, MergeAxes, SplitAxis, Transpose};

use super::{Kind, Layer, Parameter};
use crate::elaborate::{Arguments, Build, ErrorReported, Flow};

/// `deconv(height x width, features)`: a transposed convolution whose stride equals its kernel, so that the
/// map becomes `height` times as high and `width` times as wide.
///
/// Only for maps that are known before any pixel is predicted: labels and smaller images.
///
/// Parameters: `weight [input features, features, height, width]`, `bias [features]`.
pub struct deconv;

pub(super) const LAYER: Layer = Layer {
    name: "deconv",
    usage: "deconv(height x width, features)",
    parameters: &[
        Parameter::required("kernel", Kind::Kernel { odd: false }),
        Parameter::required("features", Kind::Number),
    ],
    has_weights: true,
    terminal: false,
    build,
};

/// One matrix product for every pixel, whose `height x width` results are then rearranged. The weight has the
/// layout of PyTorch, `[in, out, height, width]`.
fn build(cx: &mut Build, args: &Arguments, flow: Flow) -> Result<Flow, ErrorReported> {
    if flow.raw {
        let wrong = "`deconv` applies to conditions, not to the image that is predicted";
        return Err(cx.report(Diagnostic::error(cx.here(), wrong)));
    }
    let ([kh, kw], features) = (args.kernel("kernel"), args.number("features"));
    let inputs = flow.features;
    let weight = cx.weight("weight", &[inputs, features, kh, kw], inputs)?;
    let bias = cx.zeros("bias", &[features])?;

    // [in, out, kh, kw] to [kh kw out, in, 1, 1].
    let turned = Transpose { perm: vec![2, 3, 1, 0] };
    let mut matrix = cx.node("/weight_t", turned, &[weight])?;
    for _ in 0..2 {
        matrix = cx.node("/weight_rows", MergeAxes { axis: 0 }, &[matrix])?;
    }
    let matrix = cx.node("/weight_wide", SplitAxis { axis: 1, parts: inputs }, &[matrix])?;
    let matrix = cx.node("/weight_map", SplitAxis { axis: 2, parts: 1 }, &[matrix])?;
    // [out] to [kh kw out].
    let wide = cx.node("/bias_wide", SplitAxis { axis: 0, parts: 1 }, &[bias])?;
    let to = vec![Dim::Fixed(kh * kw), Dim::Fixed(features)];
    let wide = cx.node("/bias_each", Broadcast { to }, &[wide])?;
    let bias = cx.node("/bias_rows", MergeAxes { axis: 0 }, &[wide])?;
    let mask = Mask { kind: MaskKind::Open, kernel: [1, 1], colours: 1, gates: 1 };
    let conv = MaskedConv::on_maps(mask);
    let product = cx.node("/product", conv, &[flow.value, matrix, bias])?;

    // [N, kh kw out, H, W] to [N, kh, kw, out, H, W] to [N, out, H kh, W kw].
    let split = cx.node("/rows", SplitAxis { axis: 1, parts: kh }, &[product])?;
    let split = cx.node("/columns", SplitAxis { axis: 2, parts: kw }, &[split])?;
    let perm = vec![0, 3, 4, 1, 5, 2];
    let placed = cx.node("/placed", Transpose { perm }, &[split])?;
    let placed = cx.node("/placed_rows", MergeAxes { axis: 2 }, &[placed])?;
    cx.push(MergeAxes { axis: 3 }, &[placed], features)
}
