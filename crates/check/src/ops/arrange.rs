//! Operators that move elements: concatenation, slices, padding, transposes and the like.

use crate::call::{Call, Results, one};
use crate::error::Problem;
use crate::item::Item;
use crate::store::{El, Store};
use crate::tensor::{FILL, Tensor, around, axis, size, strides, view};

pub(crate) fn transpose(call: &mut Call) -> Results {
    let t = call.thin(0)?;
    let perm = match call.ints("perm") {
        Some(list) => list.iter().map(|&a| axis(a, t.rank())).collect::<Result<_, _>>()?,
        None => (0..t.rank()).rev().collect::<Vec<_>>(),
    };
    one(t.transposed(call.store(), &perm)?)
}

pub(crate) fn concat(call: &mut Call) -> Results {
    let first = call.thin(0)?;
    let along = axis(call.int("axis", 0), first.rank())?;
    let parts: Vec<Tensor> =
        (0..call.inputs.len()).map(|i| call.input(i)).collect::<Result<_, _>>()?;
    one(joined(call.store(), &parts, along)?)
}

/// Concatenates tensors along an axis.
pub(crate) fn joined(store: &mut Store, parts: &[Tensor], along: usize) -> Result<Tensor, Problem> {
    let first = parts.first().ok_or(Problem::Missing(0))?;
    let mut shape = first.shape.clone();
    let mut total = 0usize;
    for part in parts {
        let same = part.rank() == first.rank()
            && (0..first.rank()).all(|i| i == along || part.shape.get(i) == first.shape.get(i));
        let extent = part.shape.get(along).copied().filter(|_| same);
        let fail = || Problem::Extents(first.shape.clone(), part.shape.clone());
        total = extent.and_then(|n| total.checked_add(n)).ok_or_else(fail)?;
    }
    if let Some(extent) = shape.get_mut(along) {
        *extent = total;
    }
    store.spend(size(&shape)?)?;
    let (before, _, after) = around(&shape, along);
    let block = |t: &Tensor| t.shape.get(along).copied().unwrap_or(0) * after;
    if let Some(lists) = parts.iter().map(Tensor::values).collect::<Option<Vec<_>>>() {
        let mut values = Vec::with_capacity(before * total * after);
        for b in 0..before {
            for (part, list) in parts.iter().zip(&lists) {
                let n = block(part);
                values.extend_from_slice(list.get(b * n..(b + 1) * n).unwrap_or(&[]));
            }
        }
        return Ok(Tensor::known(store, first.elem, shape, values));
    }
    let mut cells = Vec::with_capacity(before * total * after);
    for b in 0..before {
        for part in parts {
            let n = block(part);
            cells.extend((b * n..(b + 1) * n).map(|i| part.cell(store, i)));
        }
    }
    Ok(Tensor::cells(store, first.elem, shape, cells))
}

pub(crate) fn split(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let along = call.axis(0, t.rank())?;
    let (_, extent, _) = around(&t.shape, along);
    let listed = match call.ints("split") {
        Some(list) => Some(list.to_vec()),
        None => call.whole(1)?,
    };
    let sizes: Vec<usize> = match listed {
        Some(list) => list
            .iter()
            .map(|&n| usize::try_from(n).map_err(|_| Problem::Attribute("split")))
            .collect::<Result<_, _>>()?,
        None => {
            let parts = call.int("num_outputs", call.node.output.len() as i64).max(1) as usize;
            let each = extent.div_ceil(parts);
            (0..parts.min(extent.max(1)))
                .map(|k| each.min(extent.saturating_sub(k * each)))
                .collect()
        }
    };
    let mut results = Vec::with_capacity(sizes.len());
    let mut start = 0usize;
    for n in sizes {
        let end = start.checked_add(n).filter(|&e| e <= extent);
        let end = end.ok_or(Problem::Index { index: n as i64, extent })?;
        results.push(Item::Tensor(cut(call, &t, along, start, n)?));
        start = end;
    }
    Ok(results)
}

/// Positions `start..start + n` of an axis, which must exist.
fn cut(
    call: &mut Call,
    t: &Tensor,
    along: usize,
    start: usize,
    n: usize,
) -> Result<Tensor, Problem> {
    let own = strides(&t.shape);
    let mut shape = t.shape.clone();
    if let Some(extent) = shape.get_mut(along) {
        *extent = n;
    }
    let offset = own.get(along).copied().unwrap_or(0) * start as isize;
    t.viewed(call.store(), shape, &own, offset)
}

