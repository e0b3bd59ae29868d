//! Pooling.

use super::super::call::{Call, Results};
use super::super::error::Problem;
use super::super::store::{DEAD, Store};
use super::super::tensor::{Kind, Tensor, size};
use super::slide::Window;

pub(super) fn pool(call: &mut Call) -> Results {
    let x = call.input(0)?;
    let (Some(&[images, channels]), Some(spatial)) = (x.shape.get(..2), x.shape.get(2..)) else {
        return Err(Problem::Rank { input: 0, found: x.rank() }.into());
    };
    let table = Window::new(call, None, spatial.len())?.forward(spatial)?;
    let area: usize = spatial.iter().product();
    let mut shape = vec![images, channels];
    shape.extend(&table.extents);
    let store = call.store();
    store.spend(size(&shape)?.saturating_mul(table.taps))?;
    let pattern = x.pattern(store);
    let mut out = Vec::with_capacity(images * channels * table.positions());
    for map in pattern.chunks_exact(area.max(1)) {
        for position in 0..table.positions() {
            let read = table.at(position).iter();
            let codes = read.filter_map(|&i| map.get(i as usize).copied());
            out.push(fold(store, codes));
        }
    }
    let y = Tensor::from_pattern(store, Kind::Float, shape.clone(), &out);
    // The second result of MaxPool says where the maximum was.
    Ok(vec![y.clone(), Tensor { kind: Kind::Int, ..y }])
}

pub(super) fn global(call: &mut Call) -> Results {
    let x = call.input(0)?;
    let (Some(lead), Some(spatial)) = (x.shape.get(..2), x.shape.get(2..)) else {
        return Err(Problem::Rank { input: 0, found: x.rank() }.into());
    };
    let area: usize = spatial.iter().product();
    let mut shape = lead.to_vec();
    shape.extend(spatial.iter().map(|_| 1));
    let store = call.store();
    let pattern = x.pattern(store);
    let out: Vec<u32> =
        pattern.chunks_exact(area.max(1)).map(|map| fold(store, map.iter().copied())).collect();
    Ok(vec![Tensor::from_pattern(store, Kind::Float, shape, &out)])
}

/// The union of a pattern's codes; dead if all are.
fn fold(store: &mut Store, codes: impl Iterator<Item = u32>) -> u32 {
    let mut live = false;
    store.begin();
    for code in codes {
        live |= code != DEAD;
        store.add(code);
    }
    let id = store.end();
    if live { id } else { DEAD }
}
