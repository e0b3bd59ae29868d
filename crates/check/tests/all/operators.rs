//! Single operators: what each element of the result depends on.

use pixelrnn_onnx::proto::tensor_proto::DataType;
use pixelrnn_onnx::proto::{AttributeProto, FunctionProto, NodeProto};
use prost::Message;

use super::build::{Net, body, floats, info, int, ints, model, reads, whole};
use pixelrnn_check::{Options, Verdict, check_bytes};

/// Builds a model of one color and 2 x 2 pixels, and returns what its outputs depend on.
fn reading(build: impl FnOnce(&mut Net) -> String) -> Vec<Vec<usize>> {
    let mut net = Net::image(1, 2, 2);
    let y = build(&mut net);
    let d = net.check(&y);
    (0..4).map(|r| reads(&d, r)).collect()
}

#[test]
fn shapes_are_computed() {
    let got = reading(|net| {
        let flat = net.reshape("x", &[0, -1]);
        let shape = net.node("Shape", &["x"], &[]);
        let zero = net.scalar(0);
        let batch = net.node("Gather", &[&shape, &zero], &[]);
        let axes = net.whole(&[0]);
        let batch = net.node("Unsqueeze", &[&batch, &axes], &[]);
        let rest = net.whole(&[1, 2, 2]);
        let shape = net.node("Concat", &[&batch, &rest], &[int("axis", 0)]);
        net.node("Reshape", &[&flat, &shape], &[])
    });
    assert_eq!(got, [[0], [1], [2], [3]]);
}

#[test]
fn where_follows_a_known_condition() {
    let got = reading(|net| {
        let c = net.floats(&[2, 2], &[1.0, 0.0, 0.0, 1.0]);
        let c = net.node("Cast", &[&c], &[int("to", DataType::Bool as i64)]);
        let other = net.flip("x", 2);
        net.node("Where", &[&c, "x", &other], &[])
    });
    assert_eq!(got, [[0], [3], [0], [3]]);
    let got = reading(|net| {
        let zero = net.floats(&[], &[0.0]);
        let c = net.node("Greater", &["x", &zero], &[]);
        let y = net.flip("x", 2);
        net.node("Where", &[&c, &y, &zero], &[])
    });
    assert_eq!(got, [[0, 2], [1, 3], [0, 2], [1, 3]]);
}

#[test]
fn indices_that_are_not_known_read_everything() {
    let got = reading(|net| {
        let row = net.slice("x", 2, 0, 1, 1);
        let index = net.node("Cast", &[&row], &[int("to", DataType::Int64 as i64)]);
        let index = net.reshape(&index, &[2]);
        let y = net.node("Gather", &["x", &index], &[int("axis", 3)]);
        net.node("Relu", &[&y], &[])
    });
    assert_eq!(got, [vec![0, 1], vec![0, 1], vec![0, 2, 3], vec![1, 2, 3]]);
    let got = reading(|net| {
        let order = net.whole(&[1, -2]);
        net.node("Gather", &["x", &order], &[int("axis", 3)])
    });
    assert_eq!(got, [[1], [0], [3], [2]]);
}

#[test]
fn scatter_writes_where_it_is_told() {
    let got = reading(|net| {
        net.graph.initializer.push(whole("at", &[1, 4], &[0, 0, 1, 1]));
        let update = net.slice("x", 2, 0, 1, 1);
        let update = net.slice(&update, 3, 0, 1, 1);
        let update = net.reshape(&update, &[1]);
        net.node("ScatterND", &["x", "at", &update], &[])
    });
    assert_eq!(got, [[0], [1], [2], [0]]);
    let got = reading(|net| {
        net.graph.initializer.push(whole("at", &[1, 1, 1, 2], &[0, 0]));
        let update = net.slice("x", 2, 1, 2, 1);
        net.node("ScatterElements", &["x", "at", &update], &[int("axis", 2)])
    });
    assert_eq!(got, [[2], [3], [2], [3]]);
}

