//! Convolutions: channels that look the same are treated once.

use std::collections::HashMap;

use super::super::call::{Call, Results};
use super::super::error::Problem;
use super::super::store::{DEAD, EMPTY, El, Store};
use super::super::tensor::{Kind, Tensor, size};
use super::product::classes;
use super::slide::{OUTSIDE, Table, Window};

/// A weight seen from one output channel: a class of input channels, a tap, and its set.
type Slot = (u32, u32, u32);

pub(super) fn conv(call: &mut Call) -> Results {
    let (x, w) = (call.input(0)?, call.input(1)?);
    let (groups, spatial) = check(call, &x, &w)?;
    let window = Window::new(call, w.shape.get(2..), spatial.len())?;
    let table = window.forward(&spatial)?;
    let channels = w.shape.first().copied().unwrap_or(0);
    let inner = w.shape.get(1).copied().unwrap_or(0);
    if x.shape.get(1) != Some(&(inner * groups)) || channels % groups != 0 {
        return Err(Problem::Extents(x.shape, w.shape).into());
    }
    let bias = call.optional(2);
    let store = call.store();
    let weights = w.pattern(store);
    slide(store, &x, &weights, bias, &Plan { groups, inner, channels, table })
}

pub(super) fn conv_transpose(call: &mut Call) -> Results {
    let (x, w) = (call.input(0)?, call.input(1)?);
    let (groups, spatial) = check(call, &x, &w)?;
    let window = Window::new(call, w.shape.get(2..), spatial.len())?;
    let table =
        window.backward(&spatial, call.ints("output_padding"), call.ints("output_shape"))?;
    let total = w.shape.first().copied().unwrap_or(0);
    let outer = w.shape.get(1).copied().unwrap_or(0);
    if x.shape.get(1) != Some(&total) || total % groups != 0 {
        return Err(Problem::Extents(x.shape, w.shape).into());
    }
    let inner = total / groups;
    // [groups * inner, outer, taps] becomes [groups * outer, inner, taps].
    let flat = w.reshaped(vec![groups, inner, outer, table.taps])?;
    let bias = call.optional(2);
    let store = call.store();
    let weights = flat.transposed(store, &[0, 2, 1, 3])?.pattern(store);
    slide(store, &x, &weights, bias, &Plan { groups, inner, channels: groups * outer, table })
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
    /// Input channels of a group.
    inner: usize,
    /// Output channels.
    channels: usize,
    table: Table,
}

/// `weights` is laid out output channel, input channel of its group, tap.
fn slide(
    store: &mut Store,
    x: &Tensor,
    weights: &[u32],
    bias: Option<Tensor>,
    plan: &Plan,
) -> Results {
    let table = &plan.table;
    let images = x.shape.first().copied().unwrap_or(0);
    let area: usize = x.shape.get(2..).unwrap_or(&[]).iter().product();
    let positions = table.positions();
    let mut shape = vec![images, plan.channels];
    shape.extend(&table.extents);
    store.spend(size(&shape)?)?;
    store.spend(x.len() + weights.len())?;
    let pattern = x.pattern(store);
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
                store.spend(slots.len().saturating_mul(positions))?;
                let result = window(store, &slots, &maps, table);
                done.insert(slots.clone(), result);
            }
            let bias = bias.as_ref().map(|b| b.el(store, channel));
            let zero = store.cell(bias.unwrap_or(El::Known(0.0)));
            for &code in done.get(&slots).map_or(&[][..], Vec::as_slice) {
                out.push(match (code, bias) {
                    (DEAD, _) => zero,
                    (id, Some(El::Set(more))) => {
                        let id = store.union(id, more);
                        store.cell(El::Set(id))
                    }
                    (id, _) => store.cell(El::Set(id)),
                });
            }
        }
    }
    Ok(vec![Tensor::cells(store, Kind::Float, shape, out)])
}

/// The live weights of one output channel, each kind once.
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

/// What one kind of output channel reads, position by position.
fn window(store: &mut Store, slots: &[Slot], maps: &[&[u32]], table: &Table) -> Vec<u32> {
    let mut result = Vec::with_capacity(table.positions());
    for position in 0..table.positions() {
        let sources = table.at(position);
        let mut live = false;
        store.begin();
        for &(class, tap, weight) in slots {
            let source = sources.get(tap as usize).copied().unwrap_or(OUTSIDE);
            let code = maps
                .get(class as usize)
                .and_then(|m| m.get(source as usize))
                .copied()
                .unwrap_or(DEAD);
            if code != DEAD {
                live = true;
                store.add(code);
                store.add(weight);
            }
        }
        result.push(if live { store.end() } else { DEAD });
    }
    result
}
