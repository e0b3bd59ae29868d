//! `add(a, b)`: the element-wise sum. Extents are equal or one.

use pixelrnn_graph::{BuildError, Value};
use pixelrnn_onnx::OnnxOp;

use super::kind::{Binary, binary};
use crate::rules::adjoint::Adjoint;
use crate::rules::eval::Real;
use crate::rules::footprint::Footprint;

/// The sum of two maps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Add;

impl Binary for Add {
    const ONNX: OnnxOp = OnnxOp::Add;

    fn apply<R: Real>(a: R, b: R) -> R {
        a + b
    }

    fn vjp(_: &mut Adjoint, dy: Value) -> Result<[Value; 2], BuildError> {
        Ok([dy, dy])
    }
}

binary!(Add, "add", Footprint::elementwise);
