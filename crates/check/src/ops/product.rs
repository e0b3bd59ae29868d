//! Matrix products. A factor that is multiplied by a known zero is not a dependency.

use std::rc::Rc;

use super::elementwise::{apply, map};
use super::reduce::exact_sum;
use crate::call::{Call, Results, one};
use crate::elem::Elem;
use crate::error::Problem;
use crate::fast::FastMap;
use crate::machine::Machine;
use crate::sets::EMPTY;
use crate::store::{Cell, DEAD, El, Store};
use crate::tensor::{Data, Tensor, broadcast_shape, broadcast_strides, size, view};
use crate::unary::constant;
use crate::value::{Value, finish, mul};

/// Products with up to this many terms are computed if both sides are known.
const FOLD: usize = 1 << 20;

/// Groups equal rows into classes. Returns the class of each row, and one row of each class.
pub(crate) fn classes<'r>(rows: impl Iterator<Item = &'r [u32]>) -> (Vec<usize>, Vec<&'r [u32]>) {
    let mut found: FastMap<&[u32], usize> = FastMap::default();
    let mut members = Vec::new();
    let mut firsts = Vec::new();
    for row in rows {
        let next = firsts.len();
        let class = *found.entry(row).or_insert(next);
        if class == next {
            firsts.push(row);
        }
        members.push(class);
    }
    (members, firsts)
}

/// The transpose of a matrix with this many columns.
fn turned(matrix: &[u32], columns: usize) -> Vec<u32> {
    let rows = matrix.len().checked_div(columns).unwrap_or(0);
    let at = |i: usize| matrix.get(i).copied().unwrap_or(DEAD);
    (0..columns).flat_map(|c| (0..rows).map(move |r| at(r * columns + c))).collect()
}

/// The rows of a matrix; none if it is empty.
fn rows(matrix: &[u32], width: usize) -> impl Iterator<Item = &[u32]> {
    matrix.chunks_exact(width.max(1))
}

/// The right side of a product, with equal rows and equal columns grouped into classes. It is
/// cached for weights.
struct Right {
    /// The class of each row, or [`DEAD`] if the whole row is known to be zero.
    row_class: Vec<u32>,
    column_class: Vec<usize>,
    /// The pattern: one row per row class, one column per column class.
    reduced: Vec<u32>,
    columns: usize,
}

fn right_side(b: &[u32], k: usize, n: usize) -> Right {
    let (row_class, firsts) = classes(rows(b, n));
    let dead: Vec<bool> = firsts.iter().map(|r| r.iter().all(|&c| c == DEAD)).collect();
    let short: Vec<u32> = firsts.concat();
    let columns = turned(&short, n);
    let (column_class, kinds) = classes(rows(&columns, firsts.len()));
    let reduced = turned(&kinds.concat(), firsts.len());
    let code = |&c: &usize| if dead.get(c) == Some(&false) { c as u32 } else { DEAD };
    let mut row_class: Vec<u32> = row_class.iter().map(code).collect();
    row_class.resize(k, DEAD);
    Right { row_class, column_class, reduced, columns: kinds.len() }
}

/// What an element of a product depends on: the union of two sets, or `None` if it is known to be
/// zero.
pub(crate) type Reads = Option<(u32, u32)>;

/// Appends to `out` what each element of `a [m, k]` times `b [k, n]` depends on.
fn contract(
    store: &mut Store,
    a: &[u32],
    b: &Right,
    [m, k]: [usize; 2],
    out: &mut Vec<Reads>,
) -> Result<(), Problem> {
    let n = b.column_class.len();
    store.spend(m * k)?;
    // Of equal inner positions one is enough; positions with a zero on either side are skipped.
    let at = turned(a, k);
    let mut seen: FastMap<(&[u32], u32), ()> = FastMap::default();
    let mut inner = Vec::new();
    for (i, (column, &class)) in rows(&at, m).zip(&b.row_class).enumerate() {
        let dead = class == DEAD || column.iter().all(|&c| c == DEAD);
        if !dead && seen.insert((column, class), ()).is_none() {
            inner.push((i, class as usize));
        }
    }
    let q = inner.len();
    if m * n == 0 || q == 0 {
        out.extend(std::iter::repeat_n(None, m * n));
        return Ok(());
    }
    let get = |list: &[u32], i: usize| list.get(i).copied().unwrap_or(DEAD);
    let left: Vec<u32> =
        (0..m).flat_map(|r| inner.iter().map(move |&(i, _)| get(a, r * k + i))).collect();
    let right: Vec<u32> = (0..b.columns)
        .flat_map(|c| inner.iter().map(move |&(_, class)| get(&b.reduced, class * b.columns + c)))
        .collect();
    let (row_class, left) = classes(rows(&left, q));
    let mut table: Vec<Reads> = Vec::new();
    store.spend(left.len().saturating_mul(b.columns))?;
    table.reserve_exact(left.len() * b.columns);
    for row in &left {
        store.work(b.columns.saturating_mul(q))?;
        for column in rows(&right, q) {
            let mut live = false;
            store.sets.begin();
            for (&x, &y) in row.iter().zip(column) {
                if x != DEAD && y != DEAD {
                    live = true;
                    store.sets.add(x);
                    store.sets.add(y);
                }
            }
            table.push(live.then(|| store.sets.end_pair()));
        }
    }
    for r in row_class {
        let pick = |&c: &usize| table.get(r * b.columns + c).copied().unwrap_or(None);
        out.extend(b.column_class.iter().map(pick));
    }
    Ok(())
}

