//! Bounds of a number, and arithmetic on them (interval arithmetic).
//!
//! A [`Value`] bounds what an element can be, for any image in the stated range. A result whose
//! lower and upper bound are equal is known, and depends on nothing: in this way zeros, masks and
//! saturated functions stop dependencies. So every rule rounds outward, and a result is known only
//! if the operation is exact in the element type. An inexact operation gives a narrow interval,
//! which holds for any order and precision in which a runtime computes.

use crate::elem::{EXACT, Elem};

/// The numbers that an element can be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Value {
    pub lo: f64,
    pub hi: f64,
    /// Whether it can also be NaN.
    pub nan: bool,
    /// The large negative number that was added as a mask, meant as minus infinity; zero if there
    /// is none. Tracked only if masks are assumed to work.
    pub mask: f64,
    /// Whether the sign of a zero, too, depends only on the element's set. The sign of `0 * x`
    /// depends on `x`, although `x` is not in the set.
    pub signed: bool,
}

impl Value {
    pub const ZERO: Value = Value { lo: 0.0, hi: 0.0, nan: false, mask: 0.0, signed: false };
    /// Any number, including NaN.
    pub const ANY: Value =
        Value { lo: f64::NEG_INFINITY, hi: f64::INFINITY, nan: true, mask: 0.0, signed: false };
    /// An unknown boolean.
    pub const TRUTH: Value = Value { lo: 0.0, hi: 1.0, nan: false, mask: 0.0, signed: false };

    pub fn new(lo: f64, hi: f64, nan: bool) -> Value {
        Value { lo, hi, nan, mask: 0.0, signed: false }
    }

    /// A known number. The sign of a zero is dropped.
    pub fn known(x: f64) -> Value {
        match x {
            _ if x.is_nan() => Value::ANY,
            _ => Value::new(x + 0.0, x + 0.0, false),
        }
    }

    pub fn truth(x: bool) -> Value {
        Value::known(f64::from(x))
    }

    /// Any number between two bounds.
    pub fn range(lo: f64, hi: f64) -> Value {
        Value::new(lo + 0.0, hi + 0.0, false)
    }

    /// Any value of a type.
    pub fn any_of(elem: Elem) -> Value {
        if elem.is_float() { Value::ANY } else { Value::range(elem.min(), elem.max()) }
    }

    /// Any finite value of a type.
    pub fn finite_of(elem: Elem) -> Value {
        Value::range(elem.min(), elem.max())
    }

    /// The number, if it is known.
    pub fn point(self) -> Option<f64> {
        (self.lo == self.hi && !self.nan).then_some(self.lo)
    }

    pub fn is_zero(self) -> bool {
        self.point() == Some(0.0)
    }

    /// Whether it is certainly finite.
    pub fn is_finite(self) -> bool {
        !self.nan && self.lo.is_finite() && self.hi.is_finite()
    }

    pub fn contains(self, x: f64) -> bool {
        self.lo <= x && x <= self.hi
    }

    fn infinite(self) -> bool {
        self.lo == f64::NEG_INFINITY || self.hi == f64::INFINITY
    }

    /// The smallest interval that contains both.
    pub fn hull(self, other: Value) -> Value {
        let v = Value::new(self.lo.min(other.lo), self.hi.max(other.hi), self.nan || other.nan);
        Value { signed: self.signed && other.signed, ..v }
    }

    /// Whether it depends only on the element's set, including the sign of a zero.
    pub fn is_sure(self, elem: Elem) -> bool {
        !elem.is_float() || self.signed || !self.contains(0.0)
    }

    /// The largest absolute value.
    pub fn magnitude(self) -> f64 {
        self.lo.abs().max(self.hi.abs())
    }

    pub fn neg(self) -> Value {
        Value::new(-self.hi + 0.0, -self.lo + 0.0, self.nan)
    }
}

/// The bounds of a result, after overflow or wrap-around in its type.
pub(crate) fn finish(elem: Elem, lo: f64, hi: f64, nan: bool) -> Value {
    let lo = if lo.is_nan() { f64::NEG_INFINITY } else { lo + 0.0 };
    let hi = if hi.is_nan() { f64::INFINITY } else { hi + 0.0 };
    if elem.is_float() {
        Value::new(
            if lo < elem.min() { f64::NEG_INFINITY } else { lo },
            if hi > elem.max() { f64::INFINITY } else { hi },
            nan,
        )
    } else if lo < elem.min() || hi > elem.max() || nan {
        // Integers wrap around.
        Value::any_of(elem)
    } else {
        Value::new(lo, hi, false)
    }
}

