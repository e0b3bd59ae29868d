//! Sequences of tensors, and optionals.

use super::arrange::joined;
use crate::call::{Call, Results, one};
use crate::error::Problem;
use crate::item::Item;
use crate::machine::{Body, tensors};
use crate::tensor::{Tensor, axis, strides};

fn list(call: &Call, i: usize) -> Result<Vec<Tensor>, Problem> {
    Ok(call.item(i)?.sequence()?.to_vec())
}

/// A constant position in a sequence; negative ones count from the end.
fn place(call: &mut Call, input: usize, len: usize) -> Result<Option<usize>, Problem> {
    let Some(index) = call.number(input)? else { return Ok(None) };
    let index = index as i64;
    let at = if index < 0 { index + len as i64 } else { index };
    let fail = Problem::Index { index, extent: len };
    usize::try_from(at).ok().filter(|&i| i <= len).map(Some).ok_or(fail)
}

pub(super) fn construct(call: &mut Call) -> Results {
    let parts = (0..call.inputs.len()).map(|i| call.thin(i)).collect::<Result<_, _>>()?;
    Ok(vec![Item::Sequence(parts)])
}

pub(super) fn empty(_: &mut Call) -> Results {
    Ok(vec![Item::Sequence(Vec::new())])
}

pub(super) fn at(call: &mut Call) -> Results {
    let parts = list(call, 0)?;
    let at = place(call, 1, parts.len())?.ok_or(Problem::Missing(1))?;
    let extent = parts.len();
    let t = parts.get(at).cloned().ok_or(Problem::Index { index: at as i64, extent })?;
    one(t)
}

pub(super) fn insert(call: &mut Call) -> Results {
    let mut parts = list(call, 0)?;
    let t = call.thin(1)?;
    let at = place(call, 2, parts.len())?.unwrap_or(parts.len());
    parts.insert(at, t);
    Ok(vec![Item::Sequence(parts)])
}

pub(super) fn erase(call: &mut Call) -> Results {
    let mut parts = list(call, 0)?;
    let at = place(call, 1, parts.len())?.unwrap_or(parts.len().saturating_sub(1));
    if at >= parts.len() {
        return Err(Problem::Index { index: at as i64, extent: parts.len() }.into());
    }
    parts.remove(at);
    Ok(vec![Item::Sequence(parts)])
}

pub(super) fn split(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let along = call.axis(0, t.rank())?;
    let extent = t.shape.get(along).copied().unwrap_or(0);
    let chunks: Option<Vec<usize>> = match call.optional(1)? {
        None => None,
        Some(sizes) => {
            let scalar = sizes.rank() == 0;
            let list = call.whole(1)?.unwrap_or_default();
            let list: Vec<usize> = list.iter().map(|&n| usize::try_from(n).unwrap_or(0)).collect();
            Some(match (scalar, list.first()) {
                (true, Some(&n)) if n > 0 => {
                    (0..extent.div_ceil(n)).map(|k| n.min(extent - k * n)).collect()
                }
                (true, _) => return Err(Problem::Form("splits into parts of no size").into()),
                _ => list,
            })
        }
    };
    let keep = call.int("keepdims", 1) != 0 || chunks.is_some();
    let chunks = chunks.unwrap_or_else(|| vec![1; extent]);
    if chunks.iter().sum::<usize>() != extent {
        return Err(Problem::Extents(vec![extent], chunks).into());
    }
    let own = strides(&t.shape);
    let step = own.get(along).copied().unwrap_or(0);
    let store = call.store();
    let (mut start, mut parts) = (0usize, Vec::with_capacity(chunks.len()));
    for n in chunks {
        let mut shape = t.shape.clone();
        if let Some(slot) = shape.get_mut(along) {
            *slot = n;
        }
        let mut part = t.viewed(store, shape.clone(), &own, step * start as isize)?;
        if !keep {
            shape.remove(along);
            part = part.reshaped(store, shape)?;
        }
        parts.push(part);
        start += n;
    }
    Ok(vec![Item::Sequence(parts)])
}

pub(super) fn concat(call: &mut Call) -> Results {
    let mut parts = list(call, 0)?;
    let new = call.flag("new_axis");
    let rank = parts.first().map_or(0, Tensor::rank);
    let along = axis(call.int("axis", 0), rank + usize::from(new))?;
    let store = call.store();
    for part in &mut parts {
        *part = part.dense(store)?;
        if new {
            let mut shape = part.shape.clone();
            shape.insert(along, 1);
            *part = part.reshaped(store, shape)?;
        }
    }
    one(joined(store, &parts, along)?)
}

/// `SequenceMap`: runs a body for each element of the sequences. Inputs that are tensors are the
/// same in every run.
pub(super) fn map(call: &mut Call) -> Results {
    let graph = call.graph("body")?;
    let steps = call.item(0)?.sequence()?.len();
    let body = Body::new(call.machine, graph)?;
    let before = call.machine.enter_loop(steps as f64, graph)?;
    let scope = call.scope;
    let mut results: Vec<Vec<Tensor>> = vec![Vec::new(); body.results.len()];
    for step in 0..steps {
        let pick = |i: usize| -> Result<Item, Problem> {
            match call.item(i)? {
                Item::Sequence(list) => {
                    let fail = Problem::Index { index: step as i64, extent: list.len() };
                    list.get(step).cloned().map(Item::Tensor).ok_or(fail)
                }
                other => Ok(other.clone()),
            }
        };
        let inputs: Vec<Item> = (0..call.inputs.len()).map(pick).collect::<Result<_, _>>()?;
        let step = tensors(call.machine.body(&body, inputs, scope)?)?;
        for (list, t) in results.iter_mut().zip(step) {
            list.push(t);
        }
    }
    call.machine.leave_loop(before);
    Ok(results.into_iter().map(Item::Sequence).collect())
}

pub(super) fn optional(call: &mut Call) -> Results {
    let inner = call.item(0).ok().cloned().map(Box::new);
    Ok(vec![Item::Optional(inner)])
}

pub(super) fn get_element(call: &mut Call) -> Results {
    Ok(vec![match call.item(0)?.clone() {
        Item::Optional(Some(inner)) => *inner,
        Item::Optional(None) => return Err(Problem::Form("reads an empty optional").into()),
        other => other,
    }])
}
