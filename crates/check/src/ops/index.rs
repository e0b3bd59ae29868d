//! Operators that pick elements by index.

use super::super::call::{Call, Results};
use super::super::error::Problem;
use super::super::store::El;
use super::super::tensor::{Kind, Tensor, around, axis, size, strides, view};

/// An index as a position, negative ones counted from the end.
pub(super) fn position(index: f64, extent: usize) -> Result<usize, Problem> {
    let index = index as i64;
    let at = if index < 0 { index.saturating_add(extent as i64) } else { index };
    let at = usize::try_from(at).ok().filter(|&i| i < extent);
    at.ok_or(Problem::Index { index, extent })
}

pub(super) fn gather(call: &mut Call) -> Results {
    let (data, indices) = (call.input(0)?, call.input(1)?);
    let along = call.axis(0, data.rank())?;
    let (before, extent, after) = around(&data.shape, along);
    let mut shape = data.shape.clone();
    shape.splice(along..=along, indices.shape.iter().copied());
    let total = size(&shape)?;
    let store = call.store();
    store.spend(total)?;
    if let Some(list) = indices.values() {
        let list: Vec<usize> =
            list.iter().map(|&i| position(i, extent)).collect::<Result<_, _>>()?;
        let mut map = Vec::with_capacity(total);
        for b in 0..before {
            for i in &list {
                map.extend((0..after).map(|a| (b * extent + i) * after + a));
            }
        }
        return Ok(vec![data.rearranged(store, shape, &map, El::Known(0.0))]);
    }
    // An index that is not known may pick any position of the axis.
    store.spend(data.len())?;
    let lines = lines(store, &data, before, extent, after);
    let mut cells = Vec::with_capacity(total);
    for b in 0..before {
        for i in 0..indices.len() {
            let index = indices.el(store, i);
            for a in 0..after {
                let el = match index {
                    El::Known(i) => data.el(store, (b * extent + position(i, extent)?) * after + a),
                    El::Set(id) => {
                        let line = lines.get(b * after + a).copied().unwrap_or(0);
                        El::Set(store.union(id, line))
                    }
                };
                cells.push(store.cell(el));
            }
        }
    }
    Ok(vec![Tensor::cells(store, data.kind, shape, cells)])
}

/// The union along an axis, for each place before and after it.
fn lines(
    store: &mut super::super::store::Store,
    data: &Tensor,
    before: usize,
    extent: usize,
    after: usize,
) -> Vec<u32> {
    let mut lines = Vec::with_capacity(before * after);
    for b in 0..before {
        for a in 0..after {
            store.begin();
            for i in 0..extent {
                if let El::Set(id) = data.el(store, (b * extent + i) * after + a) {
                    store.add(id);
                }
            }
            lines.push(store.end());
        }
    }
    lines
}

pub(super) fn gather_elements(call: &mut Call) -> Results {
    let (data, indices) = (call.input(0)?, call.input(1)?);
    let along = call.axis(0, data.rank())?;
    if indices.rank() != data.rank() {
        return Err(Problem::Extents(data.shape, indices.shape).into());
    }
    let own = strides(&data.shape);
    let step = own.get(along).copied().unwrap_or(0) as usize;
    let (_, extent, _) = around(&data.shape, along);
    for (i, (a, b)) in data.shape.iter().zip(&indices.shape).enumerate() {
        if i != along && b > a {
            return Err(Problem::Extents(data.shape.clone(), indices.shape.clone()).into());
        }
    }
    // The element of `data` that index zero would pick.
    let mut steps = own;
    if let Some(s) = steps.get_mut(along) {
        *s = 0;
    }
    let base = view(&indices.shape, &steps, 0);
    let store = call.store();
    store.spend(indices.len())?;
    let mut cells = Vec::with_capacity(base.len());
    for (i, &start) in base.iter().enumerate() {
        let el = match indices.el(store, i) {
            El::Known(x) => data.el(store, start + position(x, extent)? * step),
            El::Set(id) => {
                store.spend(extent)?;
                store.begin();
                store.add(id);
                for k in 0..extent {
                    if let El::Set(id) = data.el(store, start + k * step) {
                        store.add(id);
                    }
                }
                El::Set(store.end())
            }
        };
        cells.push(store.cell(el));
    }
    Ok(vec![Tensor::cells(store, data.kind, indices.shape, cells)])
}

