//! `sigmoid(x)`: the logistic function.

use pixelrnn_graph::{BuildError, Value};
use pixelrnn_onnx::OnnxOp;

use super::kind::{Unary, unary};
use super::{Mul, Sub};
use crate::rules::adjoint::Adjoint;
use crate::rules::eval::Real;

/// `1 / (1 + exp(-x))` of every element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sigmoid;

impl Unary for Sigmoid {
    const ONNX: OnnxOp = OnnxOp::Sigmoid;

    fn apply<R: Real>(x: R) -> R {
        R::of(1.0) / (R::of(1.0) + (-x).exp())
    }

    fn vjp(cx: &mut Adjoint, dy: Value) -> Result<Value, BuildError> {
        // dy y (1 - y), with y (1 - y) written as y - y y, which needs no constant.
        let y = cx.outputs[0];
        let square = cx.push(Mul, &[y, y], "square")?;
        let slope = cx.push(Sub, &[y, square], "slope")?;
        cx.push(Mul, &[dy, slope], "x")
    }
}

unary!(Sigmoid, "sigmoid");
