//! What must be said of every operator.

pub mod adjoint;
pub mod eval;
pub mod footprint;
pub mod lower;
pub mod prelude;
pub mod shape;
pub mod stream;

use pixelrnn_graph::text::ReadAttributes;
use pixelrnn_graph::{Array, Attributes, Graph, Misfit, Type, Value};

use crate::op::Op;
use adjoint::{Adjoint, AdjointError};
use eval::{Env, EvalError, Real};
use footprint::{Footprint, Reading};
use lower::{Lower, LowerError};
use stream::Stream;

/// One case for the generic tests: inputs are drawn at random.
#[derive(Clone, Debug)]
pub struct Sample {
    pub op: Op,
    pub inputs: Vec<Type>,
}

impl Sample {
    /// A case.
    pub fn new(op: impl Into<Op>, inputs: impl IntoIterator<Item = Type>) -> Sample {
        Sample { op: op.into(), inputs: inputs.into_iter().collect() }
    }
}

/// The rules of one operator. No method has a default, so that none is forgotten.
pub trait Rules: Sized {
    /// The name in the text form.
    const MNEMONIC: &'static str;

    /// Everything but the bodies, for the text form.
    fn attributes(&self) -> Attributes;

    /// The operator that attributes and bodies describe.
    fn rebuild(attributes: &ReadAttributes, bodies: Vec<Graph<Op>>) -> Result<Self, Misfit>;

    /// Graphs inside it.
    fn bodies(&self) -> Vec<&Graph<Op>>;

    /// The types of its results, or why the inputs do not fit.
    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, Misfit>;

    /// Which cells of the inputs a cell of the result reads.
    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a>;

    /// The cotangents of the inputs, as nodes; `None` where an input has no influence.
    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError>;

    /// The same as ONNX nodes.
    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError>;

    /// The definition: slow, obvious, on f32 or f64.
    fn eval<R: Real>(&self, env: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError>;

    /// How it runs pixel by pixel.
    fn stream(&self) -> Stream;

    /// Cases for the generic tests.
    fn samples() -> Vec<Sample>;
}
