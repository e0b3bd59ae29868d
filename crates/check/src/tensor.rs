//! Tensors of abstract elements.

use std::rc::Rc;

use super::error::{Problem, Resource};
use super::store::{Cell, DEAD, EMPTY, El, Store};

/// Elements that one tensor may have.
const MAX_ELEMENTS: usize = 1 << 27;
/// In an index map: no source, use the fill value.
pub(super) const FILL: usize = usize::MAX;

/// What the elements are; it matters to casts and divisions only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Float,
    Int,
    Bool,
}

/// The elements in row-major order; always as many as the shape says.
#[derive(Clone, Debug)]
pub(super) enum Data {
    /// Every element is a known number.
    Known(Rc<Vec<f64>>),
    /// At least one is not.
    Cells(Rc<Vec<Cell>>),
}

#[derive(Clone, Debug)]
pub(super) struct Tensor {
    pub kind: Kind,
    pub shape: Vec<usize>,
    pub data: Data,
}

impl Tensor {
    /// Known numbers; as many as the shape says, or the rest is zero.
    pub fn known(kind: Kind, shape: Vec<usize>, mut values: Vec<f64>) -> Tensor {
        values.resize(shape.iter().product(), 0.0);
        Tensor { kind, shape, data: Data::Known(Rc::new(values)) }
    }

    /// Packed elements; as many as the shape says, or the rest is opaque.
    pub fn cells(store: &Store, kind: Kind, shape: Vec<usize>, mut cells: Vec<Cell>) -> Tensor {
        cells.resize(shape.iter().product(), Cell::OPAQUE);
        if !cells.iter().all(|c| c.is_known()) {
            return Tensor { kind, shape, data: Data::Cells(Rc::new(cells)) };
        }
        let number = |&c: &Cell| match store.el(c) {
            El::Known(x) => x,
            El::Set(_) => f64::NAN,
        };
        Tensor::known(kind, shape, cells.iter().map(number).collect())
    }

    /// Unknown, but no function of the image.
    pub fn opaque(kind: Kind, shape: Vec<usize>) -> Tensor {
        let n = shape.iter().product();
        Tensor { kind, shape, data: Data::Cells(Rc::new(vec![Cell::OPAQUE; n])) }
    }

    /// A list of whole numbers.
    pub fn ints(values: Vec<i64>) -> Tensor {
        Tensor::known(Kind::Int, vec![values.len()], values.iter().map(|&n| n as f64).collect())
    }

    pub fn len(&self) -> usize {
        match &self.data {
            Data::Known(v) => v.len(),
            Data::Cells(c) => c.len(),
        }
    }

    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The numbers, if all are known.
    pub fn values(&self) -> Option<&[f64]> {
        match &self.data {
            Data::Known(v) => Some(v),
            Data::Cells(_) => None,
        }
    }

    /// An element; opaque when out of range.
    pub fn el(&self, store: &Store, i: usize) -> El {
        match &self.data {
            Data::Known(v) => v.get(i).map_or(El::Set(EMPTY), |&x| El::Known(x)),
            Data::Cells(c) => c.get(i).map_or(El::Set(EMPTY), |&c| store.el(c)),
        }
    }

    /// Each element as [`DEAD`] or its set.
    pub fn pattern(&self, store: &Store) -> Vec<u32> {
        match &self.data {
            Data::Known(v) => v.iter().map(|&x| if x == 0.0 { DEAD } else { EMPTY }).collect(),
            Data::Cells(c) => c.iter().map(|&c| store.code(c)).collect(),
        }
    }

    /// A tensor from a pattern; what is [`DEAD`] becomes zero.
    pub fn from_pattern(
        store: &mut Store,
        kind: Kind,
        shape: Vec<usize>,
        pattern: &[u32],
    ) -> Tensor {
        let zero = store.cell(El::Known(0.0));
        let cell = |&code: &u32| if code == DEAD { zero } else { store.cell(El::Set(code)) };
        let cells = pattern.iter().map(cell).collect();
        Tensor::cells(store, kind, shape, cells)
    }

    /// Some of the elements, as a list.
    pub fn part(&self, start: usize, end: usize) -> Tensor {
        let data = match &self.data {
            Data::Known(v) => Data::Known(Rc::new(v.get(start..end).unwrap_or(&[]).to_vec())),
            Data::Cells(c) => Data::Cells(Rc::new(c.get(start..end).unwrap_or(&[]).to_vec())),
        };
        let list = Tensor { kind: self.kind, shape: Vec::new(), data };
        Tensor { shape: vec![list.len()], ..list }
    }

    /// The same elements in another shape of the same size.
    pub fn reshaped(&self, shape: Vec<usize>) -> Result<Tensor, Problem> {
        if size(&shape)? != self.len() {
            return Err(Problem::Extents(self.shape.clone(), shape));
        }
        Ok(Tensor { shape, ..self.clone() })
    }

    /// Element i of the result is element `map[i]` of this one, or `fill`.
    pub fn rearranged(
        &self,
        store: &mut Store,
        shape: Vec<usize>,
        map: &[usize],
        fill: El,
    ) -> Tensor {
        let cells = match (&self.data, fill) {
            (Data::Known(v), El::Known(x)) => {
                let values = map.iter().map(|&i| v.get(i).copied().unwrap_or(x)).collect();
                return Tensor::known(self.kind, shape, values);
            }
            (Data::Known(v), _) => {
                let el = |&i: &usize| v.get(i).map_or(fill, |&x| El::Known(x));
                map.iter().map(|i| store.cell(el(i))).collect()
            }
            (Data::Cells(c), _) => {
                let fill = store.cell(fill);
                map.iter().map(|&i| c.get(i).copied().unwrap_or(fill)).collect()
            }
        };
        Tensor::cells(store, self.kind, shape, cells)
    }

