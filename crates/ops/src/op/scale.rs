//! `scale(x) {factor}`: multiplies every element by a constant.

use crate::rules::prelude::*;

/// Multiplies every element by a constant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The factor.
    pub factor: f64,
}

impl Rules for Scale {
    const MNEMONIC: &'static str = "scale";

    fn attributes(&self) -> Attributes {
        Attributes::none().real("factor", self.factor)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(Scale { factor: attributes.real("factor")? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 1)?;
        if !self.factor.is_finite() {
            return Err(TypeError::attribute("factor", "must be finite"));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        Footprint::elementwise(reading)
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None]) };
        Ok(vec![Some(cx.push(*self, &[dy], "x")?)])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        if self.factor == -1.0 {
            return cx.push_many(OnnxOp::Neg, inputs, "");
        }
        let factor = cx.constant(Literal::scalar(self.factor as f32), "factor")?;
        cx.push_many(OnnxOp::Mul, &[inputs[0], factor], "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let factor = R::of(self.factor);
        Ok(vec![inputs[0].mapv(|x| x * factor)])
    }

    fn stream(&self) -> Stream {
        Stream::Pointwise
    }

    fn pixel_major(&self) -> Option<(usize, Op)> {
        Some((1, (*self).into()))
    }

    fn composite(&self) -> Option<&dyn Composite> {
        None
    }

    fn samples() -> Vec<Sample> {
        let ty = || [Type::real([2usize, 3])];
        vec![Sample::new(Scale { factor: 0.25 }, ty()), Sample::new(Scale { factor: -1.0 }, ty())]
    }
}
