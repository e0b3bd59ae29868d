//! `nll_slope(parameters, image) {distribution}`: the derivative of `nll` with respect to the parameters.

use super::nll::distribution;
use crate::dist::Distribution;
use crate::rules::prelude::*;

/// The derivative of each value's negative log-likelihood with respect to each of its parameters. Inputs:
/// `parameters [N, C, H, W]` or `[N, C, P, H, W]`, depending on the distribution, and levels
/// `image [N, C, H, W]`. The result has the shape of the parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NllSlope {
    /// The distribution.
    pub distribution: Distribution,
}

impl Rules for NllSlope {
    const MNEMONIC: &'static str = "nll_slope";

    fn attributes(&self) -> Attributes {
        Attributes::none().word("distribution", self.distribution.to_string())
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(NllSlope { distribution: distribution(attributes)? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 2)?;
        self.distribution.check(inputs[0], inputs[1])?;
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
        Ok(vec![self.distribution.slope(cx, inputs[0], inputs[1])?])
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let mut slopes = inputs[0].clone();
        self.distribution.each_value(inputs[0], inputs[1], |i, own, level| {
            for (p, slope) in self.distribution.slope_of(own, level).into_iter().enumerate() {
                slopes[self.distribution.place(i, p).as_slice()] = slope;
            }
        })?;
        Ok(vec![slopes])
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
            Sample::new(NllSlope { distribution }, [parameters, image.clone()])
                .with(1, Domain::Levels(distribution.levels()))
        };
        Distribution::samples().into_iter().map(of).collect()
    }
}
