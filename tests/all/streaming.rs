//! Images pixel by pixel: what the streamed graphs compute is what the forward graph computes.

use pixelrnn::internal::passes::stream::replay;
use pixelrnn::internal::passes::bind;
use pixelrnn::prelude::*;
use pixelrnn::runtime::Program;
use pixelrnn::{Array, Declaration};

use crate::common::{Numbers, assert_same, engines, run, weights, zoo};
use crate::declared::declared;

/// Logits of random images, replayed, on the interpreter: those of the forward graph.
fn replays(model: &Declaration) {
    let what = format!("{} {:?}", model.name(), model.settings());
    let weights = weights(model, 5);
    let image = Numbers::new(8).images(model, 2);
    let calls = [vec![("image", &image)]];
    let forward = bind(model.graph(), &weights).expect("fits");
    let program = Program { name: &what, onnx: &[], graph: Some(&forward) };
    let expected = run(&*engines()[0], &program, &calls);
    let proof = model.prove().unwrap_or_else(|e| panic!("{what}: {e}"));
    let graph = replay(&proof).unwrap_or_else(|e| panic!("{what}: {e}"));
    let graph = bind(&graph, &weights).expect("fits");
    let program = Program { name: &what, onnx: &[], graph: Some(&graph) };
    let found = run(&*engines()[0], &program, &calls);
    assert_same(&what, &expected[0], &found[0]);
}

#[test]
fn a_replay_is_the_forward_graph() {
    for name in ["digits-pixelcnn", "digits-row-lstm", "digits-diagonal"] {
        for (colours, levels) in [(1, 2), (1, 17), (3, 2), (3, 5)] {
            let size = [("h", 4), ("layers", 2), ("height", 5), ("width", 4)];
            let mut list = size.to_vec();
            list.extend([("colours", colours), ("levels", levels)]);
            replays(&zoo(name, &list));
        }
    }
}
