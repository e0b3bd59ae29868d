//! Locates the origin of a loss that is not finite.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use pixelrnn_graph::Array;
use pixelrnn_ops::{Env, PixelGraph, evaluate};
use pixelrnn_passes::Weights;

/// Describes the first parameter or layer with a value that is not finite. `graph` computes the likelihoods
/// of a batch, `state` is the state before the step, and `feeds` is the batch. The search stops when `stop`
/// is set.
pub(crate) fn locate_non_finite(
    graph: &PixelGraph,
    state: &Weights,
    feeds: &[(&str, Array)],
    stop: &AtomicBool,
) -> String {
    let infinite = |a: &Array| a.iter().any(|x| !x.is_finite());
    for (input, _) in graph.parameters() {
        if state.get(&input.name).is_some_and(infinite) {
            return format!(
                "first non-finite parameter: `{}`; its gradient overflowed in an earlier step",
                input.name
            );
        }
    }
    layer(graph, state, feeds, stop).unwrap_or_else(|| {
        match stop.load(Ordering::Relaxed) {
            true => "the search for the layer was stopped",
            false => {
                "every layer is finite in the reference interpreter, so a value is too large for an engine"
            }
        }
        .into()
    })
}

/// The first such layer, for the first image that has one.
fn layer(
    graph: &PixelGraph,
    state: &Weights,
    feeds: &[(&str, Array)],
    stop: &AtomicBool,
) -> Option<String> {
    let mut graph = graph.clone();
    let results: Vec<_> = graph
        .nodes()
        .flat_map(|(id, node)| node.outputs.iter().map(move |&value| (id, value)))
        .map(|(id, value)| {
            let layer = graph.layer_of(id).unwrap_or(&graph.node(id).name);
            (layer.to_string(), value)
        })
        .collect();
    let before = graph.outputs().len();
    for (name, value) in &results {
        graph.output(format!("{name}@{value}"), *value);
    }
    // In f32, as the engines compute.
    let mut given: BTreeMap<String, Array> = state.clone();
    let images = feeds.first().map_or(0, |(_, array)| array.shape()[0]);
    for image in 0..images {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        for (name, array) in feeds {
            let one = array.slice_axis(ndarray::Axis(0), (image..image + 1).into());
            given.insert((*name).to_string(), one.to_owned());
        }
        let values = evaluate(&graph, &Env { batch: 1 }, &given).ok()?;
        let values = values.iter().skip(before);
        let bad = results.iter().zip(values).find(|(_, a)| a.iter().any(|x| !x.is_finite()));
        if let Some(((name, _), _)) = bad {
            return Some(format!("first non-finite layer: `{name}`"));
        }
    }
    None
}
