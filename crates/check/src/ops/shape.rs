//! Constants, shapes, and operators that only change the shape.

use crate::call::{Call, Results, one};
use crate::elem::Elem;
use crate::error::{Problem, Resource};
use crate::item::Item;
use crate::literal;
use crate::sets::EMPTY;
use crate::store::El;
use crate::tensor::{Tensor, axis, broadcast_shape, size as count};
use crate::value::{Value, add, between, convert, mul};

pub(super) fn constant(call: &mut Call) -> Results {
    if let Some(t) = call.tensor("value")? {
        return one(t);
    }
    let find = |name| call.attribute(name);
    let (float, int) = (find("value_float"), find("value_int"));
    let (floats, ints) = (find("value_floats"), find("value_ints"));
    let store = call.store();
    let t = if let Some(a) = float {
        Tensor::known(store, Elem::F32, Vec::new(), vec![f64::from(a.f())])
    } else if let Some(a) = int {
        let t = Tensor::ints(store, &[a.i()]);
        t.reshaped(store, Vec::new())?
    } else if let Some(a) = floats {
        let values = a.floats.iter().map(|&x| f64::from(x)).collect();
        Tensor::known(store, Elem::F32, vec![a.floats.len()], values)
    } else if let Some(a) = ints {
        Tensor::ints(store, &a.ints)
    } else if find_sparse(call) {
        return Err(Problem::Form("is sparse or a string; write it as a dense tensor").into());
    } else {
        return Err(Problem::Attribute("value").into());
    };
    one(t)
}

fn find_sparse(call: &Call) -> bool {
    ["sparse_value", "value_string", "value_strings"].iter().any(|n| call.attribute(n).is_some())
}

/// A shape that is given as a constant input.
fn target(call: &mut Call, input: usize) -> Result<Vec<usize>, Problem> {
    let list = call.whole(input)?.ok_or(Problem::Missing(input))?;
    let shape = literal::extents(&list).ok_or(Problem::Form("has a negative extent"))?;
    count(&shape)?;
    Ok(shape)
}

pub(super) fn constant_of_shape(call: &mut Call) -> Results {
    let shape = target(call, 0)?;
    let value = call.tensor("value")?;
    let elem = value.as_ref().map_or(Elem::F32, |t| t.elem);
    let store = call.store();
    let el = value.map_or(El::known(0.0), |t| t.el(store, 0));
    one(Tensor::filled(store, elem, shape, el))
}

pub(super) fn shape(call: &mut Call) -> Results {
    let t = call.thin(0)?;
    let rank = t.rank() as i64;
    let clamp = |n: i64| (if n < 0 { n.saturating_add(rank) } else { n }).clamp(0, rank) as usize;
    let (start, end) = (clamp(call.int("start", 0)), clamp(call.int("end", rank)));
    let extents = t.shape.get(start..end.max(start)).unwrap_or(&[]);
    let extents: Vec<i64> = extents.iter().map(|&d| d as i64).collect();
    one(Tensor::ints(call.store(), &extents))
}

pub(super) fn size(call: &mut Call) -> Results {
    let n = call.thin(0)?.len();
    one(Tensor::known(call.store(), Elem::Int(64), Vec::new(), vec![n as f64]))
}

pub(super) fn range(call: &mut Call) -> Results {
    let mut bound = |i| call.number(i)?.ok_or(Problem::Missing(i));
    let (start, limit, step) = (bound(0)?, bound(1)?, bound(2)?);
    let n = ((limit - start) / step).ceil().max(0.0);
    if n.is_nan() || n >= 2f64.powi(40) {
        return Err(Problem::TooLarge(Resource::Elements(Vec::new())).into());
    }
    let elem = call.thin(0)?.elem;
    let n = n as usize;
    let store = call.store();
    store.spend(n)?;
    let mut cells = Vec::with_capacity(n);
    for k in 0..n {
        let product = mul(elem, convert(elem, Value::known(k as f64)), Value::known(step));
        let v = add(elem, Value::known(start), product);
        cells.push(store.cell(El::new(EMPTY, v)));
    }
    one(Tensor::cells(store, elem, vec![n], cells))
}

pub(super) fn eye_like(call: &mut Call) -> Results {
    let t = call.thin(0)?;
    let &[rows, columns] = &t.shape[..] else {
        return Err(Problem::Rank { input: 0, found: t.rank() }.into());
    };
    let k = call.int("k", 0);
    let elem = call.elem("dtype")?.unwrap_or(t.elem);
    let store = call.store();
    store.spend(count(&t.shape)?)?;
    let on = |i: usize| f64::from((i % columns) as i64 - (i / columns) as i64 == k);
    let values = (0..rows * columns).map(on).collect();
    one(Tensor::known(store, elem, t.shape, values))
}

/// Random numbers: unknown, and independent of the image. `Bernoulli` and `Multinomial` are not
/// among them: they sample from probabilities that may be one.
pub(super) fn random(call: &mut Call) -> Results {
    let op_type = call.node.op_type();
    let like = matches!(op_type, "RandomNormalLike" | "RandomUniformLike");
    let (shape, elem) = if like {
        let t = call.thin(0)?;
        (t.shape, t.elem)
    } else {
        let list = call.ints("shape").ok_or(Problem::Attribute("shape"))?;
        (literal::extents(list).ok_or(Problem::Attribute("shape"))?, Elem::F32)
    };
    count(&shape)?;
    let elem = call.elem("dtype")?.unwrap_or(elem);
    let v = Value::finite_of(elem);
    one(Tensor::filled(call.store(), elem, shape, El::new(EMPTY, v)))
}

