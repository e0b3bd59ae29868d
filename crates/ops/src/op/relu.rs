//! `relu(x)`: the larger of x and zero.

use pixelrnn_graph::{BuildError, Value};
use pixelrnn_onnx::OnnxOp;

use super::kind::{Unary, unary};
use super::{Heaviside, Mul};
use crate::rules::adjoint::Adjoint;
use crate::rules::eval::Real;

/// `max(x, 0)` of every element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Relu;

impl Unary for Relu {
    const ONNX: OnnxOp = OnnxOp::Relu;

    fn apply<R: Real>(x: R) -> R {
        if x > R::of(0.0) { x } else { R::of(0.0) }
    }

    fn vjp(cx: &mut Adjoint, dy: Value) -> Result<Value, BuildError> {
        // The result is positive exactly where the input is.
        let on = cx.push(Heaviside, &[cx.outputs[0]], "on")?;
        cx.push(Mul, &[dy, on], "x")
    }
}

unary!(Relu, "relu");
