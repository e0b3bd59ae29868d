//! `cse_dce`: common subexpression elimination and dead code elimination, also inside loop bodies.

use std::collections::BTreeMap;

use pixelrnn_graph::{BuildError, Graph, Input, NodeId, Operation, Role, Value};

use crate::rewrite::Rewrite;

/// An operator whose bodies can be replaced.
pub trait Bodies: Operation {
    /// The number of states of a loop, which are its first results; 0 for other operators.
    fn states(&self) -> usize;

    /// The same operator with `change` applied to each body.
    ///
    /// # Errors
    /// Those of `change`.
    fn map_bodies(
        &self,
        change: &dyn Fn(&Graph<Self>) -> Result<Graph<Self>, BuildError>,
    ) -> Result<Self, BuildError>;
}

impl Bodies for pixelrnn_ops::Op {
    fn states(&self) -> usize {
        match self {
            pixelrnn_ops::Op::Scan(scan) => scan.states,
            _ => 0,
        }
    }

    fn map_bodies(
        &self,
        change: &dyn Fn(&Graph<Self>) -> Result<Graph<Self>, BuildError>,
    ) -> Result<Self, BuildError> {
        Ok(match self {
            pixelrnn_ops::Op::Scan(scan) => {
                let body = Box::new(change(&scan.body)?);
                pixelrnn_ops::Scan { body, ..scan.clone() }.into()
            }
            other => other.clone(),
        })
    }
}

impl Bodies for pixelrnn_onnx::OnnxOp {
    fn states(&self) -> usize {
        match self {
            pixelrnn_onnx::OnnxOp::Scan(scan) => scan.states,
            _ => 0,
        }
    }

    fn map_bodies(
        &self,
        change: &dyn Fn(&Graph<Self>) -> Result<Graph<Self>, BuildError>,
    ) -> Result<Self, BuildError> {
        Ok(match self {
            pixelrnn_onnx::OnnxOp::Scan(scan) => {
                let body = change(&scan.body)?;
                pixelrnn_onnx::OnnxOp::Scan(Box::new(pixelrnn_onnx::Scan {
                    body,
                    ..(**scan).clone()
                }))
            }
            other => other.clone(),
        })
    }
}

/// Removes the stacked results of a loop that are not read. Returns the new loop, and for each of its results
/// the former index; `None` if nothing changes.
fn prune<O: Bodies>(op: &O, read: &[bool]) -> Result<Option<(O, Vec<usize>)>, BuildError> {
    let states = op.states();
    let kept: Vec<usize> = (0..read.len()).filter(|&i| i < states || read[i]).collect();
    if states == 0 || kept.len() == read.len() {
        return Ok(None);
    }
    let only = |body: &Graph<O>| -> Result<Graph<O>, BuildError> {
        let mut rewrite = Rewrite::new(body);
        rewrite.inputs();
        rewrite.nodes()?;
        let outputs: Vec<Value> = body.outputs().iter().map(|o| o.value).collect();
        let values = rewrite.get(&outputs)?;
        let mut new = rewrite.new;
        for &i in &kept {
            new.output(body.outputs()[i].name.clone(), values[i]);
        }
        Ok(new)
    };
    Ok(Some((op.map_bodies(&only)?, kept)))
}

/// `unread_parameters`: removes the parameters that are not read. Training graphs keep them: they are weights
/// of the model, with a gradient of zero.
///
/// # Errors
/// [`BuildError`] if the graph is not valid.
pub fn unread_parameters<O: Bodies>(graph: &Graph<O>) -> Result<Graph<O>, BuildError> {
    let counts = graph.use_counts();
    let unread = |i: &Input| matches!(i.role, Role::Parameter(_)) && counts[i.value.index()] == 0;
    let mut rewrite = Rewrite::new(graph);
    for input in graph.inputs().iter().filter(|i| !unread(i)) {
        rewrite.input(input);
    }
    rewrite.nodes()?;
    rewrite.finish()
}

/// Removes unread nodes and merges equal ones. The inputs of the graph are kept.
///
/// # Errors
/// [`BuildError`] if the graph is not valid.
pub fn cse_dce<O: Bodies>(graph: &Graph<O>) -> Result<Graph<O>, BuildError> {
    let live = graph.live_nodes();
    let mut read = vec![false; graph.value_count()];
    for (id, node) in graph.nodes() {
        if live[id.index()] {
            node.inputs.iter().for_each(|v| read[v.index()] = true);
        }
    }
    graph.outputs().iter().for_each(|o| read[o.value.index()] = true);
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    let mut seen: BTreeMap<(&'static str, Vec<Value>), Vec<NodeId>> = BTreeMap::new();
    for (id, node) in graph.nodes().filter(|(id, _)| live[id.index()]) {
        let inputs = rewrite.inputs_of(id)?;
        let flags: Vec<bool> = node.outputs.iter().map(|v| read[v.index()]).collect();
        if let Some((op, kept)) = prune(&node.op, &flags)? {
            let op = op.map_bodies(&|body| cse_dce(body))?;
            let results = rewrite.new.push(op, &inputs, &node.name, graph.site(id))?;
            for (&old, new) in kept.iter().map(|&i| &node.outputs[i]).zip(results) {
                rewrite.set(old, new);
            }
            continue;
        }
        let op = node.op.map_bodies(&|body| cse_dce(body))?;
        let alike = seen.entry((op.mnemonic(), inputs)).or_default();
        match alike.iter().find(|&&twin| rewrite.new.node(twin).op == op) {
            Some(&twin) => {
                let results = rewrite.new.node(twin).outputs.clone();
                for (&old, new) in node.outputs.iter().zip(results) {
                    rewrite.set(old, new);
                }
            }
            None => {
                rewrite.node_as(id, op)?;
                if let Some((new, _)) = rewrite.new.nodes().next_back() {
                    alike.push(new);
                }
            }
        }
    }
    rewrite.finish()
}
