//! Operators that pick elements by index. An unknown index may pick any element that its bounds
//! allow.

use crate::call::{Call, Results, one};
use crate::elem::Elem;
use crate::error::Problem;
use crate::store::{Cell, El, Store};
use crate::tensor::{Tensor, around, axis, size, strides, view};
use crate::value::Value;

/// The position that an index means. Negative indices count from the end.
pub(crate) fn position(index: f64, extent: usize) -> Result<usize, Problem> {
    let index = index as i64;
    let at = if index < 0 { index.saturating_add(extent as i64) } else { index };
    let at = usize::try_from(at).ok().filter(|&i| i < extent);
    at.ok_or(Problem::Index { index, extent })
}

/// The positions that an index within these bounds can mean.
pub(crate) fn reach(v: Value, extent: usize) -> Vec<usize> {
    let n = extent as f64;
    let hit = |i: usize| {
        let i = i as f64;
        (v.lo <= i && i <= v.hi) || (v.lo <= i - n && i - n <= v.hi)
    };
    if v.lo <= -n || v.nan || (v.lo <= 0.0 && v.hi >= n - 1.0) {
        return (0..extent).collect();
    }
    (0..extent).filter(|&i| hit(i)).collect()
}

/// One of several candidates, picked by an unknown index: it depends on all of them and on the
/// index.
fn one_of(store: &mut Store, index: El, candidates: &[El]) -> Cell {
    let mut all = candidates.to_vec();
    all.push(index);
    let set = store.join(&all);
    let v = candidates.iter().map(|el| el.v).reduce(Value::hull).unwrap_or(Value::ANY);
    store.cell(El::new(set, v))
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
        return one(data.rearranged(store, shape, &map, El::known(0.0)));
    }
    let mut lines = Vec::new();
    let mut cells = Vec::with_capacity(total);
    for b in 0..before {
        for i in 0..indices.len() {
            let index = indices.el(store, i);
            if let Some(x) = index.point() {
                let start = (b * extent + position(x, extent)?) * after;
                cells.extend((start..start + after).map(|k| data.cell(store, k)));
                continue;
            }
            for a in 0..after {
                let key = (index.v.lo.to_bits(), index.v.hi.to_bits(), b, a);
                let cell = line(store, &data, &mut lines, key, index, [extent, after])?;
                cells.push(cell);
            }
        }
    }
    one(Tensor::cells(store, data.elem, shape, cells))
}

/// Results of [`line`], by the bounds of the index and by the indices of the line before and after
/// the gathered axis.
type Found = Vec<((u64, u64, usize, usize), El)>;

/// Any element of a line that an index within its bounds can mean.
fn line(
    store: &mut Store,
    data: &Tensor,
    found: &mut Found,
    key: (u64, u64, usize, usize),
    index: El,
    [extent, after]: [usize; 2],
) -> Result<Cell, Problem> {
    let (_, _, b, a) = key;
    let known = found.iter().rev().take(after.max(8)).find(|(k, _)| *k == key).map(|f| f.1);
    let all = match known {
        Some(el) => el,
        None => {
            let picked = reach(index.v, extent);
            store.work(picked.len())?;
            let els: Vec<El> =
                picked.iter().map(|i| data.el(store, (b * extent + i) * after + a)).collect();
            let v = els.iter().map(|e| e.v).reduce(Value::hull).unwrap_or(Value::ANY);
            let el = El::new(store.join(&els), v);
            found.push((key, el));
            el
        }
    };
    Ok(one_of(store, index, &[all]))
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
        let index = indices.el(store, i);
        cells.push(match index.point() {
            Some(x) => data.cell(store, start + position(x, extent)? * step),
            None => {
                let picked = reach(index.v, extent);
                store.work(picked.len())?;
                let els: Vec<El> =
                    picked.iter().map(|k| data.el(store, start + k * step)).collect();
                one_of(store, index, &els)
            }
        });
    }
    one(Tensor::cells(store, data.elem, indices.shape, cells))
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
                let start = base + at * block;
                cells.extend((start..start + block).map(|k| data.cell(store, k)));
            }
            Err(index) => {
                store.work(own)?;
                for k in 0..block {
                    let places = (0..own / block.max(1)).map(|p| base + p * block + k);
                    let els: Vec<El> = places.map(|i| data.el(store, i)).collect();
                    cells.push(one_of(store, index, &els));
                }
            }
        }
    }
    one(Tensor::cells(store, data.elem, shape, cells))
}