/// Caches for weights, by the address of their data and the matrix in the batch.
#[derive(Default)]
pub(crate) struct Weights {
    known: FastMap<(usize, usize, bool), Remembered>,
    sums: FastMap<usize, Sums>,
}

/// The data are held, so that no other data can have their address while the entry exists.
struct Remembered {
    _held: Data,
    right: Rc<Right>,
}

/// For each column, the sums of its positive and of its negative weights.
struct Sums {
    _numbers: Rc<crate::budget::Buffer<f64>>,
    columns: Rc<Vec<(f64, f64)>>,
}

/// Weights of at least this size use the cached sums.
const SUMMED: usize = 1 << 12;

/// Maximal number of entries in each cache.
const REMEMBERED: usize = 128;

/// A pattern in which known zeros do not stop dependencies.
fn alive(mut pattern: Vec<u32>) -> Vec<u32> {
    pattern.iter_mut().filter(|c| **c == DEAD).for_each(|c| *c = EMPTY);
    pattern
}

impl Weights {
    /// Bounds of `a [.., k]` times known weights `[k, n]`, from the bounds of all of `a`.
    fn bounds(
        &mut self,
        elem: Elem,
        a: Value,
        w: &Rc<crate::budget::Buffer<f64>>,
        [k, n]: [usize; 2],
    ) -> Vec<Value> {
        let key = Rc::as_ptr(w) as usize;
        if self.sums.len() >= REMEMBERED {
            self.sums.clear();
        }
        let found = self.sums.get(&key).map(|s| Rc::clone(&s.columns)).filter(|c| c.len() == n);
        let columns = found.unwrap_or_else(|| {
            let mut columns = vec![(0.0, 0.0); n];
            for row in w.list.chunks_exact(n.max(1)) {
                for (&x, (up, down)) in row.iter().zip(&mut columns) {
                    *up += x.max(0.0);
                    *down += x.min(0.0);
                }
            }
            let columns = Rc::new(columns);
            let kept = Sums { _numbers: Rc::clone(w), columns: Rc::clone(&columns) };
            self.sums.insert(key, kept);
            columns
        });
        let slack = (k as f64 + 2.0) * elem.eps();
        let bound = |&(up, down): &(f64, f64)| {
            let give = (up - down) * a.magnitude() * slack + elem.tiny();
            let v =
                finish(elem, up * a.lo + down * a.hi - give, up * a.hi + down * a.lo + give, a.nan);
            // Zero times infinity is NaN, and so is the sum of infinities of opposite sign.
            Value { nan: v.nan || !a.is_finite() || !v.is_finite() && v.lo == -v.hi, ..v }
        };
        columns.iter().map(bound).collect()
    }

    fn get(
        &mut self,
        store: &mut Store,
        b: &Tensor,
        at: usize,
        k: usize,
        n: usize,
        zeros: bool,
    ) -> Result<Rc<Right>, Problem> {
        // Only data without dependencies are cached: known numbers, and weights that are inputs.
        let held = match &b.data {
            Data::Cells(c) if c.list.len() > 1 << 22 || !c.list.iter().all(|c| c.is_free()) => None,
            data => Some(data.clone()),
        };
        let address = |data: &Data| match data {
            Data::Known(numbers) => Rc::as_ptr(numbers) as usize,
            Data::Cells(cells) => Rc::as_ptr(cells) as usize,
        };
        let key = held.as_ref().map(|data| (address(data), at, zeros));
        if let Some(Remembered { right, .. }) = key.and_then(|key| self.known.get(&key))
            && right.row_class.len() == k
            && right.column_class.len() == n
        {
            return Ok(Rc::clone(right));
        }
        store.spend(2 * k * n)?;
        let mut pattern = part(store, b, at * k * n, (at + 1) * k * n);
        if !zeros {
            pattern = alive(pattern);
        }
        let right = Rc::new(right_side(&pattern, k, n));
        if let (Some(key), Some(held)) = (key, held) {
            if self.known.len() >= REMEMBERED {
                self.known.clear();
            }
            let kept = Remembered { _held: held, right: Rc::clone(&right) };
            self.known.insert(key, kept);
        }
        Ok(right)
    }
}

