//! The interpreter: runs graphs on abstract tensors.

use std::collections::HashMap;
use std::path::PathBuf;

use pixelrnn_onnx::proto::{GraphProto, NodeProto};

use crate::call::Call;
use crate::error::{CheckError, Fail, Problem};
use crate::item::Item;
use crate::literal;
use crate::norms;
use crate::ops;
use crate::store::Store;
use crate::tensor::Tensor;

/// The state of the interpreter, apart from the values of names.
pub(crate) struct Machine {
    pub store: Store,
    pub opset: i64,
    pub weights: ops::Weights,
    /// The folder in which external data are looked for.
    pub folder: Option<PathBuf>,
    /// How often the body that is running will run in total: the product of the trip counts of the
    /// loops around it.
    repeats: f64,
}

/// The values of a graph by name, and the scope of the graph around it.
pub(crate) struct Scope<'m, 'p> {
    pub values: HashMap<&'m str, Item>,
    parent: Option<&'p Scope<'m, 'p>>,
}

impl<'m, 'p> Scope<'m, 'p> {
    /// An empty scope inside another one, or at the top.
    pub fn inside(parent: Option<&'p Scope<'m, 'p>>) -> Scope<'m, 'p> {
        Scope { values: HashMap::new(), parent }
    }

    pub fn get(&self, name: &str) -> Option<&Item> {
        match self.values.get(name) {
            None => self.parent.and_then(|p| p.get(name)),
            found => found,
        }
    }
}

/// Which nodes of a graph to run, and which values can be dropped after each.
pub(crate) struct Plan<'m> {
    pub nodes: Vec<&'m NodeProto>,
    /// For each node of `nodes`, the names whose last reader it is.
    dead: Vec<Vec<&'m str>>,
}