#[test]
fn reductions_read_their_axes() {
    let spread = |net: &mut Net, y: &str| {
        let shape = net.whole(&[1, 1, 2, 2]);
        net.node("Expand", &[y, &shape], &[])
    };
    let rows = [[0, 1], [0, 1], [2, 3], [2, 3]];
    for op in ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceLogSumExp", "ReduceL2"] {
        let got = reading(|net| {
            let axes = net.whole(&[-1]);
            let y = net.node(op, &["x", &axes], &[]);
            spread(net, &y)
        });
        assert_eq!(got, rows, "{op}");
    }
    for op in ["Softmax", "LogSoftmax", "LpNormalization"] {
        assert_eq!(reading(|net| net.node(op, &["x"], &[int("axis", 3)])), rows, "{op}");
    }
    let got = reading(|net| {
        let scale = net.floats(&[2], &[1.0, 0.0]);
        net.node("LayerNormalization", &["x", &scale], &[int("axis", -1)])
    });
    assert_eq!(got, [vec![0, 1], vec![], vec![2, 3], vec![]]);
    let got = reading(|net| {
        let axis = net.scalar(3);
        net.node("CumSum", &["x", &axis], &[int("exclusive", 1)])
    });
    assert_eq!(got, [vec![], vec![0], vec![], vec![2]]);
}

#[test]
fn batch_normalisation_is_per_channel() {
    let one = |training: i64| {
        reading(|net| {
            let p = net.floats(&[1], &[1.0]);
            let inputs = ["x", &p, &p, &p, &p];
            net.node("BatchNormalization", &inputs, &[int("training_mode", training)])
        })
    };
    assert_eq!(one(0), [[0], [1], [2], [3]]);
    assert_eq!(one(1), [[0, 1, 2, 3]; 4]);
}

#[test]
fn products_skip_known_zeros() {
    let got = reading(|net| {
        let w = net.floats(&[2, 2], &[1.0, 1.0, 0.0, 1.0]);
        net.node("MatMul", &["x", &w], &[])
    });
    assert_eq!(got, [vec![0], vec![0, 1], vec![2], vec![2, 3]]);
    let got = reading(|net| {
        let w = net.floats(&[2, 2], &[1.0, 0.0, 1.0, 1.0]);
        let equation = AttributeProto {
            name: Some("equation".into()),
            s: Some(b"nchw, hk -> nckw".to_vec()),
            ..Default::default()
        };
        net.node("Einsum", &["x", &w], &[equation])
    });
    assert_eq!(got, [vec![0, 2], vec![1, 3], vec![2], vec![3]]);
    let got = reading(|net| {
        let flat = net.reshape("x", &[2, 2]);
        let w = net.floats(&[2, 2], &[1.0, 1.0, 0.0, 1.0]);
        let y = net.node("Gemm", &[&flat, &w], &[int("transB", 1)]);
        net.reshape(&y, &[1, 1, 2, 2])
    });
    assert_eq!(got, [vec![0, 1], vec![1], vec![2, 3], vec![3]]);
}

#[test]
fn pools_read_their_windows() {
    let got = reading(|net| {
        let attributes = [ints("kernel_shape", &[1, 2]), ints("pads", &[0, 1, 0, 0])];
        net.node("MaxPool", &["x"], &attributes)
    });
    assert_eq!(got, [vec![0], vec![0, 1], vec![2], vec![2, 3]]);
}

#[test]
fn scans_run_in_both_directions() {
    let scan = |backward: i64| {
        reading(|net| {
            let mut step = Net::empty();
            step.input("s", &[2]);
            step.input("v", &[2]);
            let s = step.node("Add", &["s", "v"], &[]);
            let copy = step.node("Identity", &["s"], &[]);
            step.output(&s, &[2]);
            step.output(&copy, &[2]);
            let seq = net.reshape("x", &[2, 2]);
            let start = net.floats(&[2], &[0.0, 0.0]);
            let attributes = [
                body("body", step.graph),
                int("num_scan_inputs", 1),
                ints("scan_input_axes", &[1]),
                ints("scan_input_directions", &[backward]),
                ints("scan_output_axes", &[1]),
                ints("scan_output_directions", &[backward]),
            ];
            let y = net.nodes("Scan", &[&start, &seq], &attributes, 2).remove(1);
            net.reshape(&y, &[1, 1, 2, 2])
        })
    };
    assert_eq!(scan(0), [vec![], vec![0], vec![], vec![2]]);
    assert_eq!(scan(1), [vec![1], vec![], vec![3], vec![]]);
}

