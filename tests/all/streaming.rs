//! Images pixel by pixel: what the streamed graphs compute is what the forward graph computes.

use pixelrnn::internal::onnx::{EncodeOptions, encode};
use pixelrnn::internal::passes::stream::replay;
use pixelrnn::internal::passes::{CompileOptions, bind, compile};
use pixelrnn::prelude::*;
use pixelrnn::runtime::Program;
use pixelrnn::{Array, Declaration};

use crate::common::{Numbers, assert_same, engines, run, weights, zoo};
use crate::declared::declared;

/// How a streamed graph may be written.
const FORMS: [(Batch, ControlFlow, bool); 3] = [
    (Batch::Symbolic, ControlFlow::Scan, true),
    (Batch::Symbolic, ControlFlow::Scan, false),
    (Batch::Fixed(2), ControlFlow::Scan, true),
];

/// Logits of random images, replayed: those of the forward graph, on the interpreter and, in these
/// forms, on every other engine.
fn replays(model: &Declaration, forms: &[(Batch, ControlFlow, bool)]) {
    let what = format!("{} {:?}", model.name(), model.settings());
    let weights = weights(model, 5);
    let mut numbers = Numbers::new(8);
    let images = [numbers.images(model, 2), numbers.images(model, 3)];
    let calls: Vec<Vec<(&str, &Array)>> = images.iter().map(|i| vec![("image", i)]).collect();
    let forward = bind(model.graph(), &weights).expect("fits");
    let program = Program { name: &what, onnx: &[], graph: Some(&forward) };
    let expected = run(&*engines()[0], &program, &calls);
    let proof = model.prove().unwrap_or_else(|e| panic!("{what}: {e}"));
    let graph = replay(&proof).unwrap_or_else(|e| panic!("{what}: {e}"));
    let bound = bind(&graph, &weights).expect("fits");
    let program = Program { name: &what, onnx: &[], graph: Some(&bound) };
    let found = run(&*engines()[0], &program, &calls);
    for (expected, found) in expected.iter().zip(&found) {
        assert_same(&what, expected, found);
    }
    for &(batch, control_flow, simplify) in forms {
        let what = format!("{what} {batch:?} {control_flow:?} simplify={simplify}");
        let options = CompileOptions { batch, control_flow, weights: Some(&weights), simplify };
        let onnx =
            compile(&graph, &options, &mut |_, _| {}).unwrap_or_else(|e| panic!("{what}: {e}"));
        let onnx = encode(&onnx, &EncodeOptions::default()).expect("encodes");
        let program = Program { name: &what, onnx: &onnx, graph: None };
        let count = if batch == Batch::Symbolic { 2 } else { 1 };
        for engine in engines()[1..].iter().rev() {
            let found = run(&**engine, &program, &calls[..count]);
            for (expected, found) in expected.iter().zip(&found) {
                assert_same(&format!("{what} on {}", engine.name()), expected, found);
            }
        }
    }
}

fn digits(name: &str) {
    for (colours, levels) in [(1, 2), (1, 17), (3, 2), (3, 256)] {
        let size = [("h", 4), ("layers", 2), ("height", 4), ("width", 5)];
        let mut list = size.to_vec();
        list.extend([("colours", colours), ("levels", levels)]);
        let forms = if (colours == 1) == (levels == 2) { &FORMS[..] } else { &FORMS[..1] };
        replays(&zoo(name, &list), forms);
    }
}

#[test]
fn replays_of_pixelcnn() {
    digits("digits-pixelcnn");
}

#[test]
fn replays_of_row_lstm() {
    digits("digits-row-lstm");
}

#[test]
fn replays_of_diagonal_bilstm() {
    digits("digits-diagonal");
}

#[test]
fn replays_of_learned_states_and_skip_connections() {
    for name in ["row", "diagonal", "mixed"] {
        replays(&declared(name, &[]), &FORMS[..1]);
        replays(&declared(name, &[("colours", 1), ("levels", 2)]), &FORMS[2..]);
    }
}
