//! Models on every engine: each architecture, with one color and three, two levels and five, zero and learned
//! initial states; plain and simplified, with `Scan` and unrolled, with a dynamic batch size (two sizes in
//! one session) and a fixed one.

use pixelrnn::internal::passes::{LEARNING_RATE, bind, fresh_state};
use pixelrnn::prelude::*;
use pixelrnn::runtime::Program;
use pixelrnn::{Array, Declaration};

use crate::common::{Numbers, Outputs, assert_same, engines, refer, run, small_zoo, weights, zoo};
use crate::declared::declared;

/// The forms of an exported model: batch size, control flow, and whether it is simplified.
pub const FORMS: [(Batch, ControlFlow, bool); 4] = [
    (Batch::Symbolic, ControlFlow::Scan, true),
    (Batch::Symbolic, ControlFlow::Scan, false),
    (Batch::Fixed(2), ControlFlow::Scan, true),
    (Batch::Fixed(2), ControlFlow::Unroll, true),
];

/// The models with tests of their own.
const THREE: [&str; 3] = ["digits-pixelcnn", "digits-row-lstm", "digits-diagonal"];

/// The kinds of graphs without gradients.
pub const KINDS: [GraphKind; 2] = [GraphKind::Forward, GraphKind::Nll];

/// Compares every engine with the reference, for the given kinds of graphs of a model in each of some forms.
pub fn check(model: &Declaration, kinds: &[GraphKind], forms: &[(Batch, ControlFlow, bool)]) {
    let weights = weights(model, 7);
    let mut numbers = Numbers::new(3);
    let whole = model.graph_of(GraphKind::Forward).expect("a graph");
    let inputs = [2, 3].map(|count| numbers.batch(&whole, model.image().levels, count));
    let calls: Vec<Vec<(&str, &Array)>> = inputs.iter().map(|i| refer(i)).collect();
    for &kind in kinds {
        let graph = bind(&model.graph_of(kind).expect("a graph"), &weights).expect("fits");
        let program = Program { name: model.name(), onnx: &[], graph: Some(&graph) };
        let expected = run(&*engines()[0], &program, &calls);
        for &(batch, control_flow, simplify) in forms {
            let options = ExportOptions {
                batch,
                control_flow,
                simplify,
                ..ExportOptions::with_weights(&weights)
            };
            let onnx = model.export(kind, &options).unwrap_or_else(|e| panic!("{e}"));
            let count = if batch == Batch::Symbolic { 2 } else { 1 };
            let what = format!(
                "{} {:?} {kind:?} {batch:?} {control_flow:?} simplify={simplify}",
                model.name(),
                model.settings()
            );
            compare(&what, &onnx, &calls[..count], &expected);
        }
    }
}

fn compare(what: &str, onnx: &[u8], calls: &[Vec<(&str, &Array)>], expected: &[Outputs]) {
    let program = Program { name: what, onnx, graph: None };
    for engine in &engines()[1..] {
        let found = run(&**engine, &program, calls);
        for (expected, found) in expected.iter().zip(&found) {
            assert_same(&format!("{what} on {}", engine.name()), expected, found);
        }
    }
}

fn digits(name: &str) {
    for colours in [1, 3] {
        for levels in [2, 5] {
            let size = [("h", 6), ("layers", 2), ("height", 6), ("width", 5)];
            let mut list = size.to_vec();
            list.extend([("colours", colours), ("levels", levels)]);
            // Unrolled models take long to load, so only two of the four settings are unrolled.
            let forms = if (colours == 1) == (levels == 2) { &FORMS[..] } else { &FORMS[..3] };
            check(&zoo(name, &list), &KINDS, forms);
        }
    }
}

#[test]
fn pixelcnn() {
    digits("digits-pixelcnn");
}

#[test]
fn row_lstm() {
    digits("digits-row-lstm");
}

#[test]
fn diagonal_bilstm() {
    digits("digits-diagonal");
}

/// The other models of the zoo, small.
#[test]
fn the_rest_of_the_zoo() {
    for model in small_zoo(|name| !THREE.contains(&name), Some(3)) {
        check(&model, &KINDS, &FORMS[2..3]);
    }
}

#[test]
fn learned_states_and_skip_connections() {
    for name in ["row", "diagonal", "mixed"] {
        check(&declared(name, &[]), &[GraphKind::Forward], &FORMS);
        let two = declared(name, &[("colours", 1), ("levels", 2)]);
        check(&two, &[GraphKind::Nll], &FORMS[..1]);
    }
}

/// Images with a single row, column or pixel.
#[test]
fn thin_images() {
    for (height, width) in [(1, 5), (5, 1), (1, 1), (2, 2)] {
        let list = [("height", height), ("width", width), ("colours", 1), ("levels", 3)];
        for name in ["row", "diagonal", "mixed"] {
            check(&declared(name, &list), &[GraphKind::Nll], &FORMS[..1]);
        }
        let mut list = list.to_vec();
        list.extend([("h", 3), ("layers", 1)]);
        check(&zoo("digits-pixelcnn", &list), &[GraphKind::Nll], &FORMS[..1]);
    }
}

/// Weights as inputs give the same results as weights as constants.
#[test]
fn weights_as_inputs() {
    for name in ["row", "diagonal", "mixed"] {
        let model = declared(name, &[]);
        let weights = weights(&model, 11);
        let images = Numbers::new(5).images(&model, 2);
        let optimizer = ExportOptions::default().optimizer;
        let state = fresh_state(&weights, &optimizer);
        let rate = Array::from_elem(vec![1], 1e-3);
        for kind in [GraphKind::Forward, GraphKind::Nll, GraphKind::Grad, GraphKind::Train] {
            let graph = model.graph_of(kind).expect("a graph");
            let mut inputs: Vec<(&str, &Array)> = vec![("image", &images)];
            let given = if kind == GraphKind::Train { &state } else { &weights };
            if kind == GraphKind::Train {
                inputs.push((LEARNING_RATE, &rate));
            }
            inputs.extend(given.iter().map(|(name, array)| (name.as_str(), array)));
            let program = Program { name, onnx: &[], graph: Some(&graph) };
            let expected = run(&*engines()[0], &program, std::slice::from_ref(&inputs));
            for (batch, control_flow, simplify) in [FORMS[1], FORMS[2]] {
                let options =
                    ExportOptions { batch, control_flow, simplify, ..ExportOptions::default() };
                let onnx = model.export(kind, &options).unwrap_or_else(|e| panic!("{e}"));
                let what = format!("{name} {kind:?} {batch:?} {control_flow:?} {simplify}, inputs");
                compare(&what, &onnx, std::slice::from_ref(&inputs), &expected);
            }
        }
    }
}
