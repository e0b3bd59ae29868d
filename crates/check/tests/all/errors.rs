//! Invalid models and options, and their errors.

use pixelrnn_check::{CheckError, Options, Position, Problem, check_bytes};
use pixelrnn_onnx::proto::tensor_proto::DataLocation;

use super::build::{Net, body, int, ints, leaks, mask, way};

fn small() -> Vec<u8> {
    let mut net = Net::image(1, 3, 3);
    let a = [2, 1, 3];
    let y = net.conv("x", a, mask(a, 1, false));
    let mut step = Net::empty();
    step.input("s", &[1, 2, 3]);
    step.input("v", &[1, 2, 3]);
    let s = step.node("Add", &["s", "v"], &[]);
    let copy = step.node("Tanh", &[&s], &[]);
    step.output(&s, &[1, 2, 3]);
    step.output(&copy, &[1, 2, 3]);
    let seq = net.node("Transpose", &[&y], &[ints("perm", &[2, 0, 1, 3])]);
    let start = net.floats(&[1, 2, 3], &[0.0; 6]);
    let attributes = [body("body", step.graph), int("num_scan_inputs", 1)];
    let y = net.nodes("Scan", &[&start, &seq], &attributes, 2).remove(1);
    let y = net.node("Transpose", &[&y], &[ints("perm", &[1, 2, 0, 3])]);
    let y = net.node("Softmax", &[&y], &[int("axis", 1)]);
    net.bytes(&y)
}

/// Any bytes lead to a report or an error.
#[test]
fn broken_bytes_never_panic() {
    let bytes = small();
    let options = Options { memory: 1 << 24, ..Default::default() };
    assert!(check_bytes(&bytes, &options).is_ok());
    for n in 0..bytes.len() {
        let _ = check_bytes(&bytes[..n], &options);
        let mut broken = bytes.clone();
        for flip in [0x01, 0x08, 0x80, 0xff] {
            broken[n] = bytes[n] ^ flip;
            if check_bytes(&broken, &options).is_ok() {
                let p = |row| Position { colour: 0, row, column: 0 };
                let _ = way(&broken, &options, p(2), p(0));
            }
        }
    }
    assert!(matches!(check_bytes(b"not a model", &options), Err(CheckError::Decode(_))));
    assert!(matches!(check_bytes(b"", &options), Err(CheckError::NoGraph)));
}

