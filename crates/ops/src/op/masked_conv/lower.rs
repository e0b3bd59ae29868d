//! Lowers the masked convolution to ONNX: on maps to a `Conv` with a cropped kernel, pixel-major to
//! `MatMul`s.

use ndarray::{Array4, ArrayD};

use super::MaskedConv;
use crate::rules::prelude::*;

/// The mask of a cropped kernel `rows x columns`, to multiply the weight with; `None` if every tap is read in
/// full. The axes of outputs and inputs have extent one if the mask does not depend on color groups.
pub(super) fn mask_tensor(
    op: &MaskedConv,
    [outputs, inputs]: [usize; 2],
    [rows, columns]: [usize; 2],
) -> Option<ArrayD<f32>> {
    let grouped = (0..rows).any(|r| (0..columns).any(|c| op.mask.grouped(r, c)));
    let [g, f] = if grouped { [outputs, inputs] } else { [1, 1] };
    let on = |(o, i, r, c)| {
        let allowed = match grouped {
            true => op.mask.allows(o, outputs, i, inputs, [r, c]),
            false => op.mask.live(r, c),
        };
        if allowed { 1.0 } else { 0.0 }
    };
    let mask = Array4::from_shape_fn([g, f, rows, columns], on);
    mask.iter().any(|&m| m == 0.0).then(|| mask.into_dyn())
}

/// Crops the unread rows and columns behind the center from the weight, and masks it. The center is kept even
/// if mask A leaves nothing of its row or column; otherwise, the padding would be negative. Returns the
/// weight and its height and width.
pub(super) fn crop(
    op: &MaskedConv,
    cx: &mut Lower,
    weight: Value,
    lead: usize,
) -> Result<(Value, [usize; 2]), LowerError> {
    let extents = cx.ty(weight).extents(1);
    let [outputs, inputs] = [extents[lead], extents[lead + 1]];
    let mut w = weight;
    let [cy, cx_] = op.mask.centre();
    let rows = op.mask.live_rows().max(cy + 1);
    let live = |&c: &usize| (0..rows).any(|r| op.mask.live(r, c));
    let columns = (0..op.mask.kernel[1]).rev().find(live).map_or(1, |c| c + 1).max(cx_ + 1);
    for (i, &end) in [rows, columns].iter().enumerate() {
        if end < op.mask.kernel[i] {
            let axis = lead + 2 + i;
            w = cx.push(OnnxOp::Slice { axis, start: 0, end }, &[w], "live_taps")?;
        }
    }
    if let Some(mask) = mask_tensor(op, [outputs, inputs], [rows, columns]) {
        let mask = cx.constant(Literal::Real(mask), "mask")?;
        w = cx.push(OnnxOp::Mul, &[w, mask], "masked_weight")?;
    }
    Ok((w, [rows, columns]))
}

pub(super) fn on_maps(
    op: &MaskedConv,
    cx: &mut Lower,
    inputs: &[Value],
) -> Result<Vec<Value>, LowerError> {
    let (weight, [rows, columns]) = crop(op, cx, inputs[1], 0)?;
    let [cy, cx_] = op.mask.centre();
    let pads = [cy, cx_, rows - 1 - cy, columns - 1 - cx_];
    // The name has a suffix, since tract itself adds a node called `<node>.bias`.
    cx.push_many(OnnxOp::Conv { pads }, &[inputs[0], weight, inputs[2]], "conv")
}

