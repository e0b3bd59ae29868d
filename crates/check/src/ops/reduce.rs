//! Reductions. Each result depends on its whole line, except on elements that cannot be the
//! maximum, and unless the result is known.

use super::elementwise::is_mask;
use super::lines::Lines;
use crate::call::{Call, Results, one};
use crate::elem::Elem;
use crate::error::Problem;
use crate::item::Item;
use crate::store::{Cell, El, Store};
use crate::tensor::{Relation, Tensor, around, axis, strides};
use crate::unary::{exp, log, sqrt};
use crate::value::{Value, add, div, finish, mul, square};

/// Bounds of a sum of many terms, which a runtime may add in any order.
pub(crate) fn sum_of(elem: Elem, terms: impl Iterator<Item = Value> + Clone) -> Value {
    if !elem.is_float() {
        return terms.fold(Value::ZERO, |s, v| add(elem, s, v));
    }
    if let Some(x) = exact_sum(elem, terms.clone().map(Value::point)) {
        return Value::known(x);
    }
    let (mut lo, mut hi, mut size, mut n) = (0.0, 0.0, 0.0, 0.0f64);
    let (mut nan, mut up, mut down) = (false, false, false);
    for v in terms {
        (lo, hi, size, n) = (lo + v.lo, hi + v.hi, size + v.magnitude(), n + 1.0);
        nan |= v.nan;
        up |= v.hi == f64::INFINITY;
        down |= v.lo == f64::NEG_INFINITY;
    }
    let slack = size * (n + 2.0) * elem.eps() + elem.tiny();
    if !slack.is_finite() {
        let lo = if down { f64::NEG_INFINITY } else { lo.min(0.0) * 2.0 };
        let hi = if up { f64::INFINITY } else { hi.max(0.0) * 2.0 };
        return Value::new(lo, hi, nan || (up && down));
    }
    // A sum of nonnegative terms is not negative.
    let low = if lo >= 0.0 { (lo - slack).max(0.0) } else { lo - slack };
    finish(elem, low, hi + slack, nan)
}

/// The sum of known terms, if it is exact in any order; `None` otherwise.
pub(crate) fn exact_sum(elem: Elem, terms: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (mut sum, mut size) = (0.0, 0.0);
    for x in terms {
        let x = x?;
        // Multiples of a small power of two, which add without rounding.
        if (x * 1024.0).fract() != 0.0 {
            return None;
        }
        (sum, size) = (sum + x, size + x.abs());
    }
    (size * 1024.0 <= 1.0 / elem.eps().max(f64::EPSILON)).then_some(sum)
}

fn fold(op_type: &str, elem: Elem, line: &[El]) -> Value {
    let values = line.iter().map(|el| el.v);
    let n = Value::known(line.len() as f64);
    match op_type {
        "ReduceSum" => sum_of(elem, values),
        "ReduceMean" => div(elem, sum_of(elem, values), n),
        "ReduceProd" => values.fold(Value::known(1.0), |p, v| mul(elem, p, v)),
        "ReduceL1" => sum_of(elem, values.map(|v| absolute(elem, v))),
        "ReduceL2" => sqrt(elem, sum_of(elem, values.map(|v| square(elem, v)))),
        "ReduceLogSum" => log(elem, sum_of(elem, values)),
        "ReduceLogSumExp" => log(elem, sum_of(elem, values.map(|v| exp(elem, v)))),
        _ => sum_of(elem, values.map(|v| square(elem, v))),
    }
}

fn absolute(elem: Elem, v: Value) -> Value {
    let near = if v.contains(0.0) { 0.0 } else { v.lo.abs().min(v.hi.abs()) };
    finish(elem, near, v.magnitude(), v.nan)
}

/// Bounds of the maximum (or, without `top`, the minimum) of a line, and which elements can attain
/// it.
fn extreme(line: &[El], top: bool) -> (Value, Vec<bool>) {
    let nan = line.iter().any(|el| el.v.nan);
    let turn = |v: Value| if top { v } else { v.neg() };
    let best = line.iter().map(|el| turn(el.v)).fold(f64::NEG_INFINITY, |m, v| m.max(v.lo));
    let hi = line.iter().map(|el| turn(el.v).hi).fold(f64::NEG_INFINITY, f64::max);
    let can: Vec<bool> = line.iter().map(|el| nan || turn(el.v).hi >= best).collect();
    let v = turn(Value::new(best, hi, nan));
    (v, can)
}

/// The elements that are not masked, if masks are assumed to work and any element is left.
fn unmasked(store: &mut Store, line: Vec<El>) -> Vec<El> {
    if !store.assume.masks {
        return line;
    }
    let kept: Vec<El> = line.iter().copied().filter(|&el| !is_mask(store, el)).collect();
    if kept.is_empty() { line } else { kept }
}

