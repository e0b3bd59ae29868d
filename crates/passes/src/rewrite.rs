//! Copying a graph node by node, with changes.

use pixelrnn_graph::{BuildError, Graph, Input, Node, NodeId, Operation, Value};

/// A graph that is being copied into another.
pub struct Rewrite<'a, O: Operation> {
    pub old: &'a Graph<O>,
    pub new: Graph<O>,
    map: Vec<Option<Value>>,
}

impl<'a, O: Operation> Rewrite<'a, O> {
    /// An empty copy: name and doc only.
    pub fn new(old: &'a Graph<O>) -> Rewrite<'a, O> {
        let mut new = Graph::new(old.name.clone());
        new.doc = old.doc.clone();
        Rewrite { old, new, map: vec![None; old.value_count()] }
    }

    /// Copies an input.
    pub fn input(&mut self, input: &Input) -> Value {
        let ty = self.old.ty(input.value).clone();
        let value = self.new.input(input.name.clone(), ty, input.role);
        self.set(input.value, value);
        value
    }

    /// Copies all inputs.
    pub fn inputs(&mut self) {
        for input in self.old.inputs() {
            self.input(input);
        }
    }

    /// Says what stands in the new graph for an old value.
    pub fn set(&mut self, old: Value, new: Value) {
        self.map[old.index()] = Some(new);
    }

    /// What stands in the new graph for old values. A value that was dropped although it is read is
    /// a fault of the pass; it maps to whatever the verifier will then refuse.
    pub fn get(&self, old: &[Value]) -> Vec<Value> {
        old.iter().filter_map(|v| self.map[v.index()]).collect()
    }

    /// Copies a node with another operator.
    ///
    /// # Errors
    /// The operator does not accept the inputs.
    pub fn node_as(&mut self, id: NodeId, op: O) -> Result<Vec<Value>, BuildError> {
        let node: &Node<O> = self.old.node(id);
        let inputs = self.get(&node.inputs);
        let results = self.new.push(op, &inputs, &node.name, self.old.span(id))?;
        for (&old, &new) in node.outputs.iter().zip(&results) {
            self.set(old, new);
        }
        Ok(results)
    }

    /// Copies a node as it is.
    ///
    /// # Errors
    /// The operator does not accept the inputs.
    pub fn node(&mut self, id: NodeId) -> Result<Vec<Value>, BuildError> {
        self.node_as(id, self.old.node(id).op.clone())
    }

    /// Copies the outputs; the new graph.
    pub fn finish(mut self) -> Graph<O> {
        for out in self.old.outputs() {
            if let Some(value) = self.map[out.value.index()] {
                self.new.output(out.name.clone(), value);
            }
        }
        self.new
    }
}
