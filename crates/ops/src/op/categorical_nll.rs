//! `categorical_nll(logits, image)`: the negative log-likelihood of L levels, in nats per image.

use super::bernoulli_nll::{per_image, sum_image};
use super::{Mul, SoftmaxResidual};
use crate::rules::prelude::*;

/// Minus the log of the softmax probability of each value, summed over an image.
/// `logits [N, C, L, H, W]`, `image [N, C, H, W]` of levels 0 to L - 1; result `[N]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CategoricalNll;

impl Rules for CategoricalNll {
    const MNEMONIC: &'static str = "categorical_nll";

    fn attributes(&self) -> Attributes {
        Attributes::none()
    }

    fn rebuild(_: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, Misfit> {
        Ok(CategoricalNll)
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, Misfit> {
        shape::arity(inputs, 2)?;
        shape::rank(inputs, 0, 5)?;
        shape::rank(inputs, 1, 4)?;
        shape::fixed(inputs, 0, 2)?;
        for (axis, from) in [0, 1, 3, 4].into_iter().enumerate() {
            shape::extent(inputs, 1, axis, inputs[0].shape[from])?;
        }
        Ok(vec![Type::real([inputs[0].shape[0]])])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        Footprint::everything(reading, &Type::real([reading.types[0].shape[0]]))
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None, None]) };
        let [logits, image] = [cx.inputs[0], cx.inputs[1]];
        let slope = cx.push(SoftmaxResidual, &[logits, image], "slope")?;
        let each = per_image(cx, dy, 5)?;
        Ok(vec![Some(cx.push(Mul, &[slope, each], "logits")?), None])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        // log-sum-exp with the maximum subtracted, written out: engines' own may overflow.
        let levels = cx.ty(inputs[0]).shape[2].with_batch(1);
        let high = cx.push(OnnxOp::ReduceMax { axes: vec![2] }, &inputs[..1], "max")?;
        let high = cx.push(OnnxOp::Unsqueeze { axes: vec![2] }, &[high], "max_wide")?;
        let low = cx.push(OnnxOp::Sub, &[inputs[0], high], "shifted")?;
        let exp = cx.push(OnnxOp::Exp, &[low], "exp")?;
        let sum = cx.push(OnnxOp::ReduceSum { axes: vec![2] }, &[exp], "exp_sum")?;
        let lse = cx.push(OnnxOp::Log, &[sum], "log_sum_exp")?;
        let chosen = one_hot(cx, inputs[1], levels)?;
        let picked = cx.push(OnnxOp::Mul, &[low, chosen], "picked")?;
        let picked = cx.push(OnnxOp::ReduceSum { axes: vec![2] }, &[picked], "own")?;
        let nats = cx.push(OnnxOp::Sub, &[lse, picked], "nats")?;
        Ok(vec![sum_image(cx, nats)?])
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let &[n, _, levels, _, _] = inputs[0].shape() else {
            return Err(EvalError::Array("takes logits of five axes".into()));
        };
        let mut nats = Array::<R>::from_elem(vec![n], R::of(0.0));
        for (i, &level) in inputs[1].indexed_iter() {
            let logit = |l: usize| inputs[0][[i[0], i[1], l, i[2], i[3]].as_slice()];
            let mut high = logit(0);
            for l in 1..levels {
                high = if logit(l) > high { logit(l) } else { high };
            }
            let mut sum = R::of(0.0);
            let mut own = R::of(0.0);
            for l in 0..levels {
                sum += (logit(l) - high).exp();
                if level == R::of(l as f64) {
                    own = logit(l) - high;
                }
            }
            nats[[i[0]].as_slice()] += sum.ln() - own;
        }
        Ok(vec![nats])
    }

    fn stream(&self) -> Stream {
        Stream::Expanded
    }

    fn samples() -> Vec<Sample> {
        let fixed = Dim::Fixed;
        let logits = Type::real([Dim::N, fixed(2), fixed(4), fixed(3), fixed(2)]);
        let image = Type::real([Dim::N, fixed(2), fixed(3), fixed(2)]);
        vec![Sample::new(CategoricalNll, [logits, image])]
    }
}

/// One at the level of each value, zero at every other, `[N, C, L, H, W]`. By comparison with every
/// level, since no engine lacks that.
pub(super) fn one_hot(cx: &mut Lower, image: Value, levels: usize) -> Result<Value, LowerError> {
    let all = ndarray::ArrayD::from_shape_fn(vec![1, 1, levels, 1, 1], |i| i[2] as f32);
    let all = cx.constant(Literal::Real(all), "levels")?;
    let wide = cx.push(OnnxOp::Unsqueeze { axes: vec![2] }, &[image], "image_wide")?;
    let chosen = cx.push(OnnxOp::Equal, &[wide, all], "chosen")?;
    cx.push(OnnxOp::Cast { to: pixelrnn_graph::Elem::Real }, &[chosen], "one_hot")
}
