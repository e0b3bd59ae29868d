//! Operators that write elements by index.

use super::super::call::{Call, Results};
use super::super::error::Problem;
use super::super::store::{Cell, El, Store};
use super::super::tensor::{Tensor, around, size, strides, view};
use super::elementwise::apply;
use super::index::{position, tuple_position};

/// What happens to the element that is already there.
#[derive(Clone, Copy)]
enum Write {
    Replace,
    /// Combine, by the operator of this name.
    With(&'static str),
}

fn mode(call: &Call) -> Result<Write, Problem> {
    Ok(match call.text("reduction").unwrap_or("none") {
        "none" => Write::Replace,
        "add" => Write::With("Add"),
        "mul" => Write::With("Mul"),
        "max" => Write::With("Max"),
        "min" => Write::With("Min"),
        _ => return Err(Problem::Attribute("reduction")),
    })
}

/// The data's elements while they are written.
struct Target<'s> {
    store: &'s mut Store,
    data: Tensor,
    cells: Vec<Cell>,
    write: Write,
}

impl<'s> Target<'s> {
    fn new(store: &'s mut Store, data: Tensor, write: Write) -> Result<Target<'s>, Problem> {
        store.spend(data.len())?;
        let els: Vec<El> = (0..data.len()).map(|i| data.el(store, i)).collect();
        let cells = els.into_iter().map(|el| store.cell(el)).collect();
        Ok(Target { store, data, cells, write })
    }

    fn put(&mut self, at: usize, el: El) -> Result<(), Problem> {
        let Some(&old) = self.cells.get(at) else {
            return Err(Problem::Index { index: at as i64, extent: self.cells.len() });
        };
        let new = match self.write {
            Write::Replace => self.store.cell(el),
            Write::With(op) => {
                let kind = self.data.kind;
                let one = |store: &Store, cell| Tensor::cells(store, kind, Vec::new(), vec![cell]);
                let (a, b) = (one(self.store, old), self.store.cell(el));
                let b = one(self.store, b);
                let el = apply(self.store, op, &a, &b)?.el(self.store, 0);
                self.store.cell(el)
            }
        };
        if let Some(slot) = self.cells.get_mut(at) {
            *slot = new;
        }
        Ok(())
    }

    /// Indices that are not known may write anywhere.
    fn flood(mut self, extra: u32) -> Tensor {
        for cell in &mut self.cells {
            let id = match self.store.el(*cell) {
                El::Set(id) => self.store.union(id, extra),
                El::Known(_) => extra,
            };
            *cell = self.store.cell(El::Set(id));
        }
        self.done()
    }

    fn done(self) -> Tensor {
        Tensor::cells(self.store, self.data.kind, self.data.shape, self.cells)
    }
}

/// The union of the sets of two tensors, where one of them is not known.
fn flooding(store: &mut Store, indices: &Tensor, updates: &Tensor) -> Option<u32> {
    if indices.values().is_some() {
        return None;
    }
    let (a, b) = (indices.total(store), updates.total(store));
    Some(store.union(a, b))
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
    let base = view(&indices.shape, &steps, 0);
    let store = call.store();
    store.spend(updates.len())?;
    let flood = flooding(store, &indices, &updates);
    let mut target = Target::new(store, data, write)?;
    if let Some(extra) = flood {
        return Ok(vec![target.flood(extra)]);
    }
    for (i, &start) in base.iter().enumerate() {
        if let El::Known(x) = indices.el(target.store, i) {
            let el = updates.el(target.store, i);
            target.put(start + position(x, extent)? * step, el)?;
        }
    }
    Ok(vec![target.done()])
}

pub(super) fn scatter_nd(call: &mut Call) -> Results {
    let (data, indices, updates) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let write = mode(call)?;
    let misfit = || Problem::Extents(data.shape.clone(), indices.shape.clone());
    let Some((&depth, lead)) = indices.shape.split_last() else {
        return Err(Problem::Rank { input: 1, found: 0 }.into());
    };
    let picked = data.shape.get(..depth).ok_or_else(misfit)?.to_vec();
    let block: usize = data.shape.get(depth..).unwrap_or(&[]).iter().product();
    let tuples = size(lead)?;
    if tuples.checked_mul(block) != Some(updates.len()) {
        return Err(misfit().into());
    }
    let store = call.store();
    store.spend(updates.len())?;
    let flood = flooding(store, &indices, &updates);
    let mut target = Target::new(store, data, write)?;
    if let Some(extra) = flood {
        return Ok(vec![target.flood(extra)]);
    }
    for tuple in 0..tuples {
        if let Ok(at) = tuple_position(target.store, &indices, tuple, &picked)? {
            for k in 0..block {
                let el = updates.el(target.store, tuple * block + k);
                target.put(at * block + k, el)?;
            }
        }
    }
    Ok(vec![target.done()])
}
