//! `half`: stores weights and computes in f16, also inside loops.
//!
//! Arithmetic is done in f16. Exact nodes ([`Site::exact`](pixelrnn_graph::Site)) and all nodes between them
//! and a likelihood stay in f32. Operators that only move or compare numbers keep the type of their inputs.
//! Inputs and outputs of the graph stay in f32, so uniform numbers keep their precision. Casts are added
//! between f16 and f32.

use std::collections::{BTreeMap, BTreeSet};

use pixelrnn_graph::{BuildError, Elem, NodeId, Origin, OutputRole, Site, Value};
use pixelrnn_onnx::{Literal, OnnxGraph, OnnxOp, Scan};

use crate::cse_dce::cse_dce;
use crate::rewrite::Rewrite;

/// Converts a graph to f16.
///
/// # Errors
/// [`BuildError`] if the graph is not valid.
pub fn half(graph: &OnnxGraph) -> Result<OnnxGraph, BuildError> {
    let elems: Vec<Elem> = graph.inputs().iter().map(|i| graph.ty(i.value).elem).collect();
    let mut pass = Half::new(graph, &elems, likelihoods(graph))?;
    pass.nodes()?;
    let wanted: Vec<Elem> = graph.outputs().iter().map(|o| graph.ty(o.value).elem).collect();
    let mut halved = cse_dce(&pass.finish(&wanted)?)?;
    // Weights keep their names.
    let renames: Vec<(NodeId, String)> = halved
        .nodes()
        .filter(|(_, node)| matches!(node.op, OnnxOp::Constant(_)))
        .filter_map(|(id, node)| Some((id, node.name.strip_suffix("/f16")?.to_string())))
        .collect();
    for (id, name) in renames {
        halved.rename(id, &name);
    }
    Ok(halved)
}

/// The nodes between exact nodes and a likelihood.
fn likelihoods(graph: &OnnxGraph) -> BTreeSet<NodeId> {
    let roles = [OutputRole::Likelihood, OutputRole::Loss];
    let ends = graph.outputs().iter().filter(|o| roles.contains(&o.role));
    let mut open: Vec<Value> = ends.map(|o| o.value).collect();
    let mut found = BTreeSet::new();
    while let Some(value) = open.pop() {
        let Origin::Node(id, _) = graph.origin(value) else { continue };
        if !graph.site(id).exact && found.insert(id) {
            open.extend(&graph.node(id).inputs);
        }
    }
    found
}

/// How the precision of an operator's inputs is chosen.
enum Nature {
    /// Computes with them: f16.
    Arithmetic,
    /// Moves or compares them: these inputs have the same type, f16 if any of them is f16.
    Moves(std::ops::Range<usize>),
    /// Its inputs are not converted.
    Other,
}

fn nature(op: &OnnxOp, inputs: usize) -> Nature {
    use OnnxOp::*;
    match op {
        Add
        | Sub
        | Mul
        | Div
        | Max
        | Min
        | Relu
        | Sigmoid
        | Tanh
        | Exp
        | Log
        | Sqrt
        | Neg
        | Abs
        | MatMul
        | Conv { .. }
        | ReduceSum { .. }
        | ReduceMax { .. }
        | CumSum { .. } => Nature::Arithmetic,
        Equal | Greater | Concat { .. } => Nature::Moves(0..inputs),
        Where => Nature::Moves(1..3),
        Identity
        | Transpose { .. }
        | Reshape { .. }
        | Unsqueeze { .. }
        | Slice { .. }
        | Split { .. }
        | Gather { .. }
        | Pad { .. }
        | Expand { .. } => Nature::Moves(0..1),
        Constant(_)
        | Cast { .. }
        | DequantizeLinear { .. }
        | Shape { .. }
        | Scan(_)
        | Native(_) => Nature::Other,
    }
}

/// A graph that is being converted to f16.
struct Half<'a> {
    rewrite: Rewrite<'a, OnnxOp>,
    exact: BTreeSet<NodeId>,
    /// Values of the new graph that have been converted.
    converted: BTreeMap<(Value, Elem), Value>,
}

