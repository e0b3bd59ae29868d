//! Reverse-mode differentiation: the context of an operator's gradient rule, and the walk backward through a
//! graph that calls the rules.

use std::collections::BTreeMap;

use pixelrnn_graph::{BuildError, Graph, NodeId, Site, Type, Value};

use crate::op::Op;

/// Why a node has no gradient.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AdjointError {
    /// The operator is a composite, which must be expanded before it is differentiated.
    #[error("`{mnemonic}` must be expanded before it is differentiated")]
    Composite {
        /// The name of the operator.
        mnemonic: &'static str,
    },
    /// The operator has no gradient rule.
    #[error("`{mnemonic}` has no gradient rule")]
    Missing {
        /// The name of the operator.
        mnemonic: &'static str,
    },
    /// A node of the gradient cannot be added.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// The context of a gradient rule: the node that is differentiated, and the graph to extend.
pub struct Adjoint<'a> {
    /// The graph that the gradient is added to.
    pub graph: &'a mut Graph<Op>,
    /// The node's inputs and results, as values of `graph`.
    pub inputs: &'a [Value],
    /// The node's results.
    pub outputs: &'a [Value],
    /// The cotangent of each result; `None` if nothing depends on it.
    pub cotangents: &'a [Option<Value>],
    /// For each input, whether its cotangent is needed.
    pub wanted: &'a [bool],
    /// The prefix of the names of the gradient's nodes.
    pub name: &'a str,
    /// The layer and the place in the declaration that the node comes from.
    pub site: Site,
}

impl Adjoint<'_> {
    /// Adds a node; `part` is the suffix of its name.
    ///
    /// # Errors
    /// The operator does not accept the inputs.
    pub fn push(
        &mut self,
        op: impl Into<Op>,
        inputs: &[Value],
        part: &str,
    ) -> Result<Value, BuildError> {
        let name = format!("{}.{part}", self.name);
        Ok(self.graph.push(op.into(), inputs, &name, self.site)?[0])
    }

    /// Adds a node with several results.
    ///
    /// # Errors
    /// The operator does not accept the inputs.
    pub fn push_many(
        &mut self,
        op: impl Into<Op>,
        inputs: &[Value],
        part: &str,
    ) -> Result<Vec<Value>, BuildError> {
        let name = format!("{}.{part}", self.name);
        self.graph.push(op.into(), inputs, &name, self.site)
    }

    /// The type of an input.
    pub fn input_type(&self, input: usize) -> Type {
        self.graph.ty(self.inputs[input]).clone()
    }
}

/// Marks every value that depends on a marked value.
pub fn wanted_from(graph: &Graph<Op>, wanted: &mut [bool]) {
    for (_, node) in graph.nodes() {
        if node.inputs.iter().any(|v| wanted[v.index()]) {
            node.outputs.iter().for_each(|v| wanted[v.index()] = true);
        }
    }
}

/// Adds the nodes of the gradient of some nodes of a graph, walking backward through them. Returns the
/// cotangent of every wanted value that the seeds reach. `seeds` are values with their cotangents; `wanted`
/// is indexed by value.
///
/// # Errors
/// [`AdjointError`] if a node on the way has no gradient or must be expanded first.
pub fn pull_back(
    graph: &mut Graph<Op>,
    nodes: &[NodeId],
    wanted: &[bool],
    seeds: &[(Value, Value)],
) -> Result<BTreeMap<Value, Value>, AdjointError> {
    let mut cotangents: BTreeMap<Value, Value> = BTreeMap::new();
    let give = |graph: &mut Graph<Op>,
                cotangents: &mut BTreeMap<Value, Value>,
                value: Value,
                part: Value,
                name: &str,
                site: Site|
     -> Result<(), BuildError> {
        let sum = match cotangents.get(&value) {
            None => part,
            Some(&other) => graph.push(crate::op::Add.into(), &[other, part], name, site)?[0],
        };
        cotangents.insert(value, sum);
        Ok(())
    };
    for &(value, seed) in seeds {
        give(graph, &mut cotangents, value, seed, "seed_sum", Site::NONE)?;
    }
    for &id in nodes.iter().rev() {
        let node = graph.node(id).clone();
        let site = graph.site(id);
        let results: Vec<Option<Value>> =
            node.outputs.iter().map(|v| cotangents.get(v).copied()).collect();
        let flags: Vec<bool> = node.inputs.iter().map(|v| wanted[v.index()]).collect();
        if results.iter().all(Option::is_none) || !flags.contains(&true) {
            continue;
        }
        let name = format!("{}/grad", node.name);
        let mut cx = Adjoint {
            graph,
            inputs: &node.inputs,
            outputs: &node.outputs,
            cotangents: &results,
            wanted: &flags,
            name: &name,
            site,
        };
        let parts = node.op.gradient(&mut cx)?;
        for ((&input, part), flag) in node.inputs.iter().zip(parts).zip(flags) {
            if let (Some(part), true) = (part, flag) {
                give(graph, &mut cotangents, input, part, &format!("{name}.total"), site)?;
            }
        }
    }
    Ok(cotangents)
}
