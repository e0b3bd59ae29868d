//! `categorical_nll(logits, image) {levels}`: the negative log-likelihood of categorical distributions as an
//! operator of the engine, in nats per image. The pass `native` makes it of `nll`.

use super::{CategoricalNllSlope, Nll};
use crate::dist::{Categorical, Distribution};
use crate::rules::prelude::*;

/// `logits [H, W, N, C L]`, pixel-major, `image [N, C, H, W]` of levels; result `[N]`, like that of [`Nll`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CategoricalNll {
    /// L, at least two.
    pub levels: usize,
}

impl CategoricalNll {
    /// The distribution of a value.
    pub(super) fn distribution(&self) -> Distribution {
        Categorical { levels: self.levels }.into()
    }

    /// Checks the types of logits and image.
    pub(super) fn check(&self, logits: &Type, image: &Type) -> Result<(), TypeError> {
        let fits = match (&logits.shape[..], &image.shape[..]) {
            (&[h, w, n, features], &[images, channels, height, width]) => {
                let channels = channels.fixed().unwrap_or(0);
                let same = [h, w, n] == [height, width, images];
                same && channels.checked_mul(self.levels).map(Dim::Fixed) == Some(features)
            }
            _ => false,
        };
        match fits && self.levels > 1 {
            true => Ok(()),
            false => Err(TypeError::Unequal { left: logits.clone(), right: image.clone() }),
        }
    }

    /// Logits `[H, W, N, C L]` as parameters `[N, C, L, H, W]`.
    pub(super) fn parameters<R: Real>(&self, logits: &Array<R>) -> Result<Array<R>, EvalError> {
        let &[h, w, n, features] = logits.shape() else {
            return Err(EvalError::Array("logits have four axes".into()));
        };
        let shape = vec![h, w, n, features / self.levels, self.levels];
        let split = logits.as_standard_layout().into_owned().into_shape_with_order(shape);
        let split = split.map_err(|error| EvalError::Array(error.to_string()))?;
        Ok(split.permuted_axes(vec![2, 3, 4, 0, 1]).as_standard_layout().into_owned())
    }

    /// Cases for the generic tests: logits and image.
    pub(super) fn cases() -> Vec<(CategoricalNll, [Type; 2])> {
        let case = |levels: usize, channels: usize| {
            let [h, w] = [3, 2].map(Dim::Fixed);
            let logits = Type::real([h, w, Dim::N, Dim::Fixed(channels * levels)]);
            let image = Type::real([Dim::N, Dim::Fixed(channels), h, w]);
            (CategoricalNll { levels }, [logits, image])
        };
        vec![case(4, 1), case(5, 3), case(17, 2)]
    }
}

impl Rules for CategoricalNll {
    const MNEMONIC: &'static str = "categorical_nll";

    fn attributes(&self) -> Attributes {
        Attributes::none().int("levels", self.levels)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(CategoricalNll { levels: attributes.int("levels")? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 2)?;
        self.check(inputs[0], inputs[1])?;
        Ok(vec![Type::real([inputs[1].shape[0]])])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        Footprint::everything(reading)
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None, None]) };
        let inputs = [cx.inputs[0], cx.inputs[1], dy];
        let slope = cx.push(CategoricalNllSlope { nll: *self }, &inputs, "logits")?;
        Ok(vec![Some(slope), None])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let attributes = vec![("levels", vec![self.levels as i64])];
        cx.native("CategoricalNll", attributes, inputs, |types| self.infer(types))
    }

    fn eval<R: Real>(&self, env: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let parameters = self.parameters(inputs[0])?;
        Nll { distribution: self.distribution() }.eval(env, &[&parameters, inputs[1]])
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
            Sample::new(nll, [logits, image]).with(1, Domain::Levels(nll.levels))
        };
        CategoricalNll::cases().into_iter().map(sample).collect()
    }
}
