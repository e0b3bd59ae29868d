//! Element-wise operators, with broadcasting.

use crate::binary::{Binary, Reads, binary, remainder, shift, truth_of};
use crate::call::{Call, Results, one};
use crate::elem::Elem;
use crate::error::Problem;
use crate::fast::FastMap;
use crate::sets::EMPTY;
use crate::store::{Cell, El, Granted, Store};
use crate::tensor::{Data, Relation, Tensor, broadcast_shape, broadcast_strides, size};
use crate::unary::unary as find_unary;
use crate::value::{Value, convert};

/// A constant this low that is added to scores is treated as a mask, that is, as minus infinity.
const MASK: f64 = -1e3;

/// Applies `f` to the bounds of each element. Dependencies stay, unless the result is a known
/// number.
pub(crate) fn map(
    store: &mut Store,
    t: &Tensor,
    elem: Elem,
    f: &dyn Fn(Value) -> Value,
) -> Result<Tensor, Problem> {
    store.spend(t.kept.iter().product())?;
    if let Data::Known(v) = &t.data {
        let known = |&x: &f64| f(Value::known(x)).point();
        if let Some(values) = v.list.iter().map(known).collect::<Option<Vec<f64>>>() {
            let y = Tensor::known(store, elem, t.kept.clone(), values);
            return Ok(y.with_shape(t.shape.clone(), t.kept.clone()));
        }
    }
    let mut cache: FastMap<u32, (u32, bool)> = FastMap::default();
    let mut cells = t.all_cells(store);
    for cell in &mut cells {
        let key = Store::value_key(*cell);
        let (v, point) = match cache.get(&key) {
            Some(&found) => found,
            None => {
                let before = store.value_of(key);
                let v = store.settle(elem, f(before));
                let v = Value { signed: before.is_sure(t.elem), ..v };
                let v = revived(store, elem, v, before.point().is_none());
                let point = v.point().is_some();
                let packed = store.cell(El::new(EMPTY, v));
                let found = (Store::value_key(packed), point);
                cache.insert(key, found);
                found
            }
        };
        *cell = store.merged(*cell, Cell::ZERO, v, point);
    }
    let y = Tensor::cells(store, elem, t.kept.clone(), cells);
    Ok(y.with_shape(t.shape.clone(), t.kept.clone()))
}

/// With [`Assume::alive`](crate::store::Assume), turns a result that is known, although an operand
/// is not, into an unknown number. It then keeps its dependencies.
fn revived(store: &Store, elem: Elem, v: Value, unknown: bool) -> Value {
    let revive = store.assume.alive && unknown && v.point().is_some();
    if revive { Value::finite_of(elem) } else { v }
}

/// Iterates over the positions of a tensor that is broadcast to a shape.
pub(crate) struct Odometer {
    shape: Vec<usize>,
    strides: Vec<isize>,
    at: Vec<usize>,
    offset: isize,
}

impl Odometer {
    pub fn new(from: &[usize], to: &[usize]) -> Result<Odometer, Problem> {
        let mismatch = || Problem::Extents(from.to_vec(), to.to_vec());
        let strides = broadcast_strides(from, to).ok_or_else(mismatch)?;
        Ok(Odometer { shape: to.to_vec(), strides, at: vec![0; to.len()], offset: 0 })
    }

    /// Returns the current position, and advances to the next.
    pub fn step(&mut self) -> usize {
        let now = self.offset as usize;
        let axes = self.shape.iter().zip(&self.strides).zip(&mut self.at).rev();
        for ((&extent, &stride), at) in axes {
            *at += 1;
            self.offset += stride;
            if *at < extent {
                break;
            }
            self.offset -= stride * extent as isize;
            *at = 0;
        }
        now
    }
}

