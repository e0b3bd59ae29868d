//! Reads back and analyzes what the encoder writes.

use std::collections::BTreeSet;

use pixelrnn_check::{Options, check_bytes};
use pixelrnn_graph::{Init, Role, Type};
use pixelrnn_onnx::proto::{GraphProto, ModelProto};
use pixelrnn_onnx::{EncodeOptions, Literal, OnnxGraph, OnnxOp, Scan, encode};
use prost::Message;

use super::build::reads;

/// A Scan over the rows of a 3 x 4 image, from the top (with `reverse`, from the bottom): `s = s *
/// decay + row * gain`. The decay is a constant, the gain an input.
fn recurrence(reverse: bool) -> OnnxGraph {
    let mut body = OnnxGraph::new("step");
    let s = body.input("state", Type::real([4]), Role::Local);
    let decay = body.input("decay", Type::real([4]), Role::Local);
    let gain = body.input("gain", Type::real([4]), Role::Local);
    let row = body.input("row", Type::real([4]), Role::Local);
    let mut push =
        |op, inputs: &[_], name: &str| body.push(op, inputs, name, None).expect("fits").remove(0);
    let kept = push(OnnxOp::Mul, &[s, decay], "kept");
    let new = push(OnnxOp::Mul, &[row, gain], "new");
    let next = push(OnnxOp::Add, &[kept, new], "next");
    let copy = push(OnnxOp::Identity, &[s], "copy");
    body.output("state_out", next);
    body.output("before", copy);

    let mut g = OnnxGraph::new("forward");
    let x = g.input("image", Type::real([1, 1, 3, 4]), Role::Local);
    let gain = g.input("gain", Type::real([4]), Role::Parameter(Init::Zero));
    let mut push =
        |op, inputs: &[_], name: &str| g.push(op, inputs, name, None).expect("fits").remove(0);
    let constant =
        |values: &[f32]| OnnxOp::constant(Literal::Real(ndarray::arr1(values).into_dyn()));
    let zero = push(constant(&[0.0; 4]), &[], "zero");
    let decay = push(constant(&[0.5, 0.5, 0.0, 0.5]), &[], "decay");
    let rows = push(OnnxOp::Reshape { to: vec![3.into(), 4.into()] }, &[x], "rows");
    let scan = Scan { body, states: 1, invariants: 2, reverse };
    let all = g
        .push(OnnxOp::Scan(Box::new(scan)), &[zero, decay, gain, rows], "scan", None)
        .expect("fits");
    let to = vec![1.into(), 1.into(), 3.into(), 4.into()];
    let y = g.push(OnnxOp::Reshape { to }, &[all[1]], "back", None).expect("fits").remove(0);
    g.output("logits", y);
    g
}

/// Collects the names of all nodes and values in a graph and its bodies.
fn names(graph: &GraphProto, nodes: &mut Vec<String>, values: &mut Vec<String>) {
    values.extend(graph.input.iter().map(|i| i.name().to_string()));
    values.extend(graph.initializer.iter().map(|i| i.name().to_string()));
    for node in &graph.node {
        nodes.push(node.name().to_string());
        values.extend(node.output.iter().cloned());
        for body in node.attribute.iter().filter_map(|a| a.g.as_ref()) {
            names(body, nodes, values);
        }
    }
}

fn unique(list: &[String]) -> bool {
    list.iter().all(|n| !n.is_empty()) && list.iter().collect::<BTreeSet<_>>().len() == list.len()
}

#[test]
fn names_are_unique_and_invariants_are_captured_or_carried() {
    let bytes = encode(&recurrence(false), &EncodeOptions::default()).expect("encodes");
    let model = ModelProto::decode(&bytes[..]).expect("decodes");
    let graph = model.graph.expect("a graph");
    let (mut nodes, mut values) = (Vec::new(), Vec::new());
    names(&graph, &mut nodes, &mut values);
    assert!(unique(&nodes), "{nodes:?}");
    assert!(unique(&values), "{values:?}");
    let scan = graph.node.iter().find(|n| n.op_type() == "Scan").expect("a scan");
    // Two states (one of which carries the gain) and one scanned tensor; the decay is captured.
    assert_eq!(scan.input.len(), 3);
    assert_eq!(scan.output.len(), 3);
    assert!(!scan.input.contains(&"decay".to_string()));
    let body = scan.attribute.iter().find_map(|a| a.g.as_ref()).expect("a body");
    assert_eq!((body.input.len(), body.output.len()), (3, 3));
    assert!(body.node.iter().any(|n| n.input.contains(&"decay".to_string())));
}

#[test]
fn the_same_graph_gives_the_same_bytes() {
    let write = || encode(&recurrence(true), &EncodeOptions::default()).expect("encodes");
    assert_eq!(write(), write());
}

#[test]
fn encoded_scans_read_what_they_should() {
    for reverse in [false, true] {
        let bytes = encode(&recurrence(reverse), &EncodeOptions::default()).expect("encodes");
        let d = check_bytes(&bytes, &Options::default()).expect("runs");
        assert_eq!((d.input.as_str(), d.output.as_str()), ("image", "logits"));
        for out in 0..12 {
            let (y, x) = (out / 4, out % 4);
            // Column 2 forgets immediately: its decay is zero.
            let seen: Vec<usize> = (0..3usize)
                .filter(|&r| if reverse { r > y } else { r < y })
                .filter(|&r| x != 2 || r.abs_diff(y) == 1)
                .map(|r| r * 4 + x)
                .collect();
            assert_eq!(reads(&d, out), seen, "output {out}, reverse {reverse}");
        }
    }
}