pub(crate) fn slice(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let rank = t.rank();
    let mut list = |name, input| match call.ints(name) {
        Some(list) => Ok(Some(list.to_vec())),
        None => call.whole(input),
    };
    let starts = list("starts", 1)?.ok_or(Problem::Missing(1))?;
    let ends = list("ends", 2)?.ok_or(Problem::Missing(2))?;
    let axes = match call.axes(3, rank)? {
        Some(axes) => axes,
        None => (0..starts.len().min(rank)).collect(),
    };
    let steps = call.whole(4)?.unwrap_or_else(|| vec![1; axes.len()]);
    if starts.len() != axes.len() || ends.len() != axes.len() || steps.len() != axes.len() {
        return Err(Problem::Extents(vec![starts.len(), ends.len()], vec![axes.len()]).into());
    }
    let mut shape = t.shape.clone();
    let mut steps_of = strides(&t.shape);
    let mut offset = 0isize;
    for (((&a, &start), &end), &step) in axes.iter().zip(&starts).zip(&ends).zip(&steps) {
        let (Some(extent), Some(stride)) = (shape.get_mut(a), steps_of.get_mut(a)) else {
            continue;
        };
        let n = *extent as i64;
        let from_end = |x: i64| if x < 0 { x.saturating_add(n) } else { x };
        let (first, count) = match step {
            0 => return Err(Problem::Form("has a step of zero").into()),
            1.. => {
                let (s, e) = (from_end(start).clamp(0, n), from_end(end).clamp(0, n));
                (s, (e - s).max(0).saturating_add(step - 1) / step)
            }
            _ if n == 0 => (0, 0),
            // The standard says that this is beyond the end, where a slice backward is empty. ONNX Runtime
            // reads it as "to the very beginning".
            _ if [i64::from(i32::MAX), i64::MAX].contains(&end) => {
                return Err(Problem::Form(
                    "has a negative step and the largest integer as its end, which engines read differently",
                )
                .into());
            }
            _ => {
                let (s, e) = (from_end(start).clamp(0, n - 1), from_end(end).clamp(-1, n - 1));
                let back = step.saturating_neg();
                (s, (s - e).max(0).saturating_add(back - 1) / back)
            }
        };
        *extent = count as usize;
        if count > 0 {
            offset += first as isize * *stride;
            // With a single element the step does not matter, however large it is.
            *stride = if count > 1 { *stride * step as isize } else { 0 };
        }
    }
    one(t.viewed(call.store(), shape, &steps_of, offset)?)
}

pub(crate) fn pad(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let rank = t.rank();
    let pads = match call.ints("pads") {
        Some(list) => list.to_vec(),
        None => call.whole(1)?.ok_or(Problem::Missing(1))?,
    };
    let axes = match call.whole(3)? {
        Some(list) => list.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(Problem::Extents(vec![pads.len()], vec![2 * axes.len()]).into());
    }
    let fill = match call.optional(2)? {
        Some(value) => value.el(call.store(), 0),
        None => El::known(call.float("value", 0.0)),
    };
    let mode = call.text("mode").unwrap_or("constant");
    // For each axis, the source of each position.
    let mut sources: Vec<Vec<usize>> = t.shape.iter().map(|&d| (0..d).collect()).collect();
    let (before, after) = pads.split_at(axes.len());
    for ((&a, &low), &high) in axes.iter().zip(before).zip(after) {
        let n = t.shape.get(a).copied().unwrap_or(0) as i64;
        let extent = n.checked_add(low).and_then(|e| e.checked_add(high));
        let extent = extent.ok_or(Problem::Attribute("pads"))?.max(0);
        call.store().spend(size(&[extent as usize])?)?;
        let source = |k: i64| {
            let i = k - low;
            let i = match mode {
                _ if (0..n).contains(&i) => i,
                "edge" => i.clamp(0, n - 1),
                "reflect" if n > 1 => {
                    let period = 2 * (n - 1);
                    let r = i.rem_euclid(period);
                    r.min(period - r)
                }
                "wrap" if n > 0 => i.rem_euclid(n),
                _ => -1,
            };
            usize::try_from(i).unwrap_or(FILL)
        };
        if let Some(list) = sources.get_mut(a) {
            *list = (0..extent).map(source).collect();
        }
    }
    one(picked(call.store(), &t, &sources, fill)?)
}

/// Gathers elements by a list of source positions for each axis. Where an axis has [`FILL`], the
/// result is the fill value.
pub(crate) fn picked(
    store: &mut Store,
    t: &Tensor,
    sources: &[Vec<usize>],
    fill: El,
) -> Result<Tensor, Problem> {
    let shape: Vec<usize> = sources.iter().map(Vec::len).collect();
    let total = size(&shape)?;
    store.spend(total)?;
    let mut map = if total == 0 { Vec::new() } else { vec![0usize] };
    for (list, &extent) in sources.iter().zip(&t.shape) {
        let mut next = Vec::with_capacity(map.len() * list.len());
        for &base in &map {
            next.extend(list.iter().map(|&i| match (base, i) {
                (FILL, _) | (_, FILL) => FILL,
                _ => base * extent + i,
            }));
        }
        map = next;
    }
    Ok(t.rearranged(store, shape, &map, fill))
}

