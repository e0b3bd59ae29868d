//! `differentiate`: adds the gradient of the loss with respect to every parameter, as ordinary nodes.

use pixelrnn_graph::{BuildError, NodeId, OutputRole, Role, Site, Value};
use pixelrnn_ops::rules::adjoint::{AdjointError, pull_back, wanted_from};
use pixelrnn_ops::{Broadcast, Constant, DivideByBatch, Op, PixelGraph, Sum, SweepForm};

use crate::rewrite::Rewrite;

/// The name of the output for a parameter's gradient.
pub fn gradient_name(parameter: &str) -> String {
    format!("{parameter}.grad")
}

/// Differentiates a graph whose only output is the likelihoods `[N]`. The result has the outputs `loss [1]`,
/// the mean over the batch, and the gradient of the loss with respect to each parameter, in the order of the
/// parameters.
///
/// Composites must be expanded first. A scan becomes one that stacks what its gradient reads, and a second
/// scan that runs in the opposite direction.
///
/// # Errors
/// [`AdjointError`] if an operator between a parameter and the loss has no gradient.
pub fn differentiate(graph: &PixelGraph) -> Result<PixelGraph, AdjointError> {
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    for (id, node) in graph.nodes() {
        // The saving operator has more results, added after the old ones.
        let inputs = rewrite.inputs_of(id)?;
        let op = saving(&node.op)?;
        let results = rewrite.new.push(op, &inputs, &node.name, graph.site(id))?;
        for (&old, new) in node.outputs.iter().zip(results) {
            rewrite.set(old, new);
        }
    }
    let nll = rewrite.value(likelihood(graph)?)?;
    let mut new = rewrite.new;
    let Loss { loss, one, .. } = mean(&mut new, nll)?;
    let mut wanted = wanted_parameters(&new);
    wanted_from(&new, &mut wanted);
    let nodes: Vec<NodeId> = new.nodes().map(|(id, _)| id).collect();
    let cotangents = pull_back(&mut new, &nodes, &wanted, &[(loss, one)])?;
    outputs(&mut new, loss, |value| cotangents.get(&value).copied())?;
    Ok(new)
}

/// The operator with additional results, after its own, that its gradient reads.
pub(crate) fn saving(op: &Op) -> Result<Op, BuildError> {
    Ok(match op {
        Op::Scan(scan) => scan.saving()?.into(),
        Op::LstmSweep(sweep) if sweep.form == SweepForm::Native => sweep.saving().into(),
        other => other.clone(),
    })
}

/// The only output with the role of a likelihood.
pub(crate) fn likelihood(graph: &PixelGraph) -> Result<Value, BuildError> {
    let mut nll = graph.outputs().iter().filter(|o| o.role == OutputRole::Likelihood);
    match (nll.next(), nll.next()) {
        (Some(only), None) => Ok(only.value),
        _ => Err(BuildError::internal(&graph.name, "it has not one likelihood")),
    }
}

/// For each value of a graph, whether it is a parameter.
pub(crate) fn wanted_parameters(graph: &PixelGraph) -> Vec<bool> {
    let mut wanted = vec![false; graph.value_count()];
    for input in graph.inputs() {
        wanted[input.value.index()] = matches!(input.role, Role::Parameter(_));
    }
    wanted
}

/// The mean over a batch, and the values that are needed to differentiate it.
pub(crate) struct Loss {
    /// The likelihoods divided by the number of images.
    pub(crate) share: Value,
    pub(crate) loss: Value,
    /// The cotangent of the loss: one.
    pub(crate) one: Value,
}

/// Adds the mean of likelihoods to a graph.
pub(crate) fn mean(graph: &mut PixelGraph, nll: Value) -> Result<Loss, BuildError> {
    let mut push = |op: Op, inputs: &[Value], name: &str| -> Result<Value, BuildError> {
        Ok(graph.push(op, inputs, name, Site::NONE)?[0])
    };
    let share = push(DivideByBatch.into(), &[nll], "loss/share")?;
    let loss = push(Sum { axes: vec![0] }.into(), &[share], "loss/mean")?;
    let one = pixelrnn_graph::Array::ones(vec![1]);
    let one = push(Constant { value: one }.into(), &[], "loss/one")?;
    Ok(Loss { share, loss, one })
}

/// Adds the outputs: the loss, and the gradient of each parameter, or zeros for one without a gradient.
pub(crate) fn outputs(
    graph: &mut PixelGraph,
    loss: Value,
    gradient: impl Fn(Value) -> Option<Value>,
) -> Result<(), BuildError> {
    graph.output_as("loss", loss, OutputRole::Loss);
    let parameters: Vec<(String, Value)> =
        graph.parameters().map(|(input, _)| (input.name.clone(), input.value)).collect();
    for (name, value) in parameters {
        let gradient = match gradient(value) {
            Some(gradient) => gradient,
            None => {
                // The loss does not depend on this parameter.
                let ty = graph.ty(value).clone();
                let zero = pixelrnn_graph::Array::zeros(vec![1; ty.rank()]);
                let zero = graph.push(Constant { value: zero }.into(), &[], "zero", Site::NONE)?[0];
                graph.push(Broadcast { to: ty.shape }.into(), &[zero], "zeros", Site::NONE)?[0]
            }
        };
        graph.output_as(gradient_name(&name), gradient, OutputRole::Gradient);
    }
    Ok(())
}
