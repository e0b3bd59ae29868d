//! `row_lstm(features)`: the Row LSTM of section 3.1 of the paper.

use pixelrnn_graph::{Diagnostic, Value};
use pixelrnn_ops::{Mask, MaskKind, RowLstm};

use super::{Kind, Layer, Parameter};
use crate::elaborate::{Arguments, Build, ErrorReported, Flow};

/// `row_lstm(features, kernel = 3, initial = zero or learned, bias = map)`: the Row LSTM of section 3.1 of the paper.
///
/// Every row is one step. Its gates are a masked `1 x kernel` convolution of the row plus an unmasked one of
/// the hidden states of the row above. The receptive field is a triangle above each pixel.
///
/// Parameters, with `h` features: `input_weight [4h, input features, 1, kernel]`, `input_bias [4h]`,
/// `state_weight [4h, h, kernel]`. With `initial = learned` also `initial_hidden [h]` and `initial_cell [h]`.
/// Gates are in the order o, f, i, g.
///
/// `bias` is a map of `4h` features, as large as the image or 1 x 1, that is added to the gates. It can carry
/// information from a condition.
pub struct row_lstm;

pub(super) const LAYER: Layer = Layer {
    name: "row_lstm",
    usage: "row_lstm(features, kernel = 3, initial = zero or learned, bias = map)",
    parameters: &[
        Parameter::required("features", Kind::Number),
        Parameter::number("kernel", Kind::Odd, 3),
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
    let (h, width) = (args.number("features"), args.number("kernel"));
    let gates = cx.gates(h)?;
    let mask = Mask { kind: MaskKind::B, kernel: [1, width], colours, gates: 4 };
    let fan_in = mask.fan_in(gates, flow.features);
    let mut inputs = vec![flow.value];
    inputs.push(cx.weight("input_weight", &[gates, flow.features, 1, width], fan_in)?);
    inputs.push(cx.zeros("input_bias", &[gates])?);
    inputs.push(cx.weight("state_weight", &[gates, h, width], h * width)?);
    let learned = args.word("initial") == 1;
    if learned {
        inputs.push(cx.zeros("initial_hidden", &[h])?);
        inputs.push(cx.zeros("initial_cell", &[h])?);
    }
    let biased = bias(cx, args, gates, &mut inputs)?;
    cx.push(RowLstm { colours, learned, biased }, &inputs, h)
}

/// Adds the map `bias`, if given, to the inputs of a recurrent layer. `gates` is the number of features of
/// all its gates. Returns whether it was given.
pub(super) fn bias(
    cx: &mut Build,
    args: &Arguments,
    gates: usize,
    inputs: &mut Vec<Value>,
) -> Result<bool, ErrorReported> {
    let Some(map) = args.map("bias") else { return Ok(false) };
    let [height, width] = cx.size(map);
    let image = cx.image();
    let fits = [height, width] == [image.height, image.width] || [height, width] == [1, 1];
    if map.raw {
        let wrong = "the bias would read the pixel that is predicted";
        let wrong = Diagnostic::error(args.span("bias"), wrong);
        return Err(cx.report(wrong.help("use a map that reads earlier pixels only")));
    }
    if map.features != gates || !fits {
        let found = format!("it has {} features, {height} x {width}", map.features);
        let wrong = format!("the bias must have {gates} features, one per feature of each gate");
        let help = format!("convert it with `conv(1 x 1, {gates})`");
        let wrong = Diagnostic::error(args.span("bias"), wrong).remark(found);
        return Err(cx.report(wrong.help(help)));
    }
    inputs.push(map.value);
    Ok(true)
}