pub(super) fn reshape(call: &mut Call) -> Results {
    let t = call.thin(0)?;
    let wanted = match call.ints("shape") {
        Some(list) => list.to_vec(),
        None => call.whole(1)?.ok_or(Problem::Missing(1))?,
    };
    let copies = call.int("allowzero", 0) == 0;
    let mut shape = Vec::with_capacity(wanted.len());
    let mut open = None;
    for (i, &n) in wanted.iter().enumerate() {
        shape.push(match n {
            0 if copies => t.shape.get(i).copied().unwrap_or(0),
            -1 if open.is_none() => {
                open = Some(i);
                1
            }
            _ => usize::try_from(n).map_err(|_| Problem::Form("has a negative extent"))?,
        });
    }
    if let Some(i) = open {
        let rest = count(&shape)?;
        let extent = t.len().checked_div(rest).unwrap_or(0);
        if let Some(slot) = shape.get_mut(i) {
            *slot = extent;
        }
    }
    one(t.reshaped(call.store(), shape)?)
}

pub(super) fn flatten(call: &mut Call) -> Results {
    let t = call.thin(0)?;
    let a = call.int("axis", 1);
    let rank = t.rank();
    let split = if a == rank as i64 { rank } else { axis(a, rank)? };
    let (left, right) = t.shape.split_at(split);
    let shape = vec![left.iter().product(), right.iter().product()];
    one(t.reshaped(call.store(), shape)?)
}

pub(super) fn squeeze(call: &mut Call) -> Results {
    let t = call.thin(0)?;
    let axes = call.axes(1, t.rank())?;
    let drop = |(i, &d): (usize, &usize)| match &axes {
        Some(axes) => axes.contains(&i),
        None => d == 1,
    };
    let kept = t.shape.iter().enumerate().filter(|&x| !drop(x)).map(|(_, &d)| d).collect();
    one(t.reshaped(call.store(), kept)?)
}

pub(super) fn unsqueeze(call: &mut Call) -> Results {
    let t = call.thin(0)?;
    let listed = match call.ints("axes") {
        Some(list) => list.len(),
        None => call.optional(1)?.map_or(0, |axes| axes.len()),
    };
    let rank = t.rank().saturating_add(listed);
    let axes = call.axes(1, rank)?.ok_or(Problem::Attribute("axes"))?;
    let mut old = t.shape.iter();
    let extent = |i| if axes.contains(&i) { Some(1) } else { old.next().copied() };
    let shape: Option<Vec<usize>> = (0..rank).map(extent).collect();
    one(t.reshaped(call.store(), shape.ok_or(Problem::Attribute("axes"))?)?)
}

pub(super) fn expand(call: &mut Call) -> Results {
    let t = call.thin(0)?;
    let shape = broadcast_shape(&t.shape, &target(call, 1)?)?;
    count(&shape)?;
    one(t.broadcast(&shape)?)
}

/// Windows of signal processing and mel filter banks. They are constants, whose values are not
/// computed here.
pub(super) fn window(call: &mut Call) -> Results {
    let n = call.number(0)?.ok_or(Problem::Missing(0))?;
    let n = if (0.0..1e9).contains(&n) { n as usize } else { 0 };
    let elem = call.elem("output_datatype")?.unwrap_or(Elem::F32);
    let v = Value::range(-1.1, 1.1);
    one(Tensor::filled(call.store(), elem, vec![n], El::new(EMPTY, v)))
}

/// `MelWeightMatrix`: weights from the bins of a spectrum to mel bands, computed from constants.
pub(super) fn mel(call: &mut Call) -> Results {
    let whole = |n: Option<f64>, i: usize| {
        let n = n.ok_or(Problem::Missing(i))?;
        if (0.0..1e9).contains(&n) { Ok(n as usize) } else { Err(Problem::Attribute("dft_length")) }
    };
    let (bins, length) = (whole(call.number(0)?, 0)?, whole(call.number(1)?, 1)?);
    let elem = call.elem("output_datatype")?.unwrap_or(Elem::F32);
    let shape = vec![length / 2 + 1, bins];
    count(&shape)?;
    one(Tensor::filled(call.store(), elem, shape, El::new(EMPTY, Value::range(-1.1, 1.1))))
}

/// The length of a sequence, or whether an optional is not empty.
pub(super) fn count_of(call: &mut Call) -> Results {
    let (elem, n) = match call.item(0) {
        Ok(Item::Optional(inner)) => (Elem::Bool, i64::from(inner.is_some())),
        Ok(Item::Sequence(list)) if call.node.op_type() == "SequenceLength" => {
            (Elem::Int(64), list.len() as i64)
        }
        Ok(_) => (Elem::Bool, 1),
        Err(_) => (Elem::Bool, 0),
    };
    let el = El::new(EMPTY, between(i128::from(n), i128::from(n)));
    one(Tensor::filled(call.store(), elem, Vec::new(), el))
}