/// The broadcast shape of a result, and its shape with thin axes of extent one.
fn shapes(parts: &[&Tensor]) -> Result<(Vec<usize>, Vec<usize>), Problem> {
    let mut shape = Vec::new();
    let mut kept = Vec::new();
    for t in parts {
        shape = broadcast_shape(&shape, &t.shape)?;
        kept = broadcast_shape(&kept, &t.kept)?;
    }
    if shape.contains(&0) {
        kept.clone_from(&shape);
    }
    size(&kept)?;
    Ok((shape, kept))
}

/// Applies a function of two numbers, with broadcasting.
pub(crate) fn pairwise(
    store: &mut Store,
    op: &Binary,
    a: &Tensor,
    b: &Tensor,
) -> Result<Tensor, Problem> {
    let (shape, kept) = shapes(&[a, b])?;
    let n = kept.iter().product();
    store.spend(n)?;
    let elem = if op.truth { Elem::Bool } else { a.elem };
    let (mut i, mut j) = (Odometer::new(&a.kept, &kept)?, Odometer::new(&b.kept, &kept)?);
    if let (Data::Known(x), Data::Known(y)) = (&a.data, &b.data) {
        let mut values = Vec::with_capacity(n);
        for _ in 0..n {
            let pair = (x.list.get(i.step()), y.list.get(j.step()));
            let (Some(&x), Some(&y)) = pair else { break };
            match (op.eval)(a.elem, Value::known(x), Value::known(y)).0.point() {
                Some(z) => values.push(z),
                None => break,
            }
        }
        if values.len() == n {
            let y = Tensor::known(store, elem, kept.clone(), values);
            return Ok(y.with_shape(shape, kept));
        }
        (i, j) = (Odometer::new(&a.kept, &kept)?, Odometer::new(&b.kept, &kept)?);
    }
    let mut cache: FastMap<(u32, u32), (u32, bool, Reads)> = FastMap::default();
    let mut last = ((u32::MAX, u32::MAX), (0, false, Reads::Both));
    let mut cells = Vec::with_capacity(n);
    for _ in 0..n {
        let (x, y) = (a.cell(store, i.step()), b.cell(store, j.step()));
        let key = (Store::value_key(x), Store::value_key(y));
        if key != last.0 {
            let found = cache.get(&key).copied();
            let entry = found.unwrap_or_else(|| evaluate(store, op, elem, a.elem, key));
            cache.insert(key, entry);
            last = (key, entry);
        }
        let (v, point, reads) = last.1;
        cells.push(match reads {
            Reads::Both => store.merged(x, y, v, point),
            Reads::Left => store.merged(x, Cell::ZERO, v, point),
            Reads::Right => store.merged(y, Cell::ZERO, v, point),
            Reads::All => store.everything(v),
        });
    }
    let y = Tensor::cells(store, elem, kept.clone(), cells);
    Ok(y.with_shape(shape, kept))
}

fn evaluate(
    store: &mut Store,
    op: &Binary,
    elem: Elem,
    operands: Elem,
    key: (u32, u32),
) -> (u32, bool, Reads) {
    let (x, y) = (store.value_of(key.0), store.value_of(key.1));
    let (v, reads) = (op.eval)(operands, x, y);
    // A division by zero would have given infinity, which is assumed not to occur.
    let reads = if store.assume.finite && reads == Reads::All { Reads::Both } else { reads };
    let v = store.settle(elem, v);
    let signed = reads == Reads::Both && x.is_sure(operands) && y.is_sure(operands);
    let v = Value { signed, ..v };
    let v = revived(store, elem, v, x.point().is_none() || y.point().is_none());
    let packed = store.cell(El::new(EMPTY, v));
    (Store::value_key(packed), v.point().is_some(), reads)
}

/// Applies the operator of this name, with broadcasting.
pub(crate) fn apply(
    store: &mut Store,
    op_type: &str,
    a: &Tensor,
    b: &Tensor,
) -> Result<Tensor, Problem> {
    let op = binary(op_type).ok_or(Problem::Form("is not an operator on two tensors"))?;
    match op_type {
        "Add" | "Sum" | "Sub" => masked(store, &op, op_type == "Sub", a, b),
        _ => pairwise(store, &op, a, b),
    }
}