#[test]
fn unknown_operators_are_all_named() {
    let mut net = Net::image(1, 3, 3);
    let a = net.node("NonMaxSuppression", &["x"], &[]);
    let mut inside = Net::empty();
    let b = inside.node("StringSplit", &["x"], &[]);
    inside.output(&b, &[1, 1, 3, 3]);
    let c = net.floats(&[], &[1.0]);
    let branches = [body("then_branch", inside.graph.clone()), body("else_branch", inside.graph)];
    let d = net.node("If", &[&c], &branches);
    let e = net.node("Add", &[&a, &d], &[]);
    // The output does not need this node, so it is no reason for an error.
    net.node("QuickGelu", &["x"], &[]);
    match check_bytes(&net.bytes(&e), &Options::default()) {
        Err(error @ CheckError::Unsupported { .. }) => {
            let text = error.to_string();
            assert!(text.contains("NonMaxSuppression") && text.contains("StringSplit"), "{text}");
            assert!(text.contains("1 more") && !text.contains("QuickGelu"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_asked_for_must_exist() {
    let bytes = small();
    let input = Options { input: Some("y".into()), ..Default::default() };
    let output = Options { output: Some("z".into()), ..Default::default() };
    assert!(matches!(check_bytes(&bytes, &input), Err(CheckError::NoInput { .. })));
    assert!(matches!(check_bytes(&bytes, &output), Err(CheckError::NoOutput { .. })));
    let outside = Position { colour: 1, row: 0, column: 0 };
    let traced = way(&bytes, &Options::default(), outside, outside);
    assert!(matches!(traced, Err(CheckError::Position { .. })));
}

#[test]
fn nodes_that_break_the_standard_are_named() {
    let mut net = Net::image(1, 3, 3);
    let w = net.floats(&[1, 2, 3, 3], &[1.0; 18]);
    let y = net.node("Conv", &["x", &w], &[]);
    match check_bytes(&net.bytes(&y), &Options::default()) {
        Err(CheckError::Node { op_type, problem: Problem::Extents(..), .. }) => {
            assert_eq!(op_type, "Conv");
        }
        other => panic!("{other:?}"),
    }
    let mut net = Net::image(1, 3, 3);
    let y = net.node("Reshape", &["x", "x"], &[]);
    let bytes = net.bytes(&y);
    match check_bytes(&bytes, &Options::default()) {
        Err(CheckError::Node { problem, .. }) => assert_eq!(problem, Problem::NotConstant(1)),
        other => panic!("{other:?}"),
    }
    let net = Net::image(1, 3, 3);
    let bytes = net.bytes("nowhere");
    let error = check_bytes(&bytes, &Options::default());
    assert!(matches!(error, Err(CheckError::UnknownValue { .. })));
}

#[test]
fn huge_shapes_are_refused() {
    let mut net = Net::image(1, 3, 3);
    let shape = net.whole(&[1 << 40, 1 << 40]);
    let y = net.node("ConstantOfShape", &[&shape], &[]);
    let y = net.node("Add", &["x", &y], &[]);
    match check_bytes(&net.bytes(&y), &Options::default()) {
        Err(CheckError::Node { problem: Problem::TooLarge(_), .. }) => {}
        other => panic!("{other:?}"),
    }
    // The memory for sets is limited, too.
    let tight = Options { memory: 64, ..Default::default() };
    match check_bytes(&small(), &tight) {
        Err(CheckError::TooLarge(_)) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn weights_elsewhere_are_refused() {
    let mut net = Net::image(1, 3, 3);
    let w = net.floats(&[1], &[1.0]);
    net.graph.initializer[0].data_location = Some(DataLocation::External as i32);
    let y = net.node("Mul", &["x", &w], &[]);
    let error = check_bytes(&net.bytes(&y), &Options::default());
    assert!(matches!(error, Err(CheckError::External { .. })));
}

#[test]
fn the_small_one_is_causal() {
    let d = check_bytes(&small(), &Options::default()).expect("runs");
    assert_eq!((d.levels, leaks(&d)), (2, vec![]));
}

#[test]
fn files_of_other_formats_are_named() {
    let safetensors =
        b"\x40\0\0\0\0\0\0\0{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    for (bytes, word) in [
        (&safetensors[..], "safetensors"),
        (b"PK\x03\x04\x14\0\0\0", "torch.save"),
        (b"\x80\x02}q\0.", "pickle"),
        (b"version https:\x2f/git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "web page"),
    ] {
        let error = check_bytes(bytes, &Options::default()).expect_err(word).to_string();
        assert!(error.starts_with("not an ONNX model") && error.contains(word), "{error}");
    }
}

/// ONNX Runtime and the standard disagree about such a slice.
#[test]
fn a_slice_backward_to_the_largest_integer_is_refused() {
    for end in [i64::MAX, i64::from(i32::MAX)] {
        let mut net = Net::image(1, 3, 3);
        let y = net.slice("x", 3, -1, end, -1);
        match check_bytes(&net.bytes(&y), &Options::default()) {
            Err(CheckError::Node { problem: Problem::Form(_), .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn sparse_constants_are_named() {
    let mut net = Net::image(1, 2, 2);
    let y = net.node("Add", &["x", "w"], &[]);
    net.graph.sparse_initializer.push(pixelrnn_onnx::proto::SparseTensorProto {
        values: Some(super::build::floats("w", &[1], &[1.0])),
        indices: Some(super::build::whole("", &[1], &[0])),
        dims: vec![4],
    });
    let error = check_bytes(&net.bytes(&y), &Options::default()).expect_err("sparse").to_string();
    assert_eq!(error, "constant `w` is sparse, which is not supported: store it as a dense tensor");
}
