//! The streamed graphs, which compute images pixel by pixel, give the same results as the forward graph.

use pixelrnn::compare::{Tolerance, difference};
use pixelrnn::internal::onnx::{EncodeOptions, OnnxGraph, encode};
use pixelrnn::internal::ops::{MaskKind, PixelGraph};
use pixelrnn::internal::passes::stream::{replay, row, sample, step};
use pixelrnn::internal::passes::{Job, ProvedScale, bind, lower, verify_causality};
use pixelrnn::prelude::*;
use pixelrnn::runtime::Program;
use pixelrnn::{Array, Declaration, Source, Weights};
use std::borrow::Cow;

use crate::build::Build;
use crate::common::{Numbers, Outputs, engines, refer, run, small_zoo, weights, zoo};
use crate::declared::declared;

/// The forms of a streamed graph: batch size, control flow, and whether it is simplified. With a symbolic
/// batch, a simplified graph runs with two sizes (for each, tract takes a second to optimize it).
const FORMS: [(Batch, ControlFlow, bool); 3] = [
    (Batch::Symbolic, ControlFlow::Scan, true),
    (Batch::Symbolic, ControlFlow::Scan, false),
    (Batch::Fixed(2), ControlFlow::Scan, true),
];

/// The tolerance for a logit of a streamed graph, compared with the forward graph, on every engine.
const EXACT: Tolerance = Tolerance { absolute: 1e-5, relative: 0.0 };

#[track_caller]
fn assert_exact(what: &str, expected: &Outputs, found: &Outputs) {
    assert_eq!(expected.len(), found.len(), "{what}");
    for ((name, a), (_, b)) in expected.iter().zip(found) {
        let (absolute, _, within) = difference(a, b, EXACT);
        assert!(within, "{what}: `{name}` differs by {absolute:e}");
    }
}

/// Asserts that the replayed logits of random images equal those of the forward graph: on the interpreter
/// and, in these forms, on every other engine.
pub fn replays(model: &Declaration, forms: &[(Batch, ControlFlow, bool)]) {
    let what = format!("{} {:?}", model.name(), model.settings());
    let proof = model.prove().unwrap_or_else(|e| panic!("{what}: {e}"));
    for scale in proof.scales() {
        replays_scale(&what, model, scale, forms);
    }
}

fn replays_scale(
    what: &str,
    model: &Declaration,
    scale: &ProvedScale,
    forms: &[(Batch, ControlFlow, bool)],
) {
    let all = weights(model, 5);
    // A color group without features reads nothing, so its parameters are not in the graph.
    let part = |graph: &PixelGraph| -> Weights {
        let read: Vec<&String> = graph.parameters().map(|(input, _)| &input.name).collect();
        all.clone().into_iter().filter(|(name, _)| read.contains(&name)).collect()
    };
    let mut numbers = Numbers::new(8);
    let inputs = [2, 3].map(|n| numbers.batch(scale.graph(), model.image().levels, n));
    let calls: Vec<Vec<(&str, &Array)>> = inputs.iter().map(|i| refer(i)).collect();
    let forward = bind(scale.graph(), &part(scale.graph())).expect("fits");
    let program = Program { name: what, onnx: &[], graph: Some(&forward) };
    let expected = run(&*engines()[0], &program, &calls);
    let graph = replay(scale).unwrap_or_else(|e| panic!("{what}: {e}"));
    let weights = part(&graph);
    let bound = bind(&graph, &weights).expect("fits");
    let program = Program { name: what, onnx: &[], graph: Some(&bound) };
    let found = run(&*engines()[0], &program, &calls);
    for (expected, found) in expected.iter().zip(&found) {
        assert_exact(what, expected, found);
    }
    for &(batch, control_flow, simplify) in forms {
        let what = format!("{what} {batch:?} {control_flow:?} simplify={simplify}");
        let onnx = lowered(&graph, &weights, batch, control_flow, simplify);
        let onnx = encode(&onnx, &EncodeOptions::default()).expect("encodes");
        let program = Program { name: &what, onnx: &onnx, graph: None };
        let count = if batch == Batch::Symbolic && simplify { 2 } else { 1 };
        for engine in engines()[1..].iter().rev() {
            let found = run(&**engine, &program, &calls[..count]);
            for (expected, found) in expected.iter().zip(&found) {
                assert_exact(&format!("{what} on {}", engine.name()), expected, found);
            }
        }
    }
}

/// Lowers a graph to ONNX, with weights as constants.
fn lowered(
    graph: &PixelGraph,
    weights: &Weights,
    batch: Batch,
    control_flow: ControlFlow,
    simplify: bool,
) -> OnnxGraph {
    let job = Job::new(&[], GraphKind::Forward);
    let job = Job { batch, control_flow, weights: Some(Cow::Borrowed(weights)), simplify, ..job };
    lower(graph, job, &mut |_, _| {}).unwrap_or_else(|e| panic!("{e}"))
}

