//! Normalizations. They read whole axes; batch normalization in inference mode reads one element
//! only.

use super::elementwise::{apply, map};
use super::product::finite;
use super::reduce::{mix, normalized};
use crate::call::{Call, Results, one};
use crate::error::Problem;
use crate::store::El;
use crate::tensor::{Tensor, strides};
use crate::unary::sqrt;
use crate::value::{Value, add, convert};

/// `BatchNormalization`. In inference mode, a scale and an offset per channel. In training mode,
/// every element depends on all positions of its channel.
pub(super) fn batch_normalization(call: &mut Call) -> Results {
    let x = call.input(0)?;
    let rank = x.rank();
    let epsilon = call.float("epsilon", 1e-5);
    let (training, spatial) = (call.flag("training_mode"), call.int("spatial", 1) != 0);
    if !spatial {
        return Err(Problem::Form("has `spatial` = 0, which is not modeled").into());
    }
    let mut per_channel = Vec::new();
    for i in 1..5 {
        let t = call.input(i)?;
        let mut shape = vec![1; rank.max(2)];
        if let Some(extent) = shape.get_mut(1) {
            *extent = t.len();
        }
        let store = call.store();
        per_channel.push(t.reshaped(store, shape)?);
    }
    let [scale, offset, mean, variance] = &per_channel[..] else {
        return Err(Problem::Missing(4).into());
    };
    let outputs = call.node.output.iter().filter(|o| !o.is_empty()).count();
    let old = call.opset() < 14;
    if old && outputs > 1 {
        return Err(Problem::Form("is in the training form from before operator set 14").into());
    }
    let store = call.store();
    let elem = variance.elem;
    let eps = convert(elem, Value::known(epsilon));
    let deviation = map(store, variance, elem, &|v| sqrt(elem, add(elem, v, eps)))?;
    let axes: Vec<usize> = (0..rank).filter(|&a| a != 1).collect();
    let mut y = if training {
        mix(store, &x, &axes, &|line| normalized(line, epsilon))?
    } else {
        let centered = apply(store, "Sub", &x, mean)?;
        let y = apply(store, "Div", &centered, &deviation)?;
        // A factor that is infinite makes NaN of the offset.
        match deviation.hull(store).lo > 0.0 {
            true => y,
            false => map(store, &y, y.elem, &|_| Value::ANY)?,
        }
    };
    y = apply(store, "Mul", &y, scale)?;
    y = apply(store, "Add", &y, offset)?;
    let mut results = vec![y.into()];
    // The updated running statistics depend on the old ones and on all positions.
    let all = mix(store, &x, &axes, &|_| Value::ANY)?;
    for t in [mean, variance] {
        let mixed = apply(store, "Add", &all, t)?;
        let mut steps = vec![0; rank];
        if let (Some(slot), Some(&s)) = (steps.get_mut(1), strides(&x.shape).get(1)) {
            *slot = s;
        }
        let mut shape = vec![1; rank];
        if let (Some(slot), Some(&c)) = (shape.get_mut(1), x.shape.get(1)) {
            *slot = c;
        }
        let channels = x.shape.get(1).copied().unwrap_or(1);
        let statistics = mixed.viewed(store, shape, &steps, 0)?;
        results.push(statistics.reshaped(store, vec![channels])?.into());
    }
    Ok(results)
}

pub(super) fn layer_normalization(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let first = call.axis(-1, t.rank())?;
    let axes: Vec<usize> = (first..t.rank()).collect();
    let (scale, offset) = (call.input(1)?, call.optional(2)?);
    let epsilon = call.float("epsilon", 1e-5);
    let store = call.store();
    let mixed = mix(store, &t, &axes, &|line| normalized(line, epsilon))?;
    let mut y = apply(store, "Mul", &mixed, &scale)?;
    if let Some(offset) = offset {
        y = apply(store, "Add", &y, &offset)?;
    }
    let all = mix(store, &t, &axes, &|_| Value::ANY)?;
    let steps: Vec<isize> = strides(&t.shape)
        .into_iter()
        .enumerate()
        .map(|(i, s)| if i < first { s } else { 0 })
        .collect();
    let shape = t.shape.iter().enumerate().map(|(i, &d)| if i < first { d } else { 1 }).collect();
    let statistics = all.viewed(store, shape, &steps, 0)?;
    Ok(vec![y.into(), statistics.clone().into(), statistics.into()])
}