/// Rounds a lower bound outward by the rounding error of the type, unless it is exact.
fn down(elem: Elem, x: f64, exact: bool) -> f64 {
    if (exact && elem.holds(x)) || x.is_infinite() {
        return x;
    }
    if !elem.is_float() {
        return if x.abs() > EXACT { x - x.abs() * 1e-15 } else { x.floor() };
    }
    x - x.abs() * 2.0 * elem.eps() - elem.tiny()
}

fn up(elem: Elem, x: f64, exact: bool) -> f64 {
    -down(elem, -x, exact)
}

/// The bounds of an inexact function, widened by a few units in the last place, in which
/// implementations differ.
pub(crate) fn loose(elem: Elem, lo: f64, hi: f64, nan: bool) -> Value {
    let slack = 8.0 * elem.eps() + 1e-6 * f64::from(elem != Elem::F64);
    let absolute = slack * 0.1 + elem.tiny();
    let give = |x: f64| if x.is_infinite() { 0.0 } else { x.abs() * slack + absolute };
    finish(elem, lo - give(lo), hi + give(hi), nan)
}

/// The bounds after rounding to a type.
pub(crate) fn convert(elem: Elem, v: Value) -> Value {
    finish(elem, down(elem, v.lo, true), up(elem, v.hi, true), v.nan)
}

fn sum_is_exact(a: f64, b: f64) -> bool {
    let s = a + b;
    let t = s - a;
    (a - (s - t)) + (b - t) == 0.0
}

pub(crate) fn add(elem: Elem, a: Value, b: Value) -> Value {
    let opposite = |x: f64, y: f64| x.is_infinite() && x == -y;
    let nan = a.nan || b.nan || opposite(a.lo, b.hi) || opposite(a.hi, b.lo);
    let (lo, hi) = (a.lo + b.lo, a.hi + b.hi);
    if !elem.is_float()
        && let (Some(x), Some(y)) = (a.point(), b.point())
    {
        return whole(elem, i128_of(x).zip(i128_of(y)).map(|(x, y)| x + y));
    }
    let lo = down(elem, lo, sum_is_exact(a.lo, b.lo));
    let hi = up(elem, hi, sum_is_exact(a.hi, b.hi));
    finish(elem, lo, hi, nan)
}

pub(crate) fn sub(elem: Elem, a: Value, b: Value) -> Value {
    if !elem.is_float()
        && let (Some(x), Some(y)) = (a.point(), b.point())
    {
        return whole(elem, i128_of(x).zip(i128_of(y)).map(|(x, y)| x - y));
    }
    add(elem, a, b.neg())
}

pub(crate) fn mul(elem: Elem, a: Value, b: Value) -> Value {
    let nan =
        a.nan || b.nan || (a.contains(0.0) && b.infinite()) || (b.contains(0.0) && a.infinite());
    if !nan && (a.is_zero() || b.is_zero()) {
        return Value::ZERO;
    }
    if !elem.is_float()
        && let (Some(x), Some(y)) = (a.point(), b.point())
    {
        return whole(elem, i128_of(x).zip(i128_of(y)).and_then(|(x, y)| x.checked_mul(y)));
    }
    let corner = |x: f64, y: f64| {
        let p = if x == 0.0 || y == 0.0 { 0.0 } else { x * y };
        (p, p == 0.0 && (x == 0.0 || y == 0.0) || x.mul_add(y, -p) == 0.0)
    };
    let corners =
        [(a.lo, b.lo), (a.lo, b.hi), (a.hi, b.lo), (a.hi, b.hi)].map(|(x, y)| corner(x, y));
    let lo = corners.iter().map(|&(p, e)| down(elem, p, e)).fold(f64::INFINITY, f64::min);
    let hi = corners.iter().map(|&(p, e)| up(elem, p, e)).fold(f64::NEG_INFINITY, f64::max);
    finish(elem, lo, hi, nan)
}

