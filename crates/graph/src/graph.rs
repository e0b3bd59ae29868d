//! The graph itself: values, nodes, inputs and outputs, and the builder that types them.

use std::collections::BTreeSet;
use std::fmt;

use crate::diagnostic::Span;
use crate::misfit::Misfit;
use crate::types::Type;

/// What a graph asks of its operators.
pub trait Operation: Clone + PartialEq + fmt::Debug {
    /// The name in the text form.
    fn mnemonic(&self) -> &'static str;
    /// The types of the results, or why the inputs do not fit.
    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, Misfit>;
    /// Everything but the bodies, for the text form.
    fn attributes(&self) -> crate::text::Attributes;
    /// Graphs inside the operator, a loop's body say.
    fn bodies(&self) -> Vec<&Graph<Self>>;
}

/// A value of one graph: a graph input or a node's result.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(u32);

/// A node of one graph.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

impl Value {
    /// The position among the graph's values, from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl NodeId {
    /// The position in execution order, from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The input at this position.
    Input(usize),
    /// A result of a node, at this position among its results.
    Node(NodeId, usize),
}

/// How a fresh parameter is drawn. See `pixelrnn-ops`' `init` module for the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// All zeros.
    Zero,
    /// Uniform in `±1/sqrt(fan_in)`, where `fan_in` counts the live taps that one output reads.
    Uniform { fan_in: usize },
}

/// What an input is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Given on every call: an image, a state.
    Data,
    /// A weight, named by its dotted path.
    Parameter(Init),
}

/// An input of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    pub name: String,
    pub value: Value,
    pub role: Role,
}

/// A named result of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub name: String,
    pub value: Value,
}

/// One application of an operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Node<O> {
    pub op: O,
    /// Unique in its graph.
    pub name: String,
    pub inputs: Vec<Value>,
    pub outputs: Vec<Value>,
}

/// A dataflow graph; see the crate's front page for what always holds.
#[derive(Clone, PartialEq)]
pub struct Graph<O> {
    pub name: String,
    /// What the declaration's doc comment said.
    pub doc: String,
    types: Vec<Type>,
    origins: Vec<Origin>,
    nodes: Vec<Node<O>>,
    /// Beside the nodes, not in them: a pass that copies a node cannot lose it by accident.
    spans: Vec<Option<Span>>,
    inputs: Vec<Input>,
    outputs: Vec<Output>,
    names: BTreeSet<String>,
}

/// A node that could not be added.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{node}` ({mnemonic}) {misfit}")]
pub struct BuildError {
    pub node: String,
    pub mnemonic: &'static str,
    pub span: Option<Span>,
    pub misfit: Misfit,
}

impl<O: Operation> Graph<O> {
    /// An empty graph.
    pub fn new(name: impl Into<String>) -> Graph<O> {
        Graph {
            name: name.into(),
            doc: String::new(),
            types: Vec::new(),
            origins: Vec::new(),
            nodes: Vec::new(),
            spans: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            names: BTreeSet::new(),
        }
    }

    fn add_value(&mut self, ty: Type, origin: Origin) -> Value {
        let value = Value(self.types.len() as u32);
        self.types.push(ty);
        self.origins.push(origin);
        value
    }

    /// Adds an input at the end of the list.
    pub fn input(&mut self, name: impl Into<String>, ty: Type, role: Role) -> Value {
        let value = self.add_value(ty, Origin::Input(self.inputs.len()));
        self.inputs.push(Input { name: name.into(), value, role });
        value
    }

    /// Names a value as a result of the graph.
    pub fn output(&mut self, name: impl Into<String>, value: Value) {
        self.outputs.push(Output { name: name.into(), value });
    }

    /// Adds a node and returns its results. A name already taken gets a number behind it.
    ///
    /// # Errors
    /// The operator does not accept the inputs.
    pub fn push(
        &mut self,
        op: O,
        inputs: &[Value],
        name: &str,
        span: Option<Span>,
    ) -> Result<Vec<Value>, BuildError> {
        let types: Vec<&Type> = inputs.iter().map(|&v| self.ty(v)).collect();
        let results = op.infer(&types).map_err(|misfit| BuildError {
            node: name.to_string(),
            mnemonic: op.mnemonic(),
            span,
            misfit,
        })?;
        let name = self.free_name(name);
        let id = NodeId(self.nodes.len() as u32);
        let outputs: Vec<Value> = results
            .into_iter()
            .enumerate()
            .map(|(port, ty)| self.add_value(ty, Origin::Node(id, port)))
            .collect();
        self.nodes.push(Node { op, name, inputs: inputs.to_vec(), outputs: outputs.clone() });
        self.spans.push(span);
        Ok(outputs)
    }

