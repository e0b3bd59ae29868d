//! `constant() {value}`: a literal tensor.

use pixelrnn_graph::Array as Tensor;

use crate::rules::prelude::*;

/// A literal tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    /// The value.
    pub value: Tensor,
}

impl Rules for Constant {
    const MNEMONIC: &'static str = "constant";

    fn attributes(&self) -> Attributes {
        Attributes::none().array("value", self.value.clone())
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(Constant { value: attributes.array("value")? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 0)?;
        Ok(vec![Type::real(self.value.shape().iter().copied())])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        let _ = reading;
        let ty = Type::real(self.value.shape().iter().copied());
        Footprint::new(Grid::whole(&ty), |_, _| {})
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let _ = cx;
        Ok(Vec::new())
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let _ = inputs;
        cx.push_many(OnnxOp::constant(Literal::Real(self.value.clone())), &[], "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let _ = inputs;
        Ok(vec![self.value.mapv(|x| R::of(f64::from(x)))])
    }

    fn stream(&self) -> Stream {
        Stream::Pointwise
    }

    fn pixel_major(&self) -> Option<(usize, Op)> {
        None
    }

    fn composite(&self) -> Option<&dyn Composite> {
        None
    }

    fn samples() -> Vec<Sample> {
        vec![Sample::new(Constant { value: ndarray::arr1(&[1.0, -2.5]).into_dyn() }, [])]
    }
}
