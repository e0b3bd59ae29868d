//! Every operator on every engine: its ONNX form gives the same results as its evaluation in f64, with a
//! dynamic batch size and a fixed one, simplified and plain.

use std::collections::BTreeMap;

use pixelrnn::internal::graph::{Dim, Operation, Role, Type};
use pixelrnn::internal::onnx::{EncodeOptions, Native, OnnxOp, encode};
use pixelrnn::internal::ops::{Domain, Env, Op, PixelGraph, Relu, Sample, evaluate};
use pixelrnn::internal::passes::{Job, lower};
use pixelrnn::runtime::Program;
use pixelrnn::{Array, Batch, ControlFlow, GraphKind};

use crate::common::{Numbers, Outputs, assert_same, engines, refer, run};

/// A graph with one node. Its inputs are `x0`, `x1` and so on.
pub fn graph_of(sample: &Sample) -> PixelGraph {
    let mut graph = PixelGraph::new(sample.op.mnemonic());
    let mut inputs = Vec::new();
    for (i, ty) in sample.inputs.iter().enumerate() {
        inputs.push(graph.input(format!("x{i}"), ty.clone(), Role::Local));
    }
    let results = graph.push(sample.op.clone(), &inputs, "node", None).expect("the sample fits");
    for (i, &value) in results.iter().enumerate() {
        graph.output(format!("y{i}"), value);
    }
    graph
}

/// Random inputs of a graph. Those without a domain may be any number.
pub fn inputs_of(
    graph: &PixelGraph,
    domains: &[Domain],
    batch: usize,
    numbers: &mut Numbers,
) -> Vec<(String, Array)> {
    let inputs = graph.inputs().iter().enumerate();
    inputs
        .map(|(i, input)| {
            let domain = domains.get(i).copied().unwrap_or(Domain::Signed);
            (input.name.clone(), numbers.of(domain, graph.ty(input.value).extents(batch)))
        })
        .collect()
}

/// Evaluates a graph in f64.
pub fn reference(graph: &PixelGraph, batch: usize, inputs: &[(String, Array)]) -> Vec<Array<f64>> {
    let inputs: BTreeMap<String, Array<f64>> =
        inputs.iter().map(|(name, a)| (name.clone(), a.mapv(f64::from))).collect();
    evaluate(graph, &Env { batch }, &inputs).unwrap_or_else(|e| panic!("{}: {e}", graph.name))
}

/// If a result has a batch axis, some input must have one, too, as its first axis.
fn carry_batch(graph: &mut PixelGraph) {
    let has = |ty: &Type| ty.shape.contains(&Dim::N);
    let outputs = graph.outputs().iter().any(|o| has(graph.ty(o.value)));
    if outputs && !graph.inputs().iter().any(|i| has(graph.ty(i.value))) {
        let carrier = graph.input("carrier", Type::real([Dim::N]), Role::Local);
        let copy = graph.push(Relu.into(), &[carrier], "carried", None).expect("fits");
        graph.output("carried", copy[0]);
    }
}

#[test]
fn every_operator_agrees_on_every_engine() {
    let samples = Op::samples();
    let sampled: Vec<&str> = samples.iter().map(|s| s.op.mnemonic()).collect();
    for mnemonic in Op::mnemonics() {
        assert!(sampled.contains(mnemonic), "`{mnemonic}` has no sample");
    }
    let mut numbers = Numbers::new(1);
    for (k, sample) in samples.iter().enumerate() {
        let mut graph = graph_of(sample);
        carry_batch(&mut graph);
        let calls: Vec<(usize, Vec<(String, Array)>)> =
            [2, 3].map(|n| (n, inputs_of(&graph, &sample.domains, n, &mut numbers))).into();
        let expected: Vec<Outputs> =
            calls.iter().map(|(n, inputs)| named(&graph, reference(&graph, *n, inputs))).collect();
        let mut loops = false;
        for (batch, control_flow, simplify) in [
            (Batch::Symbolic, ControlFlow::Scan, false),
            (Batch::Symbolic, ControlFlow::Scan, true),
            (Batch::Fixed(2), ControlFlow::Scan, false),
            (Batch::Fixed(2), ControlFlow::Scan, true),
            (Batch::Symbolic, ControlFlow::Unroll, true),
        ] {
            if control_flow == ControlFlow::Unroll && !loops {
                continue;
            }
            let job = Job { batch, control_flow, simplify, ..Job::new(&[], GraphKind::Forward) };
            let form = format!("{batch:?} {control_flow:?} simplify={simplify}");
            let what = format!("sample {k}, {} {:?}, {form}", graph.name, sample.op.attributes());
            let onnx = lower(&graph, job, &mut |_, _| {}).unwrap_or_else(|e| panic!("{what}: {e}"));
            let native = Native::is_in(&onnx);
            loops |= onnx.nodes().any(|(_, node)| matches!(node.op, OnnxOp::Scan { .. }));
            let onnx =
                encode(&onnx, &EncodeOptions::default()).unwrap_or_else(|e| panic!("{what}: {e}"));
            let program = Program { name: &what, onnx: &onnx, graph: None };
            let count = if batch == Batch::Symbolic { 2 } else { 1 };
            let given: Vec<Vec<(&str, &Array)>> =
                calls[..count].iter().map(|c| refer(&c.1)).collect();
            for engine in engines()[1..].iter().filter(|engine| !native || engine.native()) {
                let found = run(&**engine, &program, &given);
                for (expected, found) in expected.iter().zip(&found) {
                    assert_same(&format!("{what} on {}", engine.name()), expected, found);
                }
            }
        }
    }
}

fn named(graph: &PixelGraph, results: Vec<Array<f64>>) -> Outputs {
    let names = graph.outputs().iter().map(|o| o.name.clone());
    names.zip(results).map(|(name, a)| (name, a.mapv(|x| x as f32))).collect()
}

#[test]
fn every_operator_set_gives_the_same_numbers() {
    let mut numbers = Numbers::new(2);
    for sample in Op::samples() {
        let mut graph = graph_of(&sample);
        carry_batch(&mut graph);
        let inputs = inputs_of(&graph, &sample.domains, 2, &mut numbers);
        let expected = named(&graph, reference(&graph, 2, &inputs));
        let job = Job::new(&[], GraphKind::Forward);
        let onnx = lower(&graph, job, &mut |_, _| {}).expect("compiles");
        for opset in 17..=22 {
            let options = EncodeOptions { opset, ..EncodeOptions::default() };
            let bytes = encode(&onnx, &options).expect("encodes");
            let what = format!("{} in operator set {opset}", graph.name);
            let program = Program { name: &what, onnx: &bytes, graph: None };
            let found = run(&*engines()[2], &program, &[refer(&inputs)]);
            assert_same(&what, &expected, &found[0]);
        }
    }
}
