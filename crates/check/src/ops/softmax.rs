//! Softmax and related operators. Elements whose weight is exactly zero are not dependencies.

use super::elementwise::is_mask;
use super::lines::Lines;
use crate::call::{Call, Results, one};
use crate::error::Problem;
use crate::sets::EMPTY;
use crate::store::{Cell, El, Granted, Store};
use crate::tensor::Tensor;
use crate::value::Value;

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Plain,
    Log,
    Hard,
}

pub(super) fn softmax(call: &mut Call) -> Results {
    let mut t = call.thin(0)?;
    let axes: Vec<usize> = if call.opset() < 13 {
        // Before opset 13, all axes from this one on are flattened.
        (call.axis(1, t.rank())?..t.rank()).collect()
    } else {
        vec![call.axis(-1, t.rank())?]
    };
    let form = match call.node.op_type() {
        "LogSoftmax" => Form::Log,
        "Hardmax" => Form::Hard,
        _ => Form::Plain,
    };
    one(along(call.store(), &mut t, &axes, form)?)
}

/// `Softmax` along the last axis.
pub(super) fn last(store: &mut Store, t: &Tensor) -> Result<Tensor, Problem> {
    let axis = t.rank().checked_sub(1).ok_or(Problem::Rank { input: 0, found: 0 })?;
    along(store, &mut t.clone(), &[axis], Form::Plain)
}

fn along(store: &mut Store, t: &mut Tensor, axes: &[usize], form: Form) -> Result<Tensor, Problem> {
    // Thin axes stay thin, unless the softmax runs along one of them.
    if axes.iter().any(|&a| t.kept.get(a) != t.shape.get(a)) {
        *t = t.dense(store)?;
    }
    let (shape, kept) = (t.shape.clone(), t.kept.clone());
    let thin = t.thin();
    store.spend(kept.iter().product())?;
    let lines = Lines::new(&thin, axes);
    let mut out = vec![Cell::OPAQUE; kept.iter().product()];
    for &start in &lines.starts {
        let line = lines.read(store, &thin, start);
        let results = weigh(store, &line, thin.elem, form);
        lines.write(&mut out, start, &results);
    }
    let y = Tensor::cells(store, thin.elem, kept.clone(), out);
    Ok(y.with_shape(shape, kept))
}

/// The results of one line.
fn weigh(store: &mut Store, line: &[El], elem: crate::elem::Elem, form: Form) -> Vec<Cell> {
    let sure = line.iter().all(|el| !el.v.nan && el.v.hi < f64::INFINITY);
    let top = line.iter().map(|el| el.v.lo).fold(f64::NEG_INFINITY, f64::max);
    let mut clear = sure && top > f64::NEG_INFINITY;
    if !clear {
        store.noticed.infinite = true;
        if store.assume.finite {
            let node = store.node.clone();
            store.grant(Granted::Finite { node });
            clear = true;
        }
    }
    let threshold = if form == Form::Hard { 0.0 } else { elem.exp_underflow() };
    let mut dead: Vec<bool> = Vec::with_capacity(line.len());
    for el in line {
        let bounds = clear && el.v.hi < top.max(f64::MIN) + threshold;
        let assumed = !bounds && clear && form != Form::Hard && is_mask(store, *el);
        dead.push(bounds || assumed);
    }
    if store.assume.alive || dead.iter().all(|d| *d) {
        dead.fill(false);
    }
    let live: Vec<El> = line.iter().zip(&dead).filter(|(_, d)| !**d).map(|(el, _)| *el).collect();
    let set = store.join(&live);
    let only = live.len() == 1 && clear && !store.assume.alive;
    let weight = match form {
        Form::Log if only => El::known(0.0),
        _ if only => El::known(1.0),
        Form::Log => El::new(set, Value::new(f64::NEG_INFINITY, 0.1, !clear)),
        _ => El::new(set, Value::new(0.0, 1.001, !clear)),
    };
    let weight = match form {
        Form::Log if weight.point().is_none() && clear => {
            // No lower than the lowest score minus the highest, with an allowance for the logarithm
            // of the sum and for rounding.
            let low = line.iter().map(|el| el.v.lo).fold(f64::INFINITY, f64::min);
            let high = line.iter().map(|el| el.v.hi).fold(f64::NEG_INFINITY, f64::max);
            let lo = (low - high) * 1.01 - 1.0 - (line.len() as f64).ln();
            let v = store.settle(elem, Value { lo, ..weight.v });
            El::new(set, v)
        }
        _ => weight,
    };
    let weight = store.cell(weight);
    let mut results = Vec::with_capacity(line.len());
    for (el, dead) in line.iter().zip(dead) {
        results.push(match (dead, form) {
            (false, _) => weight,
            (true, Form::Log) if el.point() == Some(f64::NEG_INFINITY) => {
                store.cell(El::known(f64::NEG_INFINITY))
            }
            (true, Form::Log) => {
                let all = store.join(&[*el, El { a: set, b: EMPTY, v: Value::ANY }]);
                let v = Value::new(f64::NEG_INFINITY, 0.1, false);
                let v = store.settle(elem, v);
                store.cell(El::new(all, v))
            }
            (true, _) => Cell::ZERO,
        });
    }
    results
}