/// The reduction of a line of `n` equal elements.
fn uniform(store: &mut Store, op_type: &str, t: &Tensor, shape: Vec<usize>, n: usize) -> Tensor {
    let (el, e) = (t.el(store, 0), t.elem);
    let count = Value::known(n as f64);
    let times = |v: Value| match v.point() {
        Some(x) if e.is_float() && x.fract() == 0.0 && x.abs() * n as f64 * e.eps() <= 1.0 => {
            Value::known(x * n as f64)
        }
        _ if e.is_float() => {
            let slack = n as f64 * e.eps() * v.magnitude() * n as f64;
            let v = mul(Elem::F64, v, count);
            finish(e, v.lo - slack, v.hi + slack, v.nan)
        }
        _ => mul(e, v, count),
    };
    let v = match op_type {
        "ReduceMax" | "ReduceMin" => el.v,
        "ReduceMean" if e.is_float() => crate::value::loose(e, el.v.lo, el.v.hi, el.v.nan),
        "ReduceSum" => times(el.v),
        _ => Value::any_of(e),
    };
    let v = store.settle(e, v);
    let set = store.set_of(el);
    Tensor::filled(store, e, shape, El::new(set, v))
}

pub(super) fn reduce(call: &mut Call) -> Results {
    let op_type = call.node.op_type();
    let t = call.thin(0)?;
    let whole = t.len();
    let t = if t.kept.iter().product::<usize>() == 1 && whole > 1 { t } else { call.input(0)? };
    let axes = match call.axes(1, t.rank())? {
        Some(axes) if !axes.is_empty() => axes,
        _ if call.flag("noop_with_empty_axes") => return one(t),
        _ => (0..t.rank()).collect(),
    };
    let keep = call.int("keepdims", 1) != 0;
    let store = call.store();
    if !t.is_dense() {
        let extent = |(i, &d): (usize, &usize)| match (axes.contains(&i), keep) {
            (false, _) => Some(d),
            (true, true) => Some(1),
            (true, false) => None,
        };
        let shape = t.shape.iter().enumerate().filter_map(extent).collect();
        let n = axes.iter().filter_map(|&a| t.shape.get(a)).product();
        return crate::call::one(uniform(store, op_type, &t, shape, n));
    }
    store.spend(t.len())?;
    let lines = Lines::new(&t, &axes);
    let mut cells = Vec::with_capacity(lines.starts.len());
    for &start in &lines.starts {
        // The memory that one line needs in addition to the tensor.
        store.spend(3 * lines.steps.len())?;
        let line = lines.read(store, &t, start);
        cells.push(match op_type {
            "ReduceMax" | "ReduceMin" => {
                let top = op_type == "ReduceMax";
                let line = if top { unmasked(store, line) } else { line };
                let (v, can) = extreme(&line, top);
                let picked: Vec<El> =
                    line.iter().zip(can).filter(|(_, c)| *c).map(|(el, _)| *el).collect();
                let set = store.join(&picked);
                let v = store.settle(t.elem, v);
                store.cell(El::new(set, v))
            }
            _ => {
                let mut v = fold(op_type, t.elem, &line);
                let v_peak = matches!(&t.relation, Relation::PeakOne(a) if *a == axes);
                if v_peak && op_type == "ReduceSum" && !v.nan {
                    v.lo = v.lo.max(0.99);
                }
                let v = store.settle(t.elem, v);
                let set = store.join(&line);
                store.cell(El::new(set, v))
            }
        });
    }
    let shape = if keep { lines.kept } else { lines.rest };
    let mut y = Tensor::cells(store, t.elem, shape, cells);
    if op_type == "ReduceMax" && keep && t.ticket != 0 {
        y.relation = Relation::MaximaOf(t.ticket, axes);
    }
    one(y)
}

/// Every element depends on its whole line.
pub(crate) fn mix(
    store: &mut Store,
    t: &Tensor,
    axes: &[usize],
    f: &dyn Fn(&[El]) -> Value,
) -> Result<Tensor, Problem> {
    store.spend(t.len())?;
    let lines = Lines::new(t, axes);
    let mut out = vec![Cell::OPAQUE; t.len()];
    for &start in &lines.starts {
        let line = lines.read(store, t, start);
        let set = store.join(&line);
        let v = store.settle(t.elem, f(&line));
        let cell = store.cell(El::new(set, v));
        lines.write(&mut out, start, &vec![cell; line.len()]);
    }
    Ok(Tensor::cells(store, t.elem, t.shape.clone(), out))
}

