//! Tensors of abstract elements.

use std::rc::Rc;

use crate::budget::Buffer;
use crate::elem::Elem;
use crate::error::{Problem, Resource};
use crate::sets::EMPTY;
use crate::store::{Cell, DEAD, El, Store};
use crate::value::Value;

/// Maximal number of elements of a tensor, as the file states its shape.
const MAX_ELEMENTS: usize = 1 << 40;
/// The entry of an index map for an element that has no source and gets the fill value.
pub(crate) const FILL: usize = usize::MAX;

/// The elements in row-major order. Their number always matches `kept`.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    /// Every element is a known number.
    Known(Rc<Buffer<f64>>),
    /// At least one element is not known.
    Cells(Rc<Buffer<Cell>>),
}

/// What is known about the elements of a tensor taken together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Relation {
    None,
    /// This tensor has the maxima of the tensor with this ticket, along these axes (kept with
    /// extent one).
    MaximaOf(u64, Vec<usize>),
    /// No element is above zero, and along these axes at least one is zero.
    PeakZero(Vec<usize>),
    /// No element is above one, and along these axes at least one is one.
    PeakOne(Vec<usize>),
}

/// A tensor. Along a "thin" axis all slices are equal, and only one is stored.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub elem: Elem,
    pub shape: Vec<usize>,
    /// The stored extent of each axis: one if the axis is thin.
    pub kept: Vec<usize>,
    pub data: Data,
    /// Identifies the elements of this tensor.
    pub ticket: u64,
    pub relation: Relation,
    /// An upper bound on the Euclidean norm of all elements; infinite if none is known.
    pub norm: f64,
}

impl Tensor {
    fn new(store: &mut Store, elem: Elem, shape: Vec<usize>, data: Data) -> Tensor {
        let (kept, ticket) = (shape.clone(), store.ticket());
        Tensor { elem, shape, kept, data, ticket, relation: Relation::None, norm: f64::INFINITY }
    }

    /// A tensor of known numbers. If there are fewer than the shape requires, the rest is zero.
    pub fn known(store: &mut Store, elem: Elem, shape: Vec<usize>, mut values: Vec<f64>) -> Tensor {
        values.resize(shape.iter().product(), 0.0);
        if values.iter().any(|x| x.is_nan()) {
            let cells = values.into_iter().map(|x| store.cell(El::known(x))).collect();
            return Tensor::cells(store, elem, shape, cells);
        }
        let data = Data::Known(Rc::new(Buffer::new(&store.budget, values)));
        Tensor::new(store, elem, shape, data)
    }

    /// A tensor whose elements are all equal.
    pub fn filled(store: &mut Store, elem: Elem, shape: Vec<usize>, el: El) -> Tensor {
        let empty = shape.contains(&0);
        let kept: Vec<usize> = shape.iter().map(|_| usize::from(!empty)).collect();
        let cells = if empty { Vec::new() } else { vec![store.cell(el)] };
        let t = Tensor::cells(store, elem, kept.clone(), cells);
        let kept = if empty { shape.clone() } else { kept };
        Tensor { shape, kept, ..t }
    }

    /// A tensor of packed elements. If there are fewer than the shape requires, the rest is opaque.
    pub fn cells(store: &mut Store, elem: Elem, shape: Vec<usize>, mut cells: Vec<Cell>) -> Tensor {
        cells.resize(shape.iter().product(), Cell::OPAQUE);
        if cells.iter().all(|&c| store.value(c).point().is_some()) {
            let values: Vec<f64> = cells.iter().map(|&c| store.value(c).lo).collect();
            let data = Data::Known(Rc::new(Buffer::new(&store.budget, values)));
            return Tensor::new(store, elem, shape, data);
        }
        let data = Data::Cells(Rc::new(Buffer::new(&store.budget, cells)));
        Tensor::new(store, elem, shape, data)
    }