/// Normalizes each group of channels over all its positions. Without `groups`, each channel is a
/// group.
fn grouped(call: &mut Call, groups: Option<usize>) -> Results {
    let t = call.input(0)?;
    let (scale, offset) = (call.input(1)?, call.input(2)?);
    let [images, channels, ..] = t.shape[..] else {
        return Err(Problem::Rank { input: 0, found: t.rank() }.into());
    };
    let groups = groups.unwrap_or(channels).max(1);
    let per_group = t.len().checked_div(images * groups).unwrap_or(0);
    let epsilon = call.float("epsilon", 1e-5);
    let store = call.store();
    let flat = t.reshaped(store, vec![images, groups, per_group])?;
    let y = mix(store, &flat, &[2], &|line| normalized(line, epsilon))?;
    let mut y = y.reshaped(store, t.shape.clone())?;
    for (op, factor) in [("Mul", scale), ("Add", offset)] {
        // One number per channel, or per group in older versions of the operator.
        let each = channels.checked_div(factor.len()).unwrap_or(0);
        let list = factor.reshaped(store, vec![factor.len(), 1])?;
        let list = list.broadcast(&[factor.len(), each])?.dense(store)?;
        let mut shape = vec![1; t.rank()];
        if let Some(slot) = shape.get_mut(1) {
            *slot = channels;
        }
        let list = list.reshaped(store, shape)?;
        y = apply(store, op, &y, &list)?;
    }
    one(y)
}

pub(super) fn group_normalization(call: &mut Call) -> Results {
    let groups = usize::try_from(call.int("num_groups", 1)).ok();
    grouped(call, Some(groups.filter(|&g| g > 0).ok_or(Problem::Attribute("num_groups"))?))
}

pub(super) fn instance_normalization(call: &mut Call) -> Results {
    grouped(call, None)
}

/// Bounds of elements that are divided by their norm: at most 1 in absolute value, unless the
/// division may be 0 / 0.
fn unit(line: &[El]) -> Value {
    let apart = line.iter().any(|el| !el.v.contains(0.0));
    let finite = line.iter().all(|el| el.v.is_finite());
    if apart && finite {
        Value::range(-1.01, 1.01)
    } else {
        Value { nan: true, ..Value::range(-1.01, 1.01) }
    }
}

pub(super) fn lp_normalization(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let along = call.axis(-1, t.rank())?;
    one(mix(call.store(), &t, &[along], &unit)?)
}

pub(super) fn mean_variance_normalization(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let axes = call.axes(usize::MAX, t.rank())?.unwrap_or_else(|| vec![0, 2, 3]);
    // Without an epsilon, a constant line is 0 / 0.
    one(mix(call.store(), &t, &axes, &|_| Value::ANY)?)
}

/// `LRN`: every element depends on a window of channels around its own.
pub(super) fn lrn(call: &mut Call) -> Results {
    let t = call.input(0)?;
    let [images, channels, ..] = t.shape[..] else {
        return Err(Problem::Rank { input: 0, found: t.rank() }.into());
    };
    let n = usize::try_from(call.int("size", 1)).unwrap_or(1).max(1);
    let area = t.len().checked_div(images * channels).unwrap_or(0);
    let (bias, alpha) = (call.float("bias", 1.0), call.float("alpha", 0.0001));
    let plain = bias >= 1e-6 && alpha >= 0.0 && (0.0..=4.0).contains(&call.float("beta", 0.75));
    let store = call.store();
    store.spend(t.len().saturating_mul(n.min(channels)))?;
    let mut cells = Vec::with_capacity(t.len());
    for i in 0..t.len() {
        let (c, at) = (i / area.max(1) % channels, i - i / area.max(1) % channels * area);
        let own = t.el(store, i);
        let (low, high) = ((n - 1) / 2, n - 1 - (n - 1) / 2);
        let window = c.saturating_sub(low)..(c + high + 1).min(channels);
        let line: Vec<El> = window.map(|k| t.el(store, at + k * area)).collect();
        let set = store.join(&line);
        // A zero divided by a sum that may be zero, infinite or NaN is not a known zero.
        let sums = line.iter().map(|el| el.v).reduce(Value::hull).unwrap_or(Value::ANY);
        let zero = own.v.is_zero() && finite(store, sums);
        let v = if zero && plain && sums.magnitude() < 1e15 { own.v } else { Value::ANY };
        let v = store.settle(t.elem, v);
        cells.push(store.cell(El::new(set, v)));
    }
    one(Tensor::cells(store, t.elem, t.shape, cells))
}
