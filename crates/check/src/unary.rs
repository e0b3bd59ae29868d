//! Functions of one number, evaluated on bounds.

use crate::elem::Elem;
use crate::value::{Value, add, convert, div, finish, loose, mul};

/// A function of one number, with the attributes of its node filled in.
pub(crate) type Unary = Box<dyn Fn(Elem, Value) -> Value>;

/// A nondecreasing function.
fn rising(f: fn(f64) -> f64) -> Unary {
    Box::new(move |e, v| {
        if v.is_zero() && f(0.0) == 0.0 {
            return Value::ZERO;
        }
        loose(e, f(v.lo), f(v.hi), v.nan)
    })
}

/// A nondecreasing function whose results are exact in any type that represents the argument.
fn exact(f: fn(f64) -> f64) -> Unary {
    Box::new(move |e, v| finish(e, f(v.lo), f(v.hi), v.nan))
}

/// A function whose results are between two numbers for any argument. With `zero`, it maps zero to
/// zero.
fn within(lo: f64, hi: f64, zero: bool) -> Unary {
    Box::new(move |e, v| {
        if zero && v.is_zero() {
            return Value::ZERO;
        }
        let nan = v.nan || v.lo.is_infinite() || v.hi.is_infinite();
        loose(e, lo, hi, nan)
    })
}

/// Clamps bounds to a range that results cannot leave, even by rounding.
fn clamp(v: Value, lo: f64, hi: f64) -> Value {
    Value::new(v.lo.clamp(lo, hi), v.hi.clamp(lo, hi), v.nan)
}

pub(crate) fn exp(e: Elem, v: Value) -> Value {
    if v.hi <= e.exp_underflow() && !v.nan {
        return Value::ZERO;
    }
    let r = loose(e, v.lo.exp(), v.hi.exp(), v.nan);
    let lo = if v.lo <= e.exp_underflow() + 30.0 { 0.0 } else { r.lo.max(0.0) };
    // The exponential of a number that is not positive is at most one.
    let hi = if v.hi <= 0.0 { r.hi.min(1.0 + 2.0 * e.eps()) } else { r.hi };
    Value::new(lo, hi, v.nan)
}

pub(crate) fn log(e: Elem, v: Value) -> Value {
    let nan = v.nan || v.lo < 0.0;
    if v.hi <= 0.0 {
        return Value { nan, ..Value::ANY };
    }
    // A tiny argument may be flushed to zero.
    let lo = if v.lo <= e.tiny() { f64::NEG_INFINITY } else { v.lo.ln() };
    loose(e, lo, v.hi.ln(), nan)
}

pub(crate) fn sqrt(e: Elem, v: Value) -> Value {
    let nan = v.nan || v.lo < 0.0;
    if let (Some(x), false) = (v.point(), nan) {
        let s = x.sqrt();
        if s * s == x && s.mul_add(s, -x) == 0.0 && e.holds(s) {
            return Value::known(s);
        }
    }
    let r = loose(e, v.lo.max(0.0).sqrt(), v.hi.max(0.0).sqrt(), nan);
    // The square root of a positive number is positive.
    let lo = if v.lo > 0.0 { v.lo.sqrt() * 0.999 } else { 0.0 };
    Value { lo: lo.max(r.lo.min(lo)).max(0.0), ..r }
}

fn relu(e: Elem, v: Value) -> Value {
    finish(e, v.lo.max(0.0), v.hi.max(0.0), v.nan)
}

pub(crate) fn sigmoid(e: Elem, v: Value) -> Value {
    let f = |x: f64| 1.0 / (1.0 + (-x).exp());
    let nan = v.nan;
    clamp(loose(e, f(v.lo), f(v.hi), nan), 0.0, 1.0 + 4.0 * e.eps())
}

pub(crate) fn tanh(e: Elem, v: Value) -> Value {
    if v.is_zero() {
        return Value::ZERO;
    }
    let one = 1.0 + 4.0 * e.eps();
    clamp(loose(e, v.lo.tanh(), v.hi.tanh(), v.nan), -one, one)
}

/// A function between `least` and `max(x, 0)`, which is not negative for `x >= 0`.
fn bent(e: Elem, v: Value, least: f64) -> Value {
    let lo = if v.lo >= 0.0 { 0.0 } else { least };
    loose(e, lo, v.hi.max(0.0), v.nan || v.lo == f64::NEG_INFINITY)
}

