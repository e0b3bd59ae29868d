//! `divide_by_batch(x)`: divides by the number of images in the batch. Turns a sum into a mean.

use crate::rules::prelude::*;

/// Divides every element by the number of images in the batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DivideByBatch;

impl Rules for DivideByBatch {
    const MNEMONIC: &'static str = "divide_by_batch";

    fn attributes(&self) -> Attributes {
        Attributes::none()
    }

    fn rebuild(_: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(DivideByBatch)
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

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None]) };
        Ok(vec![Some(cx.push(DivideByBatch, &[dy], "x")?)])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let count = cx.batch_count("count")?;
        cx.push_many(OnnxOp::Div, &[inputs[0], count], "")
    }

    fn eval<R: Real>(&self, env: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let share = R::of(1.0) / R::of(env.batch as f64);
        Ok(vec![inputs[0].mapv(|x| x * share)])
    }

    fn stream(&self) -> Stream {
        Stream::Expanded
    }

    fn pixel_major(&self) -> Option<(usize, Op)> {
        None
    }

    fn composite(&self) -> Option<&dyn Composite> {
        None
    }

    fn samples() -> Vec<Sample> {
        vec![Sample::new(DivideByBatch, [Type::real([Dim::N, Dim::Fixed(2)])])]
    }
}
