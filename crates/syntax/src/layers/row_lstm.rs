//! `row_lstm(features)`: section 3.1.

use pixelrnn_ops::{Mask, MaskKind, RowLstm};

use super::{Kind, Layer, Parameter};
use crate::elaborate::{Arguments, Build, Flow, Refused};

pub(super) const LAYER: Layer = Layer {
    name: "row_lstm",
    usage: "row_lstm(features, kernel = 3, initial = zero or learned)",
    parameters: &[
        Parameter::required("features", Kind::Number),
        Parameter::optional("kernel", Kind::Odd, 3),
        Parameter::optional("initial", Kind::Word(&["zero", "learned"]), 0),
    ],
    has_weights: true,
    build,
};

fn build(cx: &mut Build, args: &Arguments, flow: Flow) -> Result<Flow, Refused> {
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
    cx.push(RowLstm { colours, learned }, &inputs, h)
}
