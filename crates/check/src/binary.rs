//! Functions of two numbers, evaluated on bounds ([`Value`]).

use crate::elem::Elem;
use crate::value::{Value, add, div, finish, i128_of, loose, modulo, mul, sub, whole};

/// Which operands a result depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reads {
    Both,
    Left,
    Right,
    /// The whole image. The result depends on the sign of a zero, and that zero may be `0 * x`,
    /// whose sign is that of `x`, a value whose set was dropped.
    All,
}

/// A function of two numbers, and which of them its result depends on.
#[derive(Clone, Copy)]
pub(crate) struct Binary {
    pub eval: fn(Elem, Value, Value) -> (Value, Reads),
    /// Whether the result is a boolean.
    pub truth: bool,
}

macro_rules! plain {
    ($f:expr) => {
        Binary { eval: |e, a, b| ($f(e, a, b), Reads::Both), truth: false }
    };
}

macro_rules! truth {
    ($f:expr) => {
        Binary { eval: |_, a, b| ($f(a, b), Reads::Both), truth: true }
    };
}

/// The function of an element-wise operator with two operands. Variadic operators (`Sum`, `Max`,
/// `Min`) apply it to their inputs from left to right.
pub(crate) fn binary(op_type: &str) -> Option<Binary> {
    Some(match op_type {
        "Add" | "Sum" => plain!(add),
        "Sub" => plain!(sub),
        "Mul" => plain!(mul),
        "Div" => Binary { eval: divide, truth: false },
        "Pow" => Binary { eval: power, truth: false },
        "Max" => Binary { eval: max, truth: false },
        "Min" => Binary { eval: min, truth: false },
        "PRelu" => Binary { eval: prelu, truth: false },
        "BitwiseAnd" | "BitwiseOr" | "BitwiseXor" => match op_type {
            "BitwiseAnd" => plain!(bit_and),
            "BitwiseOr" => plain!(bit_or),
            _ => plain!(bit_xor),
        },
        "Equal" => truth!(equal),
        "Greater" => truth!(|a, b| less(b, a, true)),
        "GreaterOrEqual" => truth!(|a, b| less(b, a, false)),
        "Less" => truth!(|a, b| less(a, b, true)),
        "LessOrEqual" => truth!(|a, b| less(a, b, false)),
        "And" => truth!(|a: Value, b: Value| match (truth_of(a), truth_of(b)) {
            (Some(false), _) | (_, Some(false)) => Value::truth(false),
            (Some(true), Some(true)) => Value::truth(true),
            _ => Value::TRUTH,
        }),
        "Or" => truth!(|a: Value, b: Value| match (truth_of(a), truth_of(b)) {
            (Some(true), _) | (_, Some(true)) => Value::truth(true),
            (Some(false), Some(false)) => Value::truth(false),
            _ => Value::TRUTH,
        }),
        "Xor" => truth!(|a: Value, b: Value| match (truth_of(a), truth_of(b)) {
            (Some(a), Some(b)) => Value::truth(a != b),
            _ => Value::TRUTH,
        }),
        _ => return None,
    })
}

/// The remainder: as C's `fmod`, or with the sign of the divisor.
pub(crate) fn remainder(fmod: bool) -> Binary {
    if fmod {
        plain!(|e, a, b| modulo(e, a, b, true))
    } else {
        plain!(|e, a, b| modulo(e, a, b, false))
    }
}

/// A bit shift, left or right.
pub(crate) fn shift(left: bool) -> Binary {
    if left {
        plain!(|e: Elem, a: Value, b: Value| {
            match (a.point().and_then(i128_of), b.point().and_then(i128_of)) {
                (Some(x), Some(k @ 0..64)) => whole(e, Some(x << k)),
                _ if a.is_zero() => Value::ZERO,
                _ => Value::any_of(e),
            }
        })
    } else {
        plain!(|e: Elem, a: Value, b: Value| {
            match (a.point().and_then(i128_of), b.point().and_then(i128_of)) {
                (Some(x), Some(k @ 0..64)) => whole(e, Some(x >> k)),
                _ if a.is_zero() => Value::ZERO,
                _ => finish(e, a.lo.min(0.0), a.hi.max(0.0), false),
            }
        })
    }
}

pub(crate) fn truth_of(v: Value) -> Option<bool> {
    match v.point() {
        Some(x) => Some(x != 0.0),
        None => (v.lo > 0.0 || v.hi < 0.0).then_some(true),
    }
}

fn max(e: Elem, a: Value, b: Value) -> (Value, Reads) {
    let nan = a.nan || b.nan;
    let v = finish(e, a.lo.max(b.lo), a.hi.max(b.hi), nan);
    match nan {
        false if a.lo >= b.hi => (v, Reads::Left),
        false if b.lo >= a.hi => (v, Reads::Right),
        _ => (v, Reads::Both),
    }
}

fn min(e: Elem, a: Value, b: Value) -> (Value, Reads) {
    let nan = a.nan || b.nan;
    let v = finish(e, a.lo.min(b.lo), a.hi.min(b.hi), nan);
    match nan {
        false if a.hi <= b.lo => (v, Reads::Left),
        false if b.hi <= a.lo => (v, Reads::Right),
        _ => (v, Reads::Both),
    }
}

fn divide(e: Elem, a: Value, b: Value) -> (Value, Reads) {
    let v = div(e, a, b);
    (v, if b.is_sure(e) { Reads::Both } else { Reads::All })
}

