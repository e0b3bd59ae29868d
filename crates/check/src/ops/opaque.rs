//! Operators that are not modeled exactly. Their results depend on all inputs, or on all of a part
//! of them. The verdict names them if that matters.

use super::arrange::picked;
use super::lines::Lines;
use super::reduce::mix;
use crate::call::{Call, Results, one};
use crate::elem::Elem;
use crate::error::Problem;
use crate::item::Item;
use crate::sets::EMPTY;
use crate::store::{Cell, El, Store};
use crate::tensor::{Tensor, axis, size};
use crate::value::Value;

/// The set that a result of an opaque operator depends on, given the set of its inputs. Records the
/// operator. The result is empty under [`Assume::clear`](crate::store::Assume), for an
/// underestimate.
pub(crate) fn blurred(store: &mut Store, op_type: &str, set: u32) -> u32 {
    if set == EMPTY {
        return EMPTY;
    }
    if !store.uncertain.iter().any(|(op, _)| op == op_type) {
        let node = store.node.clone();
        store.uncertain.push((op_type.to_string(), node));
    }
    if store.assume.clear { EMPTY } else { set }
}

/// Results that depend on all inputs.
pub(super) fn all(call: &mut Call, shapes: Vec<(Elem, Vec<usize>)>) -> Results {
    let op_type = call.node.op_type();
    let inputs: Vec<Tensor> =
        call.inputs.iter().flatten().flat_map(|i| i.tensors().to_vec()).collect();
    let store = call.store();
    let mut set = EMPTY;
    for t in inputs {
        let own = t.total(store);
        set = store.sets.union(set, own);
    }
    let set = blurred(store, op_type, set);
    let mut results: Vec<Item> = Vec::new();
    for (elem, shape) in shapes {
        size(&shape)?;
        let v = store.settle(elem, Value::any_of(elem));
        results.push(Tensor::filled(store, elem, shape, El::new(set, v)).into());
    }
    Ok(results)
}

/// A result that depends on the whole image.
pub(super) fn everything(call: &mut Call, elem: Elem, shape: Vec<usize>) -> Results {
    let op_type = call.node.op_type();
    let store = call.store();
    let all = store.sets.all();
    let set = blurred(store, op_type, all);
    one(Tensor::filled(store, elem, shape, El::new(set, Value::any_of(elem))))
}

/// `GridSample`. With a constant grid, each result depends on the pixels that it may read.
/// Otherwise it depends on the whole map and on its own grid position.
pub(super) fn grid_sample(call: &mut Call) -> Results {
    let (x, grid) = (call.input(0)?, call.input(1)?);
    let [images, channels, ..] = x.shape[..] else {
        return Err(Problem::Rank { input: 0, found: x.rank() }.into());
    };
    let (Some(&depth), inner) = (grid.shape.last(), grid.shape.get(1..grid.rank().max(1) - 1))
    else {
        return Err(Problem::Rank { input: 1, found: 0 }.into());
    };
    let places: usize = inner.unwrap_or(&[]).iter().product();
    let area: usize = x.shape.iter().skip(2).product();
    let mut shape = vec![images, channels];
    shape.extend(inner.unwrap_or(&[]));
    let sampler = Sampler::new(call, &x);
    let store = call.store();
    store.spend(size(&shape)?)?;
    let mut cells = Vec::with_capacity(size(&shape)?);
    for map in 0..images * channels {
        let line: Vec<El> = (0..area).map(|i| x.el(store, map * area + i)).collect();
        let whole = store.join(&line);
        let hull = line.iter().map(|e| e.v).reduce(Value::hull).unwrap_or(Value::ZERO);
        // Cubic interpolation overshoots the range of its inputs.
        let top = hull.magnitude() * 4.0;
        let v = if hull.is_finite() { Value::range(-top, top) } else { Value::ANY };
        for place in 0..places {
            let at = (map / channels.max(1) * places + place) * depth;
            if let Some(taps) = sampler.as_ref().and_then(|s| s.taps(store, &grid, at)) {
                let read: Vec<El> = taps.iter().filter_map(|&i| line.get(i).copied()).collect();
                let set = store.join(&read);
                let v = if taps.is_empty() { Value::ZERO } else { v };
                cells.push(store.cell(El::new(set, v)));
                continue;
            }
            let mut all: Vec<El> = (0..depth).map(|k| grid.el(store, at + k)).collect();
            all.push(El { a: whole, b: EMPTY, v });
            let set = store.join(&all);
            let set = blurred(store, "GridSample", set);
            cells.push(store.cell(El::new(set, v)));
        }
    }
    one(Tensor::cells(store, x.elem, shape, cells))
}

