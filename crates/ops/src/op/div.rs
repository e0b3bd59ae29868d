//! `div(a, b)`: the element-wise quotient. Extents are equal or one.

use pixelrnn_graph::{BuildError, Value};
use pixelrnn_onnx::OnnxOp;

use super::kind::{Binary, binary};
use super::{Mul, Scale};
use crate::rules::Domain;
use crate::rules::adjoint::Adjoint;
use crate::rules::eval::Real;
use crate::rules::footprint::Footprint;

/// The quotient of two maps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Div;

impl Binary for Div {
    const ONNX: OnnxOp = OnnxOp::Div;
    const DOMAIN: Domain = Domain::Positive;

    fn apply<R: Real>(a: R, b: R) -> R {
        a / b
    }

    fn vjp(cx: &mut Adjoint, dy: Value) -> Result<[Value; 2], BuildError> {
        let da = cx.push(Div, &[dy, cx.inputs[1]], "left")?;
        let product = cx.push(Mul, &[da, cx.outputs[0]], "product")?;
        let db = cx.push(Scale { factor: -1.0 }, &[product], "right")?;
        Ok([da, db])
    }
}

binary!(Div, "div", Footprint::elementwise);
