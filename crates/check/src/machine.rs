//! Runs graphs on abstract tensors.

use std::collections::HashMap;

use super::call::Call;
use super::error::{DependError, Fail};
use super::literal;
use super::ops;
use super::store::Store;
use super::tensor::Tensor;
use pixelrnn_onnx::proto::{GraphProto, NodeProto};

/// What running needs besides values.
pub(super) struct Machine {
    pub store: Store,
    pub opset: i64,
    pub weights: ops::Weights,
}

/// Named values, and those of the graphs around.
pub(super) struct Scope<'m, 'p> {
    pub values: HashMap<&'m str, Tensor>,
    parent: Option<&'p Scope<'m, 'p>>,
}

impl<'m, 'p> Scope<'m, 'p> {
    /// No values, inside another graph or not.
    pub fn inside(parent: Option<&'p Scope<'m, 'p>>) -> Scope<'m, 'p> {
        Scope { values: HashMap::new(), parent }
    }

    pub fn get(&self, name: &str) -> Option<&Tensor> {
        match self.values.get(name) {
            None => self.parent.and_then(|p| p.get(name)),
            found => found,
        }
    }
}

/// Which nodes of a graph to run, and which values are dead after each.
pub(super) struct Plan<'m> {
    pub nodes: Vec<&'m NodeProto>,
    /// For each node of `nodes`.
    dead: Vec<Vec<&'m str>>,
}

impl<'m> Plan<'m> {
    /// What the given results need.
    pub fn new(graph: &'m GraphProto, results: &[&'m str]) -> Plan<'m> {
        let mut last: HashMap<&str, usize> = HashMap::new();
        let mut needed: HashMap<&str, ()> = results.iter().map(|&r| (r, ())).collect();
        let mut nodes = Vec::new();
        for node in graph.node.iter().rev() {
            if node.output.iter().any(|o| !o.is_empty() && needed.contains_key(o.as_str())) {
                needed.extend(reads(node).into_iter().map(|name| (name, ())));
                nodes.push(node);
            }
        }
        nodes.reverse();
        for (i, node) in nodes.iter().enumerate() {
            last.extend(reads(node).into_iter().map(|name| (name, i)));
            last.extend(node.output.iter().map(|name| (name.as_str(), i)));
        }
        last.extend(results.iter().map(|&r| (r, nodes.len())));
        let mut dead = vec![Vec::new(); nodes.len()];
        for (name, i) in last {
            if let Some(list) = dead.get_mut(i) {
                list.push(name);
            }
        }
        Plan { nodes, dead }
    }
}

/// The values that a node reads, those its bodies may capture included; a body's own names are
/// among them and do no harm.
pub(super) fn reads(node: &NodeProto) -> Vec<&str> {
    let mut names: Vec<&str> =
        node.input.iter().map(String::as_str).filter(|n| !n.is_empty()).collect();
    for body in bodies(node) {
        for inner in &body.node {
            names.extend(reads(inner));
        }
        names.extend(body.output.iter().map(|o| o.name()));
    }
    names
}

/// The graphs inside a node.
pub(super) fn bodies(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs))
}

/// A name for a node, when the file gives none.
pub(super) fn label(node: &NodeProto) -> String {
    let unnamed = || node.output.iter().find(|o| !o.is_empty()).cloned().unwrap_or_default();
    Some(node.name()).filter(|n| !n.is_empty()).map_or_else(unnamed, str::to_string)
}

/// The constants of a graph that a plan reads.
///
/// # Errors
/// One of them cannot be read.
pub(super) fn constants<'m>(
    graph: &'m GraphProto,
    plan: &Plan<'m>,
    results: &[&'m str],
) -> Result<HashMap<&'m str, Tensor>, DependError> {
    let mut read: HashMap<&str, ()> = results.iter().map(|&r| (r, ())).collect();
    read.extend(plan.nodes.iter().flat_map(|n| reads(n)).map(|n| (n, ())));
    let used = graph.initializer.iter().filter(|t| read.contains_key(t.name()));
    used.map(|t| Ok((t.name(), literal::read(t)?))).collect()
}

