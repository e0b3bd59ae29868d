//! `conv_input_gradient(dy, weight)`: the transpose of `masked_conv` with respect to its input, that is, its
//! VJP.
//!
//! The attributes are those of the convolution. In the pixel-major layout with several directions,
//! `dy [D, H, W, N, G]`, the results of the directions are summed.

use super::MaskedConv;
use crate::rules::prelude::*;

/// The gradient of [`MaskedConv`] with respect to its input. `dy` has the shape of the convolution's result;
/// `weight` is its weight; the result has the shape of its input.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvInputGradient {
    /// The convolution whose gradient it is.
    pub conv: MaskedConv,
}

impl Rules for ConvInputGradient {
    const MNEMONIC: &'static str = "conv_input_gradient";

    fn attributes(&self) -> Attributes {
        Rules::attributes(&self.conv)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(ConvInputGradient { conv: <MaskedConv as Rules>::rebuild(attributes, Vec::new())? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 2)?;
        let lead = self.conv.directions(inputs[1]);
        shape::rank(inputs, 0, 4 + lead)?;
        shape::rank(inputs, 1, 4 + lead)?;
        let features = shape::fixed(inputs, 1, lead + 1)?;
        let axis = self.conv.feature_axis();
        let mut x = inputs[0].clone();
        if lead == 1 {
            x.shape.remove(0);
        }
        x.shape[axis] = Dim::Fixed(features);
        let bias = Type::real(inputs[1].shape[..=lead].iter().copied());
        let dy = self.conv.infer(&[&x, inputs[1], &bias])?;
        if dy[0] != *inputs[0] {
            return Err(TypeError::Unequal { left: inputs[0].clone(), right: dy[0].clone() });
        }
        Ok(vec![x])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        Footprint::everything(reading)
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let _ = cx;
        Err(AdjointError::Missing { mnemonic: Self::MNEMONIC })
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        super::masked_conv::gradient::lower_input(&self.conv, cx, inputs)
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        super::masked_conv::gradient::eval_input(&self.conv, inputs)
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
        let of = |sample: Sample| {
            let Op::MaskedConv(conv) = &sample.op else { return None };
            let types: Vec<&Type> = sample.inputs.iter().collect();
            let dy = conv.infer(&types).ok()?.into_iter().next()?;
            let conv = conv.clone();
            Some(Sample::new(ConvInputGradient { conv }, [dy, sample.inputs[1].clone()]))
        };
        MaskedConv::samples().into_iter().filter_map(of).collect()
    }
}
