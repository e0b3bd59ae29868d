//! Element-wise operators on known numbers.

/// What an operator with one input makes of a known number; `None` for "some number".
pub(super) type Unary = fn(f64) -> Option<f64>;

/// An element-wise operator with one input.
pub(super) fn unary(op_type: &str) -> Option<Unary> {
    Some(match op_type {
        "Abs" => |x| Some(x.abs()),
        "Neg" => |x| Some(-x),
        "Exp" => |x| Some(x.exp()),
        "Log" => |x| Some(x.ln()),
        "Sqrt" => |x| Some(x.sqrt()),
        "Reciprocal" => |x| Some(1.0 / x),
        "Floor" => |x| Some(x.floor()),
        "Ceil" => |x| Some(x.ceil()),
        "Round" => |x| Some(x.round_ties_even()),
        "Sign" => |x| Some(if x == 0.0 { 0.0 } else { x.signum() }),
        "Not" => |x| Some(f64::from(x == 0.0)),
        "IsNaN" => |x| Some(f64::from(x.is_nan())),
        "IsInf" => |x| Some(f64::from(x.is_infinite())),
        "Relu" => |x| Some(x.max(0.0)),
        "Sigmoid" => |x| Some(1.0 / (1.0 + (-x).exp())),
        "Tanh" => |x| Some(x.tanh()),
        "Sin" => |x| Some(x.sin()),
        "Cos" => |x| Some(x.cos()),
        "Softplus" => |x| Some(x.exp().ln_1p()),
        // Zero stays zero; the rest is not worth a formula.
        "LeakyRelu" | "Elu" | "Selu" | "Celu" | "Gelu" | "Mish" | "Swish" | "HardSwish"
        | "ThresholdedRelu" | "Shrink" | "Softsign" | "Erf" | "Tan" | "Asin" | "Atan" | "Sinh"
        | "Asinh" | "Atanh" => |x| (x == 0.0).then_some(0.0),
        "HardSigmoid" | "Acos" | "Cosh" | "Acosh" | "BitwiseNot" => |_| None,
        _ => return None,
    })
}

/// An element-wise operator with two inputs.
#[derive(Clone, Copy)]
pub(super) struct Binary {
    /// What it makes of known numbers.
    pub eval: fn(f64, f64) -> Option<f64>,
    /// What one known number does whatever the other one is.
    pub absorb: fn(f64) -> Absorb,
    /// Whether the result is a truth value.
    pub truth: bool,
    /// Whether it divides: whole numbers then give whole numbers.
    pub divides: bool,
}

/// The power of one known operand.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Absorb {
    /// The other one still counts.
    No,
    /// The result is this, on whichever side the operand stands.
    To(f64),
    /// The result is this if the operand stands on the left.
    LeftTo(f64),
}

/// A summand this far below everything is minus infinity: the way attention masks are written.
const MINUS_INFINITY: f64 = -1e9;

/// An element-wise operator with two inputs, or with any number of them, taken in pairs.
pub(super) fn binary(op_type: &str) -> Option<Binary> {
    use Absorb::{LeftTo, No, To};
    let plain = |eval| Some(Binary { eval, absorb: |_| No, truth: false, divides: false });
    let truth = |eval| Some(Binary { eval, absorb: |_| No, truth: true, divides: false });
    match op_type {
        "Add" | "Sum" => Some(Binary {
            absorb: |x| if x <= MINUS_INFINITY { To(x) } else { No },
            ..plain(|a, b| Some(a + b))?
        }),
        "Sub" => Some(Binary {
            absorb: |x| if x <= MINUS_INFINITY { LeftTo(x) } else { No },
            ..plain(|a, b| Some(a - b))?
        }),
        "Mul" => Some(Binary {
            absorb: |x| if x == 0.0 { To(0.0) } else { No },
            ..plain(|a, b| Some(if a == 0.0 || b == 0.0 { 0.0 } else { a * b }))?
        }),
        "Div" => Some(Binary {
            absorb: |x| if x == 0.0 { LeftTo(0.0) } else { No },
            divides: true,
            ..plain(|a, b| Some(a / b))?
        }),
        "Pow" => plain(|a, b| Some(a.powf(b))),
        "Mod" => plain(|a, b| (b != 0.0).then(|| a - b * (a / b).floor())),
        "Max" => plain(|a, b| Some(a.max(b))),
        "Min" => plain(|a, b| Some(a.min(b))),
        "PRelu" => plain(|a, b| Some(if a < 0.0 { a * b } else { a })),
        "BitShift" | "BitwiseAnd" | "BitwiseOr" | "BitwiseXor" => plain(|_, _| None),
        "Equal" => truth(|a, b| Some(f64::from(a == b))),
        "Greater" => truth(|a, b| Some(f64::from(a > b))),
        "GreaterOrEqual" => truth(|a, b| Some(f64::from(a >= b))),
        "Less" => truth(|a, b| Some(f64::from(a < b))),
        "LessOrEqual" => truth(|a, b| Some(f64::from(a <= b))),
        "And" => Some(Binary {
            absorb: |x| if x == 0.0 { To(0.0) } else { No },
            ..truth(|a, b| Some(f64::from(a != 0.0 && b != 0.0)))?
        }),
        "Or" => Some(Binary {
            absorb: |x| if x != 0.0 { To(1.0) } else { No },
            ..truth(|a, b| Some(f64::from(a != 0.0 || b != 0.0)))?
        }),
        "Xor" => truth(|a, b| Some(f64::from((a != 0.0) != (b != 0.0)))),
        _ => None,
    }
}
