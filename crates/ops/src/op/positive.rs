//! `positive(x)`: 1 where an element is above zero, else 0; the slope of `relu`.

use pixelrnn_graph::text::ReadAttributes;
use pixelrnn_graph::{Array, Attributes, Misfit, Type, Value};
use pixelrnn_onnx::OnnxOp;

use crate::PixelGraph;
use crate::rules::adjoint::{Adjoint, AdjointError};
use crate::rules::eval::{Env, EvalError, Real};
use crate::rules::footprint::{Footprint, Reading};
use crate::rules::lower::{Lower, LowerError};
use crate::rules::stream::Stream;
use crate::rules::{Rules, Sample, shape};

/// 1 where an element is above zero, else 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Positive;

impl Rules for Positive {
    const MNEMONIC: &'static str = "positive";

    fn attributes(&self) -> Attributes {
        Attributes::none()
    }

    fn rebuild(_: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, Misfit> {
        Ok(Positive)
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, Misfit> {
        shape::arity(inputs, 1)?;
        Ok(vec![inputs[0].clone()])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        Footprint::elementwise(reading)
    }

    fn gradient(&self, _: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        // Flat wherever it has a slope.
        Ok(vec![None])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        // A slope so steep that every normal number above zero reaches one: one operator, where a
        // comparison needs a cast behind it.
        cx.push_many(OnnxOp::HardSigmoid { slope: f32::MAX }, inputs, "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let on = |x: R| if x > R::of(0.0) { R::of(1.0) } else { R::of(0.0) };
        Ok(vec![inputs[0].mapv(on)])
    }

    fn stream(&self) -> Stream {
        Stream::Pointwise
    }

    fn samples() -> Vec<Sample> {
        vec![Sample::new(Positive, [Type::real([2usize, 3])])]
    }
}
