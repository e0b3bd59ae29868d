//! Matrix products: what a known zero kills on either side is not read.

use std::collections::HashMap;
use std::rc::Rc;

use super::super::call::{Call, Results};
use super::super::error::Problem;
use super::super::machine::Machine;
use super::super::store::{DEAD, Store};
use super::super::tensor::{Data, Kind, Tensor, broadcast_shape, broadcast_strides, size, view};
use super::elementwise::{apply, map};

/// Products of this many terms are formed in numbers when both sides are known.
const FOLD: usize = 1 << 24;

/// For each of many equal-length rows the number of its class, and one row of each class.
pub(super) fn classes<'r>(rows: impl Iterator<Item = &'r [u32]>) -> (Vec<usize>, Vec<&'r [u32]>) {
    let mut found: HashMap<&[u32], usize> = HashMap::new();
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

/// `columns` columns made rows.
fn turned(matrix: &[u32], columns: usize) -> Vec<u32> {
    let rows = matrix.len().checked_div(columns).unwrap_or(0);
    let at = |i: usize| matrix.get(i).copied().unwrap_or(DEAD);
    (0..columns).flat_map(|c| (0..rows).map(move |r| at(r * columns + c))).collect()
}

/// Rows of a matrix; none if it is empty.
fn rows(matrix: &[u32], width: usize) -> impl Iterator<Item = &[u32]> {
    matrix.chunks_exact(width.max(1))
}

/// The right side of a product, with rows and columns that look alike taken together. Weights keep
/// theirs from one use to the next.
struct Right {
    /// For each inner position the class of its row; [`DEAD`] if all of it is.
    row_class: Vec<u32>,
    column_class: Vec<usize>,
    /// Row classes by column classes.
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

/// The pattern of `a [m, k]` times a right side `[k, n]`, appended to `out`.
fn contract(
    store: &mut Store,
    a: &[u32],
    b: &Right,
    [m, k]: [usize; 2],
    out: &mut Vec<u32>,
) -> Result<(), Problem> {
    let n = b.column_class.len();
    store.spend(m * k)?;
    // Inner positions that look the same from both sides count once; dead ones not at all.
    let at = turned(a, k);
    let mut seen: HashMap<(&[u32], u32), ()> = HashMap::new();
    let mut inner = Vec::new();
    for (i, (column, &class)) in rows(&at, m).zip(&b.row_class).enumerate() {
        let dead = class == DEAD || column.iter().all(|&c| c == DEAD);
        if !dead && seen.insert((column, class), ()).is_none() {
            inner.push((i, class as usize));
        }
    }
    let q = inner.len();
    if m * n == 0 || q == 0 {
        out.extend(std::iter::repeat_n(DEAD, m * n));
        return Ok(());
    }
    let get = |list: &[u32], i: usize| list.get(i).copied().unwrap_or(DEAD);
    let left: Vec<u32> =
        (0..m).flat_map(|r| inner.iter().map(move |&(i, _)| get(a, r * k + i))).collect();
    let right: Vec<u32> = (0..b.columns)
        .flat_map(|c| inner.iter().map(move |&(_, class)| get(&b.reduced, class * b.columns + c)))
        .collect();
    let (row_class, left) = classes(rows(&left, q));
    store.spend(left.len().saturating_mul(b.columns).saturating_mul(q))?;
    let mut table = Vec::with_capacity(left.len() * b.columns);
    for row in &left {
        for column in rows(&right, q) {
            let mut live = false;
            store.begin();
            for (&x, &y) in row.iter().zip(column) {
                if x != DEAD && y != DEAD {
                    live = true;
                    store.add(x);
                    store.add(y);
                }
            }
            table.push(if live { store.end() } else { DEAD });
        }
    }
    for r in row_class {
        out.extend(b.column_class.iter().map(|&c| get(&table, r * b.columns + c)));
    }
    Ok(())
}

/// Right sides of weights, by where their numbers lie and which matrix of the batch it is.
#[derive(Default)]
pub(in super::super) struct Weights {
    known: HashMap<(usize, usize), Remembered>,
}

/// The numbers themselves, kept alive so that nothing else can come to lie at their address.
struct Remembered {
    _numbers: Rc<Vec<f64>>,
    right: Rc<Right>,
}

/// Weights remembered at a time.
const REMEMBERED: usize = 128;

impl Weights {
    fn get(
        &mut self,
        store: &mut Store,
        b: &Tensor,
        at: usize,
        k: usize,
        n: usize,
    ) -> Result<Rc<Right>, Problem> {
        let (start, end) = (at * k * n, (at + 1) * k * n);
        let key = match &b.data {
            Data::Known(numbers) => Some((Rc::as_ptr(numbers) as usize, at)),
            Data::Cells(_) => None,
        };
        if let Some(Remembered { right, .. }) = key.and_then(|key| self.known.get(&key))
            && right.row_class.len() == k
            && right.column_class.len() == n
        {
            return Ok(Rc::clone(right));
        }
        store.spend(2 * k * n)?;
        let pattern = b.part(start, end).pattern(store);
        let right = Rc::new(right_side(&pattern, k, n));
        if let (Some(key), Data::Known(numbers)) = (key, &b.data) {
            if self.known.len() >= REMEMBERED {
                self.known.clear();
            }
            let kept = Remembered { _numbers: Rc::clone(numbers), right: Rc::clone(&right) };
            self.known.insert(key, kept);
        }
        Ok(right)
    }
}

/// A batched product, as `MatMul` has it.
pub(super) fn multiply(machine: &mut Machine, a: &Tensor, b: &Tensor) -> Result<Tensor, Problem> {
    let Machine { store, weights, .. } = machine;
    let misfit = || Problem::Extents(a.shape.clone(), b.shape.clone());
    // A vector on the left is a row, on the right a column; its axis vanishes from the result.
    let (row, column) = (a.rank() == 1, b.rank() == 1);
    let (mut left, mut right) = (a.shape.clone(), b.shape.clone());
    if row {
        left.insert(0, 1);
    }
    if column {
        right.push(1);
    }
    let ([a_batch @ .., m, k], [b_batch @ .., k2, n]) = (&left[..], &right[..]) else {
        return Err(misfit());
    };
    let (m, k, n) = (*m, *k, *n);
    if k != *k2 {
        return Err(misfit());
    }
    let batch = broadcast_shape(a_batch, b_batch)?;
    let mut shape = batch.clone();
    shape.extend((!row).then_some(m));
    shape.extend((!column).then_some(n));
    let total = size(&shape)?;
    store.spend(total)?;
    let steps = |from: &[usize]| {
        broadcast_strides(from, &batch).map(|s| view(&batch, &s, 0)).ok_or_else(misfit)
    };
    let (a_at, b_at) = (steps(a_batch)?, steps(b_batch)?);
    let folds = total.checked_mul(k).is_some_and(|terms| terms <= FOLD);
    if let (Some(x), Some(y), true) = (a.values(), b.values(), folds) {
        store.spend(total * k)?;
        let get = |list: &[f64], i: usize| list.get(i).copied().unwrap_or(0.0);
        let mut values = Vec::with_capacity(total);
        for (i, j) in a_at.iter().zip(&b_at) {
            for r in 0..m {
                for c in 0..n {
                    let term = |q| get(x, i * m * k + r * k + q) * get(y, j * k * n + q * n + c);
                    values.push((0..k).map(term).sum());
                }
            }
        }
        return Ok(Tensor::known(a.kind, shape, values));
    }
    let x = a.pattern(store);
    let mut out = Vec::with_capacity(total);
    for (i, j) in a_at.iter().zip(&b_at) {
        let left = x.get(i * m * k..(i + 1) * m * k).unwrap_or(&[]);
        let right = weights.get(store, b, *j, k, n)?;
        contract(store, left, &right, [m, k], &mut out)?;
    }
    Ok(Tensor::from_pattern(store, Kind::Float, shape, &out))
}

pub(super) fn matmul(call: &mut Call) -> Results {
    let (a, b) = (call.input(0)?, call.input(1)?);
    Ok(vec![multiply(call.machine, &a, &b)?])
}

pub(super) fn gemm(call: &mut Call) -> Results {
    let (mut a, mut b) = (call.input(0)?, call.input(1)?);
    if a.rank() != 2 || b.rank() != 2 {
        return Err(Problem::Extents(a.shape, b.shape).into());
    }
    if call.int("transA", 0) != 0 {
        a = a.transposed(call.store(), &[1, 0])?;
    }
    if call.int("transB", 0) != 0 {
        b = b.transposed(call.store(), &[1, 0])?;
    }
    let (alpha, beta) = (call.float("alpha", 1.0), call.float("beta", 1.0));
    let c = call.optional(2);
    let scaled = |store: &mut Store, t: &Tensor, by: f64| match by {
        0.0 => Tensor::known(Kind::Float, t.shape.clone(), Vec::new()),
        _ => map(store, t, Kind::Float, |x| Some(x * by)),
    };
    let mut y = multiply(call.machine, &a, &b)?;
    let store = call.store();
    y = scaled(store, &y, alpha);
    if let Some(c) = c {
        let c = scaled(store, &c, beta);
        y = apply(store, "Add", &y, &c)?;
    }
    Ok(vec![y])
}
