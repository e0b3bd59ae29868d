//! The graph itself: values, nodes, inputs and outputs, and the builder that types them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::role::{Init, OutputRole, Role};
use crate::site::{LayerId, Site};
use crate::type_error::TypeError;
use crate::types::Type;

/// The interface of operators.
pub trait Operation: Clone + PartialEq + fmt::Debug {
    /// The type of distributions for outputs.
    type Distribution: Copy + PartialEq + fmt::Debug + fmt::Display + FromStr<Err = String>;
    /// The name in the text format.
    fn mnemonic(&self) -> &'static str;
    /// Infers the types of the results, or returns why the inputs are not accepted.
    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError>;
    /// All attributes except the bodies, for the text format.
    fn attributes(&self) -> crate::text::Attributes;
    /// The graphs inside the operator, such as the body of a loop.
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

/// The origin of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The input at this position.
    Input(usize),
    /// A result of a node, at this position among its results.
    Node(NodeId, usize),
}

/// An input of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The name, unique among the inputs.
    pub name: String,
    /// Its value in the graph.
    pub value: Value,
    /// The role of the input.
    pub role: Role,
    /// The layer that a parameter belongs to.
    pub layer: Option<LayerId>,
}

/// A named result of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Output<D> {
    /// The name, unique among the outputs.
    pub name: String,
    /// The value that is returned.
    pub value: Value,
    /// The role of the output.
    pub role: OutputRole<D>,
}

/// One application of an operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Node<O> {
    /// The operator.
    pub op: O,
    /// The name, unique in its graph.
    pub name: String,
    /// The values that it reads.
    pub inputs: Vec<Value>,
    /// The values that it computes.
    pub outputs: Vec<Value>,
}

/// A dataflow graph; see the crate documentation for its invariants.
#[derive(Clone, PartialEq)]
pub struct Graph<O: Operation> {
    /// The name, for display.
    pub name: String,
    /// The doc comment of the declaration.
    pub doc: String,
    types: Vec<Type>,
    origins: Vec<Origin>,
    nodes: Vec<Node<O>>,
    /// Separate from the nodes, so that a pass that copies a node cannot lose its site by accident.
    sites: Vec<Site>,
    /// Dotted paths of the declaration's layers. All graphs that passes make from one declaration share them.
    layers: Arc<Vec<String>>,
    inputs: Vec<Input>,
    outputs: Vec<Output<O::Distribution>>,
    names: BTreeSet<String>,
}

/// A node that could not be added.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{node}` ({mnemonic}) {error}")]
pub struct BuildError {
    /// The name of the node.
    pub node: String,
    /// The name of its operator.
    pub mnemonic: &'static str,
    /// Its layer and its place in the declaration.
    pub site: Site,
    /// Why the operator does not accept its inputs.
    pub error: TypeError,
}

impl BuildError {
    /// A node reads a value of an old graph that a pass has dropped.
    pub fn unmapped<O: Operation>(graph: &Graph<O>, reader: Option<NodeId>, value: Value) -> Self {
        let (node, mnemonic, site) = match reader {
            Some(id) => {
                let node = graph.node(id);
                (node.name.clone(), node.op.mnemonic(), graph.site(id))
            }
            None => (graph.name.clone(), "graph", Site::NONE),
        };
        BuildError { node, mnemonic, site, error: TypeError::Unmapped { value } }
    }

