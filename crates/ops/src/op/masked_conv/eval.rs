//! The reference evaluation of the masked convolution: one loop per index.

use super::{Layout, MaskedConv};
use crate::rules::prelude::*;
use ndarray::{Axis, stack};

pub(super) fn eval<R: Real>(
    op: &MaskedConv,
    inputs: &[&Array<R>],
) -> Result<Vec<Array<R>>, EvalError> {
    let [x, w, b] = inputs else {
        return Err(EvalError::Array("takes three inputs".into()));
    };
    if op.layout == Layout::Maps {
        return Ok(vec![maps(op, x, w, b)?]);
    }
    let x = x.view().permuted_axes(vec![2, 3, 0, 1]).as_standard_layout().into_owned();
    let pixel_major = |y: Array<R>| y.permuted_axes(vec![2, 3, 0, 1]);
    if w.ndim() == 4 {
        return Ok(vec![pixel_major(maps(op, &x, w, b)?)]);
    }
    let mut results = Vec::new();
    for (w, b) in w.axis_iter(Axis(0)).zip(b.axis_iter(Axis(0))) {
        results.push(pixel_major(maps(op, &x, &w.to_owned(), &b.to_owned())?));
    }
    let views: Vec<_> = results.iter().map(|r| r.view()).collect();
    Ok(vec![stack(Axis(0), &views)?.into_dyn()])
}

fn maps<R: Real>(
    op: &MaskedConv,
    x: &Array<R>,
    w: &Array<R>,
    b: &Array<R>,
) -> Result<Array<R>, EvalError> {
    let (&[n, f, height, width], &[g, _, kh, kw]) = (x.shape(), w.shape()) else {
        return Err(EvalError::Array("maps and weights have four axes".into()));
    };
    let (x, w) = (x.as_standard_layout(), w.as_standard_layout());
    let (Some(x), Some(w)) = (x.as_slice(), w.as_slice()) else {
        return Err(EvalError::Array("not contiguous".into()));
    };
    let mut y = Array::<R>::from_elem(vec![n, g, height, width], R::of(0.0));
    let Some(out) = y.as_slice_mut() else {
        return Err(EvalError::Array("not contiguous".into()));
    };
    let plane = height * width;
    let [cy, cx] = op.mask.centre();
    for o in 0..g {
        for i in 0..n {
            out[(i * g + o) * plane..][..plane].fill(b[[o].as_slice()]);
        }
        for k in 0..f {
            for [r, c] in op.mask.taps() {
                if !op.mask.allows(o, g, k, f, [r, c]) {
                    continue;
                }
                let weight = w[((o * f + k) * kh + r) * kw + c];
                for i in 0..n {
                    let x = &x[(i * f + k) * plane..][..plane];
                    let y = &mut out[(i * g + o) * plane..][..plane];
                    // The row and column that output (row, column) reads, if they are inside the image.
                    for row in cy.saturating_sub(r)..height.min((height + cy).saturating_sub(r)) {
                        let from = (row + r - cy) * width;
                        for column in
                            cx.saturating_sub(c)..width.min((width + cx).saturating_sub(c))
                        {
                            y[row * width + column] += weight * x[from + column + c - cx];
                        }
                    }
                }
            }
        }
    }
    Ok(y)
}
