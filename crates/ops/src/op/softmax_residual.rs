//! `softmax_residual(logits, image)`: the probability of every level, less one for the level that an
//! image has; the slope of `nll` with a categorical distribution.

use crate::dist::{Categorical, Distribution, chosen};
use crate::rules::prelude::*;

/// `softmax(logits) - one_hot(image)` over axis 2. `logits [N, C, L, H, W]`, `image [N, C, H, W]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoftmaxResidual;

impl Rules for SoftmaxResidual {
    const MNEMONIC: &'static str = "softmax_residual";

    fn attributes(&self) -> Attributes {
        Attributes::none()
    }

    fn rebuild(_: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, Misfit> {
        Ok(SoftmaxResidual)
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, Misfit> {
        shape::arity(inputs, 2)?;
        shape::rank(inputs, 0, 5)?;
        let levels = shape::fixed(inputs, 0, 2)?;
        Distribution::Categorical(Categorical { levels }).check(inputs[0], inputs[1])?;
        Ok(vec![inputs[0].clone()])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        Footprint::everything(reading)
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let _ = cx;
        Err(AdjointError::Missing { mnemonic: Self::MNEMONIC })
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let levels = cx.ty(inputs[0]).shape[2].with_batch(1);
        let high = cx.push(OnnxOp::ReduceMax { axes: vec![2] }, &inputs[..1], "max")?;
        let high = cx.push(OnnxOp::Unsqueeze { axes: vec![2] }, &[high], "max_wide")?;
        let low = cx.push(OnnxOp::Sub, &[inputs[0], high], "shifted")?;
        let exp = cx.push(OnnxOp::Exp, &[low], "exp")?;
        let sum = cx.push(OnnxOp::ReduceSum { axes: vec![2] }, &[exp], "exp_sum")?;
        let sum = cx.push(OnnxOp::Unsqueeze { axes: vec![2] }, &[sum], "exp_sum_wide")?;
        let softmax = cx.push(OnnxOp::Div, &[exp, sum], "softmax")?;
        let chosen = chosen(cx, inputs[1], levels)?;
        let zero = cx.constant(Literal::scalar(0.0), "zero")?;
        let one = cx.constant(Literal::scalar(1.0), "one")?;
        let one_hot = cx.push(OnnxOp::Where, &[chosen, one, zero], "one_hot")?;
        cx.push_many(OnnxOp::Sub, &[softmax, one_hot], "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let mut y = inputs[0].clone();
        let levels = y.shape()[2];
        for (i, &level) in inputs[1].indexed_iter() {
            let at = |l: usize| [i[0], i[1], l, i[2], i[3]];
            let mut high = y[at(0).as_slice()];
            for l in 1..levels {
                high = if y[at(l).as_slice()] > high { y[at(l).as_slice()] } else { high };
            }
            let mut sum = R::of(0.0);
            for l in 0..levels {
                sum += (y[at(l).as_slice()] - high).exp();
            }
            for l in 0..levels {
                let own = if level == R::of(l as f64) { R::of(1.0) } else { R::of(0.0) };
                let p = (y[at(l).as_slice()] - high).exp() / sum;
                y[at(l).as_slice()] = p - own;
            }
        }
        Ok(vec![y])
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
        let fixed = Dim::Fixed;
        let logits = Type::real([Dim::N, fixed(2), fixed(4), fixed(3), fixed(2)]);
        let image = Type::real([Dim::N, fixed(2), fixed(3), fixed(2)]);
        vec![Sample::new(SoftmaxResidual, [logits, image]).with(1, Domain::Levels(4))]
    }
}