/// The square of a number.
pub(crate) fn square(elem: Elem, a: Value) -> Value {
    let full = mul(elem, a, a);
    if !elem.is_float() && full == Value::any_of(elem) {
        return full;
    }
    let near = if a.contains(0.0) { 0.0 } else { a.lo.abs().min(a.hi.abs()) };
    let p = near * near;
    let low = down(elem, p, near.mul_add(near, -p) == 0.0).max(0.0);
    Value::new(low.min(full.hi), full.hi, a.nan)
}

pub(crate) fn div(elem: Elem, a: Value, b: Value) -> Value {
    if !elem.is_float() {
        return whole_division(elem, a, b);
    }
    let nan =
        a.nan || b.nan || (a.contains(0.0) && b.contains(0.0)) || (a.infinite() && b.infinite());
    if a.is_zero() && b.contains(0.0) {
        // 0 / 0 is NaN; 0 divided by anything else is zero.
        return Value { nan: true, ..Value::ZERO };
    }
    if b.contains(0.0) {
        return Value { nan, ..Value::ANY };
    }
    if a.is_zero() && !nan {
        return Value::ZERO;
    }
    let corner = |x: f64, y: f64| {
        let q = if x.is_infinite() && y.is_infinite() { f64::NAN } else { x / y };
        (q, q.mul_add(y, -x) == 0.0)
    };
    let corners =
        [(a.lo, b.lo), (a.lo, b.hi), (a.hi, b.lo), (a.hi, b.hi)].map(|(x, y)| corner(x, y));
    if corners.iter().any(|(q, _)| q.is_nan()) {
        return Value { nan: true, ..Value::ANY };
    }
    let lo = corners.iter().map(|&(p, e)| down(elem, p, e)).fold(f64::INFINITY, f64::min);
    let hi = corners.iter().map(|&(p, e)| up(elem, p, e)).fold(f64::NEG_INFINITY, f64::max);
    finish(elem, lo, hi, nan)
}

fn whole_division(elem: Elem, a: Value, b: Value) -> Value {
    if b.contains(0.0) || a.magnitude() > EXACT || b.magnitude() > EXACT {
        return Value::any_of(elem);
    }
    let corners =
        [(a.lo, b.lo), (a.lo, b.hi), (a.hi, b.lo), (a.hi, b.hi)].map(|(x, y)| (x / y).trunc());
    let lo = corners.iter().copied().fold(f64::INFINITY, f64::min);
    let hi = corners.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    finish(elem, lo, hi, false)
}

/// The remainder. With `fmod`, it has the sign of the dividend, otherwise that of the divisor.
pub(crate) fn modulo(elem: Elem, a: Value, b: Value, fmod: bool) -> Value {
    let nan = elem.is_float() && (a.nan || b.nan || b.contains(0.0) || a.infinite());
    if let (Some(x), Some(y), false) = (a.point(), b.point(), nan)
        && y != 0.0
        && x.abs() <= EXACT
        && y.abs() <= EXACT
        && x.fract() == 0.0
        && y.fract() == 0.0
    {
        let r = x % y;
        let r = if fmod || r == 0.0 || (r < 0.0) == (y < 0.0) { r } else { r + y };
        return Value::known(r);
    }
    if !elem.is_float() && (b.contains(0.0) || b.magnitude() > EXACT) {
        return Value::any_of(elem);
    }
    let size = b.magnitude();
    // The dividend is already between 0 and the divisor.
    let small = b.point().is_some() && a.lo >= 0.0 && a.hi < b.lo && !nan;
    let (lo, hi) = match fmod {
        _ if small => (a.lo, a.hi),
        true => (
            if a.lo < 0.0 { -size.min(a.magnitude()) } else { 0.0 },
            if a.hi > 0.0 { size.min(a.magnitude()) } else { 0.0 },
        ),
        false => (if b.lo < 0.0 { -size } else { 0.0 }, if b.hi > 0.0 { size } else { 0.0 }),
    };
    finish(elem, lo, hi, nan)
}

pub(crate) fn i128_of(x: f64) -> Option<i128> {
    (x.fract() == 0.0 && x.abs() <= EXACT).then_some(x as i128)
}

