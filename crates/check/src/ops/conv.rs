//! Convolutions. Channels with the same dependencies are computed once.

use std::collections::HashMap;

use super::product::{classes, finite};
use super::slide::{OUTSIDE, Table, Window};
use crate::call::{Call, Results, one};
use crate::elem::Elem;
use crate::error::Problem;
use crate::sets::EMPTY;
use crate::store::{Cell, DEAD, El, Store};
use crate::tensor::{Tensor, size};
use crate::value::{Value, add, finish, mul};

/// A weight of one output channel: the class of its input channel, its tap, and the set that the
/// weight depends on.
type Slot = (u32, u32, u32);

pub(super) fn conv(call: &mut Call) -> Results {
    let (x, w) = (call.input(0)?, call.input(1)?);
    let bias = call.optional(2)?;
    let elem = x.elem;
    one(convolve(call, &x, &w, bias.as_ref(), elem)?)
}

/// A convolution with the attributes of the current node, accumulated in `elem`.
pub(super) fn convolve(
    call: &mut Call,
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    elem: Elem,
) -> Result<Tensor, Problem> {
    let (groups, spatial) = check(call, x, w)?;
    let window = Window::new(call, w.shape.get(2..), spatial.len())?;
    let table = window.forward(call.store(), &spatial)?;
    let channels = w.shape.first().copied().unwrap_or(0);
    let inner = w.shape.get(1).copied().unwrap_or(0);
    if Some(inner * groups) != x.shape.get(1).copied() || channels % groups != 0 {
        return Err(Problem::Extents(x.shape.clone(), w.shape.clone()));
    }
    let plan = Plan { groups, inner, channels, table, elem };
    slide(call.store(), x, w, bias, &plan)
}

pub(super) fn conv_transpose(call: &mut Call) -> Results {
    if !matches!(call.text("auto_pad"), None | Some("NOTSET" | "VALID")) {
        let text = "has `auto_pad`: ONNX Runtime and the specification pad differently; \
                    write explicit `pads`";
        return Err(Problem::Form(text).into());
    }
    let (x, w) = (call.input(0)?, call.input(1)?);
    let (groups, spatial) = check(call, &x, &w)?;
    let window = Window::new(call, w.shape.get(2..), spatial.len())?;
    let (extra, shape) = (call.ints("output_padding"), call.ints("output_shape"));
    let table = window.backward(call.store(), &spatial, extra, shape)?;
    let total = w.shape.first().copied().unwrap_or(0);
    let outer = w.shape.get(1).copied().unwrap_or(0);
    if x.shape.get(1) != Some(&total) || total % groups != 0 {
        return Err(Problem::Extents(x.shape, w.shape).into());
    }
    let inner = total / groups;
    // Reorder `[groups * inner, outer, taps]` to `[groups * outer, inner, taps]`.
    let bias = call.optional(2)?;
    let store = call.store();
    let flat = w.reshaped(store, vec![groups, inner, outer, table.taps])?;
    let flat = flat.transposed(store, &[0, 2, 1, 3])?;
    let flat = flat.reshaped(store, vec![groups * outer, inner, table.taps])?;
    let plan = Plan { groups, inner, channels: groups * outer, table, elem: x.elem };
    one(slide(store, &x, &flat, bias.as_ref(), &plan)?)
}

fn check(call: &Call, x: &Tensor, w: &Tensor) -> Result<(usize, Vec<usize>), Problem> {
    if x.rank() < 3 || x.rank() != w.rank() {
        return Err(Problem::Extents(x.shape.clone(), w.shape.clone()));
    }
    let groups = usize::try_from(call.int("group", 1)).ok().filter(|&g| g > 0 && g < 1 << 24);
    let spatial = x.shape.get(2..).unwrap_or(&[]).to_vec();
    Ok((groups.ok_or(Problem::Attribute("group"))?, spatial))
}

struct Plan {
    groups: usize,
    /// Input channels per group.
    inner: usize,
    /// Output channels.
    channels: usize,
    table: Table,
    elem: Elem,
}