    /// A list of known integers.
    pub fn ints(store: &mut Store, values: &[i64]) -> Tensor {
        let cell = |store: &mut Store, &n: &i64| {
            let v = crate::value::between(i128::from(n), i128::from(n));
            store.cell(El::new(EMPTY, v))
        };
        let cells = values.iter().map(|n| cell(store, n)).collect();
        Tensor::cells(store, Elem::Int(64), vec![values.len()], cells)
    }

    /// The number of elements, with thin axes at their full extent.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    pub fn is_dense(&self) -> bool {
        self.kept == self.shape
    }

    /// The same stored elements with another shape; the number of elements must match `kept`.
    pub fn with_shape(mut self, shape: Vec<usize>, kept: Vec<usize>) -> Tensor {
        self.shape = shape;
        self.kept = kept;
        self.relation = Relation::None;
        self
    }

    /// The stored elements as a tensor of their own, without thin axes.
    pub fn thin(&self) -> Tensor {
        Tensor { shape: self.kept.clone(), ..self.clone() }.untied()
    }

    /// Removes the ticket and the relation to other tensors, which no longer hold when elements
    /// move.
    fn untied(mut self) -> Tensor {
        self.ticket = 0;
        self.norm = f64::INFINITY;
        self.relation = Relation::None;
        self
    }

    /// The same tensor with thin axes expanded.
    ///
    /// # Errors
    /// [`Problem::TooLarge`] if it exceeds the memory limit.
    pub fn dense(&self, store: &mut Store) -> Result<Tensor, Problem> {
        if self.is_dense() {
            return Ok(self.clone());
        }
        size(&self.shape)?;
        store.spend(self.len())?;
        let steps = broadcast_strides(&self.kept, &self.shape).unwrap_or_default();
        let map = view(&self.shape, &steps, 0);
        let mut t = self.thin().rearranged(store, self.shape.clone(), &map, El::known(0.0));
        t.ticket = self.ticket;
        Ok(t)
    }

    /// The numbers, if all are known and no axis is thin.
    pub fn values(&self) -> Option<&[f64]> {
        match &self.data {
            Data::Known(v) if self.is_dense() => Some(&v.list),
            _ => None,
        }
    }

    /// The stored element at `i`; opaque if out of range.
    pub fn el(&self, store: &Store, i: usize) -> El {
        match &self.data {
            Data::Known(v) => v.list.get(i).map_or(store.el(Cell::OPAQUE), |&x| El::known(x)),
            Data::Cells(c) => store.el(c.list.get(i).copied().unwrap_or(Cell::OPAQUE)),
        }
    }

    /// Like [`Tensor::el`], packed.
    pub fn cell(&self, store: &mut Store, i: usize) -> Cell {
        match &self.data {
            Data::Known(v) => match v.list.get(i) {
                Some(&x) => store.cell(El::known(x)),
                None => Cell::OPAQUE,
            },
            Data::Cells(c) => c.list.get(i).copied().unwrap_or(Cell::OPAQUE),
        }
    }

    /// All stored elements, packed.
    pub fn all_cells(&self, store: &mut Store) -> Vec<Cell> {
        match &self.data {
            Data::Known(v) => v.list.iter().map(|&x| store.cell(El::known(x))).collect(),
            Data::Cells(c) => c.list.clone(),
        }
    }

    /// Each stored element as [`DEAD`] or the id of its set.
    pub fn pattern(&self, store: &mut Store) -> Vec<u32> {
        match &self.data {
            Data::Known(v) => v.list.iter().map(|&x| if x == 0.0 { DEAD } else { EMPTY }).collect(),
            Data::Cells(c) => c.list.iter().map(|&c| store.code(c)).collect(),
        }
    }

    /// Bounds of a range of stored elements; zero for an empty range.
    pub fn hull_of(&self, store: &Store, range: std::ops::Range<usize>) -> Value {
        match &self.data {
            Data::Known(v) => {
                let list = v.list.get(range).unwrap_or(&[]);
                let lo = list.iter().copied().fold(f64::INFINITY, f64::min);
                let hi = list.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                if list.is_empty() { Value::ZERO } else { Value::range(lo, hi) }
            }
            Data::Cells(c) => {
                let mut last = None;
                let mut hull: Option<Value> = None;
                for &cell in c.list.get(range).unwrap_or(&[]) {
                    let key = Store::value_key(cell);
                    if last != Some(key) {
                        last = Some(key);
                        let v = store.value(cell);
                        hull = Some(hull.map_or(v, |h| h.hull(v)));
                    }
                }
                hull.unwrap_or(Value::ZERO)
            }
        }
    }

    /// Bounds of all elements.
    pub fn hull(&self, store: &Store) -> Value {
        let all = || self.hull_of(store, 0..self.kept.iter().product());
        match &self.data {
            Data::Known(v) => *v.hull.get_or_init(all),
            Data::Cells(c) => *c.hull.get_or_init(all),
        }
    }

    /// The same elements in another shape.
    ///
    /// # Errors
    /// [`Problem::Extents`] if the number of elements differs.
    pub fn reshaped(&self, store: &mut Store, shape: Vec<usize>) -> Result<Tensor, Problem> {
        if size(&shape)? != self.len() {
            return Err(Problem::Extents(self.shape.clone(), shape));
        }
        if self.is_dense() {
            return Ok(self.clone().untied().with_shape(shape.clone(), shape));
        }
        // Only axes of extent one were added or removed: thin axes can stay thin.
        let real = |shape: &[usize]| shape.iter().copied().filter(|&d| d != 1).collect::<Vec<_>>();
        if self.kept.iter().all(|&k| k == 1) {
            let kept = vec![1; shape.len()];
            return Ok(self.clone().untied().with_shape(shape, kept));
        }
        if real(&shape) == real(&self.shape) {
            let axes = self.shape.iter().zip(&self.kept).filter(|(d, _)| **d != 1);
            let mut old = axes.map(|(_, &k)| k);
            let kept = shape.iter().map(|&d| if d == 1 { 1 } else { old.next().unwrap_or(d) });
            let kept = kept.collect();
            return Ok(self.clone().untied().with_shape(shape, kept));
        }
        self.dense(store)?.reshaped(store, shape)
    }

    /// Moves elements: `map` has the old position for each new one, or [`FILL`] for the fill value.
    /// Only for dense tensors.
    pub fn rearranged(
        &self,
        store: &mut Store,
        shape: Vec<usize>,
        map: &[usize],
        fill: El,
    ) -> Tensor {
        if let (Data::Known(v), Some(x)) = (&self.data, fill.point()) {
            let values = map.iter().map(|&i| v.list.get(i).copied().unwrap_or(x)).collect();
            return Tensor::known(store, self.elem, shape, values);
        }
        let fill = store.cell(fill);
        let cells = match &self.data {
            Data::Cells(c) => map.iter().map(|&i| c.list.get(i).copied().unwrap_or(fill)).collect(),
            Data::Known(v) => {
                let pick = |&i: &usize| match v.list.get(i) {
                    Some(&x) => store.cell(El::known(x)),
                    None => fill,
                };
                map.iter().map(pick).collect()
            }
        };
        Tensor::cells(store, self.elem, shape, cells)
    }

    /// A strided view; strides and offset count elements. Only for dense tensors.
    pub fn viewed(
        &self,
        store: &mut Store,
        shape: Vec<usize>,
        strides: &[isize],
        offset: isize,
    ) -> Result<Tensor, Problem> {
        store.spend(size(&shape)?)?;
        let map = view(&shape, strides, offset);
        Ok(self.rearranged(store, shape, &map, El::known(0.0)))
    }

    /// Broadcasts to a shape. The axes along which elements are repeated become thin.
    ///
    /// # Errors
    /// [`Problem::Extents`] if the shapes do not match.
    pub fn broadcast(&self, shape: &[usize]) -> Result<Tensor, Problem> {
        let mismatch = || Problem::Extents(self.shape.clone(), shape.to_vec());
        broadcast_strides(&self.shape, shape).ok_or_else(mismatch)?;
        let mut kept = vec![1; shape.len() - self.rank()];
        kept.extend(&self.kept);
        if shape.contains(&0) {
            kept = shape.to_vec();
        }
        Ok(Tensor { shape: shape.to_vec(), kept, ..self.clone() }.untied())
    }

    /// Transposes: axis `i` of the result is axis `perm[i]`.
    ///
    /// # Errors
    /// If `perm` is not a permutation.
    pub fn transposed(&self, store: &mut Store, perm: &[usize]) -> Result<Tensor, Problem> {
        let own = strides(&self.kept);
        let mut sorted = perm.to_vec();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..self.rank()) {
            return Err(Problem::Attribute("perm"));
        }
        let pick = |list: &[usize]| -> Vec<usize> {
            perm.iter().filter_map(|&i| list.get(i).copied()).collect()
        };
        let (shape, kept) = (pick(&self.shape), pick(&self.kept));
        // If only axes of extent one move, the elements stay in place.
        let order: Vec<usize> =
            perm.iter().copied().filter(|&i| self.kept.get(i).is_some_and(|&d| d != 1)).collect();
        if order.is_sorted() {
            return Ok(self.clone().untied().with_shape(shape, kept));
        }
        let steps: Vec<isize> = perm.iter().filter_map(|&i| own.get(i).copied()).collect();
        let t = self.thin().viewed(store, kept.clone(), &steps, 0)?;
        Ok(t.with_shape(shape, kept))
    }

    /// The union of the sets of all elements.
    pub fn total(&self, store: &mut Store) -> u32 {
        store.sets.begin();
        if let Data::Cells(cells) = &self.data {
            for &cell in &cells.list {
                let el = store.el(cell);
                store.add_el(el);
            }
        }
        store.sets.end()
    }
}

