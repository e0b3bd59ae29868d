//! `categorical_nll_slope(logits, image, dy) {levels}`: the transpose of `categorical_nll`, as an operator of the
//! engine.

use super::{CategoricalNll, NllSlope};
use crate::rules::prelude::*;

/// `logits` and `image` like the inputs of [`CategoricalNll`], `dy [N]` the cotangent of its result; the result is
/// like the logits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CategoricalNllSlope {
    /// The operator whose gradient it is.
    pub nll: CategoricalNll,
}

impl Rules for CategoricalNllSlope {
    const MNEMONIC: &'static str = "categorical_nll_slope";

    fn attributes(&self) -> Attributes {
        Rules::attributes(&self.nll)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(CategoricalNllSlope { nll: <CategoricalNll as Rules>::rebuild(attributes, Vec::new())? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 3)?;
        self.nll.check(inputs[0], inputs[1])?;
        let dy = Type::real([inputs[1].shape[0]]);
        if *inputs[2] != dy {
            return Err(TypeError::Unequal { left: inputs[2].clone(), right: dy });
        }
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
        let attributes = vec![("levels", vec![self.nll.levels as i64])];
        cx.native("CategoricalNllSlope", attributes, inputs, |types| self.infer(types))
    }

    fn eval<R: Real>(&self, env: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let distribution = self.nll.distribution();
        let parameters = self.nll.parameters(inputs[0])?;
        let slopes = NllSlope { distribution }.eval(env, &[&parameters, inputs[1]])?.remove(0);
        // [N, C, L, H, W] as [H, W, N, C L].
        let mut slopes =
            slopes.permuted_axes(vec![3, 4, 0, 1, 2]).as_standard_layout().into_owned();
        for (at, slope) in slopes.indexed_iter_mut() {
            *slope = *slope * inputs[2][[at[2]].as_slice()];
        }
        let slopes = slopes.into_shape_with_order(inputs[0].shape());
        Ok(vec![slopes.map_err(|error| EvalError::Array(error.to_string()))?])
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
        let sample = |(nll, [logits, image]): (CategoricalNll, [Type; 2])| {
            let dy = Type::real([Dim::N]);
            let inputs = [logits, image, dy];
            Sample::new(CategoricalNllSlope { nll }, inputs).with(1, Domain::Levels(nll.levels))
        };
        CategoricalNll::cases().into_iter().map(sample).collect()
    }
}
