//! Copies a graph node by node, with changes.

use pixelrnn_graph::{BuildError, Graph, Input, Node, NodeId, Operation, Value};

/// A graph under construction as a copy of another one.
pub struct Rewrite<'a, O: Operation> {
    /// The graph to copy.
    pub old: &'a Graph<O>,
    /// The copy.
    pub new: Graph<O>,
    map: Vec<Option<Value>>,
}

impl<'a, O: Operation> Rewrite<'a, O> {
    /// An empty copy, with only the name and the documentation.
    pub fn new(old: &'a Graph<O>) -> Rewrite<'a, O> {
        let mut new = Graph::new(old.name.clone());
        new.doc = old.doc.clone();
        new.share_layers(old.layers());
        Rewrite { old, new, map: vec![None; old.value_count()] }
    }

    /// Copies an input.
    pub fn input(&mut self, input: &Input) -> Value {
        let ty = self.old.ty(input.value).clone();
        let value = self.new.input_like(input, ty);
        self.set(input.value, value);
        value
    }

    /// Copies all inputs.
    pub fn inputs(&mut self) {
        for input in self.old.inputs() {
            self.input(input);
        }
    }

    /// Sets the value of the new graph that corresponds to an old one.
    pub fn set(&mut self, old: Value, new: Value) {
        self.map[old.index()] = Some(new);
    }

    /// The value of the new graph that corresponds to an old one.
    ///
    /// # Errors
    /// [`BuildError`] if there is none, which is a bug of the pass.
    pub fn value(&self, old: Value) -> Result<Value, BuildError> {
        self.map[old.index()].ok_or_else(|| BuildError::unmapped(self.old, None, old))
    }

    /// The values of the new graph that correspond to old ones.
    ///
    /// # Errors
    /// As [`Rewrite::value`].
    pub fn get(&self, old: &[Value]) -> Result<Vec<Value>, BuildError> {
        old.iter().map(|&v| self.value(v)).collect()
    }

    /// The values of the new graph that correspond to the inputs of a node.
    ///
    /// # Errors
    /// As [`Rewrite::value`]; the error names the node.
    pub fn inputs_of(&self, id: NodeId) -> Result<Vec<Value>, BuildError> {
        let find = |v: &Value| {
            self.map[v.index()].ok_or_else(|| BuildError::unmapped(self.old, Some(id), *v))
        };
        self.old.node(id).inputs.iter().map(find).collect()
    }

    /// Copies a node, but with another operator. Returns its results.
    ///
    /// # Errors
    /// The operator does not accept the inputs.
    pub fn node_as(&mut self, id: NodeId, op: O) -> Result<Vec<Value>, BuildError> {
        let node: &Node<O> = self.old.node(id);
        let inputs = self.inputs_of(id)?;
        let results = self.new.push(op, &inputs, &node.name, self.old.site(id))?;
        for (&old, &new) in node.outputs.iter().zip(&results) {
            self.set(old, new);
        }
        Ok(results)
    }

    /// Copies a node. Returns its results.
    ///
    /// # Errors
    /// The operator does not accept the inputs.
    pub fn node(&mut self, id: NodeId) -> Result<Vec<Value>, BuildError> {
        self.node_as(id, self.old.node(id).op.clone())
    }

    /// Copies all nodes.
    ///
    /// # Errors
    /// As [`Rewrite::node`].
    pub fn nodes(&mut self) -> Result<(), BuildError> {
        for (id, _) in self.old.nodes() {
            self.node(id)?;
        }
        Ok(())
    }

    /// Copies the outputs and returns the new graph.
    ///
    /// # Errors
    /// [`BuildError`] if the value of an output was not copied, which is a bug of the pass.
    pub fn finish(mut self) -> Result<Graph<O>, BuildError> {
        for out in self.old.outputs() {
            let value = self.value(out.value)?;
            self.new.output_as(out.name.clone(), value, out.role);
        }
        Ok(self.new)
    }
}
