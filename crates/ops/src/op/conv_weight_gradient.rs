//! `conv_weight_gradient(x, dy)`: the transpose of `masked_conv` with respect to its weight. The result is
//! always masked, so no update can change a weight that the mask hides.

use super::MaskedConv;
use crate::rules::prelude::*;

/// The gradient of [`MaskedConv`] with respect to its weight. `x` is the convolution's input; `dy` has the
/// shape of its result; the result has the shape of its weight.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvWeightGradient {
    /// The convolution whose gradient it is.
    pub conv: MaskedConv,
}

impl Rules for ConvWeightGradient {
    const MNEMONIC: &'static str = "conv_weight_gradient";

    fn attributes(&self) -> Attributes {
        Rules::attributes(&self.conv)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(ConvWeightGradient { conv: <MaskedConv as Rules>::rebuild(attributes, Vec::new())? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 2)?;
        shape::rank(inputs, 0, 4)?;
        let lead = inputs[1].rank().saturating_sub(4).min(1);
        shape::rank(inputs, 1, 4 + lead)?;
        let axis = self.conv.feature_axis();
        let mut weight = inputs[1].shape[..lead].to_vec();
        weight.extend([inputs[1].shape[lead + axis], inputs[0].shape[axis]]);
        let bias = Type::real(weight[..=lead].iter().copied());
        weight.extend(self.conv.mask.kernel.map(Dim::Fixed));
        let weight = Type::real(weight);
        let dy = self.conv.infer(&[inputs[0], &weight, &bias])?;
        if dy[0] != *inputs[1] {
            return Err(TypeError::Unequal { left: inputs[1].clone(), right: dy[0].clone() });
        }
        Ok(vec![weight])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        Footprint::everything(reading)
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let _ = cx;
        Err(AdjointError::Missing { mnemonic: Self::MNEMONIC })
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        super::masked_conv::gradient::lower_weight(&self.conv, cx, inputs)
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        super::masked_conv::gradient::eval_weight(&self.conv, inputs)
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
            Some(Sample::new(ConvWeightGradient { conv }, [sample.inputs[0].clone(), dy]))
        };
        MaskedConv::samples().into_iter().filter_map(of).collect()
    }
}
