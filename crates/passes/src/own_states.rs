//! `own_states`: no two inputs of a loop share what a state is before the first step; in bodies, too.
//!
//! tract changes the axes of one state without those of another that begins as the same value. A
//! model then fails with "Clashing resolution", or, where both axes have the same extent, could run
//! with rows and images exchanged. It also merges constants of equal values, whatever their names, so
//! a copy must differ: where states begin as zeros, each copy has a number of its own next to
//! [`f32::MIN_POSITIVE`]. Added to anything that f32 holds from 1e-30 on, that changes no bit.
//!
//! Graphs that train keep their zeros: a sum of nothing but such numbers is above zero, and the slope of
//! `relu` there is 1 instead of 0. With fresh weights, whose biases are zero, gradients of biases would be
//! off by a third.
//!
//! `cse_dce_onnx` merges equal values, so this pass comes after it.

use pixelrnn_graph::{BuildError, Origin, Role, Value};
use pixelrnn_onnx::{Literal, OnnxGraph, OnnxOp, Scan};

use crate::rewrite::Rewrite;

/// Gives each state of each loop an initial value of its own, where that is made of constants, here or
/// outside of an outer loop. Anything else stays shared.
///
/// # Errors
/// An operator refuses inputs that it took before: a fault of this crate.
pub fn own_states(graph: &OnnxGraph) -> Result<OnnxGraph, BuildError> {
    Ok(separate(graph, Vec::new(), &mut 0)?.0)
}

/// A graph with separate states. `repeatable` says which of its inputs the loop around it can be given
/// twice; each that is wanted again is added behind all inputs, and returned as its position. `made`
/// counts the constants made so far.
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

/// What can be made again, and the inputs that were added for it.
struct Copies<'m> {
    repeatable: Vec<bool>,
    again: Vec<usize>,
    made: &'m mut u32,
}

impl Copies<'_> {
    /// Whether a value is made of zeros or of inputs that can be repeated, at least in part: engines
    /// merge nodes of the same operator and the same inputs.
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

    /// The same value, made by other nodes.
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

/// A body whose last `more` inputs come after its first `carried` ones.
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
