//! Lowers the masked convolution and its transposes to operators of the engine. Weights and their gradients
//! are masked by ordinary products.

use super::lower::mask_tensor;
use super::{ConvInputGradient, ConvWeightGradient, MaskedConv};
use crate::rules::prelude::*;

/// The kernel, its center, and the taps that are read, as attributes.
fn attributes(op: &MaskedConv) -> Vec<(&'static str, Vec<i64>)> {
    let whole = |list: &[usize]| list.iter().map(|&n| n as i64).collect::<Vec<_>>();
    vec![
        ("kernel", whole(&op.mask.kernel)),
        ("center", whole(&op.mask.centre())),
        ("taps", whole(&op.mask.taps().concat())),
    ]
}

/// Multiplies a weight or its gradient, `[.., G, F, kh, kw]`, by the mask.
fn masked(op: &MaskedConv, cx: &mut Lower, weight: Value, part: &str) -> Result<Value, LowerError> {
    let extents = cx.ty(weight).extents(1);
    let lead = extents.len() - 4;
    match mask_tensor(op, [extents[lead], extents[lead + 1]], op.mask.kernel) {
        Some(mask) => {
            let mask = cx.constant(Literal::Real(mask), "mask")?;
            cx.push(OnnxOp::Mul, &[weight, mask], part)
        }
        None => Ok(weight),
    }
}

pub(super) fn forward(
    op: &MaskedConv,
    cx: &mut Lower,
    inputs: &[Value],
) -> Result<Vec<Value>, LowerError> {
    let weight = masked(op, cx, inputs[1], "masked_weight")?;
    let inputs = [inputs[0], weight, inputs[2]];
    cx.native("MaskedConv", attributes(op), &inputs, |types| op.infer(types))
}

pub(super) fn input(
    op: &MaskedConv,
    cx: &mut Lower,
    inputs: &[Value],
) -> Result<Vec<Value>, LowerError> {
    let weight = masked(op, cx, inputs[1], "masked_weight")?;
    let gradient = ConvInputGradient { conv: op.clone() };
    let inputs = [inputs[0], weight];
    cx.native("ConvInputGradient", attributes(op), &inputs, |types| gradient.infer(types))
}

pub(super) fn weight(
    op: &MaskedConv,
    cx: &mut Lower,
    inputs: &[Value],
) -> Result<Vec<Value>, LowerError> {
    let gradient = ConvWeightGradient { conv: op.clone() };
    let infer = |types: &[&Type]| gradient.infer(types);
    let open = cx.native("ConvWeightGradient", attributes(op), inputs, infer)?;
    Ok(vec![masked(op, cx, open[0], "masked")?])
}
