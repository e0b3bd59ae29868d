//! `bind`: replaces parameters by constants, for models that are used for inference only.

use std::borrow::Cow;
use std::collections::BTreeMap;

use pixelrnn_graph::{Array, BuildError, Graph, Operation, Role, Site};
use pixelrnn_onnx::{Literal, OnnxGraph, OnnxOp};
use pixelrnn_ops::{Constant, PixelGraph};

use crate::rewrite::Rewrite;

/// Weights by the dotted paths of their parameters.
pub type Weights = BTreeMap<String, Array>;

/// Why weights do not fit a graph.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// A parameter has no weight.
    #[error("missing weight `{name}`, shape {shape:?}")]
    Missing {
        /// The parameter.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A weight has the wrong shape.
    #[error("weight `{name}` has shape {found:?}, expected {expected:?}")]
    Shape {
        /// The parameter.
        name: String,
        /// Its shape.
        expected: Vec<usize>,
        /// The shape of the weight.
        found: Vec<usize>,
    },
    /// A weight belongs to no parameter.
    #[error("unknown weight `{name}`: the model has no such parameter")]
    Unknown {
        /// The name of the weight.
        name: String,
    },
    /// A weight is infinite or NaN.
    #[error("weight `{name}` contains the non-finite value {value}")]
    NotFinite {
        /// The parameter.
        name: String,
        /// The first such value.
        value: f32,
    },
    /// The weights do not fit into the graph.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// Checks that there is exactly one weight for each parameter, of the same shape and with finite values.
///
/// # Errors
/// [`BindError`] for the first weight that does not fit, in the order of the parameters.
pub fn check_shapes<'a>(
    parameters: impl IntoIterator<Item = (&'a str, Vec<usize>)>,
    weights: &Weights,
) -> Result<(), BindError> {
    let mut known = std::collections::BTreeSet::new();
    for (name, expected) in parameters {
        let Some(array) = weights.get(name) else {
            return Err(BindError::Missing { name: name.to_string(), shape: expected });
        };
        if array.shape() != expected {
            let (name, found) = (name.to_string(), array.shape().to_vec());
            return Err(BindError::Shape { name, expected, found });
        }
        if let Some(&value) = array.iter().find(|x| !x.is_finite()) {
            return Err(BindError::NotFinite { name: name.to_string(), value });
        }
        known.insert(name);
    }
    match weights.keys().find(|name| !known.contains(name.as_str())) {
        Some(name) => Err(BindError::Unknown { name: name.clone() }),
        None => Ok(()),
    }
}

/// Checks that the weights fit the parameters of a graph; see [`check_shapes`].
///
/// # Errors
/// As [`check_shapes`].
pub fn check<O: Operation>(graph: &Graph<O>, weights: &Weights) -> Result<(), BindError> {
    let shape = |value| graph.ty(value).extents(1);
    let parameters = graph.parameters();
    check_shapes(parameters.map(|(input, _)| (input.name.as_str(), shape(input.value))), weights)
}

/// Replaces every parameter of an ONNX graph by its weight. Owned weights are moved, borrowed ones copied.
///
/// # Errors
/// [`BindError`] if the weights do not fit; see [`check`].
pub fn bind_onnx(graph: &OnnxGraph, weights: Cow<Weights>) -> Result<OnnxGraph, BindError> {
    check(graph, &weights)?;
    let mut weights = weights;
    let mut take = |name: &str| match &mut weights {
        Cow::Borrowed(weights) => weights.get(name).cloned(),
        Cow::Owned(weights) => weights.remove(name),
    };
    let mut rewrite = Rewrite::new(graph);
    for input in graph.inputs() {
        let parameter = matches!(input.role, Role::Parameter(_));
        match parameter.then(|| take(&input.name)).flatten() {
            Some(weight) => {
                let op = OnnxOp::constant(Literal::Real(weight));
                let site = Site::of_weight(input.layer);
                let value = rewrite.new.push(op, &[], &input.name, site)?[0];
                rewrite.set(input.value, value);
            }
            None => {
                rewrite.input(input);
            }
        }
    }
    rewrite.nodes()?;
    Ok(rewrite.finish()?)
}

/// Replaces every parameter by its weight.
///
/// # Errors
/// [`BindError`] if the weights do not fit; see [`check`].
pub fn bind(graph: &PixelGraph, weights: &Weights) -> Result<PixelGraph, BindError> {
    check(graph, weights)?;
    let mut rewrite = Rewrite::new(graph);
    for input in graph.inputs() {
        match (input.role, weights.get(&input.name)) {
            (Role::Parameter(_), Some(weight)) => {
                let op = Constant { value: weight.clone() };
                let site = Site::of_weight(input.layer);
                let value = rewrite.new.push(op.into(), &[], &input.name, site)?[0];
                rewrite.set(input.value, value);
            }
            _ => {
                rewrite.input(input);
            }
        }
    }
    rewrite.nodes()?;
    Ok(rewrite.finish()?)
}
