//! Element-wise operators, with broadcasting.

use super::super::call::{Call, Results};
use super::super::error::Problem;
use super::super::literal;
use super::super::store::{EMPTY, El, Store};
use super::super::tensor::{Data, Kind, Tensor, broadcast_shape, size};
use super::numbers::{self, Absorb, Binary};

/// Maps each element; sets stay as they are.
pub(super) fn map(
    store: &mut Store,
    t: &Tensor,
    kind: Kind,
    f: impl Fn(f64) -> Option<f64>,
) -> Tensor {
    let apply = |x: f64| f(x).map_or(El::Set(EMPTY), El::Known);
    let cells = match &t.data {
        Data::Known(v) => v.iter().map(|&x| store.cell(apply(x))).collect(),
        Data::Cells(c) => {
            let one = |&c| match store.el(c) {
                El::Known(x) => store.cell(apply(x)),
                El::Set(_) => c,
            };
            c.iter().map(one).collect()
        }
    };
    Tensor::cells(store, kind, t.shape.clone(), cells)
}

/// The result for one pair of elements.
fn combine(store: &mut Store, op: &Binary, a: El, b: El) -> El {
    match (a, b) {
        (El::Known(x), El::Known(y)) => (op.eval)(x, y).map_or(El::Set(EMPTY), El::Known),
        (El::Known(x), El::Set(s)) => match (op.absorb)(x) {
            Absorb::To(y) | Absorb::LeftTo(y) => El::Known(y),
            Absorb::No => El::Set(s),
        },
        (El::Set(s), El::Known(y)) => match (op.absorb)(y) {
            Absorb::To(y) => El::Known(y),
            Absorb::LeftTo(_) | Absorb::No => El::Set(s),
        },
        (El::Set(s), El::Set(t)) => El::Set(store.union(s, t)),
    }
}

/// Two tensors, element by element.
pub(super) fn pairwise(
    store: &mut Store,
    op: &Binary,
    a: &Tensor,
    b: &Tensor,
) -> Result<Tensor, Problem> {
    let shape = broadcast_shape(&a.shape, &b.shape)?;
    store.spend(size(&shape)?)?;
    let kind = if op.truth { Kind::Bool } else { a.kind };
    let (a, b) = (a.broadcast(store, &shape)?, b.broadcast(store, &shape)?);
    if let (Some(x), Some(y)) = (a.values(), b.values()) {
        let pairs = x.iter().zip(y);
        let whole = op.divides && a.kind == Kind::Int;
        let one = |(&x, &y): (&f64, &f64)| {
            let z = (op.eval)(x, y)?;
            Some(if whole { z.trunc() } else { z })
        };
        if let Some(values) = pairs.map(one).collect() {
            return Ok(Tensor::known(kind, shape, values));
        }
    }
    let mut cells = Vec::with_capacity(a.len());
    for i in 0..a.len() {
        let (x, y) = (a.el(store, i), b.el(store, i));
        let el = combine(store, op, x, y);
        cells.push(store.cell(el));
    }
    Ok(Tensor::cells(store, kind, shape, cells))
}

/// A named operator on two tensors.
pub(super) fn apply(
    store: &mut Store,
    op_type: &str,
    a: &Tensor,
    b: &Tensor,
) -> Result<Tensor, Problem> {
    let op = numbers::binary(op_type).ok_or(Problem::Form("is no operator on two tensors"))?;
    pairwise(store, &op, a, b)
}

pub(super) fn unary(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let f = numbers::unary(call.node.op_type()).ok_or(Problem::Form("is not element-wise"))?;
    let kind = match call.node.op_type() {
        "Not" | "IsNaN" | "IsInf" => Kind::Bool,
        _ => t.kind,
    };
    Ok(vec![map(call.store(), &t, kind, f)])
}

/// Two inputs, or any number of them taken in pairs.
pub(super) fn variadic(call: &mut Call) -> Results {
    let op_type = call.node.op_type();
    let op = numbers::binary(op_type).ok_or(Problem::Form("is not element-wise"))?;
    let mut result = call.input(0)?;
    for i in 1..call.inputs.len() {
        let next = call.input(i)?;
        // The slope of PRelu repeats from the left, as everything else does, once it has the rank.
        result = pairwise(call.store(), &op, &result, &next)?;
    }
    if call.inputs.len() < 2 && !matches!(op_type, "Sum" | "Max" | "Min") {
        return Err(Problem::Missing(1).into());
    }
    Ok(vec![result])
}

