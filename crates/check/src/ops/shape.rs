//! Constants, shapes, and operators that change the shape alone.

use super::super::call::{Call, Results};
use super::super::error::{Problem, Resource};
use super::super::literal;
use super::super::tensor::{Kind, Tensor, axis, broadcast_shape, size as count};

pub(super) fn constant(call: &mut Call) -> Results {
    if let Some(t) = call.tensor("value")? {
        return Ok(vec![t]);
    }
    let scalar = |kind, x| Tensor::known(kind, Vec::new(), vec![x]);
    let find = |name| call.attribute(name);
    let t = if let Some(a) = find("value_float") {
        scalar(Kind::Float, f64::from(a.f()))
    } else if let Some(a) = find("value_int") {
        scalar(Kind::Int, a.i() as f64)
    } else if let Some(a) = find("value_floats") {
        let values = a.floats.iter().map(|&x| f64::from(x)).collect();
        Tensor::known(Kind::Float, vec![a.floats.len()], values)
    } else if let Some(a) = find("value_ints") {
        Tensor::ints(a.ints.clone())
    } else {
        return Err(Problem::Attribute("value").into());
    };
    Ok(vec![t])
}

/// A constant shape.
fn target(call: &Call, input: usize) -> Result<Vec<usize>, Problem> {
    let list = call.whole(input)?.ok_or(Problem::Missing(input))?;
    let shape = literal::extents(&list).ok_or(Problem::Form("has a negative extent"))?;
    count(&shape)?;
    Ok(shape)
}

pub(super) fn constant_of_shape(call: &mut Call) -> Results {
    let shape = target(call, 0)?;
    let n = count(&shape)?;
    call.store().spend(n)?;
    let value = call.tensor("value")?;
    let kind = value.as_ref().map_or(Kind::Float, |t| t.kind);
    let x = value.as_ref().and_then(|t| t.values()?.first().copied()).unwrap_or(0.0);
    Ok(vec![Tensor::known(kind, shape, vec![x; n])])
}

pub(super) fn shape(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let rank = t.rank() as i64;
    let clamp = |n: i64| (if n < 0 { n.saturating_add(rank) } else { n }).clamp(0, rank) as usize;
    let (start, end) = (clamp(call.int("start", 0)), clamp(call.int("end", rank)));
    let extents = t.shape.get(start..end.max(start)).unwrap_or(&[]);
    Ok(vec![Tensor::ints(extents.iter().map(|&d| d as i64).collect())])
}

pub(super) fn size(call: &mut Call) -> Results {
    let n = call.input(0)?.len();
    Ok(vec![Tensor::known(Kind::Int, Vec::new(), vec![n as f64])])
}

pub(super) fn range(call: &mut Call) -> Results {
    let bound = |i| call.number(i)?.ok_or(Problem::Missing(i));
    let (start, limit, step) = (bound(0)?, bound(1)?, bound(2)?);
    let n = ((limit - start) / step).ceil().max(0.0);
    if n.is_nan() || n >= 1e8 {
        return Err(Problem::TooLarge(Resource::Elements).into());
    }
    let kind = call.input(0)?.kind;
    let values: Vec<f64> = (0..n as usize).map(|k| start + k as f64 * step).collect();
    call.store().spend(values.len())?;
    Ok(vec![Tensor::known(kind, vec![values.len()], values)])
}

pub(super) fn eye_like(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let &[rows, columns] = &t.shape[..] else {
        return Err(Problem::Rank { input: 0, found: t.rank() }.into());
    };
    let k = call.int("k", 0);
    let on = |i: usize| f64::from((i % columns) as i64 - (i / columns) as i64 == k);
    let values = (0..rows * columns).map(on).collect();
    Ok(vec![Tensor::known(Kind::Float, t.shape, values)])
}

/// Fresh random numbers: unknown, and no function of the image.
pub(super) fn random_like(call: &mut Call) -> Results {
    Ok(vec![Tensor::opaque(Kind::Float, call.input(0)?.shape)])
}

pub(super) fn reshape(call: &mut Call) -> Results {
    let t = call.input(0)?;
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
    if let Some(slot) = open.and_then(|i| shape.get_mut(i)) {
        *slot = 1;
        let rest = count(&shape)?;
        let extent = t.len().checked_div(rest).unwrap_or(0);
        if let Some(slot) = open.and_then(|i| shape.get_mut(i)) {
            *slot = extent;
        }
    }
    Ok(vec![t.reshaped(shape)?])
}

pub(super) fn flatten(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let a = call.int("axis", 1);
    let rank = t.rank();
    let split = if a == rank as i64 { rank } else { axis(a, rank)? };
    let (left, right) = t.shape.split_at(split);
    let shape = vec![left.iter().product(), right.iter().product()];
    Ok(vec![t.reshaped(shape)?])
}

pub(super) fn squeeze(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let axes = call.axes(1, t.rank())?;
    let drop = |(i, &d): (usize, &usize)| match &axes {
        Some(axes) => axes.contains(&i),
        None => d == 1,
    };
    let kept = t.shape.iter().enumerate().filter(|&x| !drop(x)).map(|(_, &d)| d).collect();
    Ok(vec![t.reshaped(kept)?])
}

pub(super) fn unsqueeze(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let listed = match call.ints("axes") {
        Some(list) => list.len(),
        None => call.optional(1).map_or(0, |axes| axes.len()),
    };
    let rank = t.rank().saturating_add(listed);
    let axes = call.axes(1, rank)?.ok_or(Problem::Attribute("axes"))?;
    let mut old = t.shape.iter();
    let extent = |i| if axes.contains(&i) { Some(1) } else { old.next().copied() };
    let shape: Option<Vec<usize>> = (0..rank).map(extent).collect();
    Ok(vec![t.reshaped(shape.ok_or(Problem::Attribute("axes"))?)?])
}

pub(super) fn expand(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let shape = broadcast_shape(&t.shape, &target(call, 1)?)?;
    Ok(vec![t.broadcast(call.store(), &shape)?])
}
