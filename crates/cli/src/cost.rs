//! The costs of a model: multiply-adds and memory per image, from the types in the exported graph.
//!
//! Only the multiplications of matrix products and convolutions are counted; element-wise
//! operations are comparatively cheap. The figures are those of the graph as it is executed. They
//! include cells of a skewed map that correspond to no pixel, but not kernel rows that the compiler
//! has removed.

use std::collections::BTreeMap;

use pixelrnn::internal::graph::{Dim, LayerId, Node, Type};
use pixelrnn::internal::onnx::{OnnxGraph, OnnxOp, Scan};

/// The cost of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Multiply-adds for one image.
    pub multiply_adds: u64,
    /// Multiply-adds for one image, by the dotted path of the layer in the declaration.
    pub by_layer: BTreeMap<String, u64>,
    /// The largest number of bytes of one image's values that exist at the same time, if nodes run
    /// in order and every value is freed after its last use.
    pub peak_bytes: u64,
}

/// Computes the cost of a graph.
pub fn cost(graph: &OnnxGraph) -> Cost {
    let mut cost = Cost { peak_bytes: peak(graph), ..Cost::default() };
    cost.by_layer = by_layer(graph, &|layer| graph.layer_path(layer).to_string());
    for (_, node) in graph.nodes() {
        let count = multiply_adds(graph, node);
        cost.multiply_adds = cost.multiply_adds.saturating_add(count);
    }
    cost
}

/// Multiply-adds by layer. Those of a loop that belongs to no single layer are attributed to the
/// layers in its body. `path` returns the path of a layer. A body uses the layer ids of the graph
/// around it.
fn by_layer(graph: &OnnxGraph, path: &dyn Fn(LayerId) -> String) -> BTreeMap<String, u64> {
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    let mut give = |layer: String, count: u64| {
        let sum = all.entry(layer).or_default();
        *sum = sum.saturating_add(count);
    };
    for (id, node) in graph.nodes() {
        let own = graph.site(id).layer.map(path);
        match (&node.op, own) {
            // A loop over rows or pixels, which contains the whole model instead of a single layer.
            (OnnxOp::Scan(scan), None) => {
                for (layer, count) in by_layer(&scan.body, path) {
                    give(layer, count.saturating_mul(steps(graph, node, scan)));
                }
            }
            (_, own) => {
                let count = multiply_adds(graph, node);
                if count > 0 {
                    give(own.unwrap_or_default(), count);
                }
            }
        }
    }
    all
}

/// The number of steps of a loop.
fn steps(graph: &OnnxGraph, node: &Node<OnnxOp>, scan: &Scan) -> u64 {
    let scanned = node.inputs.get(scan.states + scan.invariants).map(|&v| graph.ty(v));
    scanned.and_then(|t| t.extents(1).first().copied()).unwrap_or(0) as u64
}

fn multiply_adds(graph: &OnnxGraph, node: &Node<OnnxOp>) -> u64 {
    let input = |i: usize| node.inputs.get(i).map(|&v| graph.ty(v));
    let elements = |ty: Option<&Type>| ty.map_or(0, |t| t.size() as u64);
    let result = elements(node.outputs.first().map(|&v| graph.ty(v)));
    // The number of multiplications per element of the result: the size of a filter, or of a row.
    let taps = |ty: Option<&Type>, skip: usize| {
        let extents = ty.map(|t| t.extents(1)).unwrap_or_default();
        extents.iter().skip(skip).map(|&n| n as u64).product::<u64>()
    };
    match &node.op {
        OnnxOp::Conv { .. } => result.saturating_mul(taps(input(1), 1)),
        OnnxOp::MatMul => {
            let rank = input(0).map_or(0, Type::rank);
            result.saturating_mul(taps(input(0), rank.saturating_sub(1)))
        }
        OnnxOp::Scan(scan) => {
            cost(&scan.body).multiply_adds.saturating_mul(steps(graph, node, scan))
        }
        _ => 0,
    }
}

/// The bytes of a value; 0 if it does not depend on an image, like weights and what is computed
/// from them.
fn value_bytes(ty: &Type) -> u64 {
    if !ty.shape.iter().any(|d| matches!(d, Dim::Batch(_))) {
        return 0;
    }
    (ty.size() as u64).saturating_mul(ty.elem.bytes() as u64)
}

