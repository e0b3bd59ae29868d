//! Resizing: for each axis, the source positions of every output position.

use super::product::finite;
use crate::call::{Call, Results, one};
use crate::error::Problem;
use crate::store::{Cell, El};
use crate::tensor::{Tensor, around, axis, size};
use crate::value::{Value, loose};

/// How one axis is resized.
struct Axis {
    /// For each output position, the input positions with a nonzero weight.
    sources: Vec<Vec<usize>>,
}

/// How positions of an axis map to its source: mode, coordinate transformation, antialiasing.
struct CoordinateRule<'c> {
    mode: &'c str,
    transform: &'c str,
    nearest: &'c str,
    antialias: bool,
    /// Whether values may be infinite. Then neighbors with a weight of zero count, too, since zero
    /// times infinity is NaN.
    wide: bool,
}

impl CoordinateRule<'_> {
    /// The input coordinate of an output position, and whether it is exact.
    fn place(&self, i: usize, from: usize, to: usize, scale: f64) -> (f64, bool) {
        let x = i as f64;
        let exact = |p: f64, q: f64| ((p / q), (p / q).mul_add(q, -p) == 0.0);
        let halved = |x: f64| {
            let (q, e) = exact(x + 0.5, scale);
            (q - 0.5, e)
        };
        match self.transform {
            "asymmetric" => exact(x, scale),
            "align_corners" if to > 1 => exact(x * (from as f64 - 1.0), to as f64 - 1.0),
            "align_corners" => (0.0, true),
            "pytorch_half_pixel" if to <= 1 => (0.0, true),
            "tf_half_pixel_for_nn" => exact(x + 0.5, scale),
            "half_pixel_symmetric" => {
                let adjusted = to as f64 / (scale * from as f64);
                let center = from as f64 / 2.0;
                let (q, _) = exact(x + 0.5, scale);
                (center * (1.0 - adjusted) + q - 0.5, adjusted == 1.0)
            }
            _ => halved(x),
        }
    }

    fn sources(&self, i: usize, from: usize, to: usize, scale: f64) -> Vec<usize> {
        let (at, exact) = self.place(i, from, to, scale);
        let last = from.saturating_sub(1) as f64;
        let clamp = |x: f64| x.clamp(0.0, last) as usize;
        let slack = if exact { 0.0 } else { 1e-4 };
        // An `f32` computation may give a slightly different coordinate.
        let mut list: Vec<usize> = match self.mode {
            "nearest" => {
                let round = |x: f64| match self.nearest {
                    "floor" => x.floor(),
                    "ceil" => x.ceil(),
                    "round_prefer_ceil" => (x + 0.5).floor(),
                    _ => (x - 0.5).ceil(),
                };
                vec![clamp(round(at - slack)), clamp(round(at)), clamp(round(at + slack))]
            }
            mode => {
                let stretch = if self.antialias && scale < 1.0 { 1.0 / scale } else { 1.0 };
                let more = if self.wide { 1.0 } else { 0.0 };
                let reach = if mode == "cubic" { 2.0 } else { 1.0 } * stretch + slack + more;
                let (first, end) = ((at - reach).ceil() as i64, (at + reach).floor() as i64);
                // At the end of its reach, an interpolation weight is zero.
                let has = |&p: &i64| ((p as f64) - at).abs() < reach || slack > 0.0;
                let inside = (first..=end).filter(has).map(|p| clamp(p as f64));
                let whole = exact && at.fract() == 0.0 && !self.antialias && !self.wide;
                if whole { vec![clamp(at)] } else { inside.collect() }
            }
        };
        list.sort_unstable();
        list.dedup();
        list
    }
}