/// Convolves. `w` has the axes output channel, input channel within the group, tap.
fn slide(
    store: &mut Store,
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    plan: &Plan,
) -> Result<Tensor, Problem> {
    let table = &plan.table;
    let images = x.shape.first().copied().unwrap_or(0);
    let area: usize = x.shape.get(2..).unwrap_or(&[]).iter().product();
    let positions = table.positions();
    let mut shape = vec![images, plan.channels];
    shape.extend(&table.extents);
    store.spend(size(&shape)?)?;
    store.spend(x.len() + w.len())?;
    let (vx, vw) = (x.hull(store), w.hull(store));
    let (zero_weights, zero_inputs) = (finite(store, vx), finite(store, vw));
    let mut weights = w.pattern(store);
    let mut pattern = x.pattern(store);
    let alive = |c: &mut u32| {
        if *c == DEAD {
            *c = EMPTY;
        }
    };
    if !zero_weights {
        weights.iter_mut().for_each(alive);
    }
    if !zero_inputs {
        pattern.iter_mut().for_each(alive);
    }
    let bounds = bounds(store, x, w, plan);
    let mut out = Vec::with_capacity(images * plan.channels * positions);
    for image in pattern.chunks_exact((plan.groups * plan.inner * area).max(1)).take(images) {
        let (class_of, maps) = classes(image.chunks_exact(area.max(1)));
        let dead: Vec<bool> = maps.iter().map(|m| m.iter().all(|&c| c == DEAD)).collect();
        let mut done: HashMap<Vec<Slot>, Vec<u32>> = HashMap::new();
        for channel in 0..plan.channels {
            let group = channel / (plan.channels / plan.groups).max(1);
            let own = class_of.get(group * plan.inner..(group + 1) * plan.inner).unwrap_or(&[]);
            let block = plan.inner * table.taps;
            let taps = weights.get(channel * block..(channel + 1) * block).unwrap_or(&[]);
            let slots = slots(own, taps, table.taps, &dead);
            if !done.contains_key(&slots) {
                let result = window(store, &slots, &maps, table)?;
                done.insert(slots.clone(), result);
            }
            let bias = bias.map_or(El::known(0.0), |b| b.el(store, channel));
            let sum = bounds.get(channel).copied().unwrap_or(Value::ANY);
            let v = store.settle(plan.elem, add(plan.elem, sum, bias.v));
            let extra = store.set_of(bias);
            let (zero, live) = (store.cell(bias), store.cell(El::new(EMPTY, v)));
            let v = Store::value_key(live);
            for &code in done.get(&slots).map_or(&[][..], Vec::as_slice) {
                out.push(if code == DEAD {
                    zero
                } else {
                    let id = store.sets.union(code, extra);
                    let cell = store.cell(El::new(id, Value::ANY));
                    store.merged(cell, Cell::ZERO, v, false)
                });
            }
        }
    }
    Ok(Tensor::cells(store, plan.elem, shape, out))
}

/// Bounds of each output channel, without the bias.
fn bounds(store: &Store, x: &Tensor, w: &Tensor, plan: &Plan) -> Vec<Value> {
    let area: usize = x.shape.get(2..).unwrap_or(&[]).iter().product();
    let total = plan.groups * plan.inner;
    // Bounds of each input channel over all images, including the zeros of the padding.
    let channel = |c: usize| {
        let images = x.shape.first().copied().unwrap_or(0);
        let part = |n: usize| x.hull_of(store, (n * total + c) * area..(n * total + c + 1) * area);
        (0..images).map(part).fold(Value::ZERO, Value::hull)
    };
    let inputs: Vec<Value> = (0..total).map(channel).collect();
    let block = plan.inner * plan.table.taps;
    let taps = plan.table.taps.max(1);
    let one = |channel: usize| {
        let group = channel / (plan.channels / plan.groups).max(1);
        let (mut lo, mut hi, mut nan) = (0.0f64, 0.0f64, false);
        for i in 0..block {
            let weight = w.el(store, channel * block + i).v;
            let v = inputs.get(group * plan.inner + i / taps).copied().unwrap_or(Value::ANY);
            if weight.is_zero() {
                // A zero weight times infinity is NaN.
                nan |= !v.is_finite();
                continue;
            }
            let p = if let Some(c) = weight.point() {
                let (a, b) = (c * v.lo, c * v.hi);
                Value::new(a.min(b), a.max(b), v.nan)
            } else {
                mul(Elem::F64, weight, v)
            };
            (lo, hi, nan) = (lo + p.lo.min(0.0), hi + p.hi.max(0.0), nan || p.nan);
        }
        if !plan.elem.is_float() {
            return finish(plan.elem, lo, hi, nan);
        }
        let slack = 1.0 + (block as f64 + 2.0) * plan.elem.eps();
        let v = finish(plan.elem, lo * slack, hi * slack, nan);
        Value { nan: v.nan || (v.lo.is_infinite() && v.hi.is_infinite()), ..v }
    };
    (0..plan.channels).map(one).collect()
}

/// The nonzero weights of one output channel, without duplicates.
fn slots(own: &[usize], weights: &[u32], taps: usize, dead: &[bool]) -> Vec<Slot> {
    let mut plain = vec![false; dead.len() * taps];
    let mut slots = Vec::new();
    for (&class, row) in own.iter().zip(weights.chunks_exact(taps.max(1))) {
        if dead.get(class).copied().unwrap_or(true) {
            continue;
        }
        for (tap, &code) in row.iter().enumerate() {
            match code {
                DEAD => {}
                EMPTY => {
                    if let Some(flag) = plain.get_mut(class * taps + tap) {
                        *flag = true;
                    }
                }
                id => slots.push((class as u32, tap as u32, id)),
            }
        }
    }
    let live = plain.iter().enumerate().filter(|(_, live)| **live);
    slots.extend(live.map(|(i, _)| ((i / taps) as u32, (i % taps) as u32, EMPTY)));
    slots.sort_unstable();
    slots.dedup();
    slots
}

/// The sets that one class of output channels depends on, position by position.
fn window(
    store: &mut Store,
    slots: &[Slot],
    maps: &[&[u32]],
    table: &Table,
) -> Result<Vec<u32>, Problem> {
    let mut result = Vec::with_capacity(table.positions());
    for position in 0..table.positions() {
        store.work(slots.len())?;
        let sources = table.at(position);
        let mut live = false;
        store.sets.begin();
        for &(class, tap, weight) in slots {
            let source = sources.get(tap as usize).copied().unwrap_or(OUTSIDE);
            let map = maps.get(class as usize).copied().unwrap_or(&[]);
            let code = map.get(source as usize).copied().unwrap_or(DEAD);
            if code != DEAD {
                live = true;
                store.sets.add(code);
                store.sets.add(weight);
            }
        }
        result.push(if live { store.sets.end() } else { DEAD });
    }
    store.spend(0)?;
    Ok(result)
}
