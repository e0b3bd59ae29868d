//! `own_states`: gives each loop state its own initial value, which no other input of the loop shares, also
//! inside loop bodies.
//!
//! tract changes the order of a state's axes without changing that of another state with the same initial
//! value. The model then fails with "Clashing resolution" or, if both axes have the same extent, could run
//! with rows and images exchanged. tract also merges constants of equal values, whatever their names, so a
//! copy must differ: where states start at zero, each copy has a different number next to
//! [`f32::MIN_POSITIVE`]. Adding it to any f32 from 1e-30 on changes no bit.
//!
//! Graphs for training keep their zeros. There, a sum of only such numbers would be above zero, where the
//! derivative of `relu` is 1 instead of 0; with newly initialized weights, whose biases are zero, gradients
//! of biases would be off by a third.
//!
//! `cse_dce_onnx` merges equal values, so this pass runs after it.

use pixelrnn_graph::{BuildError, Origin, Role, Value};
use pixelrnn_onnx::{Literal, OnnxGraph, OnnxOp, Scan};

use crate::rewrite::Rewrite;

/// Gives each state of each loop its own initial value, if the initial value is computed from constants, here
/// or outside of an outer loop. Other initial values stay shared.
///
/// # Errors
/// [`BuildError`] if the graph is not valid.
pub fn own_states(graph: &OnnxGraph) -> Result<OnnxGraph, BuildError> {
    Ok(separate(graph, Vec::new(), &mut 0)?.0)
}

/// Separates the states of a graph. `repeatable` says which inputs of the graph can be given twice by the
/// loop around it. Each input that is needed twice is added after all inputs, and its index is returned.
/// `made` counts the constants that were added.
fn separate(
    graph: &OnnxGraph,
    repeatable: Vec<bool>,
    made: &mut u32,
) -> Result<(OnnxGraph, Vec<usize>), BuildError> {
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    let mut copies = Copies { repeatable, again: Vec::new(), made };
    for (id, node) in graph.nodes() {
        let OnnxOp::Scan(scan) = &node.op else {
            rewrite.node(id)?;
            continue;
        };
        let mut inputs = rewrite.inputs_of(id)?;
        let carried = scan.states + scan.invariants;
        let invariant = |i: usize| (scan.states..carried).contains(&i);
        let repeatable = |i| invariant(i) && copies.possible(&rewrite.new, inputs[i]);
        let repeatable = (0..inputs.len()).map(repeatable).collect();
        let (body, again) = separate(&scan.body, repeatable, copies.made)?;
        let body = invariants_together(&body, carried, again.len())?;
        let mut more = Vec::new();
        for &position in &again {
            more.push(copies.copy(&mut rewrite.new, inputs[position])?);
        }
        for state in 0..scan.states {
            let value = inputs[state];
            let shared = inputs.iter().filter(|v| **v == value).count() > 1;
            if shared && copies.possible(&rewrite.new, value) {
                inputs[state] = copies.copy(&mut rewrite.new, value)?;
            }
        }
        inputs.splice(carried..carried, more);
        let invariants = scan.invariants + again.len();
        let scan = Scan { body, invariants, states: scan.states, reverse: scan.reverse };
        let op = OnnxOp::Scan(Box::new(scan));
        let results = rewrite.new.push(op, &inputs, &node.name, graph.site(id))?;
        for (&old, new) in node.outputs.iter().zip(results) {
            rewrite.set(old, new);
        }
    }
    Ok((rewrite.finish()?, copies.again))
}

/// The inputs that can be repeated, and the indices of those that were.
struct Copies<'m> {
    repeatable: Vec<bool>,
    again: Vec<usize>,
    made: &'m mut u32,
}

impl Copies<'_> {
    /// Whether a copy of a value can differ from it: it is computed, at least in part, from zeros or from
    /// inputs that can be repeated. A copy with the same operators and the same inputs would be merged by
    /// engines.
    fn possible(&self, graph: &OnnxGraph, value: Value) -> bool {
        match graph.origin(value) {
            Origin::Input(i) => self.repeatable.get(i).is_some_and(|&repeatable| repeatable),
            Origin::Node(id, _) => match &graph.node(id).op {
                OnnxOp::Constant(literal) => is_zero(literal),
                OnnxOp::Scan(_) | OnnxOp::Split { .. } => false,
                _ => graph.node(id).inputs.iter().any(|&v| self.possible(graph, v)),
            },
        }
    }

    /// A copy of a value, computed by other nodes.
    fn copy(&mut self, graph: &mut OnnxGraph, value: Value) -> Result<Value, BuildError> {
        match graph.origin(value) {
            Origin::Input(i) => {
                let name = format!("{}/own_{}", graph.inputs()[i].name, self.again.len());
                let ty = graph.ty(value).clone();
                self.again.push(i);
                Ok(graph.input(name, ty, Role::Local))
            }
            Origin::Node(id, port) => {
                let (node, site) = (graph.node(id).clone(), graph.site(id));
                let mut inputs = node.inputs;
                let mut op = node.op;
                if let OnnxOp::Constant(literal) = &op {
                    *self.made += 1;
                    let own = f32::from_bits(f32::MIN_POSITIVE.to_bits() + *self.made);
                    let shape = literal.ty().extents(1);
                    op = OnnxOp::constant(Literal::Real(ndarray::ArrayD::from_elem(shape, own)));
                }
                if let Some(first) = inputs.iter_mut().find(|v| self.possible(graph, **v)) {
                    *first = self.copy(graph, *first)?;
                }
                Ok(graph.push(op, &inputs, &node.name, site)?[port])
            }
        }
    }
}

fn is_zero(literal: &Literal) -> bool {
    matches!(literal, Literal::Real(all) if all.iter().all(|x| *x == 0.0))
}

/// Moves the last `more` inputs of a body after the first `carried` ones.
fn invariants_together(
    body: &OnnxGraph,
    carried: usize,
    more: usize,
) -> Result<OnnxGraph, BuildError> {
    let mut rewrite = Rewrite::new(body);
    let (old, added) = body.inputs().split_at(body.inputs().len() - more);
    for input in old[..carried].iter().chain(added).chain(&old[carried..]) {
        rewrite.input(input);
    }
    rewrite.nodes()?;
    rewrite.finish()
}