impl Machine {
    pub fn new(store: Store, opset: i64) -> Machine {
        Machine { store, opset, weights: ops::Weights::default() }
    }

    /// Runs the nodes of a plan; with `keep`, no value is forgotten.
    ///
    /// # Errors
    /// A node that cannot run.
    pub fn run<'m>(
        &mut self,
        plan: &Plan<'m>,
        scope: &mut Scope<'m, '_>,
        keep: bool,
    ) -> Result<(), DependError> {
        for (node, dead) in plan.nodes.iter().zip(&plan.dead) {
            let results = self.node(node, scope)?;
            for (name, tensor) in node.output.iter().zip(results) {
                if !name.is_empty() {
                    scope.values.insert(name, tensor);
                }
            }
            if !keep {
                for name in dead {
                    scope.values.remove(name);
                }
            }
        }
        Ok(())
    }

    /// Runs one node.
    ///
    /// # Errors
    /// The node reads what is not there, or does not follow the standard.
    pub fn node<'m>(
        &mut self,
        node: &'m NodeProto,
        scope: &Scope<'m, '_>,
    ) -> Result<Vec<Tensor>, DependError> {
        let mut inputs = Vec::with_capacity(node.input.len());
        for name in &node.input {
            let found = scope.get(name).cloned();
            if found.is_none() && !name.is_empty() {
                let value = name.clone();
                return Err(DependError::UnknownValue { node: label(node), value });
            }
            inputs.push(found);
        }
        let Some(operator) = ops::find(node) else {
            let nodes = ops::unsupported([node].into_iter());
            return Err(DependError::Unsupported { nodes });
        };
        // Scopes nest by reference; a call may add one more level below.
        let scope: &Scope<'m, '_> = scope;
        let outcome = operator(&mut Call { node, inputs, machine: self, scope });
        let outcome = outcome.and_then(|results| {
            self.store.spend(1 + results.iter().map(Tensor::len).sum::<usize>())?;
            Ok(results)
        });
        outcome.map_err(|fail| match fail {
            Fail::Inside(error) => *error,
            Fail::Here(problem) => DependError::Node {
                node: label(node),
                op_type: node.op_type().to_string(),
                problem,
            },
        })
    }

    /// Runs a body once: the graph's constants and plan are given, its inputs in order.
    ///
    /// # Errors
    /// A node that cannot run, or a result that is not made.
    pub fn body<'m>(
        &mut self,
        body: &Body<'m>,
        inputs: impl IntoIterator<Item = Tensor>,
        parent: &Scope<'m, '_>,
    ) -> Result<Vec<Tensor>, Fail> {
        let mut scope = Scope { values: body.constants.clone(), parent: Some(parent) };
        scope.values.extend(body.graph.input.iter().map(|i| i.name()).zip(inputs));
        self.run(&body.plan, &mut scope, false)?;
        let result = |&name: &&str| {
            scope.get(name).cloned().ok_or_else(|| DependError::UnknownValue {
                node: body.graph.name().to_string(),
                value: name.to_string(),
            })
        };
        Ok(body.results.iter().map(result).collect::<Result<_, _>>()?)
    }
}

/// A body, made ready to run many times.
pub(super) struct Body<'m> {
    pub graph: &'m GraphProto,
    pub results: Vec<&'m str>,
    plan: Plan<'m>,
    constants: HashMap<&'m str, Tensor>,
}

impl<'m> Body<'m> {
    /// Plans a body and reads its constants.
    ///
    /// # Errors
    /// A constant cannot be read.
    pub fn new(graph: &'m GraphProto) -> Result<Body<'m>, DependError> {
        let results: Vec<&str> = graph.output.iter().map(|o| o.name()).collect();
        let plan = Plan::new(graph, &results);
        let constants = constants(graph, &plan, &results)?;
        Ok(Body { graph, results, plan, constants })
    }
}