/// Sums and differences, in which a constant far below zero may be a mask.
fn masked(
    store: &mut Store,
    op: &Binary,
    minus: bool,
    a: &Tensor,
    b: &Tensor,
) -> Result<Tensor, Problem> {
    let low = |store: &Store, t: &Tensor, sign: f64| {
        let v = t.hull(store);
        if sign > 0.0 { v.lo <= MASK } else { v.hi >= -MASK }
    };
    let sign = if minus { -1.0 } else { 1.0 };
    let candidate = a.elem.is_float() && (low(store, a, 1.0) || low(store, b, sign));
    if !candidate {
        return pairwise(store, op, a, b);
    }
    store.noticed.masks = true;
    if !store.assume.masks {
        return pairwise(store, op, a, b);
    }
    let y = pairwise(store, op, a, b)?;
    let (mut i, mut j) = (Odometer::new(&a.kept, &y.kept)?, Odometer::new(&b.kept, &y.kept)?);
    let mut cells = y.all_cells(store);
    for cell in &mut cells {
        let (x, z) = (a.el(store, i.step()), b.el(store, j.step()));
        let result = store.el(*cell);
        let constant = |el: El, sign: f64| el.point().map_or(el.v.mask, |c| c * sign);
        let (left, right) = (constant(x, 1.0), constant(z, sign));
        // It is a mask, unless the other side is a constant that may cancel it.
        let lifted = left.max(right) >= -MASK / 2.0;
        let mask = left.min(right);
        if mask <= MASK && !lifted && result.point().is_none() {
            *cell = store.cell(El { v: Value { mask, ..result.v }, ..result });
        }
    }
    let t = Tensor::cells(store, y.elem, y.kept.clone(), cells);
    Ok(t.with_shape(y.shape, y.kept))
}

/// Whether an element is treated as minus infinity. If so, records the assumption that masks work.
pub(crate) fn is_mask(store: &mut Store, el: El) -> bool {
    let constant = el.point().unwrap_or(el.v.mask);
    if constant > MASK {
        return false;
    }
    store.noticed.masks = true;
    if !store.assume.masks || constant == f64::NEG_INFINITY {
        return false;
    }
    let node = store.node.clone();
    store.grant(if el.v.hi <= MASK && !el.v.nan {
        Granted::Above { node, bound: el.v.hi + 105.0 }
    } else {
        Granted::Within { node, spread: -constant - 105.0 }
    });
    true
}

pub(super) fn unary(call: &mut Call) -> Results {
    let t = call.thin(0)?;
    let op_type = call.node.op_type();
    if op_type == "Reciprocal" {
        let store = call.store();
        let one_over = Tensor::filled(store, t.elem, Vec::new(), El::known(1.0));
        return one(apply(store, "Div", &one_over, &t)?);
    }
    let number = |name: &str, default: f32| call.float(name, default);
    let f = find_unary(op_type, &number).ok_or(Problem::Form("is not element-wise"))?;
    let elem = if matches!(op_type, "Not" | "IsNaN" | "IsInf") { Elem::Bool } else { t.elem };
    let inner = t.elem;
    let mut y = map(call.store(), &t, elem, &|v| f(inner, v))?;
    if op_type == "Exp" && call.machine.store.assume.masks {
        y = without_masks(call.store(), y, &t)?;
    }
    if op_type == "Exp"
        && let Relation::PeakZero(axes) = &t.relation
    {
        y.relation = Relation::PeakOne(axes.clone());
    }
    one(y)
}

/// After `Exp`: sets the exponentials of masked elements to zero.
fn without_masks(store: &mut Store, y: Tensor, t: &Tensor) -> Result<Tensor, Problem> {
    let mut cells = y.all_cells(store);
    store.spend(cells.len())?;
    for (i, cell) in cells.iter_mut().enumerate() {
        let el = t.el(store, i);
        if store.value(*cell).point().is_none() && is_mask(store, el) {
            *cell = Cell::ZERO;
        }
    }
    let new = Tensor::cells(store, y.elem, y.kept.clone(), cells);
    Ok(new.with_shape(y.shape, y.kept))
}

