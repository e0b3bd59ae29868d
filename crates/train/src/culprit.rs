//! Where a loss that is no number comes from.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use pixelrnn_graph::Array;
use pixelrnn_ops::{Env, PixelGraph, evaluate};
use pixelrnn_passes::Weights;

/// The first parameter or layer that holds what is no number. `graph`: from images to the loss;
/// `state`: what the step was taken from. The search ends when `stop` is set.
pub(crate) fn culprit(
    graph: &PixelGraph,
    state: &Weights,
    images: &Array,
    stop: &AtomicBool,
) -> String {
    let infinite = |a: &Array| a.iter().any(|x| !x.is_finite());
    for (input, _) in graph.parameters() {
        if state.get(&input.name).is_some_and(infinite) {
            return format!(
                "`{}` is the first parameter that is no number, so its gradient was none in an \
                 earlier step",
                input.name
            );
        }
    }
    layer(graph, state, images, stop).unwrap_or_else(|| {
        match stop.load(Ordering::Relaxed) {
            true => "the search for the layer was stopped",
            false => {
                "every layer gives numbers in exact arithmetic, so a value is too large for an engine"
            }
        }
        .into()
    })
}

/// The first layer, for the first image that has one.
fn layer(graph: &PixelGraph, state: &Weights, images: &Array, stop: &AtomicBool) -> Option<String> {
    let mut graph = graph.clone();
    let results: Vec<_> = graph
        .nodes()
        .flat_map(|(_, node)| node.outputs.iter().map(|&value| (node.name.clone(), value)))
        .collect();
    let before = graph.outputs().len();
    for (name, value) in &results {
        graph.output(format!("{name}@{value}"), *value);
    }
    // In single precision, as engines compute.
    let mut given: BTreeMap<String, Array> = state.clone();
    for image in images.outer_iter() {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        given.insert("image".into(), image.insert_axis(ndarray::Axis(0)).to_owned());
        let values = evaluate(&graph, &Env { batch: 1 }, &given).ok()?;
        let values = values.iter().skip(before);
        let bad = results.iter().zip(values).find(|(_, a)| a.iter().any(|x| !x.is_finite()));
        if let Some(((name, _), _)) = bad {
            let label = name.split('/').next().unwrap_or(name);
            return Some(format!("layer `{label}` is the first that gives what is no number"));
        }
    }
    None
}