/// An integer, wrapped around in its type; any value of the type if it is not known.
pub(crate) fn whole(elem: Elem, n: Option<i128>) -> Value {
    let bits = match elem {
        Elem::Int(bits) | Elem::Uint(bits) => u32::from(bits),
        _ => 1,
    };
    let Some(n) = n else { return Value::any_of(elem) };
    let modulus = 1i128 << bits;
    let mut n = n.rem_euclid(modulus);
    if matches!(elem, Elem::Int(_)) && n >= modulus / 2 {
        n -= modulus;
    }
    between(n, n)
}

/// Integers as bounds. Beyond 2^53, they are widened to the neighboring floats.
pub(crate) fn between(lo: i128, hi: i128) -> Value {
    let slack = |x: f64| if x.abs() > EXACT { x.abs() * 2.3e-16 } else { 0.0 };
    let (a, b) = (lo as f64, hi as f64);
    Value::range(a - slack(a), b + slack(b))
}

/// Rounds wide bounds outward to twelve bits of mantissa, so that there are few different ones.
pub(crate) fn coarse(v: Value) -> Value {
    let width = v.hi - v.lo;
    if !width.is_finite() && v.lo == f64::NEG_INFINITY && v.hi == f64::INFINITY {
        return v;
    }
    if width <= 1e-3 * v.magnitude() {
        return v;
    }
    Value { lo: -round_up(-v.lo), hi: round_up(v.hi), ..v }
}

fn round_up(x: f64) -> f64 {
    if !x.is_finite() || x == 0.0 {
        return x;
    }
    let low = (1u64 << 40) - 1;
    let bits = x.to_bits();
    if bits & low == 0 {
        return x;
    }
    // Rounding up moves away from zero if positive, and toward zero if negative.
    let cut = f64::from_bits(bits & !low);
    if x < 0.0 {
        return cut;
    }
    let next = f64::from_bits((bits & !low) + low + 1);
    if next.is_finite() { next } else { f64::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(x: f64) -> Value {
        Value::known(x)
    }

    #[test]
    fn rounding_is_not_known() {
        let sum = add(Elem::F32, known(16777216.0), known(1.0));
        assert!(sum.point().is_none() && sum.contains(16777216.0) && sum.contains(16777218.0));
        assert_eq!(add(Elem::F32, known(0.5), known(0.25)).point(), Some(0.75));
        assert_eq!(mul(Elem::F32, known(3.0), known(0.125)).point(), Some(0.375));
        assert!(div(Elem::F32, known(1.0), known(3.0)).point().is_none());
        assert_eq!(div(Elem::F32, known(6.0), known(3.0)).point(), Some(2.0));
    }

    #[test]
    fn integers_wrap_and_truncate() {
        assert_eq!(add(Elem::Uint(8), known(255.0), known(2.0)).point(), Some(1.0));
        assert_eq!(mul(Elem::Int(8), known(16.0), known(8.0)).point(), Some(-128.0));
        assert_eq!(div(Elem::Int(32), known(-7.0), known(2.0)).point(), Some(-3.0));
        assert_eq!(
            add(Elem::Int(8), Value::range(0.0, 100.0), known(100.0)),
            Value::range(-128.0, 127.0)
        );
        assert_eq!(modulo(Elem::Int(32), known(-7.0), known(3.0), false).point(), Some(2.0));
        assert_eq!(modulo(Elem::F32, known(-7.0), known(3.0), true).point(), Some(-1.0));
    }

    #[test]
    fn zero_absorbs_what_is_finite() {
        assert!(mul(Elem::F32, known(0.0), Value::range(-1.0, 255.0)).is_zero());
        assert!(!mul(Elem::F32, known(0.0), Value::ANY).is_zero());
        let unbounded = Value::range(0.0, f64::INFINITY);
        assert!(mul(Elem::F32, known(0.0), unbounded).nan);
    }

    #[test]
    fn coarse_bounds_contain_what_they_stand_for() {
        for (lo, hi) in [(-1.2345678e9, 7.654321e-9), (0.1, 0.3), (-0.7, -0.1), (1.0, 1.0)] {
            let v = coarse(Value::range(lo, hi));
            assert!(v.lo <= lo && v.hi >= hi && (v.hi - hi) <= hi.abs() * 1e-3, "{v:?}");
        }
    }
}