fn scaled_below(e: Elem, v: Value, slope: f64) -> Value {
    let below = mul(e, Value::range(v.lo.min(0.0), v.hi.min(0.0)), constant(e, slope));
    let above = Value::range(v.lo.max(0.0), v.hi.max(0.0));
    let mut r = if v.lo >= 0.0 {
        above
    } else if v.hi < 0.0 {
        below
    } else {
        above.hull(below)
    };
    r.nan |= v.nan;
    r
}

/// An attribute, which the file stores in 32 bits, as a number of type `e`.
pub(crate) fn constant(e: Elem, x: f64) -> Value {
    convert(e, Value::known(x))
}

/// `clip(alpha * x + beta, 0, 1)`.
fn hard_sigmoid(e: Elem, v: Value, alpha: f64, beta: f64) -> Value {
    let line = add(e, mul(e, v, constant(e, alpha)), constant(e, beta));
    clamp(line, 0.0, 1.0)
}

fn exponential_below(e: Elem, v: Value, alpha: f64, scale: f64) -> Value {
    let f = |x: f64| scale * if x < 0.0 { alpha * x.exp_m1() } else { x };
    if v.is_zero() {
        return Value::ZERO;
    }
    let ends = [f(v.lo), f(v.hi)];
    let crosses = if v.contains(0.0) { 0.0 } else { ends[0] };
    let lo = ends[0].min(ends[1]).min(crosses);
    let hi = ends[0].max(ends[1]).max(crosses);
    loose(e, lo, hi, v.nan)
}

/// The function of an element-wise operator with one operand; `number` reads an attribute.
pub(crate) fn unary(op_type: &str, number: &dyn Fn(&str, f32) -> f64) -> Option<Unary> {
    Some(match op_type {
        "Abs" => Box::new(|e, v| {
            let near = if v.contains(0.0) { 0.0 } else { v.lo.abs().min(v.hi.abs()) };
            finish(e, near, v.magnitude(), v.nan)
        }),
        "Neg" => Box::new(|e, v| {
            let r = v.neg();
            finish(e, r.lo, r.hi, r.nan)
        }),
        "Exp" => Box::new(exp),
        "Log" => Box::new(log),
        "Sqrt" => Box::new(sqrt),
        "Reciprocal" => Box::new(|e, v| div(e, Value::known(1.0), v)),
        "Floor" => exact(f64::floor),
        "Ceil" => exact(f64::ceil),
        "Round" => exact(f64::round_ties_even),
        "Sign" => exact(|x| if x == 0.0 { 0.0 } else { x.signum() }),
        "Not" => Box::new(|_, v| v.point().map_or(Value::TRUTH, |x| Value::truth(x == 0.0))),
        "IsNaN" => Box::new(|_, v| if v.nan { Value::TRUTH } else { Value::ZERO }),
        "IsInf" => {
            Box::new(
                |_, v| {
                    if v.lo.is_finite() && v.hi.is_finite() { Value::ZERO } else { Value::TRUTH }
                },
            )
        }
        "Relu" => Box::new(relu),
        "Sigmoid" => Box::new(sigmoid),
        "Tanh" => Box::new(tanh),
        "Erf" => Box::new(|e, v| {
            if v.is_zero() {
                return Value::ZERO;
            }
            let size = |x: f64| (std::f64::consts::FRAC_2_SQRT_PI * x).min(1.0);
            let (lo, hi) = (-size((-v.lo).max(0.0)), size(v.hi.max(0.0)));
            clamp(loose(e, lo, hi, v.nan), -1.01, 1.01)
        }),
        "Sin" => within(-1.0, 1.0, true),
        "Cos" => within(-1.0, 1.0, false),
        "Tan" => within(f64::NEG_INFINITY, f64::INFINITY, true),
        "Asin" | "Acos" => {
            let zero = op_type == "Asin";
            Box::new(move |e, v| {
                if zero && v.is_zero() {
                    return Value::ZERO;
                }
                let nan = v.nan || v.lo < -1.0 || v.hi > 1.0;
                loose(e, if zero { -1.6 } else { 0.0 }, if zero { 1.6 } else { 3.2 }, nan)
            })
        }
        "Atan" => rising(f64::atan),
        "Sinh" => rising(f64::sinh),
        "Asinh" => rising(f64::asinh),
        "Cosh" => Box::new(|e, v| loose(e, 1.0, v.magnitude().cosh(), v.nan)),
        "Acosh" => Box::new(|e, v| loose(e, 0.0, v.hi.max(1.0).acosh(), v.nan || v.lo < 1.0)),
        "Atanh" => Box::new(|e, v| {
            if v.is_zero() {
                return Value::ZERO;
            }
            if v.lo <= -0.999 || v.hi >= 0.999 {
                return Value { nan: v.nan || v.lo < -1.0 || v.hi > 1.0, ..Value::ANY };
            }
            loose(e, v.lo.atanh(), v.hi.atanh(), v.nan)
        }),
        "BitwiseNot" => Box::new(|e, v| match e {
            Elem::Uint(_) => finish(e, e.max() - v.hi, e.max() - v.lo, false),
            _ => finish(e, -1.0 - v.hi, -1.0 - v.lo, false),
        }),
        _ => return activation(op_type, number),
    })
}

