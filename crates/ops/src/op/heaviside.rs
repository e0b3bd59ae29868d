//! `heaviside(x)`: 1 above zero, else 0. It is the derivative of `relu`.

use pixelrnn_graph::Elem;

use crate::rules::prelude::*;

/// The Heaviside step function of every element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heaviside;

impl Rules for Heaviside {
    const MNEMONIC: &'static str = "heaviside";

    fn attributes(&self) -> Attributes {
        Attributes::none()
    }

    fn rebuild(_: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(Heaviside)
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 1)?;
        Ok(vec![inputs[0].clone()])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        Footprint::elementwise(reading)
    }

    fn gradient(&self, _: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        // The result is piecewise constant, so there is no gradient.
        Ok(vec![None])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        // This form is the fastest in ONNX Runtime of those that every toolchain computes alike: `Sign` takes
        // three times as long. `HardSigmoid` with a steep slope would be as fast, but OpenVINO reads a `beta`
        // of 0 as 0.5.
        let zero = cx.constant(Literal::scalar(0.0), "zero")?;
        let above = cx.push(OnnxOp::Greater, &[inputs[0], zero], "above")?;
        cx.push_many(OnnxOp::Cast { to: Elem::Real }, &[above], "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let step = |x: R| if x > R::of(0.0) { R::of(1.0) } else { R::of(0.0) };
        Ok(vec![inputs[0].mapv(step)])
    }

    fn stream(&self) -> Stream {
        Stream::Pointwise
    }

    fn pixel_major(&self) -> Option<(usize, Op)> {
        None
    }

    fn composite(&self) -> Option<&dyn Composite> {
        None
    }

    fn samples() -> Vec<Sample> {
        vec![Sample::new(Heaviside, [Type::real([2usize, 3])])]
    }
}