/// The mean of any number of tensors: their sum, as far as known zeros go.
pub(super) fn mean(call: &mut Call) -> Results {
    let mut result = call.input(0)?;
    for i in 1..call.inputs.len() {
        let next = call.input(i)?;
        result = apply(call.store(), "Sum", &result, &next)?;
    }
    let n = call.inputs.len() as f64;
    let kind = result.kind;
    Ok(vec![map(call.store(), &result, kind, |x| Some(x / n))])
}

pub(super) fn identity(call: &mut Call) -> Results {
    Ok(vec![call.input(0)?])
}

/// Inference: the identity.
pub(super) fn dropout(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let mask = Tensor::known(Kind::Bool, t.shape.clone(), vec![1.0; t.len()]);
    Ok(vec![t, mask])
}

pub(super) fn cast(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let kind = match call.attribute("to").and_then(|a| a.i) {
        Some(to) => literal::kind(i32::try_from(to).unwrap_or(0)),
        None => call.optional(1).ok_or(Problem::Attribute("to"))?.kind,
    };
    let f = |x: f64| {
        Some(match kind {
            Kind::Float => x,
            Kind::Int => x.trunc(),
            Kind::Bool => f64::from(x != 0.0),
        })
    };
    Ok(vec![map(call.store(), &t, kind, f)])
}

/// Known bounds matter to known elements only; unknown bounds are read.
pub(super) fn clip(call: &mut Call) -> Results {
    let mut t = call.input(0)?;
    for (i, name, op) in [(1, "min", "Max"), (2, "max", "Min")] {
        let bound = match (call.optional(i), call.attribute(name).and_then(|a| a.f)) {
            (Some(bound), _) => bound,
            (None, Some(x)) => Tensor::known(t.kind, Vec::new(), vec![f64::from(x)]),
            (None, None) => continue,
        };
        t = apply(call.store(), op, &t, &bound)?;
    }
    Ok(vec![t])
}

pub(super) fn choose(call: &mut Call) -> Results {
    let (c, a, b) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let shape = broadcast_shape(&broadcast_shape(&c.shape, &a.shape)?, &b.shape)?;
    let store = call.store();
    store.spend(size(&shape)?)?;
    let c = c.broadcast(store, &shape)?;
    let a = a.broadcast(store, &shape)?;
    let b = b.broadcast(store, &shape)?;
    let mut cells = Vec::with_capacity(c.len());
    for i in 0..c.len() {
        let (yes, no) = (a.el(store, i), b.el(store, i));
        let el = match c.el(store, i) {
            El::Known(x) => {
                if x != 0.0 {
                    yes
                } else {
                    no
                }
            }
            // Both the same number: the condition does not matter.
            El::Set(_) if matches!(yes, El::Known(_)) && yes == no => yes,
            El::Set(condition) => {
                store.begin();
                store.add(condition);
                for side in [yes, no] {
                    if let El::Set(id) = side {
                        store.add(id);
                    }
                }
                El::Set(store.end())
            }
        };
        cells.push(store.cell(el));
    }
    Ok(vec![Tensor::cells(store, a.kind, shape, cells)])
}

/// Inference: a scale and an offset for each channel. In training mode it reads every position of
/// its channel.
pub(super) fn batch_normalization(call: &mut Call) -> Results {
    let x = call.input(0)?;
    let rank = x.rank();
    let epsilon = call.float("epsilon", 1e-5);
    let training = call.int("training_mode", 0) != 0;
    let mut per_channel = Vec::new();
    for i in 1..5 {
        let t = call.input(i)?;
        let mut shape = vec![1; rank.max(2)];
        if let Some(extent) = shape.get_mut(1) {
            *extent = t.len();
        }
        per_channel.push(t.reshaped(shape)?);
    }
    let [scale, offset, mean, variance] = &per_channel[..] else {
        return Err(Problem::Missing(4).into());
    };
    let store = call.store();
    let deviation = map(store, variance, Kind::Float, |v| Some((v + epsilon).sqrt()));
    let mut y = if training {
        let axes: Vec<usize> = (0..rank).filter(|&a| a != 1).collect();
        super::reduce::mix(store, &x, &axes)?
    } else {
        let centred = apply(store, "Sub", &x, mean)?;
        apply(store, "Div", &centred, &deviation)?
    };
    y = apply(store, "Mul", &y, scale)?;
    y = apply(store, "Add", &y, offset)?;
    let mut results = vec![y];
    // Running statistics, old or new; nothing downstream of inference reads them.
    results.extend([mean, variance].map(|t| Tensor::opaque(Kind::Float, vec![t.len()])));
    Ok(results)
}
