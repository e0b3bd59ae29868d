//! The tolerance is small enough to detect a small error.

use pixelrnn::Array;
use pixelrnn::compare::{TOLERANCE, batch_inputs, compare, difference};
use pixelrnn::internal::passes::bind;
use pixelrnn::prelude::*;
use pixelrnn::runtime::Program;

use crate::common::{Numbers, engines, run, weights, zoo};
use crate::declared::declared;

/// Any one weight that is wrong by 1 % is detected; a weight that reaches the logits only through gates, by
/// 10 %.
#[test]
fn one_weight_wrong_by_one_per_cent() {
    let size = [("h", 3), ("layers", 1), ("height", 5), ("width", 4)];
    for model in [zoo("digits-diagonal", &size), zoo("digits-row-lstm", &size)] {
        let weights = weights(&model, 21);
        let images = Numbers::new(22).images(&model, 2);
        let logits = |weights: &Weights| {
            let graph = bind(model.graph(), weights).expect("fits");
            let program = Program { name: model.name(), onnx: &[], graph: Some(&graph) };
            run(&*engines()[0], &program, &[vec![("image", &images)]]).remove(0).remove(0).1
        };
        let right = logits(&weights);
        assert!(difference(&right, &right, TOLERANCE).2);
        for name in weights.keys() {
            let gates = name.contains("lstm") && !name.ends_with("input_weight");
            let factor = if gates { 1.1 } else { 1.01 };
            let mut wrong = weights.clone();
            wrong.get_mut(name).expect("is there").mapv_inplace(|x| x * factor);
            let (absolute, relative, within) = difference(&right, &logits(&wrong), TOLERANCE);
            assert!(!within, "{name}: {absolute:e}, {relative:e}");
        }
    }
}

#[test]
fn what_never_agrees() {
    let one = Array::from_elem(vec![2, 2], 1.0);
    let flat = Array::from_elem(vec![4], 1.0);
    assert!(!difference(&one, &flat, TOLERANCE).2, "shapes");
    for odd in [f32::NAN, f32::INFINITY] {
        let mut other = one.clone();
        other[[1, 0]] = odd;
        assert!(!difference(&one, &other, TOLERANCE).2, "{odd}");
        assert!(!difference(&other, &other, TOLERANCE).2, "{odd} agrees with nothing");
    }
    let near = one.mapv(|x| x + 5e-5);
    let far = one.mapv(|x| x + 5e-4);
    assert!(difference(&one, &near, TOLERANCE).2);
    assert!(!difference(&one, &far, TOLERANCE).2);
}

/// What the command `compare` shows: every pair of engines, and that they agree.
#[test]
fn engines_in_pairs() {
    let model = declared("mixed", &[]);
    let weights = weights(&model, 23);
    let images = Numbers::new(24).images(&model, 2);
    let inputs = batch_inputs(&model, images, None).expect("no labels");
    for batch in [Batch::Symbolic, Batch::Fixed(2)] {
        let found = compare(&model, GraphKind::Nll, &weights, batch, &inputs, engines());
        let found = found.unwrap_or_else(|e| panic!("{e}"));
        let pairs: Vec<[&str; 2]> =
            found.iter().map(|d| [d.engines[0].as_str(), d.engines[1].as_str()]).collect();
        assert_eq!(pairs, [["reference", "tract"], ["reference", "ort"], ["tract", "ort"]]);
        assert!(found.iter().all(|d| d.within && d.output == "nll"), "{found:?}");
    }
}
