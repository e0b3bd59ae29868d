//! `sign(x)`: 1 above zero, -1 below, 0 at zero. Of the result of `relu` it is the slope.

use std::cmp::Ordering;

use crate::rules::prelude::*;

/// The sign of every element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sign;

impl Rules for Sign {
    const MNEMONIC: &'static str = "sign";

    fn attributes(&self) -> Attributes {
        Attributes::none()
    }

    fn rebuild(_: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(Sign)
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
        // Flat wherever it has a slope.
        Ok(vec![None])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        // Not `HardSigmoid` with a steep slope: OpenVINO reads its `beta` of 0 as 0.5.
        cx.push_many(OnnxOp::Sign, inputs, "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let sign = |x: R| match x.partial_cmp(&R::of(0.0)) {
            Some(Ordering::Greater) => R::of(1.0),
            Some(Ordering::Less) => R::of(-1.0),
            Some(Ordering::Equal) => R::of(0.0),
            None => x,
        };
        Ok(vec![inputs[0].mapv(sign)])
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
        vec![Sample::new(Sign, [Type::real([2usize, 3])])]
    }
}
