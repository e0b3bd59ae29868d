//! `nll(parameters, image) {distribution}`: the negative log-likelihood, in nats per image.

use super::{Mul, NllSlope, SplitAxis, Transpose};
use crate::dist::Distribution;
use crate::rules::prelude::*;

/// The negative log-probability of an image, summed over its values. Inputs: `parameters [N, C, H, W]` or
/// `[N, C, P, H, W]`, depending on the distribution, and levels `image [N, C, H, W]`. The result is `[N]`. It
/// is infinite if a value is not a level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nll {
    /// The distribution.
    pub distribution: Distribution,
}

impl Rules for Nll {
    const MNEMONIC: &'static str = "nll";

    fn attributes(&self) -> Attributes {
        Attributes::none().word("distribution", self.distribution.to_string())
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(Nll { distribution: distribution(attributes)? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 2)?;
        self.distribution.check(inputs[0], inputs[1])?;
        Ok(vec![Type::real([inputs[0].shape[0]])])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        Footprint::everything(reading)
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None, None]) };
        let [parameters, image] = [cx.inputs[0], cx.inputs[1]];
        let slope = NllSlope { distribution: self.distribution };
        let slope = cx.push(slope, &[parameters, image], "slope")?;
        let rank = cx.input_type(0).rank();
        // One number per image, [N], reshaped to [N, 1, ...].
        let mut wide = dy;
        for _ in 1..rank {
            wide = cx.push(SplitAxis { axis: 0, parts: 1 }, &[wide], "wide")?;
        }
        let perm = [rank - 1].into_iter().chain(0..rank - 1).collect();
        let each = cx.push(Transpose { perm }, &[wide], "each")?;
        Ok(vec![Some(cx.push(Mul, &[slope, each], "logits")?), None])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let nats = self.distribution.nats(cx, inputs[0], inputs[1])?;
        // Sums the rows first: one long sum of f32 loses precision.
        let rows = cx.push(OnnxOp::ReduceSum { axes: vec![3] }, &[nats], "rows")?;
        let colours = cx.push(OnnxOp::ReduceSum { axes: vec![2] }, &[rows], "colours")?;
        cx.push_many(OnnxOp::ReduceSum { axes: vec![1] }, &[colours], "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        Ok(vec![self.distribution.nats_per_image(inputs[0], inputs[1])?])
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
        let image = Type::real([Dim::N, Dim::Fixed(2), Dim::Fixed(3), Dim::Fixed(2)]);
        let of = |distribution: Distribution| {
            let parameters = Type::real(distribution.shape(&image));
            Sample::new(Nll { distribution }, [parameters, image.clone()])
                .with(1, Domain::Levels(distribution.levels()))
        };
        Distribution::samples().into_iter().map(of).collect()
    }
}

/// Reads the distribution from the attributes.
pub(super) fn distribution(attributes: &ReadAttributes) -> Result<Distribution, TypeError> {
    let word = attributes.word("distribution")?;
    word.parse().map_err(|reason: String| TypeError::attribute("distribution", reason))
}