/// The new extent and the scale of each axis.
fn extents(call: &mut Call, shape: &[usize]) -> Result<Vec<(usize, f64)>, Problem> {
    let rank = shape.len();
    let upsample = call.node.op_type() == "Upsample" || call.opset() < 11;
    let axes: Vec<usize> = match call.ints("axes") {
        Some(list) => list.iter().map(|&a| axis(a, rank)).collect::<Result<_, _>>()?,
        None => (0..rank).collect(),
    };
    let scales = match call.attribute("scales") {
        Some(a) => Some(a.floats.iter().map(|&x| f64::from(x)).collect()),
        None => call.numbers(if upsample { 1 } else { 2 })?.filter(|l| !l.is_empty()),
    };
    let sizes = if upsample { None } else { call.whole(3)?.filter(|l| !l.is_empty()) };
    let mut result: Vec<(usize, f64)> = shape.iter().map(|&d| (d, 1.0)).collect();
    let policy = call.text("keep_aspect_ratio_policy").unwrap_or("stretch");
    if sizes.is_some() && policy != "stretch" {
        return Err(Problem::Form("keeps the aspect ratio, which is not modeled"));
    }
    for (k, &a) in axes.iter().enumerate() {
        let from = shape.get(a).copied().unwrap_or(0);
        let found = match (&sizes, &scales) {
            (Some(sizes), _) => sizes.get(k).map(|&n| {
                let n = usize::try_from(n).unwrap_or(0);
                (n, n as f64 / from.max(1) as f64)
            }),
            (None, Some(scales)) => {
                scales.get(k).map(|&s| ((from as f64 * s).floor().max(0.0) as usize, s))
            }
            (None, None) => None,
        };
        let found = found.filter(|f| f.1 > 0.0 && f.1.is_finite());
        let found = found.ok_or(Problem::Form("has neither scales nor sizes for every axis"))?;
        if let Some(slot) = result.get_mut(a) {
            *slot = found;
        }
    }
    Ok(result)
}

pub(super) fn resize(call: &mut Call) -> Results {
    let mut t = call.input(0)?;
    let old = call.node.op_type() == "Upsample" || call.opset() < 11;
    let hull = t.hull(call.store());
    let mode = match call.text("mode").unwrap_or("nearest") {
        "bilinear" => "linear",
        mode => mode,
    };
    let rule = CoordinateRule {
        mode,
        transform: call.text("coordinate_transformation_mode").unwrap_or(if old {
            "asymmetric"
        } else {
            "half_pixel"
        }),
        nearest: call.text("nearest_mode").unwrap_or(if old {
            "floor"
        } else {
            "round_prefer_floor"
        }),
        antialias: call.flag("antialias"),
        wide: !finite(call.store(), hull),
    };
    if rule.transform == "tf_crop_and_resize" {
        return Err(Problem::Form("crops while it resizes, which is not modeled").into());
    }
    // The sum of the absolute weights of a cubic kernel is less than 1 + |a|.
    let a = call.float("cubic_coeff_a", -0.75);
    let overshoot = (mode == "cubic").then(|| 3f64.max(1.0 + a.abs()));
    let extents = extents(call, &t.shape)?;
    for (a, &(to, scale)) in extents.iter().enumerate() {
        let from = t.shape.get(a).copied().unwrap_or(0);
        if from == to && scale == 1.0 {
            continue;
        }
        call.store().spend(size(&[to])?)?;
        let sources = (0..to).map(|i| rule.sources(i, from, to, scale)).collect();
        t = along(call, &t, a, &Axis { sources }, overshoot)?;
    }
    one(t)
}

/// Resizes one axis.
fn along(
    call: &mut Call,
    t: &Tensor,
    a: usize,
    plan: &Axis,
    overshoot: Option<f64>,
) -> Result<Tensor, Problem> {
    let (before, extent, after) = around(&t.shape, a);
    let mut shape = t.shape.clone();
    if let Some(slot) = shape.get_mut(a) {
        *slot = plan.sources.len();
    }
    let store = call.store();
    store.spend(size(&shape)?)?;
    let mut cells: Vec<Cell> = Vec::with_capacity(size(&shape)?);
    for b in 0..before {
        for sources in &plan.sources {
            for k in 0..after {
                let at = |i: usize| (b * extent + i) * after + k;
                if let [only] = sources[..] {
                    cells.push(t.cell(store, at(only)));
                    continue;
                }
                let line: Vec<El> = sources.iter().map(|&i| t.el(store, at(i))).collect();
                let hull = line.iter().map(|e| e.v).reduce(Value::hull).unwrap_or(Value::ZERO);
                let v = match overshoot {
                    Some(factor) if hull.is_finite() => {
                        let top = hull.magnitude() * factor;
                        Value::range(-top, top)
                    }
                    _ => loose(t.elem, hull.lo, hull.hi, hull.nan),
                };
                let v = if line.iter().all(|e| e.v.is_zero()) { Value::ZERO } else { v };
                let v = store.settle(t.elem, v);
                let set = store.join(&line);
                cells.push(store.cell(El::new(set, v)));
            }
        }
    }
    Ok(Tensor::cells(store, t.elem, shape, cells))
}