    /// The name, or the name with a number behind it. Numbers are given in order, so the first free
    /// one is found by doubling and halving: counting would cost the square of the equal names.
    fn free_name(&mut self, name: &str) -> String {
        if self.names.insert(name.to_string()) {
            return name.to_string();
        }
        let numbered = |k: usize| format!("{name}_{k}");
        let (mut taken, mut free) = (1, 2);
        while self.names.contains(&numbered(free)) {
            (taken, free) = (free, free * 2);
        }
        while free - taken > 1 {
            let middle = taken + (free - taken) / 2;
            match self.names.contains(&numbered(middle)) {
                true => taken = middle,
                false => free = middle,
            }
        }
        let name = numbered(free);
        self.names.insert(name.clone());
        name
    }

    /// Gives a node another name, unless a node has it already.
    pub fn rename(&mut self, id: NodeId, name: &str) {
        if self.names.insert(name.to_string()) {
            let old = std::mem::replace(&mut self.nodes[id.index()].name, name.to_string());
            self.names.remove(&old);
        }
    }

    /// The type of a value.
    pub fn ty(&self, value: Value) -> &Type {
        &self.types[value.index()]
    }

    /// Where a value comes from.
    pub fn origin(&self, value: Value) -> Origin {
        self.origins[value.index()]
    }

    /// The node that makes a value, unless it is an input.
    pub fn maker(&self, value: Value) -> Option<&Node<O>> {
        match self.origin(value) {
            Origin::Node(id, _) => Some(self.node(id)),
            Origin::Input(_) => None,
        }
    }

    /// The number of values; their indices are `0..value_count()`.
    pub fn value_count(&self) -> usize {
        self.types.len()
    }

    /// A node by its handle.
    pub fn node(&self, id: NodeId) -> &Node<O> {
        &self.nodes[id.index()]
    }

    /// The place in the user's text that a node stems from.
    pub fn span(&self, id: NodeId) -> Option<Span> {
        self.spans[id.index()]
    }

    /// Nodes in execution order.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node<O>)> + ExactSizeIterator {
        self.nodes.iter().enumerate().map(|(i, n)| (NodeId(i as u32), n))
    }

    /// Inputs in order.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Outputs in order.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Inputs that are weights, in order of first use in the declaration.
    pub fn parameters(&self) -> impl Iterator<Item = (&Input, Init)> {
        self.inputs.iter().filter_map(|i| match i.role {
            Role::Parameter(init) => Some((i, init)),
            Role::Data => None,
        })
    }

    /// For each value, how many nodes and outputs read it.
    pub fn use_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.types.len()];
        for node in &self.nodes {
            for v in &node.inputs {
                counts[v.index()] += 1;
            }
        }
        for out in &self.outputs {
            counts[out.value.index()] += 1;
        }
        counts
    }

    /// For each node, whether an output depends on it.
    pub fn live_nodes(&self) -> Vec<bool> {
        let mut value_live = vec![false; self.types.len()];
        for out in &self.outputs {
            value_live[out.value.index()] = true;
        }
        let mut live = vec![false; self.nodes.len()];
        for (i, node) in self.nodes.iter().enumerate().rev() {
            if node.outputs.iter().any(|v| value_live[v.index()]) {
                live[i] = true;
                for v in &node.inputs {
                    value_live[v.index()] = true;
                }
            }
        }
        live
    }

    /// The number of nodes, bodies included.
    pub fn total_nodes(&self) -> usize {
        let inside = |n: &Node<O>| n.op.bodies().iter().map(|b| b.total_nodes()).sum::<usize>();
        self.nodes.iter().map(|n| 1 + inside(n)).sum()
    }
}

impl<O: Operation> fmt::Debug for Graph<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
