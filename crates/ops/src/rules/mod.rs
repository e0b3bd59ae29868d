//! What must be said of every operator.

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

/// What an input of a case may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// Any number; tests take -1 to 1.
    Signed,
    /// Numbers above zero.
    Positive,
    /// At least 0 and below 1.
    Unit,
    /// Whole numbers from 0 to one less than this.
    Levels(usize),
}

/// One case for the generic tests: inputs are drawn at random.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The operator.
    pub op: Op,
    /// The types of its inputs.
    pub inputs: Vec<Type>,
    /// What each input may hold.
    pub domains: Vec<Domain>,
}

impl Sample {
    /// A case.
    pub fn new(op: impl Into<Op>, inputs: impl IntoIterator<Item = Type>) -> Sample {
        let inputs: Vec<Type> = inputs.into_iter().collect();
        let domains = vec![Domain::Signed; inputs.len()];
        Sample { op: op.into(), inputs, domains }
    }

    /// With an input that holds other numbers.
    pub fn with(mut self, input: usize, domain: Domain) -> Sample {
        self.domains[input] = domain;
        self
    }
}

/// The rules of one operator. No method has a default, so that none is forgotten.
pub trait Rules: Sized {
    /// The name in the text form.
    const MNEMONIC: &'static str;

    /// Everything but the bodies, for the text form.
    fn attributes(&self) -> Attributes;

    /// The operator that attributes and bodies describe.
    fn rebuild(attributes: &ReadAttributes, bodies: Vec<Graph<Op>>) -> Result<Self, TypeError>;

    /// Graphs inside it.
    fn bodies(&self) -> Vec<&Graph<Op>>;

    /// The types of its results, or why the inputs do not fit.
    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError>;

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

    /// The operator that does the same on pixel-major maps `[H, W, N, F]`, and how many of its first
    /// inputs are maps; `None` if there is none.
    fn pixel_major(&self) -> Option<(usize, Op)>;

    /// The operator as a composite, if it stands for a graph of others.
    fn composite(&self) -> Option<&dyn Composite>;

    /// Cases for the generic tests.
    fn samples() -> Vec<Sample>;
}