/// Operators of two inputs, or of any number of inputs, applied in pairs.
pub(super) fn variadic(call: &mut Call) -> Results {
    let op_type = call.node.op_type();
    let mut result = call.thin(0)?;
    let ordered = matches!(op_type, "Sum" | "Max" | "Min");
    if call.inputs.len() < 2 && !ordered {
        return Err(Problem::Missing(1).into());
    }
    for i in 1..call.inputs.len() {
        let next = call.thin(i)?;
        let same = call.node.input.first() == call.node.input.get(i);
        let (a, b) = (result.clone(), next.clone());
        result = match op_type {
            "Mod" => {
                let fmod = call.flag("fmod");
                pairwise(call.store(), &remainder(fmod), &a, &b)?
            }
            "BitShift" => {
                let left = call.text("direction") == Some("LEFT");
                pairwise(call.store(), &shift(left), &a, &b)?
            }
            "Mul" if same => map(call.store(), &a, a.elem, &|v| crate::value::square(a.elem, v))?,
            _ => apply(call.store(), op_type, &a, &b)?,
        };
        if op_type == "Sub" {
            result = below_maxima(call.store(), result, &a, &b)?;
        }
    }
    one(result)
}

/// For a tensor minus its own maxima: no element is above zero.
fn below_maxima(
    store: &mut Store,
    y: Tensor,
    a: &Tensor,
    maxima: &Tensor,
) -> Result<Tensor, Problem> {
    let Relation::MaximaOf(ticket, axes) = &maxima.relation else { return Ok(y) };
    if *ticket != a.ticket || y.shape != a.shape {
        return Ok(y);
    }
    let elem = y.elem;
    let mut y = map(store, &y, elem, &|v| Value { hi: v.hi.min(0.0), lo: v.lo.min(0.0), ..v })?;
    y.relation = Relation::PeakZero(axes.clone());
    Ok(y)
}

/// `Mean` of any number of tensors.
pub(super) fn mean(call: &mut Call) -> Results {
    let mut result = call.thin(0)?;
    for i in 1..call.inputs.len() {
        let next = call.thin(i)?;
        result = apply(call.store(), "Sum", &result, &next)?;
    }
    let n = Value::known(call.inputs.len() as f64);
    let elem = result.elem;
    one(map(call.store(), &result, elem, &|v| crate::value::div(elem, v, n))?)
}

pub(super) fn identity(call: &mut Call) -> Results {
    Ok(vec![call.item(0)?.clone()])
}

/// `Dropout`: the identity, or in training mode a multiplication by random numbers.
pub(super) fn dropout(call: &mut Call) -> Results {
    let t = call.thin(0)?;
    let training = match call.optional(2)? {
        Some(mode) => truth_of(mode.el(call.store(), 0).v),
        None => Some(false),
    };
    let store = call.store();
    let shape = t.shape.clone();
    if training == Some(false) {
        let mask = Tensor::filled(store, Elem::Bool, shape, El::known(1.0));
        return Ok(vec![t.into(), mask.into()]);
    }
    let mask = Tensor::filled(store, Elem::Bool, shape, El::new(EMPTY, Value::TRUTH));
    let elem = t.elem;
    // In training mode, the ratio may be anything below one, so the scale has no bound.
    let f = |v: Value| if v.is_zero() { v } else { v.hull(Value::ZERO).hull(Value::ANY) };
    let y = map(store, &t, elem, &f)?;
    Ok(vec![y.into(), mask.into()])
}

