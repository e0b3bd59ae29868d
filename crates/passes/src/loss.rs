//! `loss`: computes the negative log-likelihood from the parameters of a distribution, in nats per image.

use pixelrnn_graph::{BuildError, OutputRole, Role, Site};
use pixelrnn_ops::{Nll, PixelGraph};

use crate::rewrite::Rewrite;

/// Replaces the output for a distribution's parameters by `nll [N]`.
///
/// # Errors
/// [`BuildError`] if the graph has no image or no such output. Graphs of declarations have both.
pub fn loss(graph: &PixelGraph) -> Result<PixelGraph, BuildError> {
    let internal = |reason| BuildError::internal(&graph.name, reason);
    let image = graph.input_as(Role::Image).ok_or(internal("it has not one image"))?;
    let parameters = graph.outputs().iter().find_map(|o| match o.role {
        OutputRole::Parameters(distribution) => Some((o.value, distribution)),
        _ => None,
    });
    let (value, distribution) = parameters.ok_or(internal("it has no distribution"))?;
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    rewrite.nodes()?;
    let inputs = rewrite.get(&[value, image.value])?;
    let mut new = rewrite.new;
    let nll = new.push(Nll { distribution }.into(), &inputs, "loss", Site::NONE)?[0];
    new.output_as("nll", nll, OutputRole::Likelihood);
    Ok(new)
}
