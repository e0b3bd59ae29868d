//! `tanh(x)`: the hyperbolic tangent.

use pixelrnn_graph::{BuildError, Value};
use pixelrnn_onnx::OnnxOp;

use super::kind::{Unary, unary};
use super::{Mul, Sub};
use crate::rules::adjoint::Adjoint;
use crate::rules::eval::Real;

/// The hyperbolic tangent of every element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tanh;

impl Unary for Tanh {
    const ONNX: OnnxOp = OnnxOp::Tanh;

    fn apply<R: Real>(x: R) -> R {
        x.tanh()
    }

    fn vjp(cx: &mut Adjoint, dy: Value) -> Result<Value, BuildError> {
        // dy (1 - y y), written as dy - dy y y, which needs no constant.
        let y = cx.outputs[0];
        let square = cx.push(Mul, &[y, y], "square")?;
        let flat = cx.push(Mul, &[dy, square], "flat")?;
        cx.push(Sub, &[dy, flat], "x")
    }
}

unary!(Tanh, "tanh");
