//! Gradients that recompute activations are bit-identical to those that store them, although the graph
//! differs.

use pixelrnn::internal::graph::{Dim, Operation, OutputRole, Role, Type};
use pixelrnn::internal::onnx::{EncodeOptions, encode};
use pixelrnn::internal::ops::{Barrier, PixelGraph, lower_graph};
use pixelrnn::prelude::*;
use pixelrnn::runtime::Program;
use pixelrnn::training::{CompiledStep, LEARNING_RATE, fresh_state};
use pixelrnn::{Array, Batch, Optimizer, Source, zoo};

use crate::common::{Numbers, Outputs, engines, refer, run, settings, weights};

/// The bits of each output.
fn bits(outputs: &Outputs) -> Vec<(&str, Vec<u32>)> {
    let of = |a: &Array| a.iter().map(|x| x.to_bits()).collect();
    outputs.iter().map(|(name, a)| (name.as_str(), of(a))).collect()
}

#[track_caller]
fn assert_same_bits(what: &str, expected: &Outputs, found: &Outputs) {
    assert_eq!(expected.len(), found.len(), "{what}: number of outputs");
    for ((name, a), (other, b)) in bits(expected).iter().zip(bits(found)) {
        assert_eq!(*name, other, "{what}: name of an output");
        let differ = a.iter().zip(&b).filter(|(a, b)| a != b).count();
        assert!(a.len() == b.len() && differ == 0, "{what}: {differ} numbers of `{name}` differ");
    }
}

/// The number of nodes of a graph with this operator.
fn count(graph: &PixelGraph, mnemonic: &str) -> usize {
    graph.nodes().filter(|(_, node)| node.op.mnemonic() == mnemonic).count()
}

fn declare(name: &str, set: &[(&str, usize)]) -> Declaration {
    zoo::find(name).and_then(|entry| entry.declare(&settings(set))).expect("declares")
}

/// One model of each kind, with several layers.
fn models() -> Vec<Declaration> {
    let deep = [("h", 6), ("layers", 4)];
    let mut all: Vec<Declaration> = ["digits-pixelcnn", "digits-row-lstm", "digits-diagonal"]
        .into_iter()
        .chain(["digits-gated", "digits-gated-class", "digits-gated-mixture"])
        .map(|name| declare(name, &deep))
        .collect();
    all.push(declare("digits-multiscale", &[("h", 6), ("layers", 3)]));
    all.push(declare("cifar-diagonal", &[("h", 3), ("layers", 3), ("height", 5), ("width", 6)]));
    all
}

#[test]
fn gradients_have_the_same_bits() {
    for model in models() {
        let name = model.name();
        for batch in [Batch::Symbolic, Batch::Fixed(3)] {
            let stored = ExportOptions { batch, ..ExportOptions::default() };
            let again = ExportOptions { remat: true, ..stored.clone() };
            let graph = model.graph_with(GraphKind::Grad, &stored).expect("compiles");
            let recomputing = model.graph_with(GraphKind::Grad, &again).expect("compiles");
            assert_eq!(count(&graph, "barrier"), 0, "{name}");
            assert!(count(&recomputing, "barrier") > 0, "{name} recomputes nothing");
            assert!(recomputing.total_nodes() > graph.total_nodes(), "{name}");
            let mut numbers = Numbers::new(5);
            let mut inputs = numbers.batch(&graph, model.image().levels, 3);
            inputs.extend(weights(&model, 2));
            let [reference, _, ort] = engines() else { panic!("three engines") };
            for engine in [reference, ort] {
                let both = [(&stored, &graph), (&again, &recomputing)].map(|(options, graph)| {
                    let onnx = model.export(GraphKind::Grad, options).expect("exports");
                    let program = Program { name, onnx: &onnx, graph: Some(graph) };
                    run(&**engine, &program, &[refer(&inputs)]).remove(0)
                });
                assert_same_bits(&format!("{name} on {}", engine.name()), &both[0], &both[1]);
            }
        }
    }
}

/// A Row LSTM whose bias depends on the class.
const WITH_CLASS: &str = "\
pub WithClass { h: usize = 6 }
image 8 x 8, colors 1, levels 17;
condition label: classes 10;