fn peak(graph: &OnnxGraph) -> u64 {
    let mut readers = graph.use_counts();
    let bytes = |v: pixelrnn::internal::graph::Value| value_bytes(graph.ty(v));
    let mut alive: u64 = graph.inputs().iter().map(|i| bytes(i.value)).sum();
    let mut most = alive;
    for (_, node) in graph.nodes() {
        alive += node.outputs.iter().map(|&v| bytes(v)).sum::<u64>();
        let inside = match &node.op {
            OnnxOp::Scan(scan) => peak(&scan.body),
            _ => 0,
        };
        most = most.max(alive + inside);
        for &v in &node.inputs {
            readers[v.index()] -= 1;
            if readers[v.index()] == 0 {
                alive -= bytes(v);
            }
        }
        let unread = node.outputs.iter().filter(|v| readers[v.index()] == 0);
        alive -= unread.map(|&v| bytes(v)).sum::<u64>();
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use pixelrnn::{ControlFlow, ExportOptions, GraphKind, zoo};

    fn of(control_flow: ControlFlow) -> Cost {
        let set = [("h".to_string(), 4), ("layers".to_string(), 1)];
        let model = zoo::find("digits-row-lstm").unwrap().declare(&set).unwrap();
        let options = ExportOptions { control_flow, ..ExportOptions::default() };
        cost(&model.compile(GraphKind::Forward, &options, &mut |_, _| {}).unwrap())
    }

    #[test]
    fn a_loop_costs_what_its_steps_cost() {
        let (scan, unrolled) = (of(ControlFlow::Scan), of(ControlFlow::Unroll));
        assert_eq!(scan.by_layer, unrolled.by_layer);
    }

    #[test]
    fn a_small_model_by_hand() {
        let pixels = 8 * 8;
        let cost = of(ControlFlow::Scan);
        // One input feature, 8 output features, four rows of seven taps.
        assert_eq!(cost.by_layer["stem"], pixels * 8 * 4 * 7);
        assert_eq!(cost.by_layer["hidden"], pixels * 8 * 32);
        assert_eq!(cost.by_layer["logits"], pixels * 32 * 17);
        assert_eq!(cost.multiply_adds, cost.by_layer.values().sum::<u64>());
        // At the end, at least the logits exist.
        assert!(cost.peak_bytes >= pixels * 17 * 4);
    }

    fn count(name: &str, size: usize, kind: GraphKind) -> u64 {
        let entry = zoo::find(name).unwrap();
        let plain = entry.declare(&[]).unwrap();
        let set = [("layers", 2), ("small_layers", 2), ("height", size), ("width", size)];
        // Some models have no hyper-parameter for the number of layers.
        let has = |n: &str| plain.settings().iter().any(|(name, _)| name == n);
        let set = set.into_iter().filter(|(n, _)| has(n)).map(|(n, v)| (n.to_string(), v));
        let model = entry.declare(&set.collect::<Vec<_>>()).unwrap();
        let graph = model.compile(kind, &ExportOptions::default(), &mut |_, _| {}).unwrap();
        let cost = cost(&graph);
        // Every layer with multiplications is counted, including those in loops.
        assert_eq!(cost.multiply_adds, cost.by_layer.values().sum::<u64>());
        let counted = |layer: &str| cost.by_layer.get(layer).is_some_and(|&n| n > 0);
        assert!(
            counted("hidden") && (counted("stem") || counted("first.up.above")),
            "{name}: {cost:?}"
        );
        cost.multiply_adds
    }

    /// Sampling an image costs about as much as one forward pass, whatever its size.
    #[test]
    fn sampling_costs_one_pass() {
        for entry in zoo::ZOO {
            // The size must be a multiple of the factor of each scale.
            let plain = entry.declare(&[]).unwrap();
            let step = plain.scales().iter().map(|scale| scale.factor).max().unwrap_or(1);
            let side = 6usize.next_multiple_of(step);
            let [small, large] = [side, 2 * side].map(|size| {
                let forward = count(entry.name, size, GraphKind::Forward);
                let sample = count(entry.name, size, GraphKind::Sample);
                println!("{} {size}: {sample} of {forward}", entry.name);
                assert!(sample <= 3 * forward, "{}: {sample} of {forward}", entry.name);
                sample
            });
            // With four times as many pixels, the cost per pixel must not grow.
            assert!(large <= 4 * small, "{}: {small}, {large}", entry.name);
        }
    }
}
