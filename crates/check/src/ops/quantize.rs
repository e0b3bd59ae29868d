//! Quantization: scales, zero points, and products of integers.

use super::conv::convolve;
use super::elementwise::{map, pairwise};
use super::product::multiply;
use crate::binary::{Binary, Reads, binary};
use crate::call::{Call, Results, one};
use crate::elem::Elem;
use crate::error::Problem;
use crate::store::{El, Store};
use crate::tensor::{Tensor, axis};
use crate::value::{Value, convert, finish};

/// Broadcasts a scale or zero point against a tensor: per tensor, per axis or per block.
fn spread(
    store: &mut Store,
    t: &Tensor,
    shape: &[usize],
    along: i64,
    block: usize,
) -> Result<Tensor, Problem> {
    if t.len() == 1 {
        return t.reshaped(store, Vec::new());
    }
    let along = axis(along, shape.len())?;
    if t.rank() <= 1 {
        let mut wide = vec![1; shape.len()];
        if let Some(slot) = wide.get_mut(along) {
            *slot = t.len();
        }
        return t.reshaped(store, wide);
    }
    // One for each block along the axis.
    if t.rank() != shape.len() || block == 0 {
        return Err(Problem::Extents(t.shape.clone(), shape.to_vec()));
    }
    let extent = shape.get(along).copied().unwrap_or(0);
    let mut sources: Vec<Vec<usize>> = t.shape.iter().map(|&d| (0..d).collect()).collect();
    if let Some(list) = sources.get_mut(along) {
        *list = (0..extent).map(|i| i / block).collect();
    }
    super::arrange::picked(store, t, &sources, El::known(0.0))
}

/// `(x - zero) * scale`.
fn dequantized(
    store: &mut Store,
    x: &Tensor,
    scale: &Tensor,
    zero: Option<&Tensor>,
    [along, block]: [i64; 2],
) -> Result<Tensor, Problem> {
    let scale = spread(store, scale, &x.shape, along, block as usize)?;
    let x = centered(store, x, zero, along, block as usize)?;
    let elem = scale.elem;
    let x = map(store, &x, elem, &|v| convert(elem, v))?;
    let op = binary("Mul").ok_or(Problem::Form("has no product"))?;
    pairwise(store, &op, &x, &scale)
}

/// A tensor minus its zero point, as a 32-bit integer (or as `f32`, for the 8-bit float types).
fn centered(
    store: &mut Store,
    x: &Tensor,
    zero: Option<&Tensor>,
    along: i64,
    block: usize,
) -> Result<Tensor, Problem> {
    let wide = if x.elem.is_float() { Elem::F32 } else { Elem::Int(32) };
    let x = map(store, x, wide, &|v| v)?;
    let Some(zero) = zero else { return Ok(x) };
    let zero = spread(store, zero, &x.shape, along, block)?;
    let zero = map(store, &zero, wide, &|v| v)?;
    let op = binary("Sub").ok_or(Problem::Form("has no difference"))?;
    pairwise(store, &op, &x, &zero)
}

/// `saturate(round(x / scale) + zero)`.
fn quantized(
    store: &mut Store,
    x: &Tensor,
    scale: &Tensor,
    zero: Option<&Tensor>,
    to: Elem,
    [along, block]: [i64; 2],
) -> Result<Tensor, Problem> {
    let scale = spread(store, scale, &x.shape, along, block as usize)?;
    let op = binary("Div").ok_or(Problem::Form("has no quotient"))?;
    let y = pairwise(store, &op, x, &scale)?;
    if to.is_float() {
        return map(store, &y, to, &|v| super::elementwise::cast_value(Elem::F32, to, v, true));
    }
    // ONNX Runtime may merge a quantization with the next one and compute its own parameters. So an
    // unknown number does not become known by rounding.
    let apart = |v: Value, lo: f64, hi: f64| match lo == hi && v.lo < v.hi {
        true => (lo - 1.0, hi + 1.0),
        false => (lo, hi),
    };
    let round = |v: Value| {
        let (lo, hi) = apart(v, v.lo.round_ties_even(), v.hi.round_ties_even());
        finish(Elem::F64, lo, hi, v.nan)
    };
    let y = map(store, &y, Elem::F64, &round)?;
    let y = match zero {
        None => y,
        Some(zero) => {
            let zero = spread(store, zero, &x.shape, along, block as usize)?;
            let zero = map(store, &zero, Elem::F64, &|v| v)?;
            let add = Binary {
                eval: |_, a, b| (Value::new(a.lo + b.lo, a.hi + b.hi, a.nan || b.nan), Reads::Both),
                truth: false,
            };
            pairwise(store, &add, &y, &zero)?
        }
    };
    let clamp = |v: Value| match v.nan {
        true => Value::any_of(to),
        false => {
            let limit = |x: f64| x.clamp(to.min(), to.max());
            let (lo, hi) = apart(v, limit(v.lo), limit(v.hi));
            Value::range(limit(lo), limit(hi))
        }
    };
    map(store, &y, to, &clamp)
}

fn axis_and_block(call: &Call) -> [i64; 2] {
    [call.int("axis", 1), call.int("block_size", 0).max(0)]
}