/// The pattern of a range of elements, thin axes not expanded.
fn part(store: &mut Store, t: &Tensor, start: usize, end: usize) -> Vec<u32> {
    match &t.data {
        Data::Known(v) => {
            let list = v.list.get(start..end).unwrap_or(&[]);
            list.iter().map(|&x| if x == 0.0 { DEAD } else { EMPTY }).collect()
        }
        Data::Cells(c) => {
            c.list.get(start..end).unwrap_or(&[]).iter().map(|&c| store.code(c)).collect()
        }
    }
}

/// Bounds of a sum of `k` products, some of which may be skipped because a factor is zero.
pub(crate) fn product_bounds(elem: Elem, a: Value, b: Value, k: usize) -> Value {
    let p = mul(elem, a, b);
    let n = k as f64;
    if !elem.is_float() {
        return finish(elem, p.lo.min(0.0) * n, p.hi.max(0.0) * n, p.nan);
    }
    let slack = 1.0 + (n + 2.0) * elem.eps();
    // The sum of infinities of opposite sign is NaN.
    let (lo, hi) = (p.lo.min(0.0) * n * slack, p.hi.max(0.0) * n * slack);
    let v = finish(elem, lo, hi, p.nan);
    Value { nan: v.nan || (v.lo == f64::NEG_INFINITY && v.hi == f64::INFINITY), ..v }
}

/// Bounds of each column of `a [.., k]` times known weights `[k, n]`.
fn columns(store: &Store, elem: Elem, a: &Tensor, w: &[f64], k: usize, n: usize) -> Vec<Value> {
    let count = a.kept.iter().product::<usize>();
    // Bounds of each inner position over all rows.
    let mut inner: Vec<Option<Value>> = vec![None; k];
    for i in 0..count {
        let v = a.el(store, i).v;
        if let Some(slot) = inner.get_mut(i % k.max(1)) {
            *slot = Some(slot.map_or(v, |h| h.hull(v)));
        }
    }
    let (mut lo, mut hi, mut size) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    let mut nan = false;
    for (q, v) in inner.iter().enumerate() {
        let v = v.unwrap_or(Value::ZERO);
        nan |= v.nan;
        let row = w.get(q * n..(q + 1) * n).unwrap_or(&[]);
        // Zero times infinity is NaN.
        nan |= !v.is_finite() && row.contains(&0.0);
        for (((&x, lo), hi), size) in row.iter().zip(&mut lo).zip(&mut hi).zip(&mut size) {
            if x != 0.0 {
                *size += x.abs() * v.magnitude();
                let (a, b) = (x * v.lo, x * v.hi);
                *lo += a.min(b);
                *hi += a.max(b);
            }
        }
    }
    let slack = (k as f64 + 2.0) * elem.eps();
    let bound = |((lo, hi), size): ((f64, f64), f64)| {
        // Rounding errors are relative to the terms, which may cancel.
        let give = size * slack + elem.tiny();
        let v = finish(elem, lo - give, hi + give, nan);
        Value { nan: v.nan || (!v.is_finite() && v.lo == -v.hi), ..v }
    };
    lo.into_iter().zip(hi).zip(size).map(bound).collect()
}

/// An operand with the last two axes expanded; other axes may stay thin. A vector gets an axis of
/// extent one at `at`.
fn matrix(store: &mut Store, t: &Tensor, at: usize) -> Result<Tensor, Problem> {
    let mut shape = t.shape.clone();
    if t.rank() == 1 {
        shape.insert(at, 1);
    }
    let t = t.reshaped(store, shape)?;
    let rank = t.rank();
    let full = t.kept.iter().zip(&t.shape).skip(rank.saturating_sub(2)).all(|(k, d)| k == d);
    if full { Ok(t) } else { t.dense(store) }
}