fn digits(name: &str) {
    // The models of the zoo have the other numbers of colors and levels, too: see below.
    for (colours, levels, forms) in
        [(1, 2, &FORMS[..]), (3, 17, &FORMS), (1, 256, &[]), (3, 2, &[]), (3, 256, &[])]
    {
        let size = [("h", 4), ("layers", 2), ("height", 4), ("width", 5)];
        let mut list = size.to_vec();
        list.extend([("colours", colours), ("levels", levels)]);
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

/// Unrolled: every pixel has its own nodes.
#[test]
fn replays_unrolled() {
    let list = [("colours", 2), ("levels", 3), ("height", 3), ("width", 2)];
    for name in ["row", "diagonal", "mixed"] {
        replays(&declared(name, &list), &[(Batch::Fixed(2), ControlFlow::Unroll, true)]);
    }
}

/// The other models of the zoo, small, in every architecture: those for digits.
#[test]
fn replays_of_digits() {
    let three = ["digits-pixelcnn", "digits-row-lstm", "digits-diagonal"];
    for model in small_zoo(|name| name.starts_with("digits-") && !three.contains(&name), None) {
        replays(&model, &FORMS[2..]);
    }
}

/// The models of the zoo for other images.
#[test]
fn replays_of_the_zoo() {
    for model in small_zoo(|name| !name.starts_with("digits-"), None) {
        replays(&model, &FORMS[2..]);
    }
}

/// Gated layers, conditions and scales in three colors.
#[test]
fn replays_in_three_colors() {
    let list = [("h", 6), ("layers", 2), ("height", 4), ("width", 6), ("colours", 3)];
    replays(&zoo("digits-gated-class", &list), &FORMS);
    replays(&zoo("digits-multiscale", &list), &FORMS[1..]);
}

/// Images in full size: rounding errors do not grow with the image.
#[test]
fn replays_of_whole_images() {
    for name in ["mnist-diagonal", "mnist-row-lstm", "mnist-pixelcnn"] {
        let model = zoo(name, &[]);
        let weights = weights(&model, 3);
        let image = Numbers::new(2).images(&model, 2);
        let calls = [vec![("image", &image)]];
        let forward = model.export(GraphKind::Forward, &ExportOptions::with_weights(&weights));
        let forward = forward.unwrap_or_else(|e| panic!("{e}"));
        let graph =
            replay(model.prove().expect("causal").whole()).unwrap_or_else(|e| panic!("{e}"));
        let graph = lowered(&graph, &weights, Batch::Symbolic, ControlFlow::Scan, true);
        let replayed = encode(&graph, &EncodeOptions::default()).expect("encodes");
        let [expected, found] = [&forward, &replayed].map(|onnx| {
            run(&*engines()[2], &Program { name, onnx, graph: None }, &calls).remove(0)
        });
        assert_exact(name, &expected, &found);
    }
}

#[test]
fn replays_of_learned_states_and_skip_connections() {
    for name in ["row", "diagonal", "mixed"] {
        replays(&declared(name, &[]), &FORMS[..1]);
        replays(&declared(name, &[("colours", 1), ("levels", 2)]), &FORMS[2..]);
    }
}

/// Images with a single row, column or pixel.
#[test]
fn replays_of_thin_images() {
    let sizes = [(1, 5, 1), (1, 5, 2), (5, 1, 1), (5, 1, 2), (1, 1, 2), (2, 2, 1)];
    for (height, width, colours) in sizes {
        let list = [("height", height), ("width", width), ("colours", colours), ("levels", 3)];
        // The mixed model has both kinds of recurrence.
        replays(&declared("mixed", &list), &FORMS[2..]);
        let forms = if (height, colours) == (1, 2) { &FORMS[2..] } else { &[] };
        for name in ["row", "diagonal"] {
            replays(&declared(name, &list), forms);
        }
    }
}

/// The text of a random declaration with any layers in any order, of any sizes.
fn random(numbers: &mut Numbers) -> String {
    let colours = 1 + numbers.below(4);
    let [height, width, levels] = [1, 1, 2].map(|least| least + numbers.below(5));
    let kernel = |numbers: &mut Numbers| [0, 1].map(|_| 1 + 2 * numbers.below(3));
    let [mut kh, kw] = kernel(numbers);
    if [kh, kw] == [1, 1] && colours == 1 {
        kh = 3;
    }
    let features = 1 + numbers.below(8);
    let mut text = format!("pub Random {{ }}\nimage {height} x {width}, ");
    text += &format!("colours {colours}, levels {levels};\n");
    if numbers.below(3) == 0 {
        text += "tanh;\n";
    }
    text += &format!("stem: masked_conv({kh} x {kw}, A, {features});\n");
    for i in 0..1 + numbers.below(4) {
        let h = 1 + numbers.below(6);
        let [kh, kw] = kernel(numbers);
        let initial = ["zero", "learned"][numbers.below(2)];
        let layer = match numbers.below(6) {
            0 => format!("row_lstm({h}, kernel = {kw}, initial = {initial})"),
            1 | 2 => format!("diagonal_bilstm({h}, initial = {initial})"),
            3 if colours == 1 => format!("conv(1 x 1, {h})"),
            4 => format!("masked_conv({kh} x {kw}, A, {h})"),
            _ => format!("masked_conv({kh} x {kw}, B, {h})"),
        };
        // With one color, a mask A of a single tap has nothing to read.
        let layer = if colours == 1 { layer.replace("(1 x 1, A", "(1 x 3, A") } else { layer };
        let activation = ["", "relu; ", "tanh; ", "sigmoid; "][numbers.below(4)];
        let up = 1 + numbers.below(8);
        text += &match numbers.below(3) {
            0 => format!("{activation}l{i}: {layer};\n"),
            1 => format!(
                "w{i}: masked_conv(1 x 1, B, {up}); residual {{ {activation}l{i}: {layer}; \
                 up{i}: masked_conv(1 x 1, B, {up}); }}\n"
            ),
            _ => format!(
                "w{i}: masked_conv(1 x 1, B, {up}); collect {{ residual {{ l{i}: {layer}; \
                 {activation}up{i}: masked_conv(1 x 1, B, {up}); }} s{i}: skip({up}); }}\n"
            ),
        };
    }
    text + "logits;\n"
}

/// Every declaration can be streamed.
#[test]
fn replays_of_random_declarations() {
    let mut numbers = Numbers::new(77);
    for i in 0..150 {
        let text = random(&mut numbers);
        let model = Declaration::from_source(Source::new("random", text.clone()), &[])
            .unwrap_or_else(|e| panic!("{text}\n{e}"));
        println!("{text}");
        replays(&model, if i % 30 == 0 { &FORMS[..1] } else { &[] });
    }
}

/// The tolerance is small enough to detect a slightly wrong weight.
#[test]
fn a_replay_that_is_off_is_seen() {
    let model = zoo("digits-row-lstm", &[("h", 4), ("layers", 1), ("height", 4), ("width", 4)]);
    let image = Numbers::new(1).images(&model, 2);
    let graph = replay(model.prove().expect("causal").whole()).expect("streams");
    let mut weights = weights(&model, 5);
    let mut logits = || {
        let bound = bind(&graph, &weights).expect("fits");
        let program = Program { name: "off", onnx: &[], graph: Some(&bound) };
        let found = run(&*engines()[0], &program, &[vec![("image", &image)]]).remove(0);
        let weight = weights.get_mut("body.0.lstm.state_weight").expect("a weight");
        weight.mapv_inplace(|x| 1.01 * x);
        found
    };
    let (right, off) = (logits(), logits());
    assert!(!difference(&right[0].1, &off[0].1, EXACT).2);
}

/// A layer that reads later pixels, although these depend only on earlier ones, has no streaming rule. The
/// error names it.
#[test]
fn a_layer_that_looks_ahead_is_named() {
    let text = "pub Ahead { }\nimage 3 x 4, colours 1, levels 2;\nstem: masked_conv(3 x 3, A, 2);\n\
                again: masked_conv(3 x 3, A, 2); look: conv(1 x 3, 2); logits;\n";
    let model = Declaration::from_source(Source::new("ahead", text), &[]).expect("a model");
    let error = model.graph_of(GraphKind::Sample).expect_err("no rule").to_string();
    assert!(error.contains("`look`"), "{error}");
    // The error has the layer's position, and a suggestion.
    assert!(error.contains("ahead:4") && error.contains("conv(1 x 3, 2)"), "{error}");
    assert!(error.contains("--method naive"), "{error}");
}

/// An operator that no layer builds.
#[test]
fn an_operator_without_a_rule_is_named() {
    let (mut build, image) = Build::new(1, 3, 4);
    let x = build.conv(image, MaskKind::A, [3, 3], 2, "stem");
    let x = build.moved(x, 1, 0);
    let proof = verify_causality(&build.logits(x)).expect("causal");
    for error in [
        sample(proof.whole(), &SampleOptions::default()).expect_err("no rule").to_string(),
        step(proof.whole(), &SampleOptions::default()).expect_err("no rule").to_string(),
        row(proof.whole()).expect_err("no rule").to_string(),
    ] {
        assert!(error.contains("`moved`") && error.contains("slice"), "{error}");
    }
}

#[test]
fn a_leak_is_not_sampled() {
    let text = "pub Leak { }\nimage 3 x 4, colours 1, levels 2;\nstem: masked_conv(3 x 3, A, 2);\n\
                look: conv(3 x 3, 2); logits;\n";
    let model = Declaration::from_source(Source::new("leak", text), &[]).expect("a model");
    assert!(model.graph_of(GraphKind::Sample).is_err());
}
