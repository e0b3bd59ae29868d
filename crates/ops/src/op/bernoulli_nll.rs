//! `bernoulli_nll(logits, image)`: the negative log-likelihood of two levels, in nats per image.

use super::{Mul, Sigmoid, SplitAxis, Sub, Transpose};
use crate::rules::prelude::*;

/// Minus the log of the Bernoulli probability of each value, summed over an image.
/// `logits [N, C, H, W]` of level 1, `image [N, C, H, W]` of 0 and 1; result `[N]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BernoulliNll;

impl Rules for BernoulliNll {
    const MNEMONIC: &'static str = "bernoulli_nll";

    fn attributes(&self) -> Attributes {
        Attributes::none()
    }

    fn rebuild(_: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, Misfit> {
        Ok(BernoulliNll)
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, Misfit> {
        shape::arity(inputs, 2)?;
        shape::rank(inputs, 0, 4)?;
        if inputs[0] != inputs[1] {
            return Err(Misfit::Unequal { left: inputs[0].clone(), right: inputs[1].clone() });
        }
        Ok(vec![Type::real([inputs[0].shape[0]])])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        Footprint::everything(reading, &Type::real([reading.types[0].shape[0]]))
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None, None]) };
        let [logits, image] = [cx.inputs[0], cx.inputs[1]];
        let p = cx.push(Sigmoid, &[logits], "probability")?;
        let slope = cx.push(Sub, &[p, image], "slope")?;
        let each = per_image(cx, dy, 4)?;
        Ok(vec![Some(cx.push(Mul, &[slope, each], "logits")?), None])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        // max(l, 0) - l t + log(1 + exp(-|l|)): no overflow, whatever the logit.
        let [l, t] = [inputs[0], inputs[1]];
        let one = cx.constant(Literal::scalar(1.0), "one")?;
        let high = cx.push(OnnxOp::Relu, &[l], "high")?;
        let taken = cx.push(OnnxOp::Mul, &[l, t], "taken")?;
        let linear = cx.push(OnnxOp::Sub, &[high, taken], "linear")?;
        let size = cx.push(OnnxOp::Abs, &[l], "size")?;
        let minus = cx.push(OnnxOp::Neg, &[size], "minus")?;
        let small = cx.push(OnnxOp::Exp, &[minus], "small")?;
        let odds = cx.push(OnnxOp::Add, &[small, one], "odds")?;
        let rest = cx.push(OnnxOp::Log, &[odds], "rest")?;
        let nats = cx.push(OnnxOp::Add, &[linear, rest], "nats")?;
        Ok(vec![sum_image(cx, nats)?])
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let mut nats = Array::<R>::from_elem(vec![inputs[0].shape()[0]], R::of(0.0));
        for ((i, &l), &t) in inputs[0].indexed_iter().zip(inputs[1].iter()) {
            let size = if l > R::of(0.0) { l } else { -l };
            let high = if l > R::of(0.0) { l } else { R::of(0.0) };
            nats[[i[0]].as_slice()] += high - l * t + (R::of(1.0) + (-size).exp()).ln();
        }
        Ok(vec![nats])
    }

    fn stream(&self) -> Stream {
        Stream::Expanded
    }

    fn samples() -> Vec<Sample> {
        let ty = Type::real([Dim::N, Dim::Fixed(2), Dim::Fixed(3), Dim::Fixed(2)]);
        vec![Sample::new(BernoulliNll, [ty.clone(), ty])]
    }
}

/// Sums `[N, C, H, W]` to `[N]`, rows first: one long sum of f32 loses digits.
pub(super) fn sum_image(cx: &mut Lower, nats: Value) -> Result<Value, LowerError> {
    let rows = cx.push(OnnxOp::ReduceSum { axes: vec![3] }, &[nats], "rows")?;
    let colours = cx.push(OnnxOp::ReduceSum { axes: vec![2] }, &[rows], "colours")?;
    cx.push(OnnxOp::ReduceSum { axes: vec![1] }, &[colours], "")
}

/// A number for each image, `[N]`, as `[N, 1, ...]` with so many axes.
pub(super) fn per_image(cx: &mut Adjoint, x: Value, rank: usize) -> Result<Value, BuildError> {
    let mut wide = x;
    for _ in 1..rank {
        wide = cx.push(SplitAxis { axis: 0, parts: 1 }, &[wide], "wide")?;
    }
    let perm = [rank - 1].into_iter().chain(0..rank - 1).collect();
    cx.push(Transpose { perm }, &[wide], "each")
}
