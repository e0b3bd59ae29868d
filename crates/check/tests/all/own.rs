//! Files that `pixelrnn export` wrote: each is checked according to its metadata.

use std::path::PathBuf;

use pixelrnn_check::{CheckError, Kind, Options, Report, Role, Verdict, check_bytes, check_file};
use pixelrnn_onnx::proto::tensor_proto::DataType;
use pixelrnn_onnx::proto::{ModelProto, NodeProto, StringStringEntryProto};
use prost::Message;

use super::build::{Net, info, ints, mask, model};

fn path(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/own");
    PathBuf::from(folder).join(format!("{name}.onnx"))
}

fn report(name: &str) -> Report {
    check_file(&path(name), &Options::default()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[test]
fn the_logits_inside_a_loss_are_checked() {
    for (name, kind, output) in [
        ("nll", Kind::Nll, "logits/split"),
        ("grad", Kind::Grad, "logits/split"),
        ("binary_train", Kind::Train, "logits/conv"),
    ] {
        let r = report(name);
        assert_eq!((r.verdict, r.outputs()), (Verdict::Causal, 20), "{name}");
        assert_eq!(r.holds.as_ref().map(|h| h.kind), Some(kind), "{name}");
        assert_eq!((r.input.as_str(), r.output.as_str()), ("image", output), "{name}");
    }
}

#[test]
fn each_scale_is_checked_given_the_smaller_ones() {
    for (name, small, whole) in [
        ("scales_forward", "small.logits", "logits"),
        ("scales_nll", "small.logits/split", "logits/split"),
    ] {
        let r = report(name);
        assert_eq!((r.verdict, r.output.as_str()), (Verdict::Causal, whole), "{name}");
        let parts: Vec<_> = r.parts.iter().map(|p| (p.output.as_str(), p.size)).collect();
        assert_eq!(parts, [(small, [4, 2]), (whole, [8, 4])], "{name}");
        assert!(r.parts.iter().all(|p| p.verdict == Verdict::Causal), "{name}");
        assert_eq!(r.inputs.iter().filter(|i| i.role == Role::Condition).count(), 1, "{name}");
    }
    // Without the smaller scale as a condition, the dependencies on its pixels are leaks.
    let named = Options { output: Some("logits".into()), ..Options::default() };
    let r = check_file(&path("scales_forward"), &named).expect("runs");
    assert_eq!((r.verdict, r.leaking_outputs), (Verdict::Leaks, 8));
}

#[test]
fn what_is_drawn_reads_random_numbers_up_to_its_own() {
    for (name, outputs, parts) in
        [("color_sample", 60, 0), ("complete_sample", 20, 3), ("scales_sample", 32, 0)]
    {
        let r = report(name);
        assert_eq!((r.verdict, r.outputs()), (Verdict::Causal, outputs), "{name}");
        assert!(r.own_place && r.parts.len() == parts, "{name}");
        assert_eq!((r.input.as_str(), r.output.as_str()), ("uniform", "image"), "{name}");
        assert!((0..outputs).all(|o| r.depends(o, o)), "{name}");
    }
}

/// A smaller scale has the range of the image, so that nothing overflows.
#[test]
fn a_smaller_image_has_the_range_of_the_image() {
    let mut net = Net::empty();
    net.graph.input.push(info("image", DataType::Float, &[-1, 1, 4, 4]));
    let small = net.slice("image", 2, 0, 4, 2);
    let small = net.slice(&small, 3, 0, 4, 2);
    let first = mask([2, 1, 3], 1, false);
    let logits = net.conv(&small, [2, 1, 3], &first);
    // Upsampled by a matrix product; a factor of two would overflow if the range were that of all
    // floats.
    let rows = net.floats(&[4, 2], &[2.0, 0.0, 2.0, 0.0, 0.0, 2.0, 0.0, 2.0]);
    let columns = net.floats(&[2, 4], &[2.0, 2.0, 0.0, 0.0, 0.0, 0.0, 2.0, 2.0]);
    let up = net.node("MatMul", &[&rows, &small], &[]);
    let up = net.node("MatMul", &[&up, &columns], &[]);
    let whole = net.conv("image", [2, 1, 3], &first);
    let whole = net.node("Add", &[&whole, &up], &[]);
    for (value, name) in [(logits, "small.logits"), (whole, "logits")] {
        let node = NodeProto {
            name: Some(name.into()),
            op_type: Some("Relu".into()),
            input: vec![value],
            output: vec![name.into()],
            ..NodeProto::default()
        };
        net.graph.node.push(node);
        net.output(name, &[]);
    }
    let mut proto = model(net.graph, 18);
    proto.metadata_props.push(entry("pixelrnn.graph", "forward"));
    let r = check_bytes(&proto.encode_to_vec(), &Options::default()).expect("runs");
    assert_eq!((r.verdict, r.parts.len()), (Verdict::Causal, 2), "{:?}", r.conditions);
}

fn entry(key: &str, value: &str) -> StringStringEntryProto {
    StringStringEntryProto { key: Some(key.into()), value: Some(value.into()) }
}

fn sampler(build: impl Fn(&mut Net) -> String) -> Result<Report, CheckError> {
    let mut net = Net::empty();
    net.graph.input.push(info("uniform", DataType::Float, &[-1, 3, 3, 1]));
    let y = build(&mut net);
    let mut proto = ModelProto::decode(&net.bytes(&y)[..]).expect("a model");
    let graph = proto.graph.as_mut().expect("a graph");
    for node in &mut graph.node {
        for output in node.output.iter_mut().filter(|o| **o == y) {
            *output = "image".into();
        }
    }
    graph.output[0].name = Some("image".into());
    proto.metadata_props.push(entry("pixelrnn.graph", "sample"));
    check_bytes(&proto.encode_to_vec(), &Options::default())
}

/// The metadata say what to check. They are not trusted about the result.
#[test]
fn a_sampler_that_reads_ahead_leaks() {
    let r = sampler(|net| net.node("Relu", &["uniform"], &[])).expect("runs");
    assert_eq!(r.verdict, Verdict::Causal);
    let r = sampler(|net| {
        let turned = net.node("Transpose", &["uniform"], &[ints("perm", &[0, 2, 1, 3])]);
        net.node("Relu", &[&turned], &[])
    });
    let r = r.expect("runs");
    assert_eq!((r.verdict, r.leaking_outputs), (Verdict::Leaks, 3));
}

#[test]
fn kinds_without_an_image_are_refused_with_what_to_check_instead() {
    for (name, kind) in [("step", Kind::Step), ("row", Kind::Row), ("update", Kind::Update)] {
        let error = check_file(&path(name), &Options::default()).expect_err(name);
        assert_eq!(error, CheckError::Holds(kind));
        let text = error.to_string();
        assert!(text.contains("cannot tell") && text.contains("`forward`"), "{text}");
    }
}
