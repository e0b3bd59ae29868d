//! Operators of linear attention and state space models, which are causal by definition.

use super::arrange::joined;
use super::elementwise::{apply, map};
use super::opaque::blurred;
use crate::call::{Call, Results, one};
use crate::elem::Elem;
use crate::error::Problem;
use crate::sets::EMPTY;
use crate::store::{El, Store};
use crate::tensor::{Tensor, size};
use crate::unary::{constant, sigmoid};
use crate::value::{Value, loose, mul};

/// `x * sigmoid(alpha * x)`.
fn swish(elem: Elem, v: Value, alpha: f64) -> Value {
    mul(elem, v, sigmoid(elem, mul(elem, v, constant(elem, alpha))))
}

/// `SwiGLU`: the gate's Swish times the value.
pub(super) fn swiglu(call: &mut Call) -> Results {
    let (gate, value) = (call.thin(0)?, call.thin(1)?);
    let alpha = call.float("alpha", 1.0);
    let elem = gate.elem;
    let store = call.store();
    let gate = map(store, &gate, elem, &|v| swish(elem, v, alpha))?;
    one(apply(store, "Mul", &gate, &value)?)
}

/// A causal convolution of each channel. It also returns the end of the sequence, as the next
/// state.
pub(super) fn causal_conv(call: &mut Call) -> Results {
    let (x, w) = (call.input(0)?, call.input(1)?);
    let ([batch, channels, length], [rows, 1, taps]) = (&x.shape[..], &w.shape[..]) else {
        return Err(Problem::Extents(x.shape, w.shape).into());
    };
    let (batch, channels, length, taps) = (*batch, *channels, *length, *taps);
    if *rows != channels || taps == 0 {
        return Err(Problem::Extents(x.shape, w.shape).into());
    }
    let (bias, past) = (call.optional(2)?, call.optional(3)?);
    let active = match call.text("activation").unwrap_or("none") {
        "none" => false,
        "silu" | "swish" => true,
        _ => return Err(Problem::Attribute("activation").into()),
    };
    let elem = x.elem;
    let store = call.store();
    let past = match past {
        Some(past) => past,
        None => {
            let zeros = size(&[batch, channels, taps - 1])?;
            store.spend(zeros)?;
            Tensor::known(store, elem, vec![batch, channels, taps - 1], vec![0.0; zeros])
        }
    };
    let all = joined(store, &[past, x], 2)?;
    let whole = length + taps - 1;
    if all.shape != [batch, channels, whole] {
        return Err(Problem::Extents(all.shape, vec![batch, channels, whole]).into());
    }
    let steps = [(channels * whole) as isize, whole as isize, 1];
    let mut sum: Option<Tensor> = None;
    for tap in 0..taps {
        let part = all.viewed(store, vec![batch, channels, length], &steps, tap as isize)?;
        let weight = w.viewed(store, vec![channels, 1], &[taps as isize, 0], tap as isize)?;
        let term = apply(store, "Mul", &part, &weight)?;
        sum = Some(match sum {
            None => term,
            Some(before) => apply(store, "Add", &before, &term)?,
        });
    }
    let mut y = sum.ok_or(Problem::Missing(1))?;
    if let Some(bias) = bias {
        let bias = bias.reshaped(store, vec![channels, 1])?;
        y = apply(store, "Add", &y, &bias)?;
    }
    // The runtime may add in another order, so bounds are widened.
    let y = map(store, &y, elem, &|v| {
        let v = if v.point().is_some() { v } else { loose(elem, v.lo, v.hi, v.nan) };
        if active { swish(elem, v, 1.0) } else { v }
    })?;
    let state = all.viewed(store, vec![batch, channels, taps - 1], &steps, length as isize)?;
    Ok(vec![y.into(), state.into()])
}

/// The union of what the elements of a range depend on.
fn block(store: &mut Store, t: &Tensor, range: std::ops::Range<usize>) -> u32 {
    store.sets.begin();
    for i in range {
        let el = t.el(store, i);
        store.add_el(el);
    }
    store.sets.end()
}

/// A recurrence over tokens. Every element of a head depends on the whole head.
pub(super) fn linear_attention(call: &mut Call) -> Results {
    let [q, k, v] = [call.input(0)?, call.input(1)?, call.input(2)?];
    let heads = |name: &'static str| {
        let n = usize::try_from(call.int(name, 0)).ok().filter(|&n| n > 0);
        n.ok_or(Problem::Attribute(name))
    };
    let (queries, own) = (heads("q_num_heads")?, heads("kv_num_heads")?);
    let (past, decay, beta) = (call.optional(3)?, call.optional(4)?, call.optional(5)?);
    let [batch, length, width] = q.shape[..] else {
        return Err(Problem::Rank { input: 0, found: q.rank() }.into());
    };
    let last = |t: &Tensor| t.shape.last().copied().unwrap_or(0);
    let fits = |t: &Tensor| t.rank() == 3 && t.shape.get(..2) == Some(&[batch, length]);
    let others = [Some(&k), Some(&v), decay.as_ref(), beta.as_ref()];
    let (key, value) = (last(&k) / own, last(&v) / own);
    if !others.into_iter().flatten().all(fits)
        || !queries.is_multiple_of(own)
        || [width % queries, last(&k) % own, last(&v) % own] != [0; 3]
    {
        return Err(Problem::Extents(q.shape, k.shape).into());
    }
    let elem = q.elem;
    let store = call.store();
    store.spend(q.len() + k.len() + v.len() + size(&[batch, length, queries, value])?)?;
    let bounds = store.settle(elem, Value::ANY);
    let mut states = Vec::new();
    let mut out = Vec::with_capacity(size(&[batch, length, queries * value])?);
    for image in 0..batch {
        let start = |store: &mut Store, head: usize| {
            let Some(t) = &past else { return EMPTY };
            let n = t.len() / (batch * own).max(1);
            block(store, t, (image * own + head) * n..(image * own + head + 1) * n)
        };
        let mut acc: Vec<u32> = (0..own).map(|head| start(store, head)).collect();
        for step in 0..length {
            let token = image * length + step;
            for t in others.into_iter().flatten() {
                let n = last(t);
                for (head, set) in acc.iter_mut().enumerate() {
                    // One number for all heads, or some for each.
                    let part = if n.is_multiple_of(own) { n / own } else { n };
                    let from = if n.is_multiple_of(own) { head * part } else { 0 };
                    let new = block(store, t, token * n + from..token * n + from + part);
                    *set = store.sets.union(*set, new);
                }
            }
            for head in 0..queries {
                let n = width / queries;
                let from = token * width + head * n;
                let query = block(store, &q, from..from + n);
                let state = acc.get(head / (queries / own)).copied().unwrap_or(EMPTY);
                let set = store.sets.union(query, state);
                let set = blurred(store, "LinearAttention", set);
                let cell = store.cell(El::new(set, bounds));
                out.extend(std::iter::repeat_n(cell, value));
            }
        }
        for set in acc {
            let set = blurred(store, "LinearAttention", set);
            let cell = store.cell(El::new(set, bounds));
            states.extend(std::iter::repeat_n(cell, key * value));
        }
    }
    let y = Tensor::cells(store, elem, vec![batch, length, queries * value], out);
    let state = Tensor::cells(store, elem, vec![batch, own, key, value], states);
    Ok(vec![y.into(), state.into()])
}