#[test]
fn loops_and_branches_with_known_conditions() {
    let got = reading(|net| {
        let mut step = Net::empty();
        step.input("i", &[]);
        step.input("go", &[]);
        step.input("s", &[1, 1, 2, 2]);
        let s = step.flip("s", 3);
        let copy = step.node("Identity", &["go"], &[]);
        step.output(&copy, &[]);
        step.output(&s, &[1, 1, 2, 2]);
        let trips = net.scalar(3);
        net.node("Loop", &[&trips, "", "x"], &[body("body", step.graph)])
    });
    assert_eq!(got, [[1], [0], [3], [2]]);
    let got = reading(|net| {
        let [mut yes, mut no] = [Net::empty(), Net::empty()];
        let a = yes.flip("x", 2);
        yes.output(&a, &[1, 1, 2, 2]);
        let b = no.node("Identity", &["x"], &[]);
        no.output(&b, &[1, 1, 2, 2]);
        let shape = net.node("Size", &["x"], &[]);
        let four = net.scalar(4);
        let c = net.node("Equal", &[&shape, &four], &[]);
        let branches = [body("then_branch", yes.graph), body("else_branch", no.graph)];
        net.node("If", &[&c], &branches)
    });
    assert_eq!(got, [[2], [3], [0], [1]]);
}

/// If an unknown value may end a loop after each step, its final state may be that of any step.
#[test]
fn a_loop_that_values_end_reads_what_any_step_would() {
    let file = |limit: i64, stack: bool| {
        let mut net = Net::image(1, 1, 4);
        let mut step = Net::empty();
        step.input("i", &[]);
        step.input("go", &[]);
        step.input("s", &[1, 1, 1, 4]);
        // Each step moves the values one column to the right.
        let s = step.slice("s", 3, 0, 3, 1);
        let s = step.pad(&s, &[0, 0, 0, 1, 0, 0, 0, 0]);
        let end = step.slice("s", 3, 0, 1, 1);
        let end = step.reshape(&end, &[]);
        let zero = step.floats(&[], &[0.0]);
        let go = step.node("Greater", &[&end, &zero], &[]);
        step.output(&go, &[]);
        step.output(&s, &[1, 1, 1, 4]);
        if stack {
            step.output(&s, &[1, 1, 1, 4]);
        }
        let trips = net.scalar(limit);
        let y = net.nodes("Loop", &[&trips, "", "x"], &[body("body", step.graph)], 1).remove(0);
        check_bytes(&net.bytes(&y), &Options::default())
    };
    // At least one step, and up to two more if the first value is positive.
    let d = file(3, false).expect("runs");
    let got: Vec<_> = (0..4).map(|r| reads(&d, r)).collect();
    assert_eq!(got, [vec![], vec![0], vec![0, 1], vec![0, 1, 2]]);
    assert_eq!(d.verdict, Verdict::Causal);
    // With a very high limit, everything is a dependency, and the verdict is uncertain.
    let d = file(1 << 20, false).expect("runs");
    assert_eq!((d.verdict, d.uncertain.len()), (Verdict::Uncertain, 1));
    assert!(file(3, true).expect_err("stacked").to_string().contains("fixed number of steps"));
}

