//! `full_rank`: a constant of one element that is broadcast gets the rank of the result, `[1, 1, 1, 1]` beside
//! `[G, F, 1, 1]`; in bodies, too.
//!
//! ONNX Runtime (1.31, 1.32) computes a product of `[768, 1024, 1, 1]` and a number of rank 0 or 1 in a loop per
//! trailing axis: 4.8 ms instead of 0.07 ms with a number of rank 4.

use ndarray::IxDyn;
use pixelrnn_graph::{BuildError, Value};
use pixelrnn_onnx::{Literal, OnnxGraph, OnnxOp};

use crate::cse_dce::Bodies;
use crate::rewrite::Rewrite;

/// Whether all inputs are broadcast to the shape of the result.
fn broadcasts(op: &OnnxOp) -> bool {
    matches!(
        op,
        OnnxOp::Add
            | OnnxOp::Sub
            | OnnxOp::Mul
            | OnnxOp::Div
            | OnnxOp::Max
            | OnnxOp::Min
            | OnnxOp::Equal
            | OnnxOp::Greater
            | OnnxOp::Where
    )
}

/// The constant with the given rank, if it has one element and a smaller rank.
fn widened(constant: &Literal, rank: usize) -> Option<Literal> {
    let ty = constant.ty();
    match constant {
        Literal::Real(values) if values.len() == 1 && ty.rank() < rank => {
            let ones = IxDyn(&vec![1; rank]);
            values.clone().into_shape_with_order(ones).ok().map(Literal::Real)
        }
        _ => None,
    }
}

/// Widens constants.
///
/// # Errors
/// Those of the builder, which a valid graph does not cause.
pub fn full_rank(graph: &OnnxGraph) -> Result<OnnxGraph, BuildError> {
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    for (id, node) in graph.nodes() {
        if !broadcasts(&node.op) {
            rewrite.node_as(id, node.op.map_bodies(&full_rank)?)?;
            continue;
        }
        let rank = graph.ty(node.outputs[0]).rank();
        let wide = |input: &Value| match graph.maker(*input).map(|maker| &maker.op) {
            Some(OnnxOp::Constant(literal)) => widened(literal, rank),
            _ => None,
        };
        let mut inputs = rewrite.inputs_of(id)?;
        for (i, literal) in node.inputs.iter().map(wide).enumerate() {
            if let Some(literal) = literal {
                let name = format!("{}/number", node.name);
                let constant = OnnxOp::constant(literal);
                inputs[i] = rewrite.new.push(constant, &[], &name, graph.site(id))?[0];
            }
        }
        let results = rewrite.new.push(node.op.clone(), &inputs, &node.name, graph.site(id))?;
        rewrite.set(node.outputs[0], results[0]);
    }
    rewrite.finish()
}