fn power(e: Elem, a: Value, b: Value) -> (Value, Reads) {
    let inverse = b.lo < 0.0 && !a.is_sure(e);
    (pow(e, a, b), if inverse { Reads::All } else { Reads::Both })
}

fn prelu(e: Elem, a: Value, slope: Value) -> (Value, Reads) {
    if a.lo >= 0.0 && !a.nan {
        return (a, Reads::Left);
    }
    let below = Value::new(a.lo.min(0.0), a.hi.min(0.0), a.nan);
    let v = mul(e, below, slope);
    if a.hi < 0.0 {
        return (v, Reads::Both);
    }
    (v.hull(Value::new(a.lo.max(0.0), a.hi, a.nan)), Reads::Both)
}

pub(crate) fn pow(e: Elem, a: Value, b: Value) -> Value {
    if b.is_zero() {
        return Value::known(1.0);
    }
    let exponent = b.point().filter(|p| p.fract() == 0.0 && p.abs() <= 64.0);
    if let Some(p) = exponent {
        if p == 1.0 {
            return a;
        }
        if p == 2.0 {
            return crate::value::square(e, a);
        }
        if p >= 0.0 && !e.is_float() {
            let power = |x: f64| i128_of(x).and_then(|x| x.checked_pow(p as u32));
            return a.point().map_or(Value::any_of(e), |x| whole(e, power(x)));
        }
        if p > 0.0 {
            if a.is_zero() {
                return Value::ZERO;
            }
            let f = |x: f64| x.powi(p as i32);
            let even = p % 2.0 == 0.0;
            let (lo, hi) = if even {
                let near = if a.contains(0.0) { 0.0 } else { a.lo.abs().min(a.hi.abs()) };
                (f(near), f(a.magnitude()))
            } else {
                (f(a.lo), f(a.hi))
            };
            let r = loose(e, lo, hi, a.nan);
            return if even { Value { lo: r.lo.max(0.0), ..r } } else { r };
        }
        if !a.contains(0.0) && e.is_float() {
            return div(e, Value::known(1.0), pow(e, a, Value::known(-p)));
        }
    }
    if !e.is_float() {
        return Value::any_of(e);
    }
    if a.lo > 0.0 && b.is_finite() && a.is_finite() {
        let corners =
            [(a.lo, b.lo), (a.lo, b.hi), (a.hi, b.lo), (a.hi, b.hi)].map(|(x, y)| x.powf(y));
        let lo = corners.iter().copied().fold(f64::INFINITY, f64::min);
        let hi = corners.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let r = loose(e, lo, hi, false);
        return Value { lo: r.lo.max(0.0), ..r };
    }
    if a.lo >= 0.0 && b.lo > 0.0 && a.is_finite() && b.is_finite() {
        let top = a.hi.powf(b.lo).max(a.hi.powf(b.hi));
        let r = loose(e, 0.0, top, false);
        return Value { lo: 0.0, ..r };
    }
    Value::ANY
}

fn equal(a: Value, b: Value) -> Value {
    match (a.point(), b.point()) {
        (Some(x), Some(y)) => Value::truth(x == y),
        _ if a.hi < b.lo || b.hi < a.lo => Value::truth(false),
        _ => Value::TRUTH,
    }
}

fn less(a: Value, b: Value, strictly: bool) -> Value {
    let always = if strictly { a.hi < b.lo } else { a.hi <= b.lo };
    let never = if strictly { a.lo >= b.hi } else { a.lo > b.hi };
    match (always && !a.nan && !b.nan, never) {
        (true, _) => Value::truth(true),
        (_, true) => Value::truth(false),
        _ => Value::TRUTH,
    }
}

fn bits(e: Elem, a: Value, b: Value, f: fn(i128, i128) -> i128) -> Option<Value> {
    let (x, y) = (i128_of(a.point()?)?, i128_of(b.point()?)?);
    Some(whole(e, Some(f(x, y))))
}

fn bit_and(e: Elem, a: Value, b: Value) -> Value {
    if a.is_zero() || b.is_zero() {
        return Value::ZERO;
    }
    let bounds = || match (a.lo >= 0.0, b.lo >= 0.0) {
        (true, true) => Value::range(0.0, a.hi.min(b.hi)),
        (true, false) => Value::range(0.0, a.hi),
        (false, true) => Value::range(0.0, b.hi),
        _ => Value::any_of(e),
    };
    bits(e, a, b, |x, y| x & y).unwrap_or_else(bounds)
}

fn ones_above(x: f64) -> f64 {
    2f64.powf((x + 1.0).log2().ceil()) - 1.0
}

fn bit_or(e: Elem, a: Value, b: Value) -> Value {
    let bounds = || match a.lo >= 0.0 && b.lo >= 0.0 {
        true => finish(e, a.lo.max(b.lo), ones_above(a.hi.max(b.hi)).min(e.max()), false),
        false => Value::any_of(e),
    };
    bits(e, a, b, |x, y| x | y).unwrap_or_else(bounds)
}

fn bit_xor(e: Elem, a: Value, b: Value) -> Value {
    let bounds = || match a.lo >= 0.0 && b.lo >= 0.0 {
        true => finish(e, 0.0, ones_above(a.hi.max(b.hi)).min(e.max()), false),
        false => Value::any_of(e),
    };
    bits(e, a, b, |x, y| x ^ y).unwrap_or_else(bounds)
}
