//! Every operator of every generated graph has a CUDA kernel in ONNX Runtime, for the element types that it
//! is used with. So no operator falls back to the CPU, in particular none inside a loop, where this would
//! copy data in every step.

use std::collections::{BTreeMap, BTreeSet};

use pixelrnn::internal::graph::{Elem, Operation};
use pixelrnn::internal::onnx::{OnnxGraph, OnnxOp};
use pixelrnn::prelude::*;
use pixelrnn::runtime::Program;
use pixelrnn::{Array, Batch, Dtype};

use crate::common::{Numbers, assert_same, engines, run, small_zoo, weights};

/// The operators of ONNX Runtime's CUDA provider, from its list of kernels (`docs/OperatorKernels.md` of its
/// repository, the table of `CUDAExecutionProvider`), for opsets 13 and later: the operator, and the element
/// types that it computes with. Indices, axes and shapes are left out, since they are read on the host. Note
/// that `Where` does not support booleans, and `Pad` does not support integers.
const KERNELS: &[(&str, &[Elem])] = &[
    ("Abs", NUMBERS),
    ("Add", NUMBERS),
    ("Cast", ALL),
    ("Concat", ALL),
    ("Conv", REAL),
    ("CumSum", NUMBERS),
    ("DequantizeLinear", &[Elem::Int8]),
    ("Div", NUMBERS),
    ("Equal", ALL),
    ("Exp", REAL),
    ("Expand", ALL),
    ("Gather", ALL),
    ("Greater", NUMBERS),
    ("Identity", ALL),
    ("Log", REAL),
    ("MatMul", REAL),
    ("Max", NUMBERS),
    ("Min", NUMBERS),
    ("Mul", NUMBERS),
    ("Neg", NUMBERS),
    ("Pad", &[Elem::Real, Elem::F16, Elem::Bool]),
    ("ReduceMax", NUMBERS),
    ("ReduceSum", NUMBERS),
    ("Relu", REAL),
    ("Reshape", ALL),
    ("Scan", ALL),
    ("Shape", ALL),
    ("Sigmoid", REAL),
    ("Slice", ALL),
    ("Split", ALL),
    ("Sqrt", REAL),
    ("Sub", NUMBERS),
    ("Tanh", REAL),
    ("Transpose", ALL),
    ("Unsqueeze", ALL),
    ("Where", NUMBERS),
];

const REAL: &[Elem] = &[Elem::Real, Elem::F16];
const NUMBERS: &[Elem] = &[Elem::Real, Elem::F16, Elem::Int];
const ALL: &[Elem] =
    &[Elem::Real, Elem::F16, Elem::Bf16, Elem::Int, Elem::Bool, Elem::Int8, Elem::Byte];

/// A dynamic and a fixed batch size.
const BATCHES: [Batch; 2] = [Batch::Symbolic, Batch::Fixed(2)];

/// The index of the first input that the kernel computes with.
fn first_of(op: &OnnxOp) -> usize {
    // The condition of `Where` is a boolean on every provider.
    usize::from(matches!(op, OnnxOp::Where))
}

/// Collects the operators of a graph that have no kernel, and all operators.
fn look(
    graph: &OnnxGraph,
    place: &str,
    kernels: &BTreeMap<&str, &[Elem]>,
    seen: &mut BTreeSet<&'static str>,
    wrong: &mut BTreeSet<String>,
) {
    for (_, node) in graph.nodes() {
        if matches!(node.op, OnnxOp::Constant(_)) {
            continue;
        }
        let name = node.op.op_type();
        seen.insert(name);
        for body in node.op.bodies() {
            look(body, &format!("{place}, in `{}`", node.name), kernels, seen, wrong);
        }
        let Some(elems) = kernels.get(name) else {
            wrong.insert(format!("{name} has no kernel ({place}, `{}`)", node.name));
            continue;
        };
        let inputs: Vec<Elem> =
            node.inputs[first_of(&node.op)..].iter().map(|&v| graph.ty(v).elem).collect();
        // Every provider leaves the computation of shapes to the host.
        if name != "Where" && inputs.iter().all(|&elem| elem == Elem::Int) {
            continue;
        }
        // The second input of these operators is an axis, a shape or a list of indices.
        let computed = match name {
            "Gather" | "DequantizeLinear" | "Expand" | "Reshape" | "Unsqueeze" | "Slice"
            | "Split" | "CumSum" | "Pad" => 1,
            _ => inputs.len(),
        };
        if let Some(elem) = inputs[..computed.min(inputs.len())].iter().find(|e| !elems.contains(e))
        {
            wrong.insert(format!("{name} has no kernel of {elem:?} ({place}, `{}`)", node.name));
        }
    }
}

