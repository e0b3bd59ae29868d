//! `fold`: constant folding. A folded weight keeps the name of its parameter where this is unambiguous, so
//! that it can be found in the model by its dotted path.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{ArrayD, Axis, IxDyn};
use pixelrnn_graph::{Array, BuildError, Dim, NodeId};
use pixelrnn_onnx::{Literal, OnnxGraph, OnnxOp};

use crate::rewrite::Rewrite;

/// Folding may increase the size of a constant by this factor, unless the result is small.
const GROWTH: usize = 4;
/// Results up to this number of elements are always folded.
const SMALL: usize = 4096;

/// Folds constants at the top level; bodies get folded values as invariants. Consumes the graph, so that a
/// weight and what is folded from it are not in memory at the same time.
///
/// # Errors
/// [`BuildError`] if the graph is not valid.
pub fn fold(mut graph: OnnxGraph) -> Result<OnnxGraph, BuildError> {
    let weights = Weights::of(&graph);
    let (literals, is_folded) = evaluate_all(&mut graph);
    let mut rewrite = Rewrite::new(&graph);
    rewrite.inputs();
    for (id, node) in graph.nodes() {
        if !is_folded[id.index()] {
            rewrite.node(id)?;
            continue;
        }
        for (port, &old) in node.outputs.iter().enumerate() {
            // A constant without a literal is read by folded nodes only.
            let Some(literal) = &literals[old.index()] else { continue };
            let name = match node.outputs.len() {
                1 => node.name.clone(),
                _ => format!("{}.{port}", node.name),
            };
            let op = OnnxOp::Constant(Arc::clone(literal));
            let value = rewrite.new.push(op, &[], &name, graph.site(id))?[0];
            rewrite.set(old, value);
        }
    }
    let folded = rewrite.finish()?;
    drop(literals);
    Ok(weights.restore_names(crate::cse_dce::cse_dce(&folded)?))
}

/// Returns the values of constants that a node reads which is not folded, and for each node whether it is a
/// constant now. Takes the constants out of the graph.
fn evaluate_all(graph: &mut OnnxGraph) -> (Vec<Option<Arc<Literal>>>, Vec<bool>) {
    let mut uses = graph.use_counts();
    let mut literals: Vec<Option<Arc<Literal>>> = vec![None; graph.value_count()];
    let mut is_folded = vec![false; graph.nodes().len()];
    let ids: Vec<NodeId> = graph.nodes().map(|(id, _)| id).collect();
    for id in ids {
        let node = graph.node(id);
        if matches!(node.op, OnnxOp::Constant(_)) {
            let out = node.outputs[0];
            if let OnnxOp::Constant(literal) = graph.take_op(id, OnnxOp::Identity) {
                literals[out.index()] = (uses[out.index()] > 0).then_some(literal);
            }
            is_folded[id.index()] = true;
            continue;
        }
        let inputs: Option<Vec<&Literal>> =
            node.inputs.iter().map(|v| literals[v.index()].as_deref()).collect();
        let results = inputs.filter(|l| !l.is_empty()).and_then(|l| evaluate(&node.op, &l));
        let Some(results) = results else { continue };
        is_folded[id.index()] = true;
        for (out, result) in node.outputs.iter().zip(results) {
            literals[out.index()] = (uses[out.index()] > 0).then(|| Arc::new(result));
        }
        for v in &node.inputs {
            uses[v.index()] -= 1;
            if uses[v.index()] == 0 {
                literals[v.index()] = None;
            }
        }
    }
    (literals, is_folded)
}

/// Which nodes are computed from a single weight, so that the constant that remains gets the weight's name.
struct Weights {
    /// The names of weights, in order.
    names: Vec<String>,
    /// For the name of each node that is computed from one weight and literals, the index of the weight.
    stems: BTreeMap<String, usize>,
}

/// The constants that a value is computed from.
#[derive(Clone, Copy, PartialEq)]
enum Stem {
    /// Constants that are not weights.
    Literal,
    /// One weight, and possibly literals.
    Weight(usize),
    Other,
}

impl Weights {
    fn of(graph: &OnnxGraph) -> Weights {
        let mut of = vec![Stem::Other; graph.value_count()];
        let (mut names, mut stems) = (Vec::new(), BTreeMap::new());
        for (id, node) in graph.nodes() {
            let stem = match (&node.op, graph.site(id).weight) {
                (OnnxOp::Constant(_), true) => {
                    names.push(node.name.clone());
                    Stem::Weight(names.len() - 1)
                }
                (OnnxOp::Constant(_), false) => Stem::Literal,
                _ => {
                    let mut read =
                        node.inputs.iter().map(|v| of[v.index()]).filter(|s| *s != Stem::Literal);
                    match read.next() {
                        Some(first) if read.all(|other| other == first) => first,
                        _ => Stem::Other,
                    }
                }
            };
            if let Stem::Weight(weight) = stem {
                stems.insert(node.name.clone(), weight);
            }
            node.outputs.iter().for_each(|v| of[v.index()] = stem);
        }
        Weights { names, stems }
    }

