//! Reductions, softmax and normalisations: they read whole axes.

use super::super::call::{Call, Results};
use super::super::error::Problem;
use super::super::store::{EMPTY, El, Store};
use super::super::tensor::{Kind, Tensor, around, axis, strides, view};
use super::elementwise::apply;

/// Beside unknown logits, a known one this low has weight zero.
const NEGLIGIBLE: f64 = -1e4;

/// A tensor seen as lines along some of its axes.
struct Lines {
    /// Where each line starts, in row-major order of the other axes.
    starts: Vec<usize>,
    /// From a start to each element of its line.
    steps: Vec<usize>,
    /// The extents of the other axes; with extent one in place of the reduced ones.
    rest: Vec<usize>,
    kept: Vec<usize>,
}

impl Lines {
    fn new(t: &Tensor, axes: &[usize]) -> Lines {
        let own = strides(&t.shape);
        let part = |inside: bool| -> (Vec<usize>, Vec<isize>) {
            let wanted = (0..t.rank()).filter(|i| axes.contains(i) == inside);
            wanted.filter_map(|i| Some((*t.shape.get(i)?, *own.get(i)?))).unzip()
        };
        let ((rest, outer), (inner, inner_strides)) = (part(false), part(true));
        let one = |(i, &d): (usize, &usize)| if axes.contains(&i) { 1 } else { d };
        Lines {
            starts: view(&rest, &outer, 0),
            steps: view(&inner, &inner_strides, 0),
            kept: t.shape.iter().enumerate().map(one).collect(),
            rest,
        }
    }

    /// Gives each line's results to the elements of the line.
    fn scatter<T: Copy>(&self, filler: T, n: usize, results: Vec<Vec<T>>) -> Vec<T> {
        let mut out = vec![filler; n];
        for (start, line) in self.starts.iter().zip(results) {
            for (step, value) in self.steps.iter().zip(line) {
                if let Some(slot) = out.get_mut(start + step) {
                    *slot = value;
                }
            }
        }
        out
    }
}

fn read(store: &Store, t: &Tensor, start: usize, lines: &Lines) -> Vec<El> {
    lines.steps.iter().map(|step| t.el(store, start + step)).collect()
}

/// The union of the sets of some elements.
fn join(store: &mut Store, els: &[El]) -> u32 {
    store.begin();
    for el in els {
        if let El::Set(id) = el {
            store.add(*id);
        }
    }
    store.end()
}

/// The numbers of a line, if all are known.
fn all_known(els: &[El]) -> Option<Vec<f64>> {
    let number = |el: &El| match el {
        El::Known(x) => Some(*x),
        El::Set(_) => None,
    };
    els.iter().map(number).collect()
}

fn fold(op_type: &str, v: &[f64]) -> f64 {
    let n = v.len() as f64;
    let sum = |f: fn(f64) -> f64| v.iter().map(|&x| f(x)).sum::<f64>();
    match op_type {
        "ReduceSum" => sum(|x| x),
        "ReduceMean" => sum(|x| x) / n,
        "ReduceMax" => v.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        "ReduceMin" => v.iter().copied().fold(f64::INFINITY, f64::min),
        "ReduceProd" => v.iter().product(),
        "ReduceL1" => sum(f64::abs),
        "ReduceL2" => sum(|x| x * x).sqrt(),
        "ReduceLogSum" => sum(|x| x).ln(),
        "ReduceLogSumExp" => sum(f64::exp).ln(),
        _ => sum(|x| x * x),
    }
}

pub(super) fn reduce(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let op_type = call.node.op_type();
    let axes = match call.axes(1, t.rank())? {
        Some(axes) if !axes.is_empty() => axes,
        _ if call.int("noop_with_empty_axes", 0) != 0 => return Ok(vec![t]),
        _ => (0..t.rank()).collect(),
    };
    let keep = call.int("keepdims", 1) != 0;
    let store = call.store();
    store.spend(t.len())?;
    let lines = Lines::new(&t, &axes);
    let mut cells = Vec::with_capacity(lines.starts.len());
    for &start in &lines.starts {
        let line = read(store, &t, start, &lines);
        let zero = |el: &El| matches!(el, El::Known(x) if *x == 0.0);
        let el = match all_known(&line) {
            Some(v) => El::Known(fold(op_type, &v)),
            None if op_type == "ReduceProd" && line.iter().any(zero) => El::Known(0.0),
            None => El::Set(join(store, &line)),
        };
        cells.push(store.cell(el));
    }
    let shape = if keep { lines.kept } else { lines.rest };
    Ok(vec![Tensor::cells(store, t.kind, shape, cells)])
}

