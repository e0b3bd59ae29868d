//! The structural verifier, run after every pass.
//!
//! It checks that
//! - every node reads only values that are computed before it, and every output refers to a value of the
//!   graph;
//! - every node has as many results as its operator infers, of the inferred types;
//! - the names of nodes, inputs and outputs are not empty, and unique among nodes, inputs and outputs,
//!   respectively;
//! - all of this holds for every body, too.
//!
//! It does not check that the graph computes what the declaration says (comparing engines does), nor
//! causality (`verify_causality` does).

use std::collections::BTreeSet;

use crate::graph::{Graph, Operation, Origin, Value};
use crate::type_error::TypeError;
use crate::types::Type;

/// A violation of the rules for graphs.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A node reads a value that is computed later, or never.
    #[error("node `{node}` reads {value} before it is computed")]
    Order {
        /// The node.
        node: String,
        /// The value.
        value: Value,
    },
    /// An operator does not accept its inputs.
    #[error("node `{node}` ({mnemonic}) {error}")]
    Operator {
        /// The node.
        node: String,
        /// The name of the operator.
        mnemonic: &'static str,
        /// Why it does not.
        error: TypeError,
    },
    /// A value has another type than its operator infers.
    #[error("result {port} of node `{node}` has type {stored}, but its operator infers {inferred}")]
    Type {
        /// The node.
        node: String,
        /// The position among its results.
        port: usize,
        /// The type of the value.
        stored: Type,
        /// The type that the operator infers.
        inferred: Type,
    },
    /// A node has more or fewer results than its operator.
    #[error("node `{node}` has {stored} results, but its operator infers {inferred}")]
    Results {
        /// The node.
        node: String,
        /// The results of the node.
        stored: usize,
        /// The results that the operator infers.
        inferred: usize,
    },
    /// Two nodes, inputs or outputs have the same name.
    #[error("two {what} have the name `{name}`")]
    Duplicate {
        /// `node`, `input` or `output`, in the plural.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A node, input or output has no name.
    #[error("one of the {what} has no name")]
    Nameless {
        /// The kind, such as `node`.
        what: &'static str,
    },
    /// The body of a loop has a fault.
    #[error("in the body of `{node}`: {fault}")]
    Body {
        /// The node of the loop.
        node: String,
        /// The fault.
        fault: Box<Fault>,
    },
}

/// Checks a graph; see the module's documentation for what is checked.
///
/// # Errors
/// The first fault found, in execution order.
pub fn verify<O: Operation>(graph: &Graph<O>) -> Result<(), Fault> {
    let mut made = vec![false; graph.value_count()];
    for (position, input) in graph.inputs().iter().enumerate() {
        debug_assert_eq!(graph.origin(input.value), Origin::Input(position));
        made[input.value.index()] = true;
    }
    unique("inputs", graph.inputs().iter().map(|i| i.name.as_str()))?;
    unique("nodes", graph.nodes().map(|(_, n)| n.name.as_str()))?;
    unique("outputs", graph.outputs().iter().map(|o| o.name.as_str()))?;
    for (_, node) in graph.nodes() {
        let known = |v: &&Value| v.index() < made.len() && made[v.index()];
        if let Some(&value) = node.inputs.iter().find(|v| !known(v)) {
            return Err(Fault::Order { node: node.name.clone(), value });
        }
        let types: Vec<&Type> = node.inputs.iter().map(|&v| graph.ty(v)).collect();
        let inferred = node.op.infer(&types).map_err(|error| Fault::Operator {
            node: node.name.clone(),
            mnemonic: node.op.mnemonic(),
            error,
        })?;
        if inferred.len() != node.outputs.len() {
            let (stored, inferred) = (node.outputs.len(), inferred.len());
            return Err(Fault::Results { node: node.name.clone(), stored, inferred });
        }
        for (port, (&value, inferred)) in node.outputs.iter().zip(inferred).enumerate() {
            let stored = graph.ty(value).clone();
            if stored != inferred {
                return Err(Fault::Type { node: node.name.clone(), port, stored, inferred });
            }
            made[value.index()] = true;
        }
        for body in node.op.bodies() {
            verify(body)
                .map_err(|fault| Fault::Body { node: node.name.clone(), fault: Box::new(fault) })?;
        }
    }
    let unmade = |v: Value| v.index() >= made.len() || !made[v.index()];
    if let Some(out) = graph.outputs().iter().find(|o| unmade(o.value)) {
        return Err(Fault::Order { node: format!("output {}", out.name), value: out.value });
    }
    Ok(())
}

fn unique<'a>(what: &'static str, names: impl Iterator<Item = &'a str>) -> Result<(), Fault> {
    let mut seen = BTreeSet::new();
    for name in names {
        if name.is_empty() {
            return Err(Fault::Nameless { what });
        }
        if !seen.insert(name) {
            return Err(Fault::Duplicate { what, name: name.to_string() });
        }
    }
    Ok(())
}
