//! The reference interpreter: evaluates a graph node by node, on f32 or f64.

use std::collections::BTreeMap;
use std::fmt::Debug;

use pixelrnn_graph::{Array, Graph, TypeError, Value};

use crate::op::Op;

/// A floating-point type in which graphs are evaluated.
pub trait Real:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Send
    + Sync
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
    + std::ops::Neg<Output = Self>
    + std::ops::AddAssign
    + 'static
{
    /// The nearest number of this type.
    fn of(x: f64) -> Self;
    /// The number as f64.
    fn to_f64(self) -> f64;
    /// e to the power of this number.
    fn exp(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// Evaluates an operator. Not generic, so that this crate compiles it, with the optimization of this crate,
    /// and not every crate that evaluates.
    ///
    /// # Errors
    /// Those of [`Op::eval`].
    fn eval(op: &Op, env: &Env, inputs: &[&Array<Self>]) -> Result<Vec<Array<Self>>, EvalError>;
}

macro_rules! real {
    ($($t:ty),*) => {$(
        impl Real for $t {
            fn of(x: f64) -> Self {
                x as $t
            }
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            fn exp(self) -> Self {
                <$t>::exp(self)
            }
            fn ln(self) -> Self {
                <$t>::ln(self)
            }
            fn tanh(self) -> Self {
                <$t>::tanh(self)
            }
            fn sqrt(self) -> Self {
                <$t>::sqrt(self)
            }
            fn eval(
                op: &Op,
                env: &Env,
                inputs: &[&Array<Self>],
            ) -> Result<Vec<Array<Self>>, EvalError> {
                op.eval_in(env, inputs)
            }
        }
    )*};
}
real!(f32, f64);

/// The environment of an evaluation.
#[derive(Clone, Copy, Debug)]
pub struct Env {
    /// The number of images in the batch.
    pub batch: usize,
}

/// Why a graph could not be evaluated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// An input or parameter was not given.
    #[error("input `{name}` is missing")]
    Missing {
        /// Its name.
        name: String,
    },
    /// An input has the wrong shape.
    #[error("input `{name}` has shape {found:?}, expected {expected:?}")]
    Shape {
        /// Its name.
        name: String,
        /// The shape that was expected.
        expected: Vec<usize>,
        /// The shape that was given.
        found: Vec<usize>,
    },
    /// A node does not accept its inputs.
    #[error("node `{node}`: {error}")]
    Node {
        /// The node.
        node: String,
        /// Why it does not.
        error: TypeError,
    },
    /// An array cannot be rearranged. Contains the message of the array library.
    #[error("{0}")]
    Array(String),
}

impl From<ndarray::ShapeError> for EvalError {
    fn from(e: ndarray::ShapeError) -> Self {
        EvalError::Array(e.to_string())
    }
}

/// Evaluates a graph and returns the results in the order of its outputs.
///
/// # Errors
/// [`EvalError`] if an input is missing, or if its shape is not that of its type with `env.batch` images.
pub fn evaluate<R: Real>(
    graph: &Graph<Op>,
    env: &Env,
    inputs: &BTreeMap<String, Array<R>>,
) -> Result<Vec<Array<R>>, EvalError> {
    let mut given = Vec::new();
    for input in graph.inputs() {
        let array = inputs.get(&input.name);
        given.push(array.ok_or_else(|| EvalError::Missing { name: input.name.clone() })?);
    }
    evaluate_list(graph, env, &given)
}

/// Evaluates a graph. The inputs are in the order of the graph's inputs.
pub(crate) fn evaluate_list<R: Real>(
    graph: &Graph<Op>,
    env: &Env,
    inputs: &[&Array<R>],
) -> Result<Vec<Array<R>>, EvalError> {
    let mut uses = graph.use_counts();
    let mut values: Vec<Option<Array<R>>> = vec![None; graph.value_count()];
    for (i, input) in graph.inputs().iter().enumerate() {
        let missing = || EvalError::Missing { name: input.name.clone() };
        let array: &Array<R> = inputs.get(i).ok_or_else(missing)?;
        let expected = graph.ty(input.value).extents(env.batch);
        if array.shape() != expected {
            let found = array.shape().to_vec();
            return Err(EvalError::Shape { name: input.name.clone(), expected, found });
        }
        values[input.value.index()] = Some(array.clone());
    }
    let absent = |v: Value| EvalError::Array(format!("{v} has no value"));
    for (_, node) in graph.nodes() {
        let mut args = Vec::with_capacity(node.inputs.len());
        for &v in &node.inputs {
            args.push(values[v.index()].as_ref().ok_or_else(|| absent(v))?);
        }
        let results = node.op.eval(env, &args)?;
        // A value is dropped after its last reader.
        for &v in &node.inputs {
            uses[v.index()] -= 1;
            if uses[v.index()] == 0 {
                values[v.index()] = None;
            }
        }
        for (&v, result) in node.outputs.iter().zip(results) {
            values[v.index()] = Some(result.as_standard_layout().into_owned());
        }
    }
    let result = |v: Value| values[v.index()].clone().ok_or_else(|| absent(v));
    graph.outputs().iter().map(|o| result(o.value)).collect()
}