/// A batched matrix product with the semantics of `MatMul`, accumulated in the type `elem`.
pub(crate) fn multiply(
    machine: &mut Machine,
    a: &Tensor,
    b: &Tensor,
    elem: Elem,
) -> Result<Tensor, Problem> {
    let Machine { store, weights, .. } = machine;
    let mismatch = || Problem::Extents(a.shape.clone(), b.shape.clone());
    // A vector on the left is a row, one on the right a column. The result lacks that axis.
    let (row, column) = (a.rank() == 1, b.rank() == 1);
    let (a, b) = (&matrix(store, a, 0)?, &matrix(store, b, 1)?);
    let ([a_batch @ .., m, k], [b_batch @ .., k2, n]) = (&a.shape[..], &b.shape[..]) else {
        return Err(mismatch());
    };
    let (m, k, n) = (*m, *k, *n);
    if k != *k2 {
        return Err(mismatch());
    }
    let batch_shape = broadcast_shape(a_batch, b_batch)?;
    let lead = |t: &Tensor| t.kept.get(..t.rank() - 2).unwrap_or(&[]).to_vec();
    let batch = broadcast_shape(&lead(a), &lead(b))?;
    let steps = |from: &[usize]| {
        broadcast_strides(from, &batch).map(|s| view(&batch, &s, 0)).ok_or_else(mismatch)
    };
    let (a_at, b_at) = (steps(&lead(a))?, steps(&lead(b))?);
    let shaped = |t: Tensor, batch: &[usize]| {
        let full = |batch: &[usize]| {
            let mut shape = batch.to_vec();
            shape.extend((!row).then_some(m));
            shape.extend((!column).then_some(n));
            shape
        };
        t.with_shape(full(&batch_shape), full(batch))
    };
    let total = size(&[batch.iter().product(), m, n])?;
    let folds = total.checked_mul(k).is_some_and(|terms| terms <= FOLD);
    if let (Data::Known(x), Data::Known(y), true) = (&a.data, &b.data, folds) {
        store.spend(total)?;
        store.work(total * k)?;
        let sides = Sides { x: &x.list, y: &y.list, size: [m, k, n] };
        let cells = fold(store, elem, &sides, &a_at, &b_at);
        let mut flat = batch.clone();
        flat.extend([m, n]);
        return Ok(shaped(Tensor::cells(store, elem, flat, cells), &batch));
    }
    let (va, vb) = (a.hull(store), b.hull(store));
    // A zero stops only dependencies of finite values.
    let (zeros_a, zeros_b) = (finite(store, vb), finite(store, va));
    let mut left: Vec<Vec<u32>> = Vec::new();
    for &i in &a_at {
        let pattern = part(store, a, i * m * k, (i + 1) * m * k);
        left.push(if zeros_a { pattern } else { alive(pattern) });
    }
    let same = alike(store, b, &left, &b_at, k * n);
    let (a_at, b_at, kept) = match same {
        true => (&a_at[..1], &b_at[..1], vec![1; batch.len()]),
        false => (&a_at[..], &b_at[..], batch),
    };
    let bounds = match &b.data {
        Data::Known(w) if w.list.len() == k * n && k * n >= SUMMED && elem.is_float() => {
            weights.bounds(elem, va, w, [k, n])
        }
        _ => bounds(store, elem, a, b, [k, n], [va, vb]),
    };
    store.spend(a_at.len() * m * n)?;
    let mut out: Vec<Reads> = Vec::with_capacity(a_at.len() * m * n);
    for (left, j) in left.iter().zip(b_at) {
        let right = weights.get(store, b, *j, k, n, zeros_b)?;
        contract(store, left, &right, [m, k], &mut out)?;
    }
    let bounds: Vec<Value> = bounds.into_iter().map(|v| store.settle(elem, v)).collect();
    let cells = bounded(store, out, &bounds, n);
    let mut flat = kept.clone();
    flat.extend([m, n]);
    Ok(shaped(Tensor::cells(store, elem, flat, cells), &kept))
}

fn bounds(
    store: &Store,
    elem: Elem,
    a: &Tensor,
    b: &Tensor,
    [k, n]: [usize; 2],
    [va, vb]: [Value; 2],
) -> Vec<Value> {
    match &b.data {
        Data::Known(w) if b.kept.iter().product::<usize>() == k * n && elem.is_float() => {
            columns(store, elem, a, &w.list, k, n)
        }
        _ => vec![product_bounds(elem, va, vb, k)],
    }
}