#[test]
fn operators_of_state_space_models_are_causal() {
    let mut net = Net { opset: 28, ..Net::image(1, 2, 3) };
    let t = net.reshape("x", &[1, 1, 6]);
    let w = net.floats(&[1, 1, 3], &[1.0, 0.0, 2.0]);
    let swish = AttributeProto {
        name: Some("activation".into()),
        s: Some(b"silu".to_vec()),
        ..Default::default()
    };
    let y = net.node("CausalConvWithState", &[&t, &w], &[swish]);
    let y = net.node("SwiGLU", &[&y, &y], &[]);
    let y = net.reshape(&y, &[1, 1, 2, 3]);
    let d = net.check(&y);
    let got: Vec<_> = (0..6).map(|r| reads(&d, r)).collect();
    assert_eq!(got, [vec![0], vec![1], vec![0, 2], vec![1, 3], vec![2, 4], vec![3, 5]]);
    let mut net = Net { opset: 28, ..Net::image(1, 2, 3) };
    let t = net.reshape("x", &[1, 6, 1]);
    let heads = [int("q_num_heads", 1), int("kv_num_heads", 1)];
    let y = net.node("LinearAttention", &[&t, &t, &t, "", &t, &t], &heads);
    let y = net.reshape(&y, &[1, 1, 2, 3]);
    let d = net.check(&y);
    assert!((0..6).all(|r| reads(&d, r) == (0..=r).collect::<Vec<_>>()));
}

/// The fourth result of `Attention` can be the softmax, which depends on the whole row.
#[test]
fn stages_of_attention_read_what_they_hold() {
    let row = |mode: i64| {
        let mut net = Net { opset: 23, ..Net::image(1, 1, 3) };
        let t = net.reshape("x", &[1, 3, 1]);
        let attributes =
            [int("q_num_heads", 1), int("kv_num_heads", 1), int("qk_matmul_output_mode", mode)];
        let stage = net.nodes("Attention", &[&t, &t, &t], &attributes, 4).remove(3);
        // The attention weights of the first token.
        let y = net.slice(&stage, 2, 0, 1, 1);
        let d = net.check(&y);
        reads(&d, 1)
    };
    assert_eq!([row(0), row(2), row(3)], [vec![0, 1], vec![0, 1], vec![0, 1, 2]]);
}

#[test]
fn functions_are_inlined() {
    let net = Net::image(1, 2, 2);
    let mut graph = net.graph;
    graph.initializer.push(floats("w", &[2, 2], &[1.0, 1.0, 0.0, 1.0]));
    let node = |domain: &str, op: &str, input: &[&str], output: &str| NodeProto {
        op_type: Some(op.into()),
        domain: Some(domain.into()),
        input: input.iter().map(|s| s.to_string()).collect(),
        output: vec![output.into()],
        ..Default::default()
    };
    let mut call = node("mine", "Turn", &["x", "w"], "y");
    call.attribute.push(ints("order", &[0, 1, 3, 2]));
    graph.node.push(call);
    graph.output.push(info("y", DataType::Float, &[1, 1, 2, 2]));
    let mut turn = node("", "Transpose", &["w2"], "out");
    turn.attribute.push(AttributeProto {
        name: Some("perm".into()),
        ref_attr_name: Some("order".into()),
        ..Default::default()
    });
    let function = FunctionProto {
        name: Some("Turn".into()),
        domain: Some("mine".into()),
        input: vec!["a".into(), "b".into()],
        output: vec!["out".into()],
        node: vec![node("", "MatMul", &["a", "b"], "w2"), turn],
        ..Default::default()
    };
    let mut file = model(graph, 18);
    file.functions.push(function.clone());
    let d = check_bytes(&file.encode_to_vec(), &Options::default()).expect("inlined");
    assert_eq!(
        (0..4).map(|r| reads(&d, r)).collect::<Vec<_>>(),
        [vec![0], vec![2], vec![0, 1], vec![2, 3]]
    );
    // A function that calls itself.
    let mut endless = function;
    endless.node.push(node("mine", "Turn", &["a", "b"], "c"));
    file.functions = vec![endless];
    assert!(check_bytes(&file.encode_to_vec(), &Options::default()).is_err());
}

#[test]
fn a_slice_backward_from_before_the_beginning_holds_the_first_element() {
    let got = reading(|net| {
        let first = net.slice("x", 3, -5, -100, -1);
        net.node("Add", &["x", &first], &[])
    });
    assert_eq!(got, [vec![0], vec![0, 1], vec![2], vec![2, 3]]);
}
