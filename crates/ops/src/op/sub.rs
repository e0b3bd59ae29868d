//! `sub(a, b)`: the element-wise difference. Extents are equal or one.

use pixelrnn_graph::{BuildError, Value};
use pixelrnn_onnx::OnnxOp;

use super::Scale;
use super::kind::{Binary, binary};
use crate::rules::adjoint::Adjoint;
use crate::rules::eval::Real;
use crate::rules::footprint::Footprint;

/// The difference of two maps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sub;

impl Binary for Sub {
    const ONNX: OnnxOp = OnnxOp::Sub;

    fn apply<R: Real>(a: R, b: R) -> R {
        a - b
    }

    fn vjp(cx: &mut Adjoint, dy: Value) -> Result<[Value; 2], BuildError> {
        let minus = cx.push(Scale { factor: -1.0 }, &[dy], "minus")?;
        Ok([dy, minus])
    }
}

binary!(Sub, "sub", Footprint::elementwise);
