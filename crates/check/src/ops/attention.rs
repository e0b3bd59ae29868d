//! The operator `Attention`, composed of matrix products and a softmax.

use super::arrange::joined;
use super::elementwise::{apply, map};
use super::product::multiply;
use super::softmax;
use crate::call::{Call, Results};
use crate::elem::Elem;
use crate::error::Problem;
use crate::store::Store;
use crate::tensor::Tensor;
use crate::unary::constant;
use crate::value::{Value, mul};

/// Input `i` with the heads as the second axis: `[batch, heads, length, size]`.
fn heads(call: &mut Call, i: usize, count: &str) -> Result<Tensor, Problem> {
    let t = call.input(i)?;
    match t.shape[..] {
        [_, _, _, _] => Ok(t),
        [batch, length, width] => {
            let n = usize::try_from(call.int(count, 0)).ok().filter(|&n| n > 0 && width % n == 0);
            let n = n.ok_or(Problem::Attribute("q_num_heads"))?;
            let store = call.store();
            t.reshaped(store, vec![batch, length, n, width / n])?.transposed(store, &[0, 2, 1, 3])
        }
        _ => Err(Problem::Rank { input: i, found: t.rank() }),
    }
}

/// Repeats the heads of keys and values to match those of the queries (grouped-query attention).
fn repeated(store: &mut Store, t: &Tensor, heads: usize) -> Result<Tensor, Problem> {
    let [batch, own, length, size] = t.shape[..] else { return Ok(t.clone()) };
    if own == heads || own == 0 || !heads.is_multiple_of(own) {
        return Ok(t.clone());
    }
    let each = heads / own;
    let t = t.reshaped(store, vec![batch, own, 1, length, size])?;
    let t = t.broadcast(&[batch, own, each, length, size])?.dense(store)?;
    t.reshaped(store, vec![batch, heads, length, size])
}

pub(super) fn attention(call: &mut Call) -> Results {
    let flat = call.thin(0)?.rank() == 3;
    let q = heads(call, 0, "q_num_heads")?;
    let (mut k, mut v) = (heads(call, 1, "kv_num_heads")?, heads(call, 2, "kv_num_heads")?);
    if call.has(6) {
        return Err(Problem::Form("has lengths of padded keys, which are not modeled").into());
    }
    let past = match (call.optional(4)?, call.optional(5)?) {
        (Some(pk), Some(pv)) => {
            let store = call.store();
            k = joined(store, &[pk.clone(), k], 2)?;
            v = joined(store, &[pv, v], 2)?;
            pk.shape.get(2).copied().unwrap_or(0)
        }
        _ => 0,
    };
    let (present_k, present_v) = (k.clone(), v.clone());
    let (elem, count) = (q.elem, q.shape.get(1).copied().unwrap_or(0));
    let size = q.shape.get(3).copied().unwrap_or(1).max(1) as f64;
    let scale = call.attribute("scale").and_then(|a| a.f).filter(|&s| s != 0.0);
    let scale = match scale {
        Some(s) => constant(elem, f64::from(s)),
        None => crate::value::loose(elem, 1.0 / size.sqrt(), 1.0 / size.sqrt(), false),
    };
    let store = call.store();
    let (k, v) = (repeated(store, &k, count)?, repeated(store, &v, count)?);
    let kt = k.transposed(store, &[0, 1, 3, 2])?;
    let raw = multiply(call.machine, &q, &kt, elem)?;
    let mut scores = map(call.store(), &raw, elem, &|v| mul(elem, v, scale))?;
    let cap = call.float("softcap", 0.0);
    if cap > 0.0 {
        let top = cap * 1.01;
        let f = |v: Value| Value::new(v.lo.clamp(-top, top), v.hi.clamp(-top, top), v.nan);
        scores = map(call.store(), &scores, elem, &|v| if v.is_zero() { v } else { f(v) })?;
    }
    if call.flag("is_causal") {
        scores = triangle(call.store(), &scores, past)?;
    }
    if let Some(mask) = call.optional(3)? {
        scores = masked(call.store(), &scores, &mask)?;
    }
    let weights = softmax::last(call.store(), &scores)?;
    let mut y = multiply(call.machine, &weights, &v, elem)?;
    let mode = call.int("qk_matmul_output_mode", 0);
    let store = call.store();
    if flat {
        let [batch, heads, length, size] = y.shape[..] else {
            return Err(Problem::Rank { input: 0, found: y.rank() }.into());
        };
        y = y.transposed(store, &[0, 2, 1, 3])?;
        y = y.reshaped(store, vec![batch, length, heads * size])?;
    }
    // The fourth result is the scores at a stage that `mode` chooses. Versions of the operator
    // differ in the order of stages, so its bounds are unknown.
    let open = |_: Value| Value::ANY;
    let stage = match mode {
        3 => weights,
        0 => raw,
        _ => {
            let later = map(store, &scores, elem, &open)?;
            apply(store, "Add", &raw, &later)?
        }
    };
    let stage = map(store, &stage, elem, &open)?;
    Ok(vec![y.into(), present_k.into(), present_v.into(), stage.into()])
}

/// Adds minus infinity above the diagonal: the causal mask.
fn triangle(store: &mut Store, scores: &Tensor, past: usize) -> Result<Tensor, Problem> {
    let [.., rows, columns] = scores.shape[..] else {
        return Err(Problem::Rank { input: 0, found: scores.rank() });
    };
    store.spend(rows * columns)?;
    let low = |i: usize| {
        let ahead = i % columns > i / columns + past;
        if ahead { f64::NEG_INFINITY } else { 0.0 }
    };
    let values = (0..rows * columns).map(low).collect();
    let mask = Tensor::known(store, scores.elem, vec![rows, columns], values);
    masked(store, scores, &mask)
}

/// Applies a mask: booleans, or numbers that are added to the scores.
fn masked(store: &mut Store, scores: &Tensor, mask: &Tensor) -> Result<Tensor, Problem> {
    let mask = if mask.elem == Elem::Bool {
        let low = |v: Value| match v.point() {
            Some(0.0) => Value::known(f64::NEG_INFINITY),
            Some(_) => Value::ZERO,
            None => Value::range(f64::NEG_INFINITY, 0.0),
        };
        map(store, mask, scores.elem, &low)?
    } else {
        mask.clone()
    };
    apply(store, "Add", scores, &mask)
}
