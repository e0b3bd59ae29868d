//! `clamp_uniform(u)`: clamps uniform random numbers to at least 0 and below 1, as [`Draw`](super::Draw)
//! needs them. 1 or more becomes the largest f32 below 1; a negative number or NaN becomes 0.
//!
//! With a 1, a distribution would draw its last level, even if that has probability zero. The numbers come
//! from outside, where rounding may produce a 1.

use crate::rules::prelude::*;

/// The largest f32 below 1.
const BELOW_ONE: f32 = 1.0 - f32::EPSILON / 2.0;

/// Numbers clamped to at least 0 and below 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClampUniform;

impl Rules for ClampUniform {
    const MNEMONIC: &'static str = "clamp_uniform";

    fn attributes(&self) -> Attributes {
        Attributes::none()
    }

    fn rebuild(_: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(ClampUniform)
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
        // The drawn level is piecewise constant in `u`, so there is no gradient.
        Ok(vec![None])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let zero = cx.constant(Literal::scalar(0.0), "zero")?;
        let top = cx.constant(Literal::scalar(BELOW_ONE), "below_one")?;
        // Not `Clip` or `Max`: engines differ in what these return for NaN. Every comparison with NaN is
        // false.
        let positive = cx.push(OnnxOp::Greater, &[inputs[0], zero], "positive")?;
        let low = cx.push(OnnxOp::Greater, &[top, inputs[0]], "low")?;
        let capped = cx.push(OnnxOp::Where, &[low, inputs[0], top], "capped")?;
        cx.push_many(OnnxOp::Where, &[positive, capped, zero], "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let (zero, top) = (R::of(0.0), R::of(f64::from(BELOW_ONE)));
        let clamp = |u: R| match u > zero {
            true if u < top => u,
            true => top,
            false => zero,
        };
        Ok(vec![inputs[0].mapv(clamp)])
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
        vec![Sample::new(ClampUniform, [Type::real([2usize, 3])])]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::eval::Env;

    #[test]
    fn nothing_is_left_outside() {
        let u = [f32::NAN, f32::NEG_INFINITY, -1.0, 0.0, 0.25, BELOW_ONE, 1.0, 7.0, f32::INFINITY];
        let u = Array::from_shape_vec(vec![u.len()], u.to_vec()).unwrap();
        let clamped = ClampUniform.eval(&Env { batch: 1 }, &[&u]).unwrap().remove(0);
        let expected = [0.0, 0.0, 0.0, 0.0, 0.25, BELOW_ONE, BELOW_ONE, BELOW_ONE, BELOW_ONE];
        assert_eq!(clamped.into_iter().collect::<Vec<f32>>(), expected);
        assert!(BELOW_ONE < 1.0 && f32::from_bits(BELOW_ONE.to_bits() + 1) == 1.0);
    }
}