/// The bounds of an element that is cast to another type.
pub(crate) fn cast_value(from: Elem, to: Elem, v: Value, saturate: bool) -> Value {
    match to {
        Elem::Bool => match truth_of(v) {
            Some(x) if !v.nan => Value::truth(x),
            _ => Value::TRUTH,
        },
        Elem::F8(_) => {
            let r = convert(to, v);
            let top = if saturate { to.max() } else { f64::INFINITY };
            if v.point().is_some_and(|x| to.holds(x)) {
                return v;
            }
            Value::new(r.lo.max(-top), r.hi.min(top), r.nan || !v.is_finite() || !saturate)
        }
        _ if to.is_float() => convert(to, v),
        _ if from.is_float() => {
            // The standard leaves the result open if the number is out of range.
            let (lo, hi) = (v.lo.trunc(), v.hi.trunc());
            if v.nan || lo < to.min() || hi > to.max() {
                return Value::any_of(to);
            }
            Value::range(lo, hi)
        }
        _ if v.point().is_some() => crate::value::whole(to, crate::value::i128_of(v.lo)),
        _ => crate::value::finish(to, v.lo, v.hi, false),
    }
}

pub(super) fn cast(call: &mut Call) -> Results {
    let t = call.thin(0)?;
    let to = match call.elem("to")? {
        Some(to) => to,
        None if call.node.op_type() == "CastLike" => call.thin(1)?.elem,
        None => return Err(Problem::Attribute("to").into()),
    };
    let saturate = call.int("saturate", 1) != 0;
    let from = t.elem;
    let mut y = map(call.store(), &t, to, &|v| cast_value(from, to, v, saturate))?;
    if from == to {
        (y.ticket, y.relation) = (t.ticket, t.relation);
    }
    one(y)
}

/// `BitCast`: the same bits as another type of the same size. Known zeros stay zero.
pub(super) fn bit_cast(call: &mut Call) -> Results {
    let t = call.thin(0)?;
    let to = call.elem("to")?.ok_or(Problem::Attribute("to"))?;
    if t.elem.is_float() {
        // The bits show the sign of a zero, whose dependencies are not tracked.
        return super::opaque::everything(call, to, t.shape);
    }
    let f = |v: Value| if v.is_zero() { v } else { Value::any_of(to) };
    one(map(call.store(), &t, to, &f)?)
}

pub(super) fn clip(call: &mut Call) -> Results {
    let mut t = call.thin(0)?;
    for (i, name, op) in [(1, "min", "Max"), (2, "max", "Min")] {
        let bound = if call.has(i) {
            call.thin(i)?
        } else if let Some(x) = call.attribute(name).and_then(|a| a.f) {
            let v = convert(t.elem, Value::known(f64::from(x)));
            Tensor::filled(call.store(), t.elem, Vec::new(), El::new(EMPTY, v))
        } else {
            continue;
        };
        let bound = bound.reshaped(call.store(), Vec::new())?;
        t = apply(call.store(), op, &t, &bound)?;
    }
    one(t)
}

pub(super) fn choose(call: &mut Call) -> Results {
    let (c, a, b) = (call.thin(0)?, call.thin(1)?, call.thin(2)?);
    let (shape, kept) = shapes(&[&c, &a, &b])?;
    let n = kept.iter().product();
    let store = call.store();
    store.spend(n)?;
    let mut at = [
        Odometer::new(&c.kept, &kept)?,
        Odometer::new(&a.kept, &kept)?,
        Odometer::new(&b.kept, &kept)?,
    ];
    let mut cells = Vec::with_capacity(n);
    for _ in 0..n {
        let [condition, yes, no] = &mut at;
        let condition = c.el(store, condition.step());
        let (yes, no) = (a.cell(store, yes.step()), b.cell(store, no.step()));
        let truth = truth_of(condition.v).filter(|_| !store.assume.alive);
        cells.push(match truth {
            Some(true) => yes,
            Some(false) => no,
            None => {
                let (x, y) = (store.el(yes), store.el(no));
                let v = x.v.hull(y.v);
                if v.point().is_some() {
                    yes
                } else {
                    let set = store.join(&[condition, x, y]);
                    store.cell(El::new(set, v))
                }
            }
        });
    }
    let y = Tensor::cells(store, a.elem, kept.clone(), cells);
    one(y.with_shape(shape, kept))
}
