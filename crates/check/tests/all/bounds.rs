//! Operators whose results go further than they usually do: what is compared with their usual bounds,
//! or multiplied by zero, is not constant.

use pixelrnn_check::{Options, Verdict, check_bytes};
use pixelrnn_onnx::proto::AttributeProto;
use pixelrnn_onnx::proto::tensor_proto::DataType;

use super::build::{Net, floats, int, ints};
use super::generate::{float, text};

/// The image times whether a value computed from all of it is larger than a limit.
fn above(net: &mut Net, y: &str, limit: f32) -> String {
    let limit = net.floats(&[], &[limit]);
    let larger = net.node("Greater", &[y, &limit], &[]);
    let larger = net.node("Cast", &[&larger], &[int("to", DataType::Float as i64)]);
    net.node("Mul", &["x", &larger], &[])
}

/// The sum of a value that may be NaN, times zero, and of nothing else.
fn zeroed(net: &mut Net, y: &str) -> String {
    let zero = net.floats(&[], &[0.0]);
    net.node("Mul", &[y, &zero], &[])
}

/// The image times a large number, so that norms are tracked.
fn large(net: &mut Net) -> String {
    let factor = net.floats(&[], &[1e13]);
    net.node("Mul", &["x", &factor], &[])
}

fn texts(name: &str, list: &[&str]) -> AttributeProto {
    let strings = list.iter().map(|text| text.as_bytes().to_vec()).collect();
    AttributeProto { name: Some(name.into()), strings, ..Default::default() }
}

type Case = (&'static str, fn(&mut Net) -> String);

const CASES: &[Case] = &[
    ("GlobalLpPool of sums", |net| {
        let y = net.node("GlobalLpPool", &["x"], &[int("p", 1)]);
        above(net, &y, 2000.0)
    }),
    ("LpPool of sums", |net| {
        let y = net.node("LpPool", &["x"], &[int("p", 1), ints("kernel_shape", &[4, 4])]);
        above(net, &y, 2000.0)
    }),
    ("GRU with an update gate of tanh", |net| {
        let line = net.reshape("x", &[16, 1, 1]);
        let w = net.floats(&[1, 3, 1], &[-1.0, 0.0, 1.0]);
        let r = net.floats(&[1, 3, 1], &[0.0, 0.0, 0.0]);
        let attributes = [int("hidden_size", 1), texts("activations", &["Tanh", "Tanh"])];
        let y = net.node("GRU", &[&line, &w, &r], &attributes);
        let y = net.reshape(&y, &[1, 1, 4, 4]);
        above(net, &y, 1.5)
    }),
    ("LeakyRelu that turns and enlarges", |net| {
        let x = large(net);
        let y = net.node("LeakyRelu", &[&x], &[float("alpha", -1e5)]);
        above(net, &y, 1e17)
    }),
    ("Dropout in training", |net| {
        let x = large(net);
        let ratio = net.floats(&[], &[0.99]);
        net.graph.initializer.push(pixelrnn_onnx::proto::TensorProto {
            data_type: Some(DataType::Bool as i32),
            raw_data: Some(vec![1]),
            ..floats("training", &[], &[])
        });
        let y = net.node("Dropout", &[&x, &ratio, "training"], &[]);
        above(net, &y, 1e17)
    }),
    ("cubic Resize with a steep kernel", |net| {
        let none = net.floats(&[0], &[]);
        let scales = net.floats(&[4], &[1.0, 1.0, 2.0, 2.0]);
        let attributes = [text("mode", "cubic"), float("cubic_coeff_a", -10.0)];
        let y = net.node("Resize", &["x", &none, &scales], &attributes);
        let axes = net.whole(&[2, 3]);
        let y = net.node("ReduceMax", &[&y, &axes], &[]);
        above(net, &y, 3000.0)
    }),
    ("LayerNormalization without an epsilon", |net| {
        let scale = net.floats(&[4], &[1.0; 4]);
        let y = net.node("LayerNormalization", &["x", &scale], &[float("epsilon", 0.0)]);
        zeroed(net, &y)
    }),
    ("InstanceNormalization without an epsilon", |net| {
        let (scale, offset) = (net.floats(&[1], &[1.0]), net.floats(&[1], &[0.0]));
        let y =
            net.node("InstanceNormalization", &["x", &scale, &offset], &[float("epsilon", 0.0)]);
        zeroed(net, &y)
    }),
    ("MeanVarianceNormalization", |net| {
        let y = net.node("MeanVarianceNormalization", &["x"], &[ints("axes", &[0, 2, 3])]);
        zeroed(net, &y)
    }),
    ("BatchNormalization without a variance", |net| {
        let (one, zero) = (net.floats(&[1], &[1.0]), net.floats(&[1], &[0.0]));
        let inputs = ["x", &one, &zero, &zero, &zero];
        let y = net.node("BatchNormalization", &inputs, &[float("epsilon", 0.0)]);
        zeroed(net, &y)
    }),
    ("ThresholdedRelu of NaN", |net| {
        let root = net.node("Sqrt", &["x"], &[]);
        let three = net.floats(&[], &[3.0]);
        let y = net.node("Add", &[&root, &three], &[]);
        let y = net.node("ThresholdedRelu", &[&y], &[float("alpha", 1.0)]);
        let y = net.node("Neg", &[&y], &[]);
        above(net, &y, -1.0)
    }),
];

#[test]
fn unusual_results_are_not_bounded_as_usual() {
    let mut believed = Vec::new();
    for (what, build) in CASES {
        let mut net = Net::image(1, 4, 4);
        net.graph.input.clear();
        net.input("x", &[1, 1, 4, 4]);
        let y = build(&mut net);
        let report = check_bytes(&net.bytes(&y), &Options::default());
        let report = report.unwrap_or_else(|e| panic!("{what}: {e}"));
        if report.verdict == Verdict::Causal {
            believed.push(what);
        }
    }
    assert!(believed.is_empty(), "{believed:#?}");
}

/// The scale of a tensor of zeros is 1, however small its values may be.
#[test]
fn the_scale_of_nothing_is_one() {
    let mut net = Net::image(1, 4, 4);
    net.graph.input.clear();
    net.input("x", &[1, 1, 4, 4]);
    let small = net.floats(&[], &[1e-3]);
    let x = net.node("Mul", &["x", &small], &[]);
    let results = net.nodes("DynamicQuantizeLinear", &[&x], &[], 3);
    let y = above(&mut net, &results[1], 0.5);
    let report = check_bytes(&net.bytes(&y), &Options::default()).expect("checks");
    assert_ne!(report.verdict, Verdict::Causal);
}

/// The share of earlier values that no output reads, in a model where all outputs read the first value.
#[test]
fn the_blind_share_of_a_model_that_leaks() {
    let mut net = Net::image(1, 2, 2);
    net.graph.input.clear();
    net.input("x", &[1, 1, 2, 2]);
    let row = net.slice("x", 2, 0, 1, 1);
    let first = net.slice(&row, 3, 0, 1, 1);
    let ones = net.floats(&[1, 1, 2, 2], &[1.0; 4]);
    let y = net.node("Mul", &[&first, &ones], &[]);
    let report = net.check(&y);
    assert_eq!(report.leaking_outputs, 1);
    // Of 6 pairs, the outputs 1 to 3 read the first value.
    assert!((report.blind_share - 0.5).abs() < 1e-12, "{}", report.blind_share);
}