/// The number of elements of a shape.
///
/// # Errors
/// [`Problem::TooLarge`] if it exceeds the limit on any tensor.
pub(crate) fn size(shape: &[usize]) -> Result<usize, Problem> {
    let limited = |n: usize, &d: &usize| n.checked_mul(d).filter(|&n| n <= MAX_ELEMENTS);
    // An axis of extent zero must not hide that the other extents overflow.
    let whole = shape.iter().filter(|&&d| d > 0).try_fold(1, limited);
    let whole = whole.ok_or_else(|| Problem::TooLarge(Resource::Elements(shape.to_vec())))?;
    Ok(if shape.contains(&0) { 0 } else { whole })
}

/// Row-major strides.
pub(crate) fn strides(shape: &[usize]) -> Vec<isize> {
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

/// The source position of each element of a strided view.
pub(crate) fn view(shape: &[usize], strides: &[isize], offset: isize) -> Vec<usize> {
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

/// Strides that broadcast a shape to another; `None` if the shapes do not match.
pub(crate) fn broadcast_strides(from: &[usize], to: &[usize]) -> Option<Vec<isize>> {
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

/// The broadcast shape of two shapes.
///
/// # Errors
/// [`Problem::Extents`] if they do not match.
pub(crate) fn broadcast_shape(a: &[usize], b: &[usize]) -> Result<Vec<usize>, Problem> {
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

/// The index of an axis; a negative one counts from the end.
///
/// # Errors
/// [`Problem::Axis`] if it is out of range.
pub(crate) fn axis(axis: i64, rank: usize) -> Result<usize, Problem> {
    let signed = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    signed
        .and_then(|a| usize::try_from(a).ok())
        .filter(|&a| a < rank)
        .ok_or(Problem::Axis { axis, rank })
}

/// Splits a shape at an axis: the number of elements before it, its extent, and the number after.
pub(crate) fn around(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    let product = |s: Option<&[usize]>| s.unwrap_or(&[]).iter().product::<usize>();
    (
        product(shape.get(..axis)),
        shape.get(axis).copied().unwrap_or(1),
        product(shape.get(axis + 1..)),
    )
}
