//! Pooling.

use super::slide::Window;
use crate::call::{Call, Results, one};
use crate::elem::Elem;
use crate::error::Problem;
use crate::store::{Cell, El, Store};
use crate::tensor::{Tensor, size};
use crate::value::Value;

/// The exponent of a norm: a whole number, or a float in the first version of the operators.
fn exponent(call: &Call) -> f64 {
    match call.int("p", 0) {
        0 => call.float("p", 2.0),
        n => n as f64,
    }
}

pub(super) fn pool(call: &mut Call) -> Results {
    let x = call.input(0)?;
    let (Some(&[images, channels]), Some(spatial)) = (x.shape.get(..2), x.shape.get(2..)) else {
        return Err(Problem::Rank { input: 0, found: x.rank() }.into());
    };
    let table = Window::new(call, None, spatial.len())?.forward(call.store(), spatial)?;
    let area: usize = spatial.iter().product();
    let mut shape = vec![images, channels];
    shape.extend(&table.extents);
    let kind = call.node.op_type();
    let norm = exponent(call);
    let store = call.store();
    store.spend(size(&shape)?)?;
    let mut out = Vec::with_capacity(images * channels * table.positions());
    for map in 0..images * channels {
        for position in 0..table.positions() {
            store.work(table.taps)?;
            let read = table.at(position).iter().filter(|&&i| (i as usize) < area);
            let line: Vec<El> = read.map(|&i| x.el(store, map * area + i as usize)).collect();
            let v = pooled(kind, norm, x.elem, &line, table.taps);
            out.push(gathered(store, x.elem, &line, v));
        }
    }
    let y = Tensor::cells(store, x.elem, shape.clone(), out);
    if kind != "MaxPool" {
        return one(y);
    }
    // The index of the maximum depends on all that the maximum depends on. It counts as unknown
    // even if all values are known.
    let mut at = Vec::with_capacity(y.len());
    for map in 0..images * channels {
        for position in 0..table.positions() {
            let read = table.at(position).iter().filter(|&&i| (i as usize) < area);
            let line: Vec<El> = read.map(|&i| x.el(store, map * area + i as usize)).collect();
            let set = store.join(&line);
            let v = Value::range(0.0, (x.len() as f64 - 1.0).max(1.0));
            at.push(store.cell(El::new(set, v)));
        }
    }
    let at = Tensor::cells(store, Elem::Int(64), shape, at);
    Ok(vec![y.into(), at.into()])
}

/// Bounds of a result, given the elements in its window.
fn pooled(kind: &str, norm: f64, elem: Elem, line: &[El], taps: usize) -> Value {
    let hull = line.iter().map(|el| el.v).reduce(Value::hull).unwrap_or(Value::ZERO);
    match kind {
        "MaxPool" | "GlobalMaxPool" => {
            let lo = line.iter().map(|el| el.v.lo).fold(f64::NEG_INFINITY, f64::max);
            if line.is_empty() { Value::ANY } else { Value { lo, ..hull } }
        }
        _ if line.iter().all(|el| el.v.is_zero()) => Value::ZERO,
        "AveragePool" | "GlobalAveragePool" => {
            // Padding may count as zeros.
            let v = hull.hull(Value::ZERO);
            if v.is_finite() { crate::value::loose(elem, v.lo, v.hi, v.nan) } else { Value::ANY }
        }
        _ => {
            let top = hull.magnitude() * (taps.max(line.len()) as f64).powf(1.0 / norm.max(1.0));
            let v = crate::value::loose(elem, 0.0, top, hull.nan);
            if hull.is_finite() { v } else { Value::ANY }
        }
    }
}

fn gathered(store: &mut Store, elem: Elem, line: &[El], v: Value) -> Cell {
    let set = store.join(line);
    let v = store.settle(elem, v);
    store.cell(El::new(set, v))
}

pub(super) fn global(call: &mut Call) -> Results {
    let x = call.input(0)?;
    let (Some(lead), Some(spatial)) = (x.shape.get(..2), x.shape.get(2..)) else {
        return Err(Problem::Rank { input: 0, found: x.rank() }.into());
    };
    let area: usize = spatial.iter().product();
    let mut shape = lead.to_vec();
    shape.extend(spatial.iter().map(|_| 1));
    let kind = call.node.op_type();
    let norm = exponent(call);
    let store = call.store();
    store.spend(x.len())?;
    let mut out = Vec::new();
    for map in 0..size(lead)? {
        let line: Vec<El> = (0..area).map(|i| x.el(store, map * area + i)).collect();
        let v = pooled(kind, norm, x.elem, &line, area);
        out.push(gathered(store, x.elem, &line, v));
    }
    one(Tensor::cells(store, x.elem, shape, out))
}

/// `MaxUnpool`: an element may be anywhere in its map if its index is not known.
pub(super) fn unpool(call: &mut Call) -> Results {
    let (x, indices) = (call.input(0)?, call.input(1)?);
    let rank = x.rank();
    if rank < 3 || x.shape != indices.shape {
        return Err(Problem::Extents(x.shape, indices.shape).into());
    }
    let shape: Vec<usize> = match call.whole(2)? {
        Some(list) => list.iter().map(|&d| usize::try_from(d).unwrap_or(0)).collect(),
        None => {
            let list = |name, default| {
                call.ints(name).map_or_else(|| vec![default; 2 * (rank - 2)], <[i64]>::to_vec)
            };
            let (kernel, strides, pads) =
                (list("kernel_shape", 1), list("strides", 1), list("pads", 0));
            let get = |l: &[i64], i: usize| l.get(i).copied().unwrap_or(0);
            let spatial = x.shape.iter().skip(2).enumerate().map(|(i, &d)| {
                let full = (d as i64 - 1).saturating_mul(get(&strides, i));
                let full = full.saturating_add(get(&kernel, i)).saturating_sub(get(&pads, i));
                full.saturating_sub(get(&pads, i + rank - 2)).max(0) as usize
            });
            x.shape.iter().take(2).copied().chain(spatial).collect()
        }
    };
    let store = call.store();
    store.spend(size(&shape)?)?;
    let (a, b) = (x.total(store), indices.total(store));
    let set = store.sets.union(a, b);
    let set = super::opaque::blurred(store, "MaxUnpool", set);
    let v = x.hull(store).hull(Value::ZERO);
    one(Tensor::filled(store, x.elem, shape, El::new(set, v)))
}
