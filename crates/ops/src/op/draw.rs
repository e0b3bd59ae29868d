//! `draw(parameters, u) {distribution, factor}`: draws a level by inverse transform sampling. The uniform
//! number is an input, and no random operator is used, so the same numbers draw the same levels on every
//! engine, up to rounding.
//!
//! Inputs: `parameters [N, P]` and `u [N, 1]`, at least 0 and below 1, as returned by
//! [`ClampUniform`](super::ClampUniform). The result `[N, 1]` is the number of levels k with
//! `P(level <= k) <= u`. Logits are multiplied by the factor, the inverse temperature, after their maximum is
//! subtracted, so that the result is finite for every factor that fits in an f32.

use super::nll::distribution;
use crate::dist::Distribution;
use crate::rules::prelude::*;

/// Draws a level from a distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// The distribution to draw from.
    pub distribution: Distribution,
    /// The factor of the logits: the inverse temperature.
    pub factor: f64,
}

impl Rules for Draw {
    const MNEMONIC: &'static str = "draw";

    fn attributes(&self) -> Attributes {
        Attributes::none()
            .word("distribution", self.distribution.to_string())
            .real("factor", self.factor)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(Draw { distribution: distribution(attributes)?, factor: attributes.real("factor")? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 2)?;
        shape::rank(inputs, 0, 2)?;
        shape::rank(inputs, 1, 2)?;
        shape::extent(inputs, 0, 1, self.distribution.parameters())?;
        shape::extent(inputs, 1, 0, inputs[0].shape[0])?;
        shape::extent(inputs, 1, 1, 1)?;
        let factor = self.factor as f32;
        if !(factor.is_finite() && factor > 0.0) {
            return Err(TypeError::attribute("factor", "must be above zero and finite in f32"));
        }
        Ok(vec![inputs[1].clone()])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        let parameters = reading.types[0].extents(1)[1];
        let rows = refine(&reading.grids[0].axes[0], &reading.grids[1].axes[0]);
        let grid = reading.grids[1].clone().with(0, rows);
        Footprint::new(grid, move |cell, visit| {
            visit(0, &[cell[0].clone(), 0..parameters]);
            visit(1, cell);
        })
    }

    fn gradient(&self, _: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        // The drawn level is piecewise constant in both inputs, so there is no gradient.
        Ok(vec![None, None])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        Ok(vec![self.distribution.draw(cx, inputs[0], inputs[1], self.factor)?])
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let mut drawn = inputs[1].clone();
        for (i, u) in drawn.iter_mut().enumerate() {
            let parameters: Vec<R> =
                inputs[0].index_axis(ndarray::Axis(0), i).iter().copied().collect();
            *u = self.distribution.draw_one(&parameters, *u, R::of(self.factor));
        }
        Ok(vec![drawn])
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
        let ty = |k: usize| Type::real([Dim::N, Dim::Fixed(k)]);
        let of = |distribution: Distribution| {
            [1.0, 1.6, 0.4].map(|factor| {
                let draw = Draw { distribution, factor };
                Sample::new(draw, [ty(distribution.parameters()), ty(1)]).with(1, Domain::Unit)
            })
        };
        Distribution::samples().into_iter().flat_map(of).collect()
    }
}