/// The position that an index tuple means among the given extents, or, if it is not known, the set
/// that it depends on.
pub(crate) fn tuple_position(
    store: &mut Store,
    indices: &Tensor,
    tuple: usize,
    extents: &[usize],
) -> Result<Result<usize, El>, Problem> {
    let mut at = 0usize;
    let mut unknown: Vec<El> = Vec::new();
    for (k, &extent) in extents.iter().enumerate() {
        let el = indices.el(store, tuple * extents.len() + k);
        match el.point() {
            Some(x) => at = at * extent + position(x, extent)?,
            None => unknown.push(el),
        }
    }
    if unknown.is_empty() {
        return Ok(Ok(at));
    }
    let set = store.join(&unknown);
    Ok(Err(El::new(set, Value::ANY)))
}

pub(super) fn one_hot(call: &mut Call) -> Results {
    let (indices, values) = (call.input(0)?, call.input(2)?);
    let depth = call.number(1)?.ok_or(Problem::Missing(1))?;
    let depth = if (0.0..1e12).contains(&depth) { depth as usize } else { 0 };
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
                let index = indices.el(store, b * after + a);
                let (x, n) = (d as f64, depth as f64);
                let near = |x: f64| index.v.lo < x + 1.0 && index.v.hi > x - 1.0;
                let el = match index.point().map(|i| position(i.trunc(), depth)) {
                    Some(Ok(p)) if p == d => on,
                    Some(_) => off,
                    None if near(x) || near(x - n) || index.v.nan => {
                        let v = on.v.hull(off.v);
                        El::new(store.join(&[index, on, off]), v)
                    }
                    // The position differs from this one whatever the unknown index is.
                    None => off,
                };
                cells.push(store.cell(el));
            }
        }
    }
    one(Tensor::cells(store, values.elem, shape, cells))
}

pub(super) fn non_zero(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let values = t.values().ok_or(Problem::NotConstant(0))?;
    let found: Vec<usize> =
        values.iter().enumerate().filter(|(_, x)| **x != 0.0).map(|(i, _)| i).collect();
    let shape = vec![t.rank(), found.len()];
    let store = call.store();
    store.spend(size(&shape)?)?;
    let mut list = Vec::with_capacity(size(&shape)?);
    for (&stride, &extent) in strides(&t.shape).iter().zip(&t.shape) {
        list.extend(found.iter().map(|i| (i / stride.max(1) as usize % extent.max(1)) as f64));
    }
    one(Tensor::known(store, Elem::Int(64), shape, list))
}

/// `Compress`: the slices along an axis (or elements, without an axis) that a constant condition
/// keeps.
pub(super) fn compress(call: &mut Call) -> Results {
    let mut t = call.input(0)?;
    let condition = call.numbers(1)?.ok_or(Problem::Missing(1))?;
    let along = match call.attribute("axis") {
        Some(_) => call.axis(0, t.rank())?,
        None => {
            let n = t.len();
            t = t.reshaped(call.store(), vec![n])?;
            0
        }
    };
    let mut sources: Vec<Vec<usize>> = t.shape.iter().map(|&d| (0..d).collect()).collect();
    if let Some(list) = sources.get_mut(along) {
        list.retain(|&i| condition.get(i).is_some_and(|&c| c != 0.0));
    }
    one(super::arrange::picked(call.store(), &t, &sources, El::known(0.0))?)
}

/// `ReverseSequence`: reverses the first elements of each sequence.
pub(super) fn reverse_sequence(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let lens = call.numbers(1)?.ok_or(Problem::Missing(1))?;
    let (batch, time) = (call.int("batch_axis", 1), call.int("time_axis", 0));
    let (batch, time) = (axis(batch, t.rank())?, axis(time, t.rank())?);
    let own = strides(&t.shape);
    let along = |i: usize, a: usize| {
        let step = own.get(a).copied().unwrap_or(1).max(1) as usize;
        i / step % t.shape.get(a).copied().unwrap_or(1).max(1)
    };
    let step = own.get(time).copied().unwrap_or(0) as usize;
    let map = |i: usize| {
        let n = lens.get(along(i, batch)).map_or(0, |&n| n.max(0.0) as usize);
        let at = along(i, time);
        if at < n { i - at * step + (n - 1 - at) * step } else { i }
    };
    let store = call.store();
    store.spend(t.len())?;
    let map: Vec<usize> = (0..t.len()).map(map).collect();
    one(t.rearranged(store, t.shape.clone(), &map, El::known(0.0)))
}