#[test]
fn every_operator_has_a_kernel_on_cuda() {
    let kernels: BTreeMap<&str, &[Elem]> = KERNELS.iter().copied().collect();
    assert_eq!(kernels.len(), KERNELS.len(), "an operator stands twice");
    let (mut seen, mut wrong) = (BTreeSet::new(), BTreeSet::new());
    let mut graphs = 0;
    for model in small_zoo(|_| true, None) {
        for kind in GraphKind::ALL {
            for batch in BATCHES {
                for control_flow in [ControlFlow::Scan, ControlFlow::Unroll] {
                    let options = ExportOptions { batch, control_flow, ..ExportOptions::default() };
                    let several = model.scales().len() > 1;
                    if several && matches!(kind, GraphKind::Step | GraphKind::Row) {
                        continue;
                    }
                    let graph = model.compile(kind, &options, &mut |_, _| {});
                    let graph = graph.unwrap_or_else(|e| panic!("{}: {e}", model.name()));
                    let place = format!("{} {}", model.name(), kind.name());
                    look(&graph, &place, &kernels, &mut seen, &mut wrong);
                    graphs += 1;
                }
            }
        }
    }
    // Models with fewer bits, with their weights.
    for model in small_zoo(|name| name.starts_with("digits"), None) {
        let weights = weights(&model, 1);
        for dtype in Dtype::ALL {
            for kind in [GraphKind::Forward, GraphKind::Nll, GraphKind::Sample] {
                let options = ExportOptions { dtype, ..ExportOptions::with_weights(&weights) };
                let graph = model.compile(kind, &options, &mut |_, _| {});
                let graph = graph.unwrap_or_else(|e| panic!("{}: {e}", model.name()));
                let place = format!("{} {} {dtype:?}", model.name(), kind.name());
                look(&graph, &place, &kernels, &mut seen, &mut wrong);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(graphs > 500, "{graphs}");
    let unused: Vec<_> = kernels.keys().filter(|name| !seen.contains(*name)).collect();
    println!("{} operators; none of the graphs uses {unused:?}", seen.len());
}

#[test]
fn an_operator_without_a_kernel_is_seen() {
    let kernels: BTreeMap<&str, &[Elem]> =
        KERNELS.iter().copied().filter(|(name, _)| *name != "Tanh").collect();
    let model = crate::common::zoo("digits-diagonal", &[("h", 2), ("layers", 1)]);
    let options = ExportOptions::default();
    let graph = model.compile(GraphKind::Forward, &options, &mut |_, _| {}).expect("compiles");
    let (mut seen, mut wrong) = (BTreeSet::new(), BTreeSet::new());
    look(&graph, "here", &kernels, &mut seen, &mut wrong);
    assert!(wrong.iter().any(|w| w.contains("Tanh") && w.contains(", in `")), "{wrong:?}");
}

/// ONNX Runtime refuses to capture a `Concat` of more than 32 inputs.
#[test]
fn long_loops_are_unrolled_so_that_they_can_be_captured() {
    for name in ["digits-row-lstm", "digits-diagonal"] {
        let set = [("h", 2), ("layers", 1), ("height", 37), ("width", 3), ("levels", 3)];
        let model = crate::common::zoo(name, &set);
        let batch = Batch::Fixed(2);
        let unrolled =
            ExportOptions { batch, control_flow: ControlFlow::Unroll, ..ExportOptions::default() };
        let graph = model.compile(GraphKind::Train, &unrolled, &mut |_, _| {}).expect("compiles");
        let mut most = (0, 0);
        for (_, node) in graph.nodes() {
            match &node.op {
                OnnxOp::Concat { .. } => most.0 = most.0.max(node.inputs.len()),
                OnnxOp::Split { .. } => most.1 = most.1.max(node.outputs.len()),
                _ => {}
            }
        }
        assert_eq!(most, (32, 32), "{name}");
        // What the loop computes.
        let weights = weights(&model, 1);
        let images = Numbers::new(1).images(&model, 2);
        let scan = ExportOptions { batch, ..ExportOptions::default() };
        let [loops, steps] = [scan, unrolled].map(|options| {
            let onnx = model.export(GraphKind::Grad, &options).expect("exports");
            let program = Program { name, onnx: &onnx, graph: None };
            let mut inputs: Vec<(&str, &Array)> = vec![("image", &images)];
            inputs.extend(weights.iter().map(|(name, array)| (name.as_str(), array)));
            run(&*engines()[2], &program, &[inputs]).remove(0)
        });
        assert_same(name, &loops, &steps);
    }
}