    /// A view with the given strides, in elements, from an offset.
    pub fn viewed(
        &self,
        store: &mut Store,
        shape: Vec<usize>,
        strides: &[isize],
        offset: isize,
    ) -> Result<Tensor, Problem> {
        store.spend(size(&shape)?)?;
        let map = view(&shape, strides, offset);
        Ok(self.rearranged(store, shape, &map, El::Known(0.0)))
    }

    /// Repeated along axes of extent one, and new ones in front, up to a shape.
    pub fn broadcast(&self, store: &mut Store, shape: &[usize]) -> Result<Tensor, Problem> {
        if self.shape == shape {
            return Ok(self.clone());
        }
        let strides = broadcast_strides(&self.shape, shape)
            .ok_or_else(|| Problem::Extents(self.shape.clone(), shape.to_vec()))?;
        self.viewed(store, shape.to_vec(), &strides, 0)
    }

    /// The axes in another order; `perm` must be a permutation.
    pub fn transposed(&self, store: &mut Store, perm: &[usize]) -> Result<Tensor, Problem> {
        let own = strides(&self.shape);
        let pick = |&i: &usize| Some((*self.shape.get(i)?, *own.get(i)?));
        let axes: Option<Vec<(usize, isize)>> = perm.iter().map(pick).collect();
        let mut sorted = perm.to_vec();
        sorted.sort_unstable();
        match axes {
            Some(axes) if sorted.iter().copied().eq(0..self.rank()) => {
                let (shape, strides): (Vec<usize>, Vec<isize>) = axes.into_iter().unzip();
                self.viewed(store, shape, &strides, 0)
            }
            _ => Err(Problem::Attribute("perm")),
        }
    }

    /// The union of all elements' sets.
    pub fn total(&self, store: &mut Store) -> u32 {
        store.begin();
        if let Data::Cells(cells) = &self.data {
            for &cell in cells.iter() {
                if let El::Set(id) = store.el(cell) {
                    store.add(id);
                }
            }
        }
        store.end()
    }
}

/// The number of elements.
pub(super) fn size(shape: &[usize]) -> Result<usize, Problem> {
    let limited = |n: usize, &d: &usize| n.checked_mul(d).filter(|&n| n <= MAX_ELEMENTS);
    // An empty axis must not hide that the others overflow.
    let whole = shape.iter().filter(|&&d| d > 0).try_fold(1, limited);
    let whole = whole.ok_or(Problem::TooLarge(Resource::Elements))?;
    Ok(if shape.contains(&0) { 0 } else { whole })
}

/// Row-major strides.
pub(super) fn strides(shape: &[usize]) -> Vec<isize> {
    let mut step = 1isize;
    let mut result: Vec<isize> = shape
        .iter()
        .rev()
        .map(|&d| {
            let own = step;
            step = step.saturating_mul(d as isize);
            own
        })
        .collect();
    result.reverse();
    result
}

/// Source positions of a strided view.
pub(super) fn view(shape: &[usize], strides: &[isize], offset: isize) -> Vec<usize> {
    if shape.contains(&0) {
        return Vec::new();
    }
    let mut starts = vec![offset];
    for (&extent, &stride) in shape.iter().zip(strides) {
        let mut next = Vec::with_capacity(starts.len() * extent);
        for start in starts {
            next.extend((0..extent as isize).map(|k| start + k * stride));
        }
        starts = next;
    }
    starts.into_iter().map(|i| usize::try_from(i).unwrap_or(FILL)).collect()
}

/// Strides that repeat a shape up to another.
pub(super) fn broadcast_strides(from: &[usize], to: &[usize]) -> Option<Vec<isize>> {
    let lead = to.len().checked_sub(from.len())?;
    let own = strides(from);
    let mut result = vec![0; lead];
    for ((&a, &b), &s) in from.iter().zip(to.get(lead..)?).zip(&own) {
        result.push(match (a, b) {
            (1, _) => 0,
            _ if a == b => s,
            _ => return None,
        });
    }
    Some(result)
}

/// The shape of an element-wise result.
pub(super) fn broadcast_shape(a: &[usize], b: &[usize]) -> Result<Vec<usize>, Problem> {
    let rank = a.len().max(b.len());
    let at = |s: &[usize], i: usize| {
        (i + s.len()).checked_sub(rank).and_then(|k| s.get(k).copied()).unwrap_or(1)
    };
    let pick = |i| match (at(a, i), at(b, i)) {
        (x, y) if x == y => Ok(x),
        (1, y) => Ok(y),
        (x, 1) => Ok(x),
        _ => Err(Problem::Extents(a.to_vec(), b.to_vec())),
    };
    (0..rank).map(pick).collect()
}

/// An axis counted from the end when negative.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, Problem> {
    let signed = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    signed
        .and_then(|a| usize::try_from(a).ok())
        .filter(|&a| a < rank)
        .ok_or(Problem::Axis { axis, rank })
}

/// A shape around one axis: how many before, its extent, how many after.
pub(super) fn around(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    let product = |s: Option<&[usize]>| s.unwrap_or(&[]).iter().product::<usize>();
    (
        product(shape.get(..axis)),
        shape.get(axis).copied().unwrap_or(1),
        product(shape.get(axis + 1..)),
    )
}