pub(super) fn gather_nd(call: &mut Call) -> Results {
    let (data, indices) = (call.input(0)?, call.input(1)?);
    let batch = usize::try_from(call.int("batch_dims", 0)).unwrap_or(usize::MAX);
    let Some(&depth) = indices.shape.last() else {
        return Err(Problem::Rank { input: 1, found: 0 }.into());
    };
    let lead = indices.rank() - 1;
    let (Some(fixed), Some(picked), Some(rest)) = (
        data.shape.get(..batch),
        data.shape.get(batch..batch.saturating_add(depth)),
        data.shape.get(batch.saturating_add(depth)..),
    ) else {
        return Err(Problem::Extents(data.shape, indices.shape).into());
    };
    if indices.shape.get(..batch) != Some(fixed) || batch > lead {
        return Err(Problem::Extents(data.shape.clone(), indices.shape.clone()).into());
    }
    let mut shape = indices.shape.get(..lead).unwrap_or(&[]).to_vec();
    shape.extend(rest);
    let total = size(&shape)?;
    let tuples = size(indices.shape.get(..lead).unwrap_or(&[]))?;
    let per_batch = tuples.checked_div(fixed.iter().product()).unwrap_or(0);
    let block: usize = rest.iter().product();
    let own: usize = data.shape.get(batch..).unwrap_or(&[]).iter().product();
    let store = call.store();
    store.spend(total)?;
    let mut cells = Vec::with_capacity(total);
    for tuple in 0..tuples {
        let base = tuple.checked_div(per_batch).unwrap_or(0) * own;
        match tuple_position(store, &indices, tuple, picked)? {
            Ok(at) => {
                for k in 0..block {
                    let el = data.el(store, base + at * block + k);
                    cells.push(store.cell(el));
                }
            }
            Err(id) => {
                store.spend(own)?;
                let any = lines(store, &data, 1, own / block.max(1), block);
                for line in any {
                    let id = store.union(id, line);
                    cells.push(store.cell(El::Set(id)));
                }
            }
        }
    }
    Ok(vec![Tensor::cells(store, data.kind, shape, cells)])
}

/// Where an index tuple points among the given extents, or the set it depends on.
pub(super) fn tuple_position(
    store: &mut super::super::store::Store,
    indices: &Tensor,
    tuple: usize,
    extents: &[usize],
) -> Result<Result<usize, u32>, Problem> {
    let mut at = 0usize;
    let mut unknown = None;
    for (k, &extent) in extents.iter().enumerate() {
        match indices.el(store, tuple * extents.len() + k) {
            El::Known(x) => at = at * extent + position(x, extent)?,
            El::Set(id) => unknown = Some(store.union(id, unknown.unwrap_or(0))),
        }
    }
    Ok(unknown.map_or(Ok(at), Err))
}

pub(super) fn one_hot(call: &mut Call) -> Results {
    let (indices, values) = (call.input(0)?, call.input(2)?);
    let depth = call.number(1)?.ok_or(Problem::Missing(1))?;
    let depth = if (0.0..1e8).contains(&depth) { depth as usize } else { 0 };
    let at = axis(call.int("axis", -1), indices.rank() + 1)?;
    let mut shape = indices.shape.clone();
    shape.insert(at, depth);
    let total = size(&shape)?;
    let (before, _, after) = around(&shape, at);
    let store = call.store();
    store.spend(total)?;
    let (off, on) = (values.el(store, 0), values.el(store, 1));
    let mut cells = Vec::with_capacity(total);
    for b in 0..before {
        for d in 0..depth {
            for a in 0..after {
                let el = match indices.el(store, b * after + a) {
                    El::Known(x) if position(x, depth) == Ok(d) => on,
                    El::Known(_) => off,
                    set => set,
                };
                cells.push(store.cell(el));
            }
        }
    }
    Ok(vec![Tensor::cells(store, values.kind, shape, cells)])
}

pub(super) fn non_zero(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let values = t.values().ok_or(Problem::NotConstant(0))?;
    let found: Vec<usize> =
        values.iter().enumerate().filter(|(_, x)| **x != 0.0).map(|(i, _)| i).collect();
    let shape = vec![t.rank(), found.len()];
    let mut list = Vec::with_capacity(size(&shape)?);
    for (&stride, &extent) in strides(&t.shape).iter().zip(&t.shape) {
        list.extend(found.iter().map(|i| (i / stride.max(1) as usize % extent.max(1)) as f64));
    }
    Ok(vec![Tensor::known(Kind::Int, shape, list)])
}