    /// A violated invariant, without a more specific error.
    pub fn internal(node: impl Into<String>, reason: &'static str) -> Self {
        let error = TypeError::Internal { reason };
        BuildError { node: node.into(), mnemonic: "graph", site: Site::NONE, error }
    }
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
            sites: Vec::new(),
            layers: Arc::default(),
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
        self.inputs.push(Input { name: name.into(), value, role, layer: None });
        value
    }

    /// Adds a parameter of a layer at the end of the list of inputs.
    pub fn parameter(
        &mut self,
        name: impl Into<String>,
        ty: Type,
        init: Init,
        layer: Option<LayerId>,
    ) -> Value {
        let value = self.input(name, ty, Role::Parameter(init));
        if let Some(input) = self.inputs.last_mut() {
            input.layer = layer;
        }
        value
    }

    /// Adds an input like that of another graph made from the same declaration.
    pub fn input_like(&mut self, input: &Input, ty: Type) -> Value {
        let value = self.input(input.name.clone(), ty, input.role);
        if let Some(own) = self.inputs.last_mut() {
            own.layer = input.layer;
        }
        value
    }

    /// Adds an output without a role.
    pub fn output(&mut self, name: impl Into<String>, value: Value) {
        self.output_as(name, value, OutputRole::Local);
    }

    /// Adds an output.
    pub fn output_as(
        &mut self,
        name: impl Into<String>,
        value: Value,
        role: OutputRole<O::Distribution>,
    ) {
        self.outputs.push(Output { name: name.into(), value, role });
    }

    /// The layer with this dotted path, which is added to the table if it is new.
    pub fn layer(&mut self, path: &str) -> LayerId {
        let known = self.layers.iter().rposition(|known| known == path);
        let id = known.unwrap_or_else(|| {
            Arc::make_mut(&mut self.layers).push(path.to_string());
            self.layers.len() - 1
        });
        LayerId(id as u32)
    }

    /// The dotted path of a layer; empty for a layer that is not in the table.
    pub fn layer_path(&self, layer: LayerId) -> &str {
        self.layers.get(layer.0 as usize).map_or("", String::as_str)
    }

    /// The table of layers, to be shared with [`Graph::share_layers`].
    pub fn layers(&self) -> Arc<Vec<String>> {
        Arc::clone(&self.layers)
    }

    /// Sets the table of layers to that of a graph made from the same declaration. This graph's table must be
    /// a prefix of it.
    pub fn share_layers(&mut self, layers: Arc<Vec<String>>) {
        self.layers = layers;
    }

    /// Adds a node and returns its results. A duplicate name gets a numeric suffix.
    ///
    /// # Errors
    /// The operator does not accept the inputs.
    pub fn push(
        &mut self,
        op: O,
        inputs: &[Value],
        name: &str,
        site: impl Into<Site>,
    ) -> Result<Vec<Value>, BuildError> {
        let site = site.into();
        let types: Vec<&Type> = inputs.iter().map(|&v| self.ty(v)).collect();
        let results = op.infer(&types).map_err(|error| BuildError {
            node: name.to_string(),
            mnemonic: op.mnemonic(),
            site,
            error,
        })?;
        let name = self.free_name(name);
        let id = NodeId(self.nodes.len() as u32);
        let outputs: Vec<Value> = results
            .into_iter()
            .enumerate()
            .map(|(port, ty)| self.add_value(ty, Origin::Node(id, port)))
            .collect();
        self.nodes.push(Node { op, name, inputs: inputs.to_vec(), outputs: outputs.clone() });
        self.sites.push(site);
        Ok(outputs)
    }

    /// The name, or the name with a number appended if it is taken. Numbers are used in order, so the first
    /// free one is found by doubling and bisection. Counting would take quadratic time for many equal names.
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

    /// Renames a node. Does nothing if another node has the name.
    pub fn rename(&mut self, id: NodeId, name: &str) {
        if self.names.insert(name.to_string()) {
            let old = std::mem::replace(&mut self.nodes[id.index()].name, name.to_string());
            self.names.remove(&old);
        }
    }

    /// Replaces the operator of a node by `left` and returns it. For graphs that are being consumed: the
    /// types of the node's results do not change.
    pub fn take_op(&mut self, id: NodeId, left: O) -> O {
        std::mem::replace(&mut self.nodes[id.index()].op, left)
    }

    /// Renames an input.
    pub fn rename_input(&mut self, value: Value, name: &str) {
        if let Origin::Input(i) = self.origin(value) {
            self.inputs[i].name = name.to_string();
        }
    }

    /// The type of a value.
    pub fn ty(&self, value: Value) -> &Type {
        &self.types[value.index()]
    }

    /// The origin of a value.
    pub fn origin(&self, value: Value) -> Origin {
        self.origins[value.index()]
    }

    /// The node that computes a value; `None` for an input.
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

    /// The layer and source position of a node.
    pub fn site(&self, id: NodeId) -> Site {
        self.sites[id.index()]
    }

    /// The dotted path of the layer of a node.
    pub fn layer_of(&self, id: NodeId) -> Option<&str> {
        self.site(id).layer.map(|layer| self.layer_path(layer))
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
    pub fn outputs(&self) -> &[Output<O::Distribution>] {
        &self.outputs
    }

    /// Inputs that are weights, in order of first use in the declaration.
    pub fn parameters(&self) -> impl Iterator<Item = (&Input, Init)> {
        self.inputs.iter().filter_map(|i| match i.role {
            Role::Parameter(init) => Some((i, init)),
            _ => None,
        })
    }

    /// The inputs of a role.
    pub fn inputs_as(&self, role: impl Fn(Role) -> bool) -> impl Iterator<Item = &Input> {
        self.inputs.iter().filter(move |i| role(i.role))
    }

    /// The only input of a role; `None` if there is none or more than one.
    pub fn input_as(&self, role: Role) -> Option<&Input> {
        let mut all = self.inputs_as(move |r| r == role);
        all.next().filter(|_| all.next().is_none())
    }

    /// The number of nodes and outputs that read each value.
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
