//! `fold`: computes what is made of constants alone. A folded weight keeps its parameter's name
//! where that is still unambiguous, so that it is found in the model under its dotted path.

use ndarray::{ArrayD, Axis, IxDyn};
use pixelrnn_graph::{Array, BuildError, Dim, NodeId, Origin, Value};
use pixelrnn_onnx::{Literal, OnnxGraph, OnnxOp};

use crate::rewrite::Rewrite;

/// A constant may grow by this factor when it is folded, unless it stays small anyway.
const GROWTH: usize = 4;
/// Constants up to this many elements are always folded.
const SMALL: usize = 4096;

/// Folds constants, top level only: bodies get theirs as invariants.
///
/// # Errors
/// None in practice; the builder's.
pub fn fold(graph: &OnnxGraph) -> Result<OnnxGraph, BuildError> {
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    for (id, node) in graph.nodes() {
        let inputs = rewrite.inputs_of(id)?;
        let literals: Option<Vec<&Literal>> = inputs
            .iter()
            .map(|&v| match rewrite.new.maker(v).map(|n| &n.op) {
                Some(OnnxOp::Constant(l)) => Some(&**l),
                _ => None,
            })
            .collect();
        let literals = literals.filter(|l| !l.is_empty());
        if let (OnnxOp::Split { axis, sizes }, Some([Literal::Real(a)])) =
            (&node.op, literals.as_deref())
        {
            let parts = split(a, *axis, sizes);
            for (port, (part, &old)) in parts.into_iter().zip(&node.outputs).enumerate() {
                let name = format!("{}.{port}", node.name);
                let op = OnnxOp::constant(Literal::Real(part));
                let value = rewrite.new.push(op, &[], &name, graph.site(id))?[0];
                rewrite.set(old, value);
            }
            continue;
        }
        let folded = literals.and_then(|l| evaluate(&node.op, &l));
        match folded {
            Some(literal) => {
                let op = OnnxOp::constant(literal);
                let value = rewrite.new.push(op, &[], &node.name, graph.site(id))?[0];
                rewrite.set(node.outputs[0], value);
            }
            None => {
                rewrite.node(id)?;
            }
        }
    }
    let folded = crate::cse_dce::cse_dce(&rewrite.finish()?)?;
    Ok(restore_names(folded, graph))
}

/// Gives a folded constant the name of the parameter it was made of, if it is the only one left.
fn restore_names(mut folded: OnnxGraph, before: &OnnxGraph) -> OnnxGraph {
    let parameters: Vec<(&str, Vec<NodeId>)> = before
        .nodes()
        .filter(|(id, n)| matches!(n.op, OnnxOp::Constant(_)) && before.site(*id).weight)
        .map(|(_, n)| (n.name.as_str(), made_of(&folded, before, &n.name)))
        .collect();
    let renames: Vec<(NodeId, String)> = parameters
        .into_iter()
        .filter_map(|(name, nodes)| match nodes[..] {
            [one] => Some((one, name.to_string())),
            _ => None,
        })
        .collect();
    for (id, name) in renames {
        folded.rename(id, &name);
    }
    folded
}

/// The constants of the folded graph that stem from one parameter alone.
fn made_of(folded: &OnnxGraph, before: &OnnxGraph, parameter: &str) -> Vec<NodeId> {
    // Names of all nodes of the old graph that are computed from this parameter and literals.
    let mut stems = vec![false; before.value_count()];
    let mut names = Vec::new();
    for (_, node) in before.nodes() {
        let own = node.name == parameter;
        let parameters = node.inputs.iter().filter(|v| !is_literal(before, **v));
        let mut count = 0;
        let from = parameters.inspect(|_| count += 1).filter(|v| stems[v.index()]).count();
        if own || (count > 0 && from == count) {
            node.outputs.iter().for_each(|v| stems[v.index()] = true);
            names.push(node.name.as_str());
        }
    }
    folded
        .nodes()
        .filter(|(_, n)| matches!(n.op, OnnxOp::Constant(_)) && names.contains(&n.name.as_str()))
        .map(|(id, _)| id)
        .collect()
}

/// Whether a value is a constant that is not a weight.
fn is_literal(graph: &OnnxGraph, v: Value) -> bool {
    match graph.origin(v) {
        Origin::Input(_) => false,
        Origin::Node(id, _) => {
            matches!(graph.node(id).op, OnnxOp::Constant(_)) && !graph.site(id).weight
        }
    }
}

fn evaluate(op: &OnnxOp, inputs: &[&Literal]) -> Option<Literal> {
    let size = |l: &Literal| l.ty().size();
    let result = match (op, inputs) {
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
        (OnnxOp::Concat { axis }, parts) => return concat(*axis, parts),
        (OnnxOp::Expand { to }, [Literal::Real(a), Literal::Int(_)]) => {
            let to: Vec<usize> = to.iter().map(|d: &Dim| d.fixed()).collect::<Option<_>>()?;
            a.broadcast(to)?.to_owned()
        }
        _ => return None,
    };
    let before: usize = inputs.iter().map(|l| size(l)).sum();
    let result = Literal::Real(result);
    (size(&result) <= SMALL.max(GROWTH * before)).then_some(result)
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