/// Which pixels `GridSample` reads, for constant grids and maps with two axes.
struct Sampler {
    extents: [usize; 2],
    aligned: bool,
    /// The first and last tap along an axis, relative to the floor of the sampled position. `None`
    /// for nearest neighbor.
    around: Option<(i64, i64)>,
    padding: Padding,
}

#[derive(Clone, Copy, PartialEq)]
enum Padding {
    Zeros,
    Border,
    Reflection,
}

impl Sampler {
    fn new(call: &Call, x: &Tensor) -> Option<Sampler> {
        let [_, _, h, w] = x.shape[..] else { return None };
        let around = match call.text("mode").unwrap_or("linear") {
            "linear" | "bilinear" => Some((0, 1)),
            "cubic" | "bicubic" => Some((-1, 2)),
            "nearest" => None,
            _ => return None,
        };
        let padding = match call.text("padding_mode").unwrap_or("zeros") {
            "zeros" => Padding::Zeros,
            "border" => Padding::Border,
            "reflection" => Padding::Reflection,
            _ => return None,
        };
        (h > 0 && w > 0).then_some(Sampler {
            extents: [h, w],
            aligned: call.flag("align_corners"),
            around,
            padding,
        })
    }

    /// The pixels that a sample may read; `None` if its position is not constant, or is reflected.
    fn taps(&self, store: &Store, grid: &Tensor, at: usize) -> Option<Vec<usize>> {
        let [h, w] = self.extents;
        // The grid stores the column first, then the row.
        let (x, y) = (grid.el(store, at).point()?, grid.el(store, at + 1).point()?);
        let (rows, columns) = (self.along(y, h)?, self.along(x, w)?);
        let pixels = rows.iter().flat_map(|row| columns.iter().map(move |column| row * w + column));
        Some(pixels.collect())
    }

    /// The positions read along one axis. A position near an integer may be rounded either way.
    fn along(&self, g: f64, extent: usize) -> Option<Vec<usize>> {
        let n = extent as f64;
        let place =
            if self.aligned { (g + 1.0) / 2.0 * (n - 1.0) } else { ((g + 1.0) * n - 1.0) / 2.0 };
        if place.is_nan() || place.abs() > 1e6 {
            return None;
        }
        let slack = 1e-4 * (n + place.abs());
        let (first, last) = match self.around {
            Some((before, after)) => {
                ((place - slack).floor() as i64 + before, (place + slack).floor() as i64 + after)
            }
            None => ((place - slack - 0.5).ceil() as i64 - 1, (place + slack + 0.5).floor() as i64),
        };
        let end = extent as i64 - 1;
        let inside = |i: i64| (0..=end).contains(&i);
        match self.padding {
            Padding::Reflection if !inside(first) || !inside(last) => None,
            Padding::Border => {
                let (a, b) = (first.clamp(0, end), last.clamp(0, end));
                Some((a..=b).map(|i| i as usize).collect())
            }
            _ => Some((first..=last).filter(|&i| inside(i)).map(|i| i as usize).collect()),
        }
    }
}

/// Every element depends on the lines through it along `axes`, and on all of the other inputs.
fn lines_of(call: &mut Call, axes: &[usize], v: Value) -> Result<Tensor, Problem> {
    let op_type = call.node.op_type();
    let t = call.input(0)?;
    let others: Vec<Tensor> = (1..call.inputs.len())
        .filter_map(|i| call.inputs.get(i)?.as_ref()?.tensor().cloned())
        .collect();
    let store = call.store();
    let mut extra = EMPTY;
    for t in others {
        let own = t.total(store);
        extra = store.sets.union(extra, own);
    }
    let mixed = mix(store, &t, axes, &|_| v)?;
    let mut cells = mixed.all_cells(store);
    for cell in &mut cells {
        let el = store.el(*cell);
        let own = store.set_of(el);
        let set = store.sets.union(own, extra);
        let set = blurred(store, op_type, set);
        *cell = store.cell(El::new(set, el.v));
    }
    Ok(Tensor::cells(store, t.elem, mixed.shape, cells))
}

/// `RotaryEmbedding`: rotates pairs of features by angles.
pub(super) fn rotary(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let last = axis(-1, t.rank())?;
    let hull = t.hull(call.store());
    let top = hull.magnitude() * 2.1;
    let v = if hull.is_finite() { Value::range(-top, top) } else { Value::ANY };
    one(lines_of(call, &[last], v)?)
}

pub(super) fn affine_grid(call: &mut Call) -> Results {
    let shape = call.whole(1)?.ok_or(Problem::Missing(1))?;
    let elem = call.thin(0)?.elem;
    let mut out: Vec<usize> = shape.iter().map(|&d| usize::try_from(d).unwrap_or(0)).collect();
    if out.len() < 3 {
        return Err(Problem::Extents(out, Vec::new()).into());
    }
    out.remove(1);
    out.push(shape.len() - 2);
    all(call, vec![(elem, out)])
}