impl<'a> Half<'a> {
    /// Begins a graph whose inputs have these types.
    fn new(
        graph: &'a OnnxGraph,
        elems: &[Elem],
        mut exact: BTreeSet<NodeId>,
    ) -> Result<Half<'a>, BuildError> {
        exact.extend(graph.nodes().map(|(id, _)| id).filter(|&id| graph.site(id).exact));
        let mut rewrite = Rewrite::new(graph);
        for (input, &elem) in graph.inputs().iter().zip(elems) {
            let mut ty = graph.ty(input.value).clone();
            ty.elem = elem;
            let value = rewrite.new.input_like(input, ty);
            rewrite.set(input.value, value);
        }
        Ok(Half { rewrite, exact, converted: BTreeMap::new() })
    }

    fn elem(&self, value: Value) -> Elem {
        self.rewrite.new.ty(value).elem
    }

    /// The literal of an f32 constant, which can be converted without a cast.
    fn literal(&self, value: Value) -> Option<&Literal> {
        match self.rewrite.new.maker(value).map(|node| &node.op) {
            Some(OnnxOp::Constant(literal)) if literal.ty().elem == Elem::Real => Some(literal),
            _ => None,
        }
    }

    /// Converts a value to f16 or f32. Values that are neither are returned unchanged.
    fn convert(&mut self, value: Value, to: Elem) -> Result<Value, BuildError> {
        if self.elem(value) == to || !self.elem(value).is_real() {
            return Ok(value);
        }
        if let Some(&known) = self.converted.get(&(value, to)) {
            return Ok(known);
        }
        let (op, site) = match (to, self.literal(value)) {
            (Elem::F16, Some(Literal::Real(a))) => {
                (OnnxOp::constant(Literal::f16(a)), self.site(value))
            }
            _ => (OnnxOp::Cast { to }, Site::NONE),
        };
        let inputs = if matches!(op, OnnxOp::Cast { .. }) { vec![value] } else { Vec::new() };
        let name = format!("{}/{}", self.name(value), if to == Elem::F16 { "f16" } else { "f32" });
        let result = self.rewrite.new.push(op, &inputs, &name, site)?[0];
        self.converted.insert((value, to), result);
        Ok(result)
    }

    fn site(&self, value: Value) -> Site {
        match self.rewrite.new.origin(value) {
            Origin::Node(id, _) => self.rewrite.new.site(id),
            Origin::Input(_) => Site::NONE,
        }
    }

    fn name(&self, value: Value) -> String {
        match self.rewrite.new.origin(value) {
            Origin::Node(id, _) => self.rewrite.new.node(id).name.clone(),
            Origin::Input(i) => self.rewrite.new.inputs()[i].name.clone(),
        }
    }

    fn nodes(&mut self) -> Result<(), BuildError> {
        let graph = self.rewrite.old;
        for (id, node) in graph.nodes() {
            if let OnnxOp::Scan(scan) = &node.op {
                self.scan(id, scan)?;
                continue;
            }
            let mut inputs = self.rewrite.inputs_of(id)?;
            let exact = self.exact.contains(&id);
            let (range, elem) = match nature(&node.op, inputs.len()) {
                Nature::Other => (0..0, Elem::Real),
                Nature::Arithmetic => (0..inputs.len(), Elem::F16),
                Nature::Moves(range) => {
                    let halved = |v: &Value| self.elem(*v) == Elem::F16;
                    let any = inputs[range.clone()].iter().any(halved);
                    (range, if any { Elem::F16 } else { Elem::Real })
                }
            };
            for input in &mut inputs[range] {
                *input = self.convert(*input, if exact { Elem::Real } else { elem })?;
            }
            let op = node.op.clone();
            let results = self.rewrite.new.push(op, &inputs, &node.name, graph.site(id))?;
            for (&old, new) in node.outputs.iter().zip(results) {
                self.rewrite.set(old, new);
            }
        }
        Ok(())
    }

    /// Converts a loop. A state is f16 if its next value is; this may make other values f16, so the body is
    /// converted until nothing changes.
    fn scan(&mut self, id: NodeId, scan: &Scan) -> Result<(), BuildError> {
        let graph = self.rewrite.old;
        let mut inputs = self.rewrite.inputs_of(id)?;
        let body = &scan.body;
        let mut elems: Vec<Elem> = Vec::new();
        for (i, (formal, &actual)) in body.inputs().iter().zip(&inputs).enumerate() {
            let free = i >= scan.states && self.literal(actual).is_some();
            elems.push(match free && !read_exactly(body, formal.value) {
                true => Elem::F16,
                false => self.elem(actual),
            });
        }
        let halved = loop {
            let mut inner = Half::new(body, &elems, BTreeSet::new())?;
            inner.nodes()?;
            let outputs = body.outputs().iter();
            let found: Vec<Elem> = outputs
                .map(|o| Ok(inner.elem(inner.rewrite.value(o.value)?)))
                .collect::<Result<_, BuildError>>()?;
            let mut changed = false;
            for (elem, &next) in elems[..scan.states].iter_mut().zip(&found) {
                changed |= next == Elem::F16 && *elem == Elem::Real;
                if next == Elem::F16 {
                    *elem = next;
                }
            }
            if !changed {
                let states = elems[..scan.states].iter().copied();
                let wanted: Vec<Elem> =
                    states.chain(found[scan.states..].iter().copied()).collect();
                break inner.finish(&wanted)?;
            }
        };
        for (input, &elem) in inputs.iter_mut().zip(&elems) {
            *input = self.convert(*input, elem)?;
        }
        let op = OnnxOp::Scan(Box::new(Scan { body: halved, ..scan.clone() }));
        let node = graph.node(id);
        let results = self.rewrite.new.push(op, &inputs, &node.name, graph.site(id))?;
        for (&old, new) in node.outputs.iter().zip(results) {
            self.rewrite.set(old, new);
        }
        Ok(())
    }

    /// Adds the outputs, with these types.
    fn finish(mut self, elems: &[Elem]) -> Result<OnnxGraph, BuildError> {
        for (output, &elem) in self.rewrite.old.outputs().iter().zip(elems) {
            let value = self.rewrite.value(output.value)?;
            let value = match self.literal(value).is_some() && elem == Elem::Real {
                true => value,
                false => self.convert(value, elem)?,
            };
            self.rewrite.new.output_as(output.name.clone(), value, output.role);
        }
        Ok(self.rewrite.new)
    }
}

/// Whether an exact node of a body, or of a body inside it, reads the value.
fn read_exactly(body: &OnnxGraph, value: Value) -> bool {
    body.nodes().any(|(id, node)| {
        let mut places = node.inputs.iter().enumerate().filter(|(_, v)| **v == value);
        match &node.op {
            OnnxOp::Scan(scan) => {
                places.any(|(i, _)| read_exactly(&scan.body, scan.body.inputs()[i].value))
            }
            _ => body.site(id).exact && places.next().is_some(),
        }
    })
}