/// Activation functions.
fn activation(op_type: &str, number: &dyn Fn(&str, f32) -> f64) -> Option<Unary> {
    Some(match op_type {
        "LeakyRelu" => {
            let slope = number("alpha", 0.01);
            Box::new(move |e, v| scaled_below(e, v, slope))
        }
        "Elu" | "Celu" => {
            let alpha = number("alpha", 1.0);
            let celu = op_type == "Celu";
            Box::new(move |e, v| {
                if celu && alpha <= 0.0 {
                    return Value::ANY;
                }
                if !celu {
                    return exponential_below(e, v, alpha, 1.0);
                }
                let scaled = Value::new(v.lo / alpha, v.hi / alpha, v.nan);
                let r = exponential_below(e, scaled, 1.0, 1.0);
                loose(e, r.lo * alpha, r.hi * alpha, v.nan)
            })
        }
        "Selu" => {
            let (alpha, gamma) = (number("alpha", 1.673_263_2), number("gamma", 1.050_701));
            Box::new(move |e, v| exponential_below(e, v, alpha, gamma))
        }
        "Gelu" => Box::new(|e, v| bent(e, v, -0.171)),
        "Mish" => Box::new(|e, v| bent(e, v, -0.31)),
        "Swish" => {
            let alpha = number("alpha", 1.0);
            Box::new(move |e, v| mul(e, v, sigmoid(e, mul(e, v, constant(e, alpha)))))
        }
        "HardSigmoid" => {
            let (alpha, beta) = (number("alpha", 0.2), number("beta", 0.5));
            Box::new(move |e, v| hard_sigmoid(e, v, alpha, beta))
        }
        "HardSwish" => Box::new(|e, v| mul(e, v, hard_sigmoid(e, v, f64::from(1.0f32 / 6.0), 0.5))),
        "Softplus" => Box::new(|e, v| {
            let f = |x: f64| if x > 30.0 { x } else { x.exp().ln_1p() };
            let r = loose(e, f(v.lo), f(v.hi), v.nan);
            Value { lo: r.lo.max(0.0), ..r }
        }),
        "Softsign" => Box::new(|e, v| {
            if v.is_zero() {
                return Value::ZERO;
            }
            let nan = v.nan || v.lo.is_infinite() || v.hi.is_infinite();
            loose(e, -1.0, 1.0, nan)
        }),
        "ThresholdedRelu" => {
            let alpha = number("alpha", 1.0);
            Box::new(move |e, v| match v {
                _ if v.hi <= alpha && !v.nan => Value::ZERO,
                _ if v.lo > alpha && !v.nan => v,
                _ => finish(e, v.lo.max(alpha.min(0.0)).min(0.0), v.hi.max(0.0), v.nan),
            })
        }
        "Shrink" => {
            let (bias, lambd) = (number("bias", 0.0), number("lambd", 0.5));
            Box::new(move |e, v| {
                if v.lo >= -lambd && v.hi <= lambd && !v.nan {
                    return Value::ZERO;
                }
                let spread = v.magnitude() + bias.abs();
                loose(e, -spread, spread, v.nan)
            })
        }
        _ => return None,
    })
}
