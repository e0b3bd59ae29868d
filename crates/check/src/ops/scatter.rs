//! Operators that write elements by index.

use super::index::{position, tuple_position};
use crate::binary::{Binary, binary};
use crate::call::{Call, Results, one};
use crate::error::Problem;
use crate::store::{Cell, El, Store};
use crate::tensor::{Tensor, around, size, strides, view};

/// How a new value is combined with the old one; `None` if it replaces it.
fn mode(call: &Call) -> Result<Option<Binary>, Problem> {
    let name = match call.text("reduction").unwrap_or("none") {
        "none" => return Ok(None),
        "add" => "Add",
        "mul" => "Mul",
        "max" => "Max",
        "min" => "Min",
        _ => return Err(Problem::Attribute("reduction")),
    };
    Ok(binary(name))
}

/// The elements of the data while they are being written.
struct Target<'s> {
    store: &'s mut Store,
    data: Tensor,
    cells: Vec<Cell>,
    write: Option<Binary>,
    /// Whether the positions that are written are not modeled.
    blurred: bool,
}

impl<'s> Target<'s> {
    fn new(
        store: &'s mut Store,
        data: Tensor,
        write: Option<Binary>,
    ) -> Result<Target<'s>, Problem> {
        store.spend(data.len())?;
        let cells = data.all_cells(store);
        Ok(Target { store, data, cells, write, blurred: false })
    }

    fn put(&mut self, at: usize, el: El) -> Result<(), Problem> {
        let Some(&old) = self.cells.get(at) else {
            return Err(Problem::Index { index: at as i64, extent: self.cells.len() });
        };
        let new = match self.write {
            None => self.store.cell(el),
            Some(op) => {
                let before = self.store.el(old);
                let (v, _) = (op.eval)(self.data.elem, before.v, el.v);
                let v = self.store.settle(self.data.elem, v);
                let set = self.store.join(&[before, el]);
                self.store.cell(El::new(set, v))
            }
        };
        if let Some(slot) = self.cells.get_mut(at) {
            *slot = new;
        }
        Ok(())
    }

    /// With unknown indices, any update may be written to any position.
    fn flood(mut self, indices: &Tensor, updates: &Tensor) -> Tensor {
        let store = &mut *self.store;
        let (a, b) = (indices.total(store), updates.total(store));
        let mut extra = store.sets.union(a, b);
        if self.blurred {
            extra = super::opaque::blurred(store, "TensorScatter", extra);
        }
        let more = updates.hull(store);
        for cell in &mut self.cells {
            let el = store.el(*cell);
            let own = store.set_of(el);
            let v = match self.write {
                None => el.v.hull(more),
                Some(_) => crate::value::Value::any_of(self.data.elem),
            };
            let set = store.sets.union(own, extra);
            *cell = store.cell(El::new(set, v));
        }
        self.done()
    }

    fn done(self) -> Tensor {
        Tensor::cells(self.store, self.data.elem, self.data.shape, self.cells)
    }
}

pub(super) fn scatter_elements(call: &mut Call) -> Results {
    let (data, indices, updates) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let along = call.axis(0, data.rank())?;
    let write = mode(call)?;
    if indices.shape != updates.shape || indices.rank() != data.rank() {
        return Err(Problem::Extents(indices.shape, updates.shape).into());
    }
    let mut steps = strides(&data.shape);
    let step = steps.get(along).copied().unwrap_or(0) as usize;
    if let Some(s) = steps.get_mut(along) {
        *s = 0;
    }
    let (_, extent, _) = around(&data.shape, along);
    let store = call.store();
    store.spend(updates.len())?;
    let base = view(&indices.shape, &steps, 0);
    let mut target = Target::new(store, data, write)?;
    if indices.values().is_none() {
        return one(target.flood(&indices, &updates));
    }
    for (i, &start) in base.iter().enumerate() {
        if let Some(x) = indices.el(target.store, i).point() {
            let el = updates.el(target.store, i);
            target.put(start + position(x, extent)? * step, el)?;
        }
    }
    one(target.done())
}

pub(super) fn scatter_nd(call: &mut Call) -> Results {
    let (data, indices, updates) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let write = mode(call)?;
    let mismatch = || Problem::Extents(data.shape.clone(), indices.shape.clone());
    let Some((&depth, lead)) = indices.shape.split_last() else {
        return Err(Problem::Rank { input: 1, found: 0 }.into());
    };
    let picked = data.shape.get(..depth).ok_or_else(mismatch)?.to_vec();
    let block: usize = data.shape.get(depth..).unwrap_or(&[]).iter().product();
    let tuples = size(lead)?;
    if tuples.checked_mul(block) != Some(updates.len()) {
        return Err(mismatch().into());
    }
    let store = call.store();
    store.spend(updates.len())?;
    let mut target = Target::new(store, data, write)?;
    if indices.values().is_none() {
        return one(target.flood(&indices, &updates));
    }
    for tuple in 0..tuples {
        if let Ok(at) = tuple_position(target.store, &indices, tuple, &picked)? {
            for k in 0..block {
                let el = updates.el(target.store, tuple * block + k);
                target.put(at * block + k, el)?;
            }
        }
    }
    one(target.done())
}

/// `TensorScatter`: writes into a cache, at positions that are not modeled.
pub(super) fn tensor_scatter(call: &mut Call) -> Results {
    let (data, updates) = (call.input(0)?, call.input(1)?);
    let given = call.optional(2)?;
    let store = call.store();
    let indices = match given {
        Some(t) => t,
        None => Tensor::ints(store, &[0]),
    };
    let target = Target::new(store, data, None)?;
    one(Target { blurred: true, ..target }.flood(&indices, &updates))
}
