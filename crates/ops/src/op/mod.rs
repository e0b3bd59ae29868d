//! The table of operators. A new operator is one file here and one line in the table.

mod kind;
mod lstm;

use pixelrnn_graph::text::{ReadAttributes, ReadOperation};
use pixelrnn_graph::{Array, Attributes, Graph, Operation, Type, TypeError, Value};

use crate::ConditionKind;
use crate::rules::adjoint::{Adjoint, AdjointError};
use crate::rules::eval::{Env, EvalError, Real};
use crate::rules::footprint::{Footprint, Reading};
use crate::rules::lower::{Lower, LowerError};
use crate::rules::stream::Stream;
use crate::rules::{Rules, Sample};

macro_rules! operators {
    ($($module:ident::$name:ident,)*) => {
        $(mod $module; pub use $module::$name;)*

        /// An operator of the pixel IR.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Op {
            $(#[allow(missing_docs)] $name($name),)*
        }

        $(impl From<$name> for Op {
            fn from(op: $name) -> Op {
                Op::$name(op)
            }
        })*

        impl Operation for Op {
            type Distribution = crate::dist::Distribution;

            fn mnemonic(&self) -> &'static str {
                match self { $(Op::$name(_) => <$name as Rules>::MNEMONIC,)* }
            }

            fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
                match self { $(Op::$name(op) => op.infer(inputs),)* }
            }

            fn attributes(&self) -> Attributes {
                match self { $(Op::$name(op) => Rules::attributes(op),)* }
            }

            fn bodies(&self) -> Vec<&Graph<Op>> {
                match self { $(Op::$name(op) => Rules::bodies(op),)* }
            }
        }

        impl ReadOperation for Op {
            fn rebuild(
                mnemonic: &str,
                attributes: &ReadAttributes,
                bodies: Vec<Graph<Op>>,
            ) -> Result<Op, TypeError> {
                match mnemonic {
                    $(<$name as Rules>::MNEMONIC => {
                        Ok(Op::$name(<$name as Rules>::rebuild(attributes, bodies)?))
                    })*
                    _ => Err(TypeError::attribute("mnemonic", format!("unknown operator `{mnemonic}`"))),
                }
            }

            fn condition(name: &str) -> Option<&'static str> {
                ConditionKind::named(name).map(ConditionKind::name)
            }
        }

        impl Op {
            /// Which cells of the inputs a cell of the result reads.
            pub fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
                match self { $(Op::$name(op) => op.footprint(reading),)* }
            }

            /// Adds nodes that compute the cotangents of the inputs; `None` where there is none.
            ///
            /// # Errors
            /// [`AdjointError`] if the operator has no gradient rule or must be expanded first.
            pub fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
                match self { $(Op::$name(op) => op.gradient(cx),)* }
            }

            /// Adds ONNX nodes that compute the same.
            ///
            /// # Errors
            /// [`LowerError::Composite`] if the operator must be expanded first.
            pub fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
                match self { $(Op::$name(op) => op.lower(cx, inputs),)* }
            }

            /// Evaluates the operator on arrays. This defines what the operator computes.
            ///
            /// # Errors
            /// [`EvalError`] if the inputs do not have the shapes of their types.
            pub fn eval<R: Real>(
                &self,
                env: &Env,
                inputs: &[&Array<R>],
            ) -> Result<Vec<Array<R>>, EvalError> {
                R::eval(self, env, inputs)
            }

            /// [`Op::eval`], which this crate compiles for each type.
            pub(crate) fn eval_in<R: Real>(
                &self,
                env: &Env,
                inputs: &[&Array<R>],
            ) -> Result<Vec<Array<R>>, EvalError> {
                match self { $(Op::$name(op) => op.eval(env, inputs),)* }
            }

            /// How the operator runs pixel by pixel.
            pub fn stream(&self) -> Stream {
                match self { $(Op::$name(op) => op.stream(),)* }
            }

            /// The equivalent operator on pixel-major maps `[H, W, N, F]`, and how many of its first inputs
            /// are maps.
            pub fn pixel_major(&self) -> Option<(usize, Op)> {
                match self { $(Op::$name(op) => Rules::pixel_major(op),)* }
            }

            /// The operator as a composite, if it is one.
            pub fn composite(&self) -> Option<&dyn Composite> {
                match self { $(Op::$name(op) => Rules::composite(op),)* }
            }

            /// Samples of every operator, for the generic tests.
            pub fn samples() -> Vec<Sample> {
                let mut all = Vec::new();
                $(all.extend(<$name as Rules>::samples());)*
                all
            }

            /// The mnemonics of all operators.
            pub fn mnemonics() -> &'static [&'static str] {
                &[$(<$name as Rules>::MNEMONIC,)*]
            }
        }
    };
}

operators! {
    // Operators of which declarations are made.
    masked_conv::MaskedConv,
    row_lstm::RowLstm,
    diagonal_bilstm::DiagonalBilstm,
    relu::Relu,
    add::Add,
    scale::Scale,
    split_axis::SplitAxis,
    shift_down::ShiftDown,
    one_hot::OneHot,
    nll::Nll,
    // Operators to which recurrences are expanded.
    lstm_sweep::LstmSweep,
    scan::Scan,
    skew::Skew,
    unskew::Unskew,
    state_conv::StateConv,
    sigmoid::Sigmoid,
    tanh::Tanh,
    sub::Sub,
    mul::Mul,
    constant::Constant,
    broadcast::Broadcast,
    transpose::Transpose,
    merge_axes::MergeAxes,
    slice::Slice,
    concat::Concat,
    pad::Pad,
    sum::Sum,
    matmul::MatMul,
    // Operators that only sampling needs.
    draw::Draw,
    clamp_uniform::ClampUniform,
    select::Select,
    // Operators that only gradients need.
    heaviside::Heaviside,
    sqrt::Sqrt,
    div::Div,
    divide_by_batch::DivideByBatch,
    nll_slope::NllSlope,
    lstm_sweep_gradient::LstmSweepGradient,
    state_conv_input_gradient::StateConvInputGradient,
    state_conv_weight_gradient::StateConvWeightGradient,
    conv_input_gradient::ConvInputGradient,
    conv_weight_gradient::ConvWeightGradient,
    barrier::Barrier,
    // What only an engine of this process has.
    categorical_nll::CategoricalNll,
    categorical_nll_slope::CategoricalNllSlope,
}

impl Op {
    /// Whether it is computed in f32 even if the model has fewer bits: likelihoods, and the operators that
    /// decide which level is drawn.
    pub fn is_exact(&self) -> bool {
        matches!(
            self,
            Op::Nll(_)
                | Op::Draw(_)
                | Op::ClampUniform(_)
                | Op::NllSlope(_)
                | Op::CategoricalNll(_)
                | Op::CategoricalNllSlope(_)
        )
    }
}

pub(crate) use lstm::{Expansion, Recurrence, recur};
pub use lstm_sweep::{SweepForm, SweepOrder, SweepShape};
pub use masked_conv::Layout;
pub use skew::Fill;

/// An operator that is expanded to a small graph of others.
pub trait Composite {
    /// Adds the expansion to a graph. Nodes are named `name/part`.
    ///
    /// # Errors
    /// [`BuildError`](pixelrnn_graph::BuildError) if the inputs do not fit.
    fn expand(
        &self,
        graph: &mut Graph<Op>,
        inputs: &[Value],
        name: &str,
        site: pixelrnn_graph::Site,
    ) -> Result<Vec<Value>, pixelrnn_graph::BuildError>;
}