    /// Gives a constant the name of the weight that it is computed from, if no other constant is computed
    /// from it.
    fn restore_names(self, mut folded: OnnxGraph) -> OnnxGraph {
        let mut left: Vec<Vec<NodeId>> = vec![Vec::new(); self.names.len()];
        for (id, node) in folded.nodes() {
            if let (OnnxOp::Constant(_), Some(&weight)) = (&node.op, self.stems.get(&node.name)) {
                left[weight].push(id);
            }
        }
        for (name, nodes) in self.names.iter().zip(left) {
            if let [one] = nodes[..] {
                folded.rename(one, name);
            }
        }
        folded
    }
}

/// The results of an operator on constants; `None` if they would be much larger than the inputs.
fn evaluate(op: &OnnxOp, inputs: &[&Literal]) -> Option<Vec<Literal>> {
    let size = |l: &Literal| l.ty().size();
    let result = match (op, inputs) {
        (OnnxOp::Split { axis, sizes }, [Literal::Real(a)]) => {
            return Some(split(a, *axis, sizes).into_iter().map(Literal::Real).collect());
        }
        (OnnxOp::Add, [Literal::Real(a), Literal::Real(b)]) => zip(a, b, |x, y| x + y)?,
        (OnnxOp::Sub, [Literal::Real(a), Literal::Real(b)]) => zip(a, b, |x, y| x - y)?,
        (OnnxOp::Mul, [Literal::Real(a), Literal::Real(b)]) => zip(a, b, |x, y| x * y)?,
        (OnnxOp::Transpose { perm }, [Literal::Real(a)]) => {
            a.view().permuted_axes(perm.clone()).as_standard_layout().into_owned()
        }
        (OnnxOp::Reshape { to }, [Literal::Real(a)]) => {
            let to: Vec<usize> = to.iter().map(|d| d.fixed()).collect::<Option<_>>()?;
            a.as_standard_layout().into_owned().into_shape_with_order(IxDyn(&to)).ok()?
        }
        (OnnxOp::Unsqueeze { axes }, [Literal::Real(a)]) => {
            let mut a = a.clone();
            let mut axes = axes.clone();
            axes.sort_unstable();
            for axis in axes {
                a = a.insert_axis(Axis(axis));
            }
            a
        }
        (OnnxOp::Slice { axis, start, end }, [Literal::Real(a)]) => {
            a.slice_axis(Axis(*axis), ndarray::Slice::from(*start..*end)).to_owned()
        }
        (OnnxOp::Concat { axis }, parts) => return concat(*axis, parts).map(|all| vec![all]),
        (OnnxOp::Expand { to }, [Literal::Real(a), Literal::Int(_)]) => {
            let to: Vec<usize> = to.iter().map(|d: &Dim| d.fixed()).collect::<Option<_>>()?;
            a.broadcast(to)?.to_owned()
        }
        _ => return None,
    };
    let before: usize = inputs.iter().map(|l| size(l)).sum();
    let result = Literal::Real(result);
    (size(&result) <= SMALL.max(GROWTH * before)).then(|| vec![result])
}

fn split(a: &Array, axis: usize, sizes: &[usize]) -> Vec<ArrayD<f32>> {
    let mut start = 0;
    let part = |&size: &usize| {
        let slice = ndarray::Slice::from(start..start + size);
        start += size;
        a.slice_axis(Axis(axis), slice).to_owned()
    };
    sizes.iter().map(part).collect()
}

fn zip(a: &Array, b: &Array, f: impl Fn(f32, f32) -> f32) -> Option<ArrayD<f32>> {
    let rank = a.ndim().max(b.ndim());
    let at = |x: &Array, i: usize| (i + x.ndim()).checked_sub(rank).map_or(1, |k| x.shape()[k]);
    let shape: Vec<usize> = (0..rank).map(|i| at(a, i).max(at(b, i))).collect();
    let (a, b) = (a.broadcast(shape.clone())?, b.broadcast(shape)?);
    Some(ndarray::Zip::from(&a).and(&b).map_collect(|&x, &y| f(x, y)))
}

fn concat(axis: usize, parts: &[&Literal]) -> Option<Literal> {
    let reals: Option<Vec<_>> = parts
        .iter()
        .map(|l| match l {
            Literal::Real(a) => Some(a.view()),
            _ => None,
        })
        .collect();
    if let Some(reals) = reals {
        return ndarray::concatenate(Axis(axis), &reals).ok().map(Literal::Real);
    }
    let ints: Option<Vec<_>> = parts
        .iter()
        .map(|l| match l {
            Literal::Int(a) => Some(a.view()),
            _ => None,
        })
        .collect();
    ndarray::concatenate(Axis(axis), &ints?).ok().map(Literal::Int)
}