/// `Col2Im`: every map depends on all of its blocks.
pub(super) fn col2im(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let image = call.whole(1)?.ok_or(Problem::Missing(1))?;
    let block = call.whole(2)?.ok_or(Problem::Missing(2))?;
    let per = block.iter().product::<i64>().max(1) as usize;
    let [images, channels, _] = t.shape[..] else {
        return Err(Problem::Rank { input: 0, found: t.rank() }.into());
    };
    let mut shape = vec![images, channels / per];
    shape.extend(image.iter().map(|&d| usize::try_from(d).unwrap_or(0)));
    all(call, vec![(t.elem, shape)])
}

/// `DFT`: every element depends on a whole line.
pub(super) fn dft(call: &mut Call) -> Results {
    if call.flag("onesided") || call.has(1) {
        return Err(Problem::Form("has `onesided` or a length, which is not modeled").into());
    }
    let t = call.input(0)?;
    let last = axis(-1, t.rank())?;
    let along = match call.number(2)? {
        Some(a) => axis(a as i64, t.rank())?,
        None => axis(call.int("axis", 1), t.rank())?,
    };
    let complex = t.shape.last() == Some(&2);
    let mixed = lines_of(call, &[along, last], Value::ANY)?;
    if complex {
        return one(mixed);
    }
    let mut sources: Vec<Vec<usize>> = mixed.shape.iter().map(|&d| (0..d).collect()).collect();
    if let Some(list) = sources.last_mut() {
        *list = vec![0, 0];
    }
    one(picked(call.store(), &mixed, &sources, El::known(0.0))?)
}

/// Losses over classes: one number per target, or a single one with a reduction.
pub(super) fn loss(call: &mut Call) -> Results {
    let (scores, target) = (call.thin(0)?, call.thin(1)?);
    let shape = match call.text("reduction").unwrap_or("mean") {
        "none" => target.shape,
        _ => Vec::new(),
    };
    all(call, vec![(scores.elem, shape), (scores.elem, scores.shape)])
}

/// `DeformConv`, whose taps move: every result depends on whole maps.
pub(super) fn deform_conv(call: &mut Call) -> Results {
    let (x, w, offset) = (call.thin(0)?, call.thin(1)?, call.thin(2)?);
    let mut shape =
        vec![x.shape.first().copied().unwrap_or(0), w.shape.first().copied().unwrap_or(0)];
    shape.extend(offset.shape.iter().skip(2));
    all(call, vec![(x.elem, shape)])
}

/// `Bernoulli`: each sample depends on its own probability.
pub(super) fn bernoulli(call: &mut Call) -> Results {
    let t = call.thin(0)?;
    let elem = call.elem("dtype")?.unwrap_or(t.elem);
    let f = |v: Value| if v.is_zero() { v } else { Value::TRUTH };
    one(super::elementwise::map(call.store(), &t, elem, &f)?)
}

pub(super) fn multinomial(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let n = usize::try_from(call.int("sample_size", 1)).unwrap_or(1);
    let elem = call.elem("dtype")?.unwrap_or(Elem::Int(32));
    let [rows, classes] = t.shape[..] else {
        return Err(Problem::Rank { input: 0, found: t.rank() }.into());
    };
    let store = call.store();
    store.spend(size(&[rows, n])?)?;
    let lines = Lines::new(&t, &[1]);
    let mut cells: Vec<Cell> = Vec::with_capacity(rows * n);
    for &start in &lines.starts {
        let line = lines.read(store, &t, start);
        let set = store.join(&line);
        let v = Value::range(0.0, (classes as f64 - 1.0).max(1.0));
        let cell = store.cell(El::new(set, v));
        cells.extend(std::iter::repeat_n(cell, n));
    }
    one(Tensor::cells(store, elem, vec![rows, n], cells))
}

/// `RoiAlign` and the like: regions of maps, at positions that are inputs.
pub(super) fn regions(call: &mut Call) -> Results {
    let (x, rois) = (call.thin(0)?, call.thin(1)?);
    let extent = |n: i64| usize::try_from(n).ok().filter(|&n| n > 0);
    let (height, width) = match call.ints("pooled_shape") {
        Some(&[h, w]) => (extent(h), extent(w)),
        Some(_) => (None, None),
        None => (extent(call.int("output_height", 1)), extent(call.int("output_width", 1))),
    };
    let (Some(height), Some(width)) = (height, width) else {
        return Err(Problem::Attribute("pooled_shape").into());
    };
    let count = rois.shape.first().copied().unwrap_or(0);
    let channels = x.shape.get(1).copied().unwrap_or(0);
    all(call, vec![(x.elem, vec![count, channels, height, width])])
}