stem: masked_conv(7 x 7, A, 2 * h);
body: repeat 3 { residual {
    lstm: row_lstm(h, bias = label.conv(1 x 1, 4 * h)); up: masked_conv(1 x 1, B, 2 * h);
} }
relu; logits;
";

/// The same with operators of the engine, whose barriers copy nothing.
#[test]
fn gradients_by_the_engine_have_the_same_bits() {
    let with_class = Source::new("with_class.pixelrnn", WITH_CLASS);
    let with_class = Declaration::from_source(with_class, &[]).unwrap_or_else(|e| panic!("{e}"));
    let ort = &engines()[2];
    for model in models().into_iter().chain([with_class]) {
        let name = model.name();
        for batch in [Batch::Symbolic, Batch::Fixed(16)] {
            let graph = model.graph_of(GraphKind::Grad).expect("compiles");
            let mut inputs = Numbers::new(5).batch(&graph, model.image().levels, 16);
            inputs.extend(weights(&model, 2));
            let both = [false, true].map(|remat| {
                let options =
                    ExportOptions { batch, remat, native: true, ..ExportOptions::default() };
                let onnx = model.export(GraphKind::Grad, &options).expect("exports");
                let program = Program { name, onnx: &onnx, graph: None };
                run(&**ort, &program, &[refer(&inputs)]).remove(0)
            });
            assert_same_bits(name, &both[0], &both[1]);
        }
    }
}

#[test]
fn training_goes_on_with_the_same_bits() {
    let model = declare("digits-diagonal", &[("h", 5), ("layers", 3)]);
    let optimizer = Optimizer { clip: Some(1.0), ..Optimizer::ADAM };
    let state = fresh_state(&weights(&model, 1), &optimizer);
    let images = Numbers::new(3).images(&model, 8);
    let rate = Array::from_elem(vec![1], 1e-2);
    for shards in [1, 2] {
        let [stored, again] = [false, true].map(|remat| {
            let engine = &*engines()[2];
            let step = CompiledStep::with_remat(&model, &optimizer, shards, remat, engine);
            let step = step.expect("compiles");
            let mut stepper = step.step().start(engine, &state).expect("starts");
            for _ in 0..3 {
                stepper.step(&[("image", &images), (LEARNING_RATE, &rate)]).expect("steps");
            }
            stepper.state().expect("has state")
        });
        assert_same_bits(&format!("{shards} shards"), &stored, &again);
    }
}

/// A barrier changes no bit, whatever value it waits for: not those of a negative zero, of NaN, or of an
/// infinity.
#[test]
fn barriers_copy_bits() {
    let values = vec![0.0f32, -0.0, f32::NAN, -f32::NAN, f32::INFINITY, f32::MIN_POSITIVE / 2.0];
    let values = Array::from_shape_vec(vec![2, 3], values).expect("six numbers");
    let mut graph = PixelGraph::new("barrier");
    let ty = Type::real([Dim::N, Dim::Fixed(3)]);
    let x = graph.input("x", ty.clone(), Role::Local);
    let first = graph.input("first", ty, Role::Local);
    let second = graph.input("second", Type::real([2usize, 2]), Role::Local);
    let y = graph
        .push(Barrier { native: false }.into(), &[x, first, second], "y", None)
        .expect("fits")[0];
    graph.output_as("y", y, OutputRole::Local);
    let onnx = lower_graph(&graph, Batch::Symbolic).expect("lowers");
    let onnx = encode(&onnx, &EncodeOptions::default()).expect("encodes");
    let program = Program { name: "barrier", onnx: &onnx, graph: Some(&graph) };
    for token in [0.0, -0.0, 3.0, f32::NEG_INFINITY, f32::NAN] {
        let first = Array::from_elem(vec![2, 3], token);
        let second = Array::from_elem(vec![2, 2], -token);
        let inputs = [("x", &values), ("first", &first), ("second", &second)];
        for engine in engines() {
            let found = run(&**engine, &program, &[inputs.to_vec()]).remove(0);
            let expected = vec![("y".to_string(), values.clone())];
            assert_same_bits(&format!("{} after {token}", engine.name()), &expected, &found);
        }
    }
}