pub(super) fn pixel_major(
    op: &MaskedConv,
    cx: &mut Lower,
    inputs: &[Value],
) -> Result<Vec<Value>, LowerError> {
    let lead = cx.ty(inputs[1]).rank() - 4;
    let (weight, [rows, columns]) = crop(op, cx, inputs[1], lead)?;
    let mut taps = op.mask.taps();
    taps.retain(|&[r, c]| r < rows && c < columns);

    // One matrix: its rows are taps and input features, its columns output features.
    let wdims = cx.ty(weight).shape.clone();
    let matrix = if taps.len() == 1 && rows * columns == 1 {
        cx.reshape(weight, wdims[..lead + 2].to_vec(), "matrix")?
    } else {
        let mut parts = Vec::new();
        for &[r, c] in &taps {
            let row =
                cx.push(OnnxOp::Slice { axis: lead + 2, start: r, end: r + 1 }, &[weight], "row")?;
            let tap =
                cx.push(OnnxOp::Slice { axis: lead + 3, start: c, end: c + 1 }, &[row], "tap")?;
            parts.push(cx.reshape(tap, wdims[..lead + 2].to_vec(), "tap_matrix")?);
        }
        cx.push(OnnxOp::Concat { axis: lead + 1 }, &parts, "matrix")?
    };
    let perm = if lead == 1 { vec![0, 2, 1] } else { vec![1, 0] };
    let matrix = cx.push(OnnxOp::Transpose { perm }, &[matrix], "matrix_t")?;

    let x = taps_side_by_side(op, cx, inputs[0], &taps)?;
    let mut shape = cx.ty(x).shape.clone();
    let mdims = cx.ty(matrix).shape.clone();
    let outputs = mdims[lead + 1];
    if lead == 0 {
        let y = cx.push(OnnxOp::MatMul, &[x, matrix], "product")?;
        return cx.push_many(OnnxOp::Add, &[y, inputs[2]], "");
    }
    // Several directions: a product of all pixels with the matrix of each direction. OpenVINO rejects a
    // single product of a matrix with a stack of matrices.
    let pixels = shape[..3].iter().try_fold(Dim::Fixed(1), |n, &d| n.times(d));
    let pixels = pixels.unwrap_or(Dim::N);
    let x = cx.reshape(x, vec![pixels, shape[3]], "pixels")?;
    let mut directions = Vec::new();
    for d in 0..mdims[0].with_batch(1) {
        let own = OnnxOp::Slice { axis: 0, start: d, end: d + 1 };
        let matrix = cx.push(own.clone(), &[matrix], "own_matrix")?;
        let matrix = cx.reshape(matrix, mdims[1..].to_vec(), "matrix")?;
        let bias = cx.push(own, &[inputs[2]], "own_bias")?;
        let bias = cx.reshape(bias, vec![outputs], "bias")?;
        let y = cx.push(OnnxOp::MatMul, &[x, matrix], "product")?;
        let y = cx.push(OnnxOp::Add, &[y, bias], "biased")?;
        directions.push(cx.push(OnnxOp::Unsqueeze { axes: vec![0] }, &[y], "direction")?);
    }
    let y = match directions[..] {
        [one] => one,
        _ => cx.push(OnnxOp::Concat { axis: 0 }, &directions, "directions")?,
    };
    shape.insert(0, mdims[0]);
    shape[4] = outputs;
    cx.push_many(OnnxOp::Reshape { to: shape }, &[y], "")
}

/// Concatenates what each tap reads of a pixel-major map: `[H, W, N, K F]`.
pub(super) fn taps_side_by_side(
    op: &MaskedConv,
    cx: &mut Lower,
    x: Value,
    taps: &[[usize; 2]],
) -> Result<Value, LowerError> {
    let mut shifted = Vec::new();
    for tap in taps {
        let mut x = x;
        for (axis, (&at, centre)) in tap.iter().zip(op.mask.centre()).enumerate() {
            x = shift(cx, x, axis, at, centre)?;
        }
        shifted.push(x);
    }
    match shifted[..] {
        [one] => Ok(one),
        _ => cx.push(OnnxOp::Concat { axis: 3 }, &shifted, "taps"),
    }
}

/// Shifts a map along an axis to what the tap at `tap` of a kernel with its center at `centre` reads. Zeros
/// are read outside.
pub(super) fn shift(
    cx: &mut Lower,
    x: Value,
    axis: usize,
    tap: usize,
    centre: usize,
) -> Result<Value, LowerError> {
    let extent = cx.ty(x).shape[axis].with_batch(1);
    if tap == centre {
        return Ok(x);
    }
    let by = tap.abs_diff(centre).min(extent);
    let (start, end, before, after) =
        if tap < centre { (0, extent - by, by, 0) } else { (by, extent, 0, by) };
    if by == extent {
        // Every position is outside the image: zeros, in a form that does not need the batch size.
        let zero = cx.constant(Literal::scalar(0.0), "zero")?;
        return cx.push(OnnxOp::Mul, &[x, zero], "outside");
    }
    let kept = cx.push(OnnxOp::Slice { axis, start, end }, &[x], "kept")?;
    cx.push(OnnxOp::Pad { axis, before, after }, &[kept], "shifted")
}
