//! `diagonal_bilstm(features)`: the Diagonal BiLSTM of section 3.2 of the paper.

use pixelrnn_ops::{DiagonalBilstm, Mask, MaskKind};

use super::row_lstm::bias;
use super::{Kind, Layer, Parameter};
use crate::elaborate::{Arguments, Build, ErrorReported, Flow};

/// `diagonal_bilstm(features, initial = zero or learned, bias = map)`: the Diagonal BiLSTM of section 3.2 of the paper.
///
/// Two recurrences along the diagonals, from the left and from the right. The right one is moved down by a
/// row. The receptive field is every earlier pixel but one.
///
/// Parameters, for `left` and `right` each, with `h` features: `input_weight [4h, input features, 1, 1]`,
/// `input_bias [4h]`, `state_weight [4h, h, 2]` (tap 0 reads the row above, tap 1 the current row). With
/// `initial = learned` also `initial_hidden [h]` and `initial_cell [h]`. Gates are in the order o, f, i, g.
///
/// `bias` is a map of `4h` features, as large as the image or 1 x 1, that is added to the gates of both
/// directions.
pub struct diagonal_bilstm;

pub(super) const LAYER: Layer = Layer {
    name: "diagonal_bilstm",
    usage: "diagonal_bilstm(features, initial = zero or learned, bias = map)",
    parameters: &[
        Parameter::required("features", Kind::Number),
        Parameter::word("initial", &["zero", "learned"], 0),
        Parameter::map("bias"),
    ],
    has_weights: true,
    terminal: false,
    build,
};

fn build(cx: &mut Build, args: &Arguments, flow: Flow) -> Result<Flow, ErrorReported> {
    cx.needs_mask_a(&flow)?;
    let colours = cx.image().colours;
    let h = args.number("features");
    let gates = cx.gates(h)?;
    let mask = Mask { kind: MaskKind::B, kernel: [1, 1], colours, gates: 4 };
    let fan_in = mask.fan_in(gates, flow.features);
    let learned = args.word("initial") == 1;
    let mut inputs = vec![flow.value];
    for direction in ["left", "right"] {
        let name = |part: &str| format!("{direction}.{part}");
        let shape = [gates, flow.features, 1, 1];
        inputs.push(cx.weight(&name("input_weight"), &shape, fan_in)?);
        inputs.push(cx.zeros(&name("input_bias"), &[gates])?);
        inputs.push(cx.weight(&name("state_weight"), &[gates, h, 2], 2 * h)?);
        if learned {
            inputs.push(cx.zeros(&name("initial_hidden"), &[h])?);
            inputs.push(cx.zeros(&name("initial_cell"), &[h])?);
        }
    }
    let biased = bias(cx, args, gates, &mut inputs)?;
    cx.push(DiagonalBilstm { colours, learned, biased }, &inputs, h)
}
