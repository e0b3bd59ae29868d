//! The rules that every operator must implement.

pub mod adjoint;
pub mod eval;
pub mod footprint;
pub mod lower;
pub mod prelude;
pub mod shape;
pub mod stream;

use pixelrnn_graph::text::ReadAttributes;
use pixelrnn_graph::{Array, Attributes, Graph, Type, TypeError, Value};

use crate::op::{Composite, Op};
use adjoint::{Adjoint, AdjointError};
use eval::{Env, EvalError, Real};
use footprint::{Footprint, Reading};
use lower::{Lower, LowerError};
use stream::Stream;

/// The range of values that the tests use for an input of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// Any number; tests draw from -1 to 1.
    Signed,
    /// Numbers above zero.
    Positive,
    /// At least 0 and below 1.
    Unit,
    /// Whole numbers from 0 to one less than the given number.
    Levels(usize),
}

/// A case for the generic tests. The inputs are drawn at random.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The operator.
    pub op: Op,
    /// The types of its inputs.
    pub inputs: Vec<Type>,
    /// The range of each input.
    pub domains: Vec<Domain>,
}

impl Sample {
    /// A sample in which every input may hold any number.
    pub fn new(op: impl Into<Op>, inputs: impl IntoIterator<Item = Type>) -> Sample {
        let inputs: Vec<Type> = inputs.into_iter().collect();
        let domains = vec![Domain::Signed; inputs.len()];
        Sample { op: op.into(), inputs, domains }
    }

    /// The same sample with another range for an input.
    pub fn with(mut self, input: usize, domain: Domain) -> Sample {
        self.domains[input] = domain;
        self
    }
}

/// The rules of one operator. No method has a default, so that none is forgotten.
pub trait Rules: Sized {
    /// The name in the text form.
    const MNEMONIC: &'static str;

    /// The attributes in the text form, without the bodies.
    fn attributes(&self) -> Attributes;

    /// Builds the operator from its attributes and bodies.
    fn rebuild(attributes: &ReadAttributes, bodies: Vec<Graph<Op>>) -> Result<Self, TypeError>;

    /// The graphs inside the operator, such as the body of a loop.
    fn bodies(&self) -> Vec<&Graph<Op>>;

    /// The types of the results, or why the inputs do not fit.
    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError>;

    /// Which cells of the inputs a cell of the result reads.
    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a>;

    /// Adds nodes that compute the cotangents of the inputs; `None` for an input without influence on the
    /// result.
    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError>;

    /// Adds ONNX nodes that compute the same.
    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError>;

    /// Evaluates the operator on arrays of f32 or f64. This is the definition of the operator: simple, not
    /// fast.
    fn eval<R: Real>(&self, env: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError>;

    /// How it runs pixel by pixel.
    fn stream(&self) -> Stream;

    /// The equivalent operator on pixel-major maps `[H, W, N, F]`, and how many of its first inputs are maps;
    /// `None` if there is none.
    fn pixel_major(&self) -> Option<(usize, Op)>;

    /// The operator as a composite, if it is expanded to a graph of others.
    fn composite(&self) -> Option<&dyn Composite>;

    /// Samples for the generic tests.
    fn samples() -> Vec<Sample>;
}
