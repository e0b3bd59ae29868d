//! Lowers the masked convolution and its transposes to operators of the engine. Weights and their gradients
//! are masked by ordinary products.

use super::lower::mask_tensor;
use super::{ConvInputGradient, ConvWeightGradient, MaskedConv};
use crate::rules::prelude::*;

/// The kernel, its center, the taps that are read, and the blocks of the center tap that the mask allows, as
/// attributes. The weight has `[G, F]` features.
fn attributes(op: &MaskedConv, [outputs, features]: [usize; 2]) -> Vec<(&'static str, Vec<i64>)> {
    let whole = |list: &[usize]| list.iter().map(|&n| n as i64).collect::<Vec<_>>();
    let mut blocks = op.mask.center_blocks(outputs, features);
    if blocks.is_empty() {
        // The engine reads no empty attributes; this is a block of nothing.
        blocks.push([0..0, 0..0]);
    }
    let blocks = blocks.into_iter().flat_map(|[i, o]| [i.start, i.end, o.start, o.end]);
    vec![
        ("center_blocks", whole(&blocks.collect::<Vec<_>>())),
        ("kernel", whole(&op.mask.kernel)),
        ("center", whole(&op.mask.centre())),
        ("taps", whole(&op.mask.taps().concat())),
    ]
}

/// The features `[G, F]` of a weight `[.., G, F, kh, kw]`.
fn features(weight: &Type) -> [usize; 2] {
    let extents = weight.extents(1);
    let lead = extents.len() - 4;
    [extents[lead], extents[lead + 1]]
}

/// Multiplies a weight or its gradient, `[.., G, F, kh, kw]`, by the mask.
fn masked(op: &MaskedConv, cx: &mut Lower, weight: Value, part: &str) -> Result<Value, LowerError> {
    match mask_tensor(op, features(cx.ty(weight)), op.mask.kernel) {
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
    let attributes = attributes(op, features(cx.ty(weight)));
    let inputs = [inputs[0], weight, inputs[2]];
    cx.native("MaskedConv", attributes, &inputs, |types| op.infer(types))
}

pub(super) fn input(
    op: &MaskedConv,
    cx: &mut Lower,
    inputs: &[Value],
) -> Result<Vec<Value>, LowerError> {
    let weight = masked(op, cx, inputs[1], "masked_weight")?;
    let attributes = attributes(op, features(cx.ty(weight)));
    let gradient = ConvInputGradient { conv: op.clone() };
    let inputs = [inputs[0], weight];
    cx.native("ConvInputGradient", attributes, &inputs, |types| gradient.infer(types))
}

pub(super) fn weight(
    op: &MaskedConv,
    cx: &mut Lower,
    inputs: &[Value],
) -> Result<Vec<Value>, LowerError> {
    let gradient = ConvWeightGradient { conv: op.clone() };
    let infer = |types: &[&Type]| gradient.infer(types);
    let last = |value: Value| cx.ty(value).extents(1).last().copied().unwrap_or(0);
    let attributes = attributes(op, [last(inputs[1]), last(inputs[0])]);
    let open = cx.native("ConvWeightGradient", attributes, inputs, infer)?;
    Ok(vec![masked(op, cx, open[0], "masked")?])
}