/// Every element reads all of its line; known lines become opaque.
pub(super) fn mix(store: &mut Store, t: &Tensor, axes: &[usize]) -> Result<Tensor, Problem> {
    store.spend(t.len())?;
    let lines = Lines::new(t, axes);
    let opaque = store.cell(El::Set(EMPTY));
    let mut results = Vec::with_capacity(lines.starts.len());
    for &start in &lines.starts {
        let line = read(store, t, start, &lines);
        let id = join(store, &line);
        results.push(vec![store.cell(El::Set(id)); line.len()]);
    }
    let cells = lines.scatter(opaque, t.len(), results);
    Ok(Tensor::cells(store, Kind::Float, t.shape.clone(), cells))
}

pub(super) fn arg(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let along = call.axis(0, t.rank())?;
    let keep = call.int("keepdims", 1) != 0;
    let store = call.store();
    let lines = Lines::new(&t, &[along]);
    store.spend(t.len())?;
    let mut cells = Vec::with_capacity(lines.starts.len());
    for &start in &lines.starts {
        let line = read(store, &t, start, &lines);
        let id = join(store, &line);
        cells.push(store.cell(El::Set(id)));
    }
    let shape = if keep { lines.kept } else { lines.rest };
    Ok(vec![Tensor::cells(store, Kind::Int, shape, cells)])
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
    let mixed = mix(store, &t, &[along])?;
    let mut shape = t.shape.clone();
    if let Some(slot) = shape.get_mut(along) {
        *slot = k;
    }
    let y = mixed.viewed(store, shape, &strides(&t.shape), 0)?;
    Ok(vec![y.clone(), Tensor { kind: Kind::Int, ..y }])
}

/// Masked logits, far below the others, have weight zero and are not read.
pub(super) fn softmax(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let axes = if call.opset() < 13 {
        // The older form flattens all axes from this one on.
        (call.axis(1, t.rank())?..t.rank()).collect()
    } else {
        vec![call.axis(-1, t.rank())?]
    };
    let log = call.node.op_type() == "LogSoftmax";
    let hard = call.node.op_type() == "Hardmax";
    let store = call.store();
    store.spend(t.len())?;
    let lines = Lines::new(&t, &axes);
    let mut results = Vec::with_capacity(lines.starts.len());
    for &start in &lines.starts {
        let mut line = read(store, &t, start, &lines);
        match all_known(&line) {
            Some(v) if !hard => {
                let top = v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = v.iter().map(|x| (x - top).exp()).sum();
                let of = |x: f64| if log { x - top - sum.ln() } else { (x - top).exp() / sum };
                line = v.into_iter().map(|x| El::Known(of(x))).collect();
            }
            _ => {
                let masked = |el: &El| matches!(el, El::Known(x) if *x <= NEGLIGIBLE);
                let live = line.iter().filter(|el| !masked(el)).count();
                let id = join(store, &line);
                let result = match live {
                    // One choice is no choice: its weight is one.
                    1 => El::Known(if log { 0.0 } else { 1.0 }),
                    _ => El::Set(id),
                };
                let none = El::Known(if log { f64::NEG_INFINITY } else { 0.0 });
                line = line.iter().map(|el| if masked(el) { none } else { result }).collect();
            }
        }
        results.push(line.into_iter().map(|el| store.cell(el)).collect());
    }
    let opaque = store.cell(El::Set(EMPTY));
    let cells = lines.scatter(opaque, t.len(), results);
    Ok(vec![Tensor::cells(store, Kind::Float, t.shape, cells)])
}

