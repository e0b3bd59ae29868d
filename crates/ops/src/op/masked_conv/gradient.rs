//! The two transposes of the masked convolution (its VJPs): reference evaluation and lowering.

use ndarray::{Array4, Axis, Ix4};

use super::lower::{crop, mask_tensor, shift, taps_side_by_side};
use super::{Layout, MaskedConv};
use crate::rules::prelude::*;

/// Converts `x`, or one direction of `dy`, to `[N, F, H, W]`.
fn as_maps<R: Real>(op: &MaskedConv, a: &Array<R>) -> Array<R> {
    match op.layout {
        Layout::Maps => a.clone(),
        Layout::PixelMajor | Layout::Native => {
            a.view().permuted_axes(vec![2, 3, 0, 1]).as_standard_layout().into_owned()
        }
    }
}

fn split<R: Real>(op: &MaskedConv, dy: &Array<R>) -> Vec<Array<R>> {
    match dy.ndim() {
        5 => dy.axis_iter(Axis(0)).map(|d| as_maps(op, &d.to_owned())).collect(),
        _ => vec![as_maps(op, dy)],
    }
}

/// Calls `visit` for every product of the convolution, with the indices into dy, x and the weight.
fn for_taps(
    op: &MaskedConv,
    x: &[usize],
    outputs: usize,
    mut visit: impl FnMut([usize; 4], [usize; 4], [usize; 4]),
) {
    let &[n, f, height, width] = x else { return };
    let [cy, cx] = op.mask.centre();
    for [r, c] in op.mask.taps() {
        for o in 0..outputs {
            for i in (0..f).filter(|&i| op.mask.allows(o, outputs, i, f, [r, c])) {
                for y in 0..height {
                    for x in 0..width {
                        let (row, column) = ((y + r).wrapping_sub(cy), (x + c).wrapping_sub(cx));
                        if row < height && column < width {
                            for b in 0..n {
                                visit([b, o, y, x], [b, i, row, column], [o, i, r, c]);
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(in crate::op) fn eval_input<R: Real>(
    op: &MaskedConv,
    inputs: &[&Array<R>],
) -> Result<Vec<Array<R>>, EvalError> {
    let lead = op.directions_of_rank(inputs[1].ndim());
    let weights: Vec<Array<R>> = match lead {
        1 => inputs[1].axis_iter(Axis(0)).map(|w| w.to_owned()).collect(),
        _ => vec![inputs[1].clone()],
    };
    let parts = split(op, inputs[0]);
    let mut shape = parts[0].shape().to_vec();
    let outputs = shape[1];
    shape[1] = weights[0].shape()[1];
    let mut dx = Array::<R>::from_elem(shape.clone(), R::of(0.0)).into_dimensionality::<Ix4>()?;
    for (dy, w) in parts.iter().zip(&weights) {
        let dy = dy.view().into_dimensionality::<Ix4>()?;
        let w = w.view().into_dimensionality::<Ix4>()?;
        for_taps(op, &shape, outputs, |to, from, tap| dx[from] += w[tap] * dy[to]);
    }
    Ok(vec![as_maps(op, &dx.into_dyn())])
}

pub(in crate::op) fn eval_weight<R: Real>(
    op: &MaskedConv,
    inputs: &[&Array<R>],
) -> Result<Vec<Array<R>>, EvalError> {
    let x = as_maps(op, inputs[0]).into_dimensionality::<Ix4>()?;
    let mut all = Vec::new();
    for dy in split(op, inputs[1]) {
        let [kh, kw] = op.mask.kernel;
        let (outputs, features) = (dy.shape()[1], x.shape()[1]);
        let mut dw = Array4::<R>::from_elem([outputs, features, kh, kw], R::of(0.0));
        let dy = dy.view().into_dimensionality::<Ix4>()?;
        for_taps(op, x.shape(), outputs, |to, from, tap| dw[tap] += x[from] * dy[to]);
        all.push(dw.into_dyn());
    }
    if inputs[1].ndim() == 5 {
        let views: Vec<_> = all.iter().map(|w| w.view()).collect();
        return Ok(vec![ndarray::stack(Axis(0), &views)?]);
    }
    Ok(all)
}

pub(in crate::op) fn lower_input(
    op: &MaskedConv,
    cx: &mut Lower,
    inputs: &[Value],
) -> Result<Vec<Value>, LowerError> {
    let lead = op.directions_of_rank(cx.ty(inputs[1]).rank());
    if op.layout == Layout::Native {
        return super::native::input(op, cx, inputs);
    }
    let (weight, [rows, columns]) = crop(op, cx, inputs[1], lead)?;
    let [cy, cx_] = op.mask.centre();
    if op.layout == Layout::Maps {
        // A convolution with the kernel rotated by 180 degrees: engines compute it faster than
        // `ConvTranspose`.
        let [outputs, features] = [0, 1].map(|axis| cx.ty(weight).shape[axis]);
        let taps = rows * columns;
        let flat = cx.reshape(weight, vec![outputs, features, Dim::Fixed(taps)], "flat")?;
        let mut turned = cx.push(OnnxOp::Transpose { perm: vec![1, 0, 2] }, &[flat], "weight_t")?;
        if taps > 1 {
            let back: Vec<i64> = (0..taps as i64).rev().collect();
            let back = cx.constant(Literal::ints(&back), "back")?;
            turned = cx.push(OnnxOp::Gather { axis: 2 }, &[turned, back], "turned")?;
        }
        let to = vec![features, outputs, Dim::Fixed(rows), Dim::Fixed(columns)];
        let turned = cx.reshape(turned, to, "kernel")?;
        let pads = [rows - 1 - cy, columns - 1 - cx_, cy, cx_];
        return cx.push_many(OnnxOp::Conv { pads }, &[inputs[0], turned], "conv");
    }
    // Pixel-major: one product for all taps, [pixels, G] times [G, taps F]. Then the part of each tap is
    // shifted back to the pixels that the tap read.
    let dims = cx.ty(weight).shape.clone();
    let dy = cx.ty(inputs[0]).shape.clone();
    let features = dims[lead + 1].with_batch(1);
    let matrix = {
        let mut perm: Vec<usize> = (0..=lead).collect();
        perm.extend([lead + 2, lead + 3, lead + 1]);
        let turned = cx.push(OnnxOp::Transpose { perm }, &[weight], "weight_t")?;
        let mut to = dims[..=lead].to_vec();
        to.push(Dim::Fixed(rows * columns * features));
        cx.reshape(turned, to, "matrix")?
    };
    let pixels = dy[lead..lead + 3].iter().try_fold(Dim::Fixed(1), |n, &d| n.times(d));
    let mut flat = dy[..lead].to_vec();
    flat.extend([pixels.unwrap_or(Dim::N), dims[lead]]);
    let flat = cx.reshape(inputs[0], flat, "pixels")?;
    let mut product = cx.push(OnnxOp::MatMul, &[flat, matrix], "product")?;
    if lead == 1 {
        let shape = cx.ty(product).shape.clone();
        let mut both: Option<Value> = None;
        for start in 0..shape[0].with_batch(1) {
            let one = OnnxOp::Slice { axis: 0, start, end: start + 1 };
            let one = cx.push(one, &[product], "direction")?;
            let one = cx.reshape(one, shape[1..].to_vec(), "direction_pixels")?;
            both = Some(match both {
                None => one,
                Some(sum) => cx.push(OnnxOp::Add, &[sum, one], "directions")?,
            });
        }
        product = both.unwrap_or(product);
    }
    let mut sum: Option<Value> = None;
    for [r, c] in op.mask.taps() {
        let at = (r * columns + c) * features;
        let mut part = product;
        if rows * columns > 1 {
            let slice = OnnxOp::Slice { axis: 1, start: at, end: at + features };
            part = cx.push(slice, &[part], "tap")?;
        }
        let mut to = dy[lead..lead + 3].to_vec();
        to.push(Dim::Fixed(features));
        part = cx.reshape(part, to, "tap_pixels")?;
        // The tap reads r - cy rows below the output's pixel, so its gradient moves the other way.
        part = shift(cx, part, 0, cy, r)?;
        part = shift(cx, part, 1, cx_, c)?;
        sum = Some(match sum {
            None => part,
            Some(sum) => cx.push(OnnxOp::Add, &[sum, part], "sum")?,
        });
    }
    Ok(sum.into_iter().collect())
}

pub(in crate::op) fn lower_weight(
    op: &MaskedConv,
    cx: &mut Lower,
    inputs: &[Value],
) -> Result<Vec<Value>, LowerError> {
    if op.layout == Layout::Native {
        return super::native::weight(op, cx, inputs);
    }
    let dy_shape = cx.ty(inputs[1]).shape.clone();
    let lead = dy_shape.len() - 4;
    let axis = op.feature_axis();
    let (outputs, features) = (dy_shape[lead + axis], cx.ty(inputs[0]).shape[axis].with_batch(1));
    let [kh, kw] = op.mask.kernel;
    // The gradients of the taps that are read, each [.., G, F], concatenated. These taps are the first of the
    // kernel.
    let live = op.mask.taps();
    let mut parts = match (op.layout, live.len()) {
        (_, 0) => Vec::new(),
        (Layout::Maps, _) => vec![maps_taps(op, cx, inputs, features)?],
        (Layout::PixelMajor | Layout::Native, _) => vec![pixel_taps(op, cx, inputs, lead)?],
    };
    let dead = kh * kw - live.len();
    let mut shape = dy_shape[..lead].to_vec();
    shape.push(outputs);
    if dead > 0 {
        let mut zeros: Vec<usize> = shape.iter().map(|d| d.with_batch(1)).collect();
        zeros.push(dead * features);
        parts.push(cx.constant(Literal::Real(ndarray::ArrayD::zeros(zeros)), "masked")?);
    }
    let mut taps = match parts[..] {
        [one] => one,
        _ => cx.push(OnnxOp::Concat { axis: lead + 1 }, &parts, "taps")?,
    };
    let features = Dim::Fixed(features);
    if kh * kw > 1 {
        shape.extend([Dim::Fixed(kh * kw), features]);
        taps = cx.reshape(taps, shape.clone(), "by_tap")?;
        let mut perm: Vec<usize> = (0..lead + 3).collect();
        perm.swap(lead + 1, lead + 2);
        taps = cx.push(OnnxOp::Transpose { perm }, &[taps], "by_feature")?;
        shape.truncate(lead + 1);
    }
    shape.extend([features, Dim::Fixed(kh), Dim::Fixed(kw)]);
    let gradient = cx.reshape(taps, shape, "open")?;
    let extents = [outputs, features].map(|d| d.with_batch(1));
    match mask_tensor(op, extents, [kh, kw]) {
        Some(mask) => {
            let mask = cx.constant(Literal::Real(mask), "mask")?;
            cx.push_many(OnnxOp::Mul, &[gradient, mask], "")
        }
        None => Ok(vec![gradient]),
    }
}

/// `x [N, F, H, W]` times `dy [N, G, H, W]`: one product for each image, summed over the images; `[G, K F]`.
fn maps_taps(
    op: &MaskedConv,
    cx: &mut Lower,
    inputs: &[Value],
    features: usize,
) -> Result<Value, LowerError> {
    let live = op.mask.taps();
    let centre = op.mask.centre();
    let reach = |axis: usize| {
        let back = live.iter().map(|tap| centre[axis].saturating_sub(tap[axis])).max();
        let on = live.iter().map(|tap| tap[axis].saturating_sub(centre[axis])).max();
        (back.unwrap_or(0), on.unwrap_or(0))
    };
    let ((up, down), (left, right)) = (reach(0), reach(1));
    // Lay the rows end to end with zeros between them, so that what a tap reads is one contiguous range. The
    // same zeros pad the right of a row and the left of the next.
    let gap = left.max(right);
    let pitch = cx.ty(inputs[0]).shape[3].with_batch(1) + gap;
    let mut flat = Vec::new();
    for &v in &inputs[..2] {
        let mut v = v;
        if gap > 0 {
            v = cx.push(OnnxOp::Pad { axis: 3, before: 0, after: gap }, &[v], "beside")?;
        }
        let shape = cx.ty(v).shape.clone();
        let plane = shape[2].times(shape[3]).unwrap_or(shape[3]);
        flat.push(cx.reshape(v, vec![shape[0], shape[1], plane], "plane")?);
    }
    let length = cx.ty(flat[1]).shape[2].with_batch(1);
    let (before, after) = (up * pitch + left, down * pitch + right);
    let mut x = flat[0];
    if before + after > 0 {
        x = cx.push(OnnxOp::Pad { axis: 2, before, after }, &[x], "around")?;
    }
    // For maps with few features, several taps share a product: products with very few columns are slow.
    let mut products = Vec::new();
    let together = if features < 16 { 32 / features.max(1) } else { 1 };
    for taps in live.chunks(together) {
        let mut parts = Vec::new();
        for [r, c] in taps {
            let start = (r + up - centre[0]) * pitch + c + left - centre[1];
            let slice = OnnxOp::Slice { axis: 2, start, end: start + length };
            parts.push(match before + after {
                0 => x,
                _ => cx.push(slice, &[x], "tap")?,
            });
        }
        let columns = match parts[..] {
            [one] => one,
            _ => cx.push(OnnxOp::Concat { axis: 1 }, &parts, "taps")?,
        };
        let columns = cx.push(OnnxOp::Transpose { perm: vec![0, 2, 1] }, &[columns], "columns")?;
        products.push(cx.push(OnnxOp::MatMul, &[flat[1], columns], "product")?);
    }
    let product = match products[..] {
        [one] => one,
        _ => cx.push(OnnxOp::Concat { axis: 2 }, &products, "products")?,
    };
    cx.push(OnnxOp::ReduceSum { axes: vec![0] }, &[product], "images")
}

/// `x [H, W, N, F]` times `dy [.., H, W, N, G]`: one product over all pixels; `[.., G, K F]`.
fn pixel_taps(
    op: &MaskedConv,
    cx: &mut Lower,
    inputs: &[Value],
    lead: usize,
) -> Result<Value, LowerError> {
    let x = taps_side_by_side(op, cx, inputs[0], &op.mask.taps())?;
    let mut flat = Vec::new();
    for (v, lead) in [(inputs[1], lead), (x, 0)] {
        let shape = cx.ty(v).shape.clone();
        let pixels = shape[lead..lead + 3].iter().try_fold(Dim::Fixed(1), |n, &d| n.times(d));
        let mut to = shape[..lead].to_vec();
        to.extend([pixels.unwrap_or(Dim::N), shape[lead + 3]]);
        flat.push(cx.reshape(v, to, "pixels")?);
    }
    let perm = if lead == 1 { vec![0, 2, 1] } else { vec![1, 0] };
    let rows = cx.push(OnnxOp::Transpose { perm }, &flat[..1], "rows")?;
    cx.push(OnnxOp::MatMul, &[rows, flat[1]], "product")
}