pub(super) fn quantize(call: &mut Call) -> Results {
    let (x, scale, zero) = (call.input(0)?, call.input(1)?, call.optional(2)?);
    let to = match (call.elem("output_dtype")?, &zero) {
        (Some(to), _) => to,
        (None, Some(zero)) => zero.elem,
        (None, None) => Elem::Uint(8),
    };
    let place = axis_and_block(call);
    one(quantized(call.store(), &x, &scale, zero.as_ref(), to, place)?)
}

pub(super) fn dequantize(call: &mut Call) -> Results {
    let (x, scale, zero) = (call.input(0)?, call.input(1)?, call.optional(2)?);
    let place = axis_and_block(call);
    one(dequantized(call.store(), &x, &scale, zero.as_ref(), place)?)
}

/// `DynamicQuantizeLinear`: the scale and the zero point depend on the whole tensor.
pub(super) fn dynamically(call: &mut Call) -> Results {
    let x = call.input(0)?;
    let store = call.store();
    let all = x.total(store);
    let hull = x.hull(store);
    let scale = if hull.is_finite() {
        let span = hull.hi.max(0.0) - hull.lo.min(0.0);
        // 1 if all elements are zero.
        Value::range(0.0, (span / 255.0 * 1.01).max(1.0))
    } else {
        Value::ANY
    };
    let byte = Value::range(0.0, 255.0);
    let y = Tensor::filled(store, Elem::Uint(8), x.shape, El::new(all, byte));
    let scale = Tensor::filled(store, x.elem, Vec::new(), El::new(all, scale));
    let zero = Tensor::filled(store, Elem::Uint(8), Vec::new(), El::new(all, byte));
    Ok(vec![y.into(), scale.into(), zero.into()])
}

pub(super) fn conv_integer(call: &mut Call) -> Results {
    let (x, w) = (call.input(0)?, call.input(1)?);
    let (zero_x, zero_w) = (call.optional(2)?, call.optional(3)?);
    let store = call.store();
    let x = centered(store, &x, zero_x.as_ref(), 1, 0)?;
    let w = centered(store, &w, zero_w.as_ref(), 0, 0)?;
    one(convolve(call, &x, &w, None, Elem::Int(32))?)
}

pub(super) fn matmul_integer(call: &mut Call) -> Results {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let (zero_a, zero_b) = (call.optional(2)?, call.optional(3)?);
    let store = call.store();
    let (rows, columns) = (if a.rank() > 1 { -2 } else { -1 }, -1);
    let a = centered(store, &a, zero_a.as_ref(), rows, 0)?;
    let b = centered(store, &b, zero_b.as_ref(), columns, 0)?;
    one(multiply(call.machine, &a, &b, Elem::Int(32))?)
}

/// Two centered tensors, from inputs in the order of `QLinearMatMul` and `QLinearConv`.
fn sides(call: &mut Call, along: [i64; 2]) -> Result<(Tensor, Tensor), Problem> {
    let (a, scale_a, zero_a) = (call.input(0)?, call.input(1)?, call.optional(2)?);
    let (b, scale_b, zero_b) = (call.input(3)?, call.input(4)?, call.optional(5)?);
    let store = call.store();
    let a = dequantized(store, &a, &scale_a, zero_a.as_ref(), [along[0], 0])?;
    let b = dequantized(store, &b, &scale_b, zero_b.as_ref(), [along[1], 0])?;
    Ok((a, b))
}

pub(super) fn qlinear_matmul(call: &mut Call) -> Results {
    let rows = if call.thin(0)?.rank() > 1 { -2 } else { -1 };
    let (a, b) = sides(call, [rows, -1])?;
    let (scale, zero) = (call.input(6)?, call.optional(7)?);
    let to = zero.as_ref().map_or(Elem::Uint(8), |z| z.elem);
    let y = multiply(call.machine, &a, &b, Elem::F32)?.dense(call.store())?;
    one(quantized(call.store(), &y, &scale, zero.as_ref(), to, [rows, 0])?)
}

pub(super) fn qlinear_conv(call: &mut Call) -> Results {
    let (x, w) = sides(call, [1, 0])?;
    let (scale_x, scale_w) = (call.input(1)?, call.input(4)?);
    let (scale, zero) = (call.input(6)?, call.optional(7)?);
    let to = zero.as_ref().map_or(Elem::Uint(8), |z| z.elem);
    let bias = match call.optional(8)? {
        None => None,
        Some(bias) => {
            let store = call.store();
            let op = binary("Mul").ok_or(Problem::Form("has no product"))?;
            let n = bias.len();
            let bias = map(store, &bias, Elem::F32, &|v| convert(Elem::F32, v))?;
            let scale_x = scale_x.reshaped(store, Vec::new())?;
            let scale_w = if scale_w.len() == 1 {
                scale_w.reshaped(store, Vec::new())?
            } else {
                scale_w.reshaped(store, vec![n])?
            };
            let bias = pairwise(store, &op, &bias, &scale_x)?;
            Some(pairwise(store, &op, &bias, &scale_w)?)
        }
    };
    let y = convolve(call, &x, &w, bias.as_ref(), Elem::F32)?;
    one(quantized(call.store(), &y, &scale, zero.as_ref(), to, [1, 0])?)
}