pub(super) fn arg(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let along = call.axis(0, t.rank())?;
    let keep = call.int("keepdims", 1) != 0;
    let top = call.node.op_type() == "ArgMax";
    let store = call.store();
    let lines = Lines::new(&t, &[along]);
    store.spend(t.len())?;
    let mut cells = Vec::with_capacity(lines.starts.len());
    for &start in &lines.starts {
        let line = lines.read(store, &t, start);
        let (_, can) = extreme(&line, top);
        let set = store.join(&line);
        let first = can.iter().position(|c| *c).unwrap_or(0) as f64;
        let last = can.iter().rposition(|c| *c).unwrap_or(0) as f64;
        let only = can.iter().filter(|c| **c).count() == 1;
        let v = if only { Value::known(first) } else { Value::range(first, last) };
        // With several candidates, ties may be broken either way, so no index is known.
        let v = if !only && first == last { Value::range(0.0, line.len() as f64) } else { v };
        cells.push(store.cell(El::new(set, v)));
    }
    let shape = if keep { lines.kept } else { lines.rest };
    one(Tensor::cells(store, Elem::Int(64), shape, cells))
}

pub(super) fn top_k(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let along = call.axis(-1, t.rank())?;
    let k = match call.attribute("k").and_then(|a| a.i) {
        Some(k) => k,
        None => call.number(1)?.ok_or(Problem::Missing(1))? as i64,
    };
    let (_, extent, _) = around(&t.shape, along);
    let k = usize::try_from(k).ok().filter(|&k| k <= extent).ok_or(Problem::Attribute("k"))?;
    let store = call.store();
    let hull = |line: &[El]| line.iter().map(|e| e.v).reduce(Value::hull).unwrap_or(Value::ANY);
    let mut shape = t.shape.clone();
    if let Some(slot) = shape.get_mut(along) {
        *slot = k;
    }
    let mixed = mix(store, &t, &[along], &hull)?;
    let y = mixed.viewed(store, shape.clone(), &strides(&t.shape), 0)?;
    let places = Value::range(0.0, if extent > 1 { extent as f64 - 1.0 } else { 0.0 });
    let at = mix(store, &t, &[along], &|_| places)?;
    let at = at.viewed(store, shape, &strides(&t.shape), 0)?;
    Ok(vec![y.into(), Item::Tensor(Tensor { elem: Elem::Int(64), ..at })])
}

/// `CumSum` and `CumProd`: sums or products of the elements up to each one.
pub(super) fn cumulate(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let along = call.number(1)?.ok_or(Problem::Missing(1))? as i64;
    let along = axis(along, t.rank())?;
    let (exclusive, reverse) = (call.flag("exclusive"), call.flag("reverse"));
    let product = call.node.op_type() == "CumProd";
    let store = call.store();
    store.spend(t.len())?;
    let lines = Lines::new(&t, &[along]);
    let mut out = vec![Cell::OPAQUE; t.len()];
    for &start in &lines.starts {
        let mut line = lines.read(store, &t, start);
        if reverse {
            line.reverse();
        }
        let mut total = El::known(if product { 1.0 } else { 0.0 });
        let mut totals = Vec::with_capacity(line.len());
        for el in line {
            let f = if product { mul } else { add };
            let v = store.settle(t.elem, f(t.elem, total.v, el.v));
            let set = store.join(&[total, el]);
            let next = El::new(set, v);
            totals.push(store.cell(if exclusive { total } else { next }));
            total = next;
        }
        if reverse {
            totals.reverse();
        }
        lines.write(&mut out, start, &totals);
    }
    one(Tensor::cells(store, t.elem, t.shape, out))
}

/// The determinant of the last two axes.
pub(super) fn det(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let rank = t.rank();
    if rank < 2 {
        return Err(Problem::Rank { input: 0, found: rank }.into());
    }
    let store = call.store();
    let mixed = mix(store, &t, &[rank - 2, rank - 1], &|_| Value::ANY)?;
    let lines = Lines::new(&mixed, &[rank - 2, rank - 1]);
    let cells: Vec<Cell> = lines.starts.iter().map(|&s| mixed.cell(store, s)).collect();
    one(Tensor::cells(store, t.elem, lines.rest, cells))
}

/// Bounds of the elements of a line after division by the line's own standard deviation, to whose
/// square `epsilon` is added.
pub(crate) fn normalized(line: &[El], epsilon: f64) -> Value {
    // 0 / 0 on a constant line; a sum of squares that overflows.
    let largest = line.iter().map(|el| el.v.magnitude()).fold(0.0, f64::max);
    if epsilon <= 0.0 || largest * largest * line.len() as f64 > 1e38 {
        return Value::ANY;
    }
    let finite = line.iter().all(|el| el.v.is_finite());
    let top = (line.len() as f64).sqrt() * 1.01 + 0.01;
    Value::new(-top, top, !finite)
}
