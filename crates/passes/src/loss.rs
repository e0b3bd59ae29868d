//! `loss`: from logits to the negative log-likelihood, in nats per image.

use pixelrnn_graph::BuildError;
use pixelrnn_ops::{BernoulliNll, CategoricalNll, Op, PixelGraph};

use crate::rewrite::Rewrite;

/// Replaces the output `logits` by `nll [N]`. Logits of four axes are Bernoulli, of five a softmax
/// over the third.
///
/// # Errors
/// None for a graph that a declaration built; the builder's otherwise.
pub fn with_loss(graph: &PixelGraph) -> Result<PixelGraph, BuildError> {
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    for (id, _) in graph.nodes() {
        rewrite.node(id)?;
    }
    let logits: Vec<_> = graph.outputs().iter().map(|o| o.value).collect();
    let mut inputs = rewrite.get(&logits);
    let image: Vec<_> =
        graph.inputs().iter().filter(|i| i.name == "image").map(|i| i.value).collect();
    inputs.extend(rewrite.get(&image));
    let op: Op = match logits.first().map(|&v| graph.ty(v).rank()) {
        Some(5) => CategoricalNll.into(),
        _ => BernoulliNll.into(),
    };
    let mut new = rewrite.new;
    let nll = new.push(op, &inputs, "loss", None)?[0];
    new.output("nll", nll);
    Ok(new)
}