pub(crate) fn tile(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let repeats = call.whole(1)?.ok_or(Problem::Missing(1))?;
    if repeats.len() != t.rank() {
        return Err(Problem::Extents(t.shape.clone(), vec![repeats.len()]).into());
    }
    let mut sources = Vec::with_capacity(t.rank());
    for (&d, &r) in t.shape.iter().zip(&repeats) {
        let r = usize::try_from(r).map_err(|_| Problem::Form("repeats less than zero times"))?;
        let n = size(&[d, r])?;
        call.store().spend(n)?;
        sources.push((0..n).map(|i| i % d).collect());
    }
    one(picked(call.store(), &t, &sources, El::known(0.0))?)
}

pub(crate) fn trilu(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let k = call.number(1)?.unwrap_or(0.0) as i64;
    let upper = call.int("upper", 1) != 0;
    let [.., rows, columns] = t.shape[..] else {
        return Err(Problem::Rank { input: 0, found: t.rank() }.into());
    };
    let keep = |i: usize| {
        let (y, x) = ((i / columns % rows) as i64, (i % columns) as i64);
        let ahead = x - y;
        if upper { ahead >= k } else { ahead <= k }
    };
    let map: Vec<usize> = (0..t.len()).map(|i| if keep(i) { i } else { FILL }).collect();
    one(t.rearranged(call.store(), t.shape.clone(), &map, El::known(0.0)))
}

fn block(call: &Call, t: &Tensor) -> Result<([usize; 4], usize), Problem> {
    let &[n, c, h, w] = &t.shape[..] else {
        return Err(Problem::Rank { input: 0, found: t.rank() });
    };
    let b = usize::try_from(call.int("blocksize", 0)).ok().filter(|&b| b > 0 && b < 1 << 20);
    Ok(([n, c, h, w], b.ok_or(Problem::Attribute("blocksize"))?))
}

/// Reshape, transpose, reshape: `DepthToSpace` and similar operators.
fn shuffle(
    call: &mut Call,
    t: &Tensor,
    split: [usize; 6],
    perm: [usize; 6],
    shape: [usize; 4],
) -> Results {
    let store = call.store();
    let t = t.reshaped(store, split.to_vec())?.transposed(store, &perm)?;
    one(t.reshaped(store, shape.to_vec())?)
}

pub(crate) fn depth_to_space(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let ([n, c, h, w], b) = block(call, &t)?;
    let depth = c / (b * b);
    let shape = [n, depth, h * b, w * b];
    match call.text("mode") {
        Some("CRD") => shuffle(call, &t, [n, depth, b, b, h, w], [0, 1, 4, 2, 5, 3], shape),
        _ => shuffle(call, &t, [n, b, b, depth, h, w], [0, 3, 4, 1, 5, 2], shape),
    }
}

pub(crate) fn space_to_depth(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let ([n, c, h, w], b) = block(call, &t)?;
    let (rows, columns) = (h / b, w / b);
    let shape = [n, c * b * b, rows, columns];
    shuffle(call, &t, [n, c, rows, b, columns, b], [0, 3, 5, 1, 2, 4], shape)
}

/// Slice `at` of a tensor along an axis: its shape, without that axis, and the source position of
/// each element.
pub(crate) fn slab(t: &Tensor, along: usize, at: usize) -> (Vec<usize>, Vec<usize>) {
    let own = strides(&t.shape);
    let offset = own.get(along).copied().unwrap_or(0) * at as isize;
    let keep = |i: &usize| *i != along;
    let shape: Vec<usize> =
        (0..t.rank()).filter(keep).filter_map(|i| t.shape.get(i).copied()).collect();
    let steps: Vec<isize> =
        (0..t.rank()).filter(keep).filter_map(|i| own.get(i).copied()).collect();
    let map = view(&shape, &steps, offset);
    (shape, map)
}

/// `CenterCropPad`: the center of some axes, cropped or padded with zeros.
pub(crate) fn center_crop_pad(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let wanted = call.whole(1)?.ok_or(Problem::Missing(1))?;
    let axes: Vec<usize> = match call.ints("axes") {
        Some(list) => list.iter().map(|&a| axis(a, t.rank())).collect::<Result<_, _>>()?,
        None => (0..t.rank()).collect(),
    };
    let mut sources: Vec<Vec<usize>> = t.shape.iter().map(|&d| (0..d).collect()).collect();
    for (&a, &to) in axes.iter().zip(&wanted) {
        let from = t.shape.get(a).copied().unwrap_or(0);
        let to = usize::try_from(to).map_err(|_| Problem::Form("has a negative extent"))?;
        size(&[to])?;
        call.store().spend(to)?;
        let shift = |k: usize| match from >= to {
            true => k + (from - to) / 2,
            false => k.checked_sub((to - from) / 2).filter(|&i| i < from).unwrap_or(FILL),
        };
        if let Some(list) = sources.get_mut(a) {
            *list = (0..to).map(shift).collect();
        }
    }
    one(picked(call.store(), &t, &sources, El::known(0.0))?)
}
