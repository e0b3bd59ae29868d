//! `differentiate`: from a loss to its gradient in every parameter, as ordinary nodes.

use pixelrnn_graph::{BuildError, NodeId, OutputRole, Role, Site, Value};
use pixelrnn_ops::rules::adjoint::{AdjointError, pull_back, wanted_from};
use pixelrnn_ops::{Broadcast, Constant, DivideByBatch, Op, PixelGraph, Sum};

use crate::rewrite::Rewrite;

/// The name of a parameter's gradient among the outputs.
pub fn gradient_name(parameter: &str) -> String {
    format!("{parameter}.grad")
}

/// From a graph with one output of likelihoods, `[N]`, to one with the outputs `loss [1]`, the mean over the
/// batch, and the gradient of the loss in every parameter, in the order of the parameters.
///
/// Composites must be expanded; a scan becomes one that stacks what its gradient reads, and a
/// scan that runs the other way.
///
/// # Errors
/// An operator on the way has no gradient.
pub fn differentiate(graph: &PixelGraph) -> Result<PixelGraph, AdjointError> {
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    for (id, node) in graph.nodes() {
        match &node.op {
            Op::Scan(scan) => {
                // More results than before: the old ones keep their places.
                let inputs = rewrite.inputs_of(id)?;
                let op = scan.saving()?.into();
                let results = rewrite.new.push(op, &inputs, &node.name, graph.site(id))?;
                for (&old, new) in node.outputs.iter().zip(results) {
                    rewrite.set(old, new);
                }
            }
            _ => {
                rewrite.node(id)?;
            }
        }
    }
    let mut nll = graph.outputs().iter().filter(|o| o.role == OutputRole::Likelihood);
    let nll = match (nll.next(), nll.next()) {
        (Some(only), None) => rewrite.value(only.value)?,
        _ => return Err(BuildError::internal(&graph.name, "it has not one likelihood").into()),
    };
    let mut new = rewrite.new;
    let mut push = |op: Op, inputs: &[Value], name: &str| -> Result<Value, BuildError> {
        Ok(new.push(op, inputs, name, Site::NONE)?[0])
    };
    let share = push(DivideByBatch.into(), &[nll], "loss/share")?;
    let loss = push(Sum { axes: vec![0] }.into(), &[share], "loss/mean")?;
    let one = pixelrnn_graph::Array::ones(vec![1]);
    let one = push(Constant { value: one }.into(), &[], "loss/one")?;

    let mut wanted = vec![false; new.value_count()];
    for input in new.inputs() {
        wanted[input.value.index()] = matches!(input.role, Role::Parameter(_));
    }
    wanted_from(&new, &mut wanted);
    let nodes: Vec<NodeId> = new.nodes().map(|(id, _)| id).collect();
    let cotangents = pull_back(&mut new, &nodes, &wanted, &[(loss, one)])?;
    new.output_as("loss", loss, OutputRole::Loss);
    let parameters: Vec<(String, Value)> =
        new.parameters().map(|(input, _)| (input.name.clone(), input.value)).collect();
    for (name, value) in parameters {
        let gradient = match cotangents.get(&value) {
            Some(&gradient) => gradient,
            None => {
                // Nothing that the loss reads: zero.
                let ty = new.ty(value).clone();
                let zero = pixelrnn_graph::Array::zeros(vec![1; ty.rank()]);
                let zero = new.push(Constant { value: zero }.into(), &[], "zero", Site::NONE)?[0];
                new.push(Broadcast { to: ty.shape }.into(), &[zero], "zeros", Site::NONE)?[0]
            }
        };
        new.output_as(gradient_name(&name), gradient, OutputRole::Gradient);
    }
    Ok(new)
}