impl<'m> Plan<'m> {
    /// Plans the computation of `results`. Nodes that only the values in `given` need are left out.
    pub fn new(graph: &'m GraphProto, results: &[&'m str], given: &[&str]) -> Plan<'m> {
        let mut last: HashMap<&str, usize> = HashMap::new();
        let mut needed: HashMap<&str, ()> = results.iter().map(|&r| (r, ())).collect();
        let mut nodes = Vec::new();
        for node in graph.node.iter().rev() {
            let wanted = |o: &str| !o.is_empty() && needed.contains_key(o) && !given.contains(&o);
            if node.output.iter().any(|o| wanted(o)) {
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

/// The names that a node reads, including what its bodies may capture. The names defined inside a
/// body are included, too, which does no harm.
pub(crate) fn reads(node: &NodeProto) -> Vec<&str> {
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

/// The subgraphs of a node.
pub(crate) fn bodies(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs))
}

/// The name of a node, or of its first output if it has none.
pub(crate) fn label(node: &NodeProto) -> String {
    let unnamed = || node.output.iter().find(|o| !o.is_empty()).cloned().unwrap_or_default();
    Some(node.name()).filter(|n| !n.is_empty()).map_or_else(unnamed, str::to_string)
}

impl Machine {
    pub fn new(store: Store, opset: i64, folder: Option<PathBuf>) -> Machine {
        Machine { store, opset, folder, weights: ops::Weights::default(), repeats: 1.0 }
    }

    /// Reads the initializers of a graph that a plan needs.
    ///
    /// # Errors
    /// Those of `literal::read`.
    pub fn constants<'m>(
        &mut self,
        graph: &'m GraphProto,
        plan: &Plan<'m>,
        results: &[&'m str],
    ) -> Result<HashMap<&'m str, Item>, CheckError> {
        let mut read: HashMap<&str, ()> = results.iter().map(|&r| (r, ())).collect();
        read.extend(plan.nodes.iter().flat_map(|n| reads(n)).map(|n| (n, ())));
        let mut constants = HashMap::new();
        for proto in graph.initializer.iter().filter(|t| read.contains_key(t.name())) {
            let t = literal::read(&mut self.store, proto, self.folder.as_deref())?;
            constants.insert(proto.name(), Item::Tensor(t));
        }
        Ok(constants)
    }

    /// Runs the nodes of a plan. With `keep`, values are not dropped after their last use.
    ///
    /// # Errors
    /// Those of [`Machine::node`].
    pub fn run<'m>(
        &mut self,
        plan: &Plan<'m>,
        scope: &mut Scope<'m, '_>,
        keep: bool,
    ) -> Result<(), CheckError> {
        for (node, dead) in plan.nodes.iter().zip(&plan.dead) {
            let results = self.node(node, scope)?;
            for (name, item) in node.output.iter().zip(results) {
                if !name.is_empty() {
                    scope.values.insert(name, item);
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
    /// If the node reads a value that does not exist, its operator is not supported, or it violates
    /// the ONNX standard.
    pub fn node<'m>(
        &mut self,
        node: &'m NodeProto,
        scope: &Scope<'m, '_>,
    ) -> Result<Vec<Item>, CheckError> {
        let mut inputs = Vec::with_capacity(node.input.len());
        for name in &node.input {
            let found = scope.get(name).cloned();
            if found.is_none() && !name.is_empty() {
                let value = name.clone();
                return Err(CheckError::UnknownValue { node: label(node), value });
            }
            inputs.push(found);
        }
        let Some(operator) = ops::find(node) else {
            let nodes = ops::unsupported([node].into_iter());
            return Err(CheckError::Unsupported { nodes });
        };
        self.store.node = label(node);
        // Scopes refer to their parents: the call may nest one more below this one.
        let scope: &Scope<'m, '_> = scope;
        let plain: Vec<Option<Tensor>> =
            inputs.iter().map(|i| i.as_ref().and_then(|i| i.tensor().cloned())).collect();
        let outcome = operator(&mut Call { node, inputs, machine: self, scope });
        let outcome = outcome.and_then(|results| {
            let results = norms::follow(&mut self.store, node, &plain, results)?;
            let sizes =
                results.iter().flat_map(Item::tensors).map(|t| t.kept.iter().product::<usize>());
            self.store.work(1 + sizes.sum::<usize>())?;
            Ok(results)
        });
        outcome.map_err(|fail| match fail {
            Fail::Inside(error) => *error,
            Fail::Here(problem) => {
                CheckError::Node { node: label(node), op_type: node.op_type().to_string(), problem }
            }
        })
    }

    /// Enters a loop. Returns the value to pass to [`Machine::leave_loop`].
    ///
    /// # Errors
    /// [`Problem::TooLarge`] if its steps, times those of the loops around it, cannot finish in
    /// time.
    pub fn enter_loop(&mut self, steps: f64, body: &GraphProto) -> Result<f64, Problem> {
        let before = self.repeats;
        let repeats = before * steps.max(1.0);
        self.store.budget.check_runs(repeats * body.node.len().max(1) as f64)?;
        self.repeats = repeats;
        Ok(before)
    }

    pub fn leave_loop(&mut self, before: f64) {
        self.repeats = before;
    }

    /// Runs a body once, with its inputs in order. Returns its results in order.
    ///
    /// # Errors
    /// If a node fails, or no node computes a result.
    pub fn body<'m>(
        &mut self,
        body: &Body<'m>,
        inputs: impl IntoIterator<Item = Item>,
        parent: &Scope<'m, '_>,
    ) -> Result<Vec<Item>, Fail> {
        let mut scope = Scope { values: body.constants.clone(), parent: Some(parent) };
        scope.values.extend(body.graph.input.iter().map(|i| i.name()).zip(inputs));
        self.run(&body.plan, &mut scope, false)?;
        let result = |&name: &&str| {
            scope.get(name).cloned().ok_or_else(|| CheckError::UnknownValue {
                node: body.graph.name().to_string(),
                value: name.to_string(),
            })
        };
        Ok(body.results.iter().map(result).collect::<Result<_, _>>()?)
    }
}

/// A body, planned and with its constants read, ready to run many times.
pub(crate) struct Body<'m> {
    pub graph: &'m GraphProto,
    pub results: Vec<&'m str>,
    plan: Plan<'m>,
    constants: HashMap<&'m str, Item>,
}

impl<'m> Body<'m> {
    /// Plans a body and reads its constants.
    ///
    /// # Errors
    /// Those of `literal::read`.
    pub fn new(machine: &mut Machine, graph: &'m GraphProto) -> Result<Body<'m>, CheckError> {
        let results: Vec<&str> = graph.output.iter().map(|o| o.name()).collect();
        let plan = Plan::new(graph, &results, &[]);
        let constants = machine.constants(graph, &plan, &results)?;
        Ok(Body { graph, results, plan, constants })
    }
}

/// The tensors of these items. It is an error if one of them is not a tensor.
pub(crate) fn tensors(items: Vec<Item>) -> Result<Vec<Tensor>, Problem> {
    let one = |item: Item| match item {
        Item::Tensor(t) => Ok(t),
        _ => Err(Problem::Form("expects tensors")),
    };
    items.into_iter().map(one).collect()
}
