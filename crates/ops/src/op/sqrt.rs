//! `sqrt(x)`: the square root. Optimizers use it.

use pixelrnn_graph::{BuildError, Value};
use pixelrnn_onnx::OnnxOp;

use super::kind::{Unary, unary};
use super::{Div, Scale};
use crate::rules::Domain;
use crate::rules::adjoint::Adjoint;
use crate::rules::eval::Real;

/// The square root of every element; NaN below zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sqrt;

impl Unary for Sqrt {
    const ONNX: OnnxOp = OnnxOp::Sqrt;
    const DOMAIN: Domain = Domain::Positive;

    fn apply<R: Real>(x: R) -> R {
        x.sqrt()
    }

    fn vjp(cx: &mut Adjoint, dy: Value) -> Result<Value, BuildError> {
        let half = cx.push(Scale { factor: 0.5 }, &[dy], "half")?;
        cx.push(Div, &[half, cx.outputs[0]], "x")
    }
}

unary!(Sqrt, "sqrt");
