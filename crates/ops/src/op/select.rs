//! `select(mask, a, b)`: `a` where the mask is above one half, else `b`. All inputs have the same shape.
//! Values that are not selected may be anything, even NaN.

use super::{Constant, Heaviside, Mul, Relu, Sub};
use crate::rules::prelude::*;

/// Selects one of two values, element by element. The mask is 0 or 1 and has no gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Select;

impl Rules for Select {
    const MNEMONIC: &'static str = "select";

    fn attributes(&self) -> Attributes {
        Attributes::none()
    }

    fn rebuild(_: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(Select)
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 3)?;
        for other in &inputs[1..] {
            if *other != inputs[0] {
                let (left, right) = (inputs[0].clone(), (*other).clone());
                return Err(TypeError::Unequal { left, right });
            }
        }
        Ok(vec![inputs[0].clone()])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        Footprint::elementwise(reading)
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None; 3]) };
        let value = Array::from_elem(vec![1; cx.input_type(0).rank()], 0.5);
        let half = cx.push(Constant { value }, &[], "half")?;
        let above = cx.push(Sub, &[cx.inputs[0], half], "above")?;
        let sign = cx.push(Heaviside, &[above], "sign")?;
        let on = cx.push(Relu, &[sign], "on")?;
        let a = cx.push(Mul, &[dy, on], "chosen")?;
        let b = cx.push(Sub, &[dy, a], "other")?;
        Ok(vec![None, Some(a), Some(b)])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let half = cx.constant(Literal::scalar(0.5), "half")?;
        let chosen = cx.push(OnnxOp::Greater, &[inputs[0], half], "chosen")?;
        cx.push_many(OnnxOp::Where, &[chosen, inputs[1], inputs[2]], "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let half = R::of(0.5);
        let chosen = ndarray::Zip::from(inputs[0]).and(inputs[1]).and(inputs[2]);
        Ok(vec![chosen.map_collect(|&mask, &a, &b| if mask > half { a } else { b })])
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
        let ty = || Type::real([Dim::N, Dim::Fixed(3)]);
        vec![Sample::new(Select, [ty(), ty(), ty()])]
    }
}