/// Whether a known zero times any value within these bounds is zero, so that it stops the
/// dependency.
pub(crate) fn finite(store: &mut Store, v: Value) -> bool {
    if store.assume.alive {
        return false;
    }
    if v.is_finite() {
        return true;
    }
    store.noticed.infinite = true;
    if store.assume.finite {
        let node = store.node.clone();
        store.grant(crate::store::Granted::Finite { node });
    }
    store.assume.finite
}

/// Elements with these dependencies. `bounds` has one entry for all, or one per column.
fn bounded(store: &mut Store, reads: Vec<Reads>, bounds: &[Value], columns: usize) -> Vec<Cell> {
    let mut cells = Vec::with_capacity(reads.len());
    for (i, reads) in reads.into_iter().enumerate() {
        let v = bounds.get(if bounds.len() == 1 { 0 } else { i % columns.max(1) });
        cells.push(match reads {
            None => Cell::ZERO,
            Some(pair) => store.cell(El::pair(pair, v.copied().unwrap_or(Value::ANY))),
        });
    }
    cells
}

/// Whether all matrices of the batch have the same pattern, so that one can represent all.
fn alike(store: &mut Store, b: &Tensor, left: &[Vec<u32>], b_at: &[usize], size: usize) -> bool {
    if left.len() < 2 || b.kept.iter().product::<usize>() > 1 << 26 {
        return false;
    }
    let first = part(store, b, 0, size);
    left.iter().all(|l| Some(l) == left.first())
        && b_at.iter().all(|&j| part(store, b, j * size, (j + 1) * size) == first)
        && b_at.first() == Some(&0)
}

struct Sides<'v> {
    x: &'v [f64],
    y: &'v [f64],
    size: [usize; 3],
}

/// The product of known numbers.
fn fold(store: &mut Store, elem: Elem, sides: &Sides, a_at: &[usize], b_at: &[usize]) -> Vec<Cell> {
    let [m, k, n] = sides.size;
    let get = |list: &[f64], i: usize| list.get(i).copied().unwrap_or(0.0);
    let mut cells = Vec::new();
    let still = |list: &[f64]| list.iter().all(|&x| x == 0.0);
    let sane = |list: &[f64]| list.iter().all(|x| x.is_finite());
    if (still(sides.x) && sane(sides.y)) || (still(sides.y) && sane(sides.x)) {
        return vec![Cell::ZERO; a_at.len() * m * n];
    }
    for (i, j) in a_at.iter().zip(b_at) {
        for r in 0..m {
            for c in 0..n {
                let term = |q: usize| {
                    let x = Value::known(get(sides.x, i * m * k + r * k + q));
                    mul(elem, x, Value::known(get(sides.y, j * k * n + q * n + c)))
                };
                let exact = exact_sum(elem, (0..k).map(|q| term(q).point()));
                let v = match exact {
                    Some(x) if elem.is_float() => Value::known(x),
                    _ => super::reduce::sum_of(elem, (0..k).map(term)),
                };
                cells.push(store.cell(El::new(EMPTY, v)));
            }
        }
    }
    cells
}

pub(super) fn matmul(call: &mut Call) -> Results {
    let (a, b) = (call.thin(0)?, call.thin(1)?);
    let elem = a.elem;
    one(multiply(call.machine, &a, &b, elem)?)
}

pub(super) fn gemm(call: &mut Call) -> Results {
    let (mut a, mut b) = (call.input(0)?, call.input(1)?);
    if a.rank() != 2 || b.rank() != 2 {
        return Err(Problem::Extents(a.shape, b.shape).into());
    }
    if call.flag("transA") {
        a = a.transposed(call.store(), &[1, 0])?;
    }
    if call.flag("transB") {
        b = b.transposed(call.store(), &[1, 0])?;
    }
    let (alpha, beta) = (call.float("alpha", 1.0), call.float("beta", 1.0));
    let c = call.optional(2)?;
    let elem = a.elem;
    let scaled = |store: &mut Store, t: &Tensor, by: f64| match by {
        1.0 => Ok(t.clone()),
        // A runtime may skip or compute terms with a factor of zero.
        _ => map(store, t, elem, &|v| mul(elem, v, constant(elem, by))),
    };
    let mut y = multiply(call.machine, &a, &b, elem)?;
    let store = call.store();
    y = scaled(store, &y, alpha)?;
    if let Some(c) = c {
        let c = scaled(store, &c, beta)?;
        y = apply(store, "Add", &y, &c)?;
    }
    one(y)
}