pub(super) fn cum_sum(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let along = call.number(1)?.ok_or(Problem::Missing(1))? as i64;
    let along = axis(along, t.rank())?;
    let (exclusive, reverse) = (call.int("exclusive", 0) != 0, call.int("reverse", 0) != 0);
    let store = call.store();
    store.spend(t.len())?;
    let lines = Lines::new(&t, &[along]);
    let mut results = Vec::with_capacity(lines.starts.len());
    for &start in &lines.starts {
        let mut line = read(store, &t, start, &lines);
        if reverse {
            line.reverse();
        }
        let mut sum = El::Known(0.0);
        let mut sums = Vec::with_capacity(line.len());
        for el in line {
            let next = match (sum, el) {
                (El::Known(x), El::Known(y)) => El::Known(x + y),
                (El::Set(a), El::Set(b)) => El::Set(store.union(a, b)),
                (El::Set(a), _) | (_, El::Set(a)) => El::Set(a),
            };
            sums.push(store.cell(if exclusive { sum } else { next }));
            sum = next;
        }
        if reverse {
            sums.reverse();
        }
        results.push(sums);
    }
    let opaque = store.cell(El::Set(EMPTY));
    let cells = lines.scatter(opaque, t.len(), results);
    Ok(vec![Tensor::cells(store, t.kind, t.shape, cells)])
}

pub(super) fn layer_normalization(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let first = call.axis(-1, t.rank())?;
    let axes: Vec<usize> = (first..t.rank()).collect();
    let (scale, offset) = (call.input(1)?, call.optional(2));
    let store = call.store();
    let mixed = mix(store, &t, &axes)?;
    let mut y = apply(store, "Mul", &mixed, &scale)?;
    if let Some(offset) = offset {
        y = apply(store, "Add", &y, &offset)?;
    }
    let zeros: Vec<isize> = strides(&t.shape)
        .into_iter()
        .enumerate()
        .map(|(i, s)| if i < first { s } else { 0 })
        .collect();
    let shape = t.shape.iter().enumerate().map(|(i, &d)| if i < first { d } else { 1 }).collect();
    let statistics = mixed.viewed(store, shape, &zeros, 0)?;
    Ok(vec![y, statistics.clone(), statistics])
}

/// Groups of channels with all their positions; `groups` of `None` is a group for each channel.
fn grouped(call: &mut Call, groups: Option<usize>) -> Results {
    let t = call.input(0)?;
    let (scale, offset) = (call.input(1)?, call.input(2)?);
    let [images, channels, ..] = t.shape[..] else {
        return Err(Problem::Rank { input: 0, found: t.rank() }.into());
    };
    let groups = groups.unwrap_or(channels).max(1);
    let per_group = t.len().checked_div(images * groups).unwrap_or(0);
    let store = call.store();
    let y = mix(store, &t.reshaped(vec![images, groups, per_group])?, &[2])?;
    let mut y = y.reshaped(t.shape.clone())?;
    for (op, factor) in [("Mul", scale), ("Add", offset)] {
        // One number for each channel, or, in the older form, for each group.
        let each = channels.checked_div(factor.len()).unwrap_or(0);
        let list = factor.reshaped(vec![factor.len(), 1])?;
        let list = list.broadcast(store, &[factor.len(), each])?;
        let mut shape = vec![1; t.rank()];
        if let Some(slot) = shape.get_mut(1) {
            *slot = channels;
        }
        y = apply(store, op, &y, &list.reshaped(shape)?)?;
    }
    Ok(vec![y])
}

pub(super) fn group_normalization(call: &mut Call) -> Results {
    let groups = usize::try_from(call.int("num_groups", 1)).ok();
    grouped(call, Some(groups.filter(|&g| g > 0).ok_or(Problem::Attribute("num_groups"))?))
}

pub(super) fn instance_normalization(call: &mut Call) -> Results {
    grouped(call, None)
}

pub(super) fn lp_normalization(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let along = call.axis(-1, t.rank())?;
    Ok(vec![mix(call.store(), &t, &[along])?])
}

pub(super) fn mean_variance_normalization(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let axes = call.axes(usize::MAX, t.rank())?.unwrap_or_else(|| vec![0, 2, 3]);
    Ok(vec![mix(call.store(), &t, &axes)?])
}
