//! The training step as a graph: each rule of descent against its formula, and a loss that falls on
//! every engine.

use std::collections::BTreeMap;

use pixelrnn::Array;
use pixelrnn::internal::graph::Array as Tensor;
use pixelrnn::internal::onnx::{EncodeOptions, encode};
use pixelrnn::internal::ops::{Env, PixelGraph, evaluate};
use pixelrnn::internal::passes::optimise::{LEARNING_RATE, next_name, state_name};
use pixelrnn::internal::passes::{
    CompileOptions, Optimiser, Rule, compile, differentiate, gradient_name, optimise, with_loss,
};
use pixelrnn::prelude::*;
use pixelrnn::runtime::Program;

use crate::common::{Numbers, engines, weights, zoo};

type Doubles = BTreeMap<String, Tensor<f64>>;

fn small() -> Declaration {
    zoo("digits-diagonal", &[("h", 3), ("layers", 1), ("height", 4), ("width", 3), ("levels", 3)])
}

fn gradient_of(model: &Declaration) -> PixelGraph {
    differentiate(&with_loss(model.graph()).expect("a loss")).expect("a gradient")
}

fn results(graph: &PixelGraph, inputs: &Doubles) -> Doubles {
    let values = evaluate(graph, &Env { batch: 2 }, inputs).expect("evaluates");
    graph.outputs().iter().map(|o| o.name.clone()).zip(values).collect()
}

/// States away from where they start, so that no term of a formula vanishes.
fn states(model: &Declaration, optimiser: &Optimiser, numbers: &mut Numbers) -> Doubles {
    let mut all = Doubles::new();
    for (name, w) in weights(model, 2) {
        for slot in optimiser.slots() {
            let state = numbers.array(w.shape().to_vec()).mapv(|x| f64::from(x.abs() + 0.01));
            all.insert(state_name(&name, slot), state);
        }
    }
    for counter in optimiser.counters() {
        all.insert(counter.to_string(), Tensor::from_elem(vec![1], 0.7));
    }
    all
}

#[test]
fn every_rule_follows_its_formula() {
    let model = small();
    let gradient = gradient_of(&model);
    let mut numbers = Numbers::new(5);
    let mut inputs = Doubles::new();
    inputs.insert("image".into(), numbers.images(&model, 2).mapv(f64::from));
    for (name, w) in weights(&model, 2) {
        inputs.insert(name, w.mapv(f64::from));
    }
    let gradients = results(&gradient, &inputs);
    let squares: f64 = weights(&model, 2)
        .keys()
        .map(|p| gradients[&gradient_name(p)].iter().map(|g| g * g).sum::<f64>())
        .sum();
    let norm = squares.sqrt();
    let lr = 0.02;
    let (alpha, epsilon, beta1, beta2) = (0.95, 1e-5, 0.8, 0.97);
    let rules = [
        Rule::RmsProp { alpha, epsilon },
        Rule::Adam { beta1, beta2, epsilon },
        Rule::Sgd { momentum: 0.9 },
    ];
    for rule in rules {
        for (clip, ema) in [(None, None), (Some(norm / 3.0), Some(0.9)), (Some(3.0 * norm), None)] {
            let optimiser = Optimiser { rule, clip, ema };
            let step = optimise(&gradient, &optimiser).expect("a step");
            pixelrnn::internal::graph::verify(&step).expect("a sound graph");
            let state = states(&model, &optimiser, &mut numbers);
            let mut all = inputs.clone();
            all.extend(state.clone());
            all.insert(LEARNING_RATE.into(), Tensor::from_elem(vec![1], lr));
            let after = results(&step, &all);
            assert_eq!(after["loss"], gradients["loss"]);
            let factor = clip.map_or(1.0, |c| (c / (norm + 1e-6)).min(1.0));
            for name in weights(&model, 2).keys() {
                let next = &after[&next_name(name)];
                for (i, &w) in inputs[name].indexed_iter() {
                    let g = gradients[&gradient_name(name)][&i] * factor;
                    let old = |slot: &str| state[&state_name(name, slot)][&i];
                    let direction = match rule {
                        Rule::RmsProp { .. } => {
                            let v = alpha * old("square") + (1.0 - alpha) * g * g;
                            g / (v.sqrt() + epsilon)
                        }
                        Rule::Adam { .. } => {
                            let m = beta1 * old("mean") + (1.0 - beta1) * g;
                            let v = beta2 * old("square") + (1.0 - beta2) * g * g;
                            let (m, v) = (m / (1.0 - 0.7 * beta1), v / (1.0 - 0.7 * beta2));
                            m / (v.sqrt() + epsilon)
                        }
                        Rule::Sgd { momentum } => momentum * old("momentum") + g,
                    };
                    let expected = w - lr * direction;
                    let error = (next[&i] - expected).abs();
                    // Constants of the graph are f32.
                    assert!(error < 1e-6, "{rule:?} {name} {i:?}: {} {expected}", next[&i]);
                    if let Some(decay) = ema {
                        let average = after[&next_name(&state_name(name, "ema"))][&i];
                        let expected = decay * old("ema") + (1.0 - decay) * next[&i];
                        assert!((average - expected).abs() < 1e-6, "{rule:?} {name}: average");
                    }
                }
            }
            for (counter, beta) in optimiser.counters().into_iter().zip([beta1, beta2]) {
                let next = after[&next_name(counter)][[0].as_slice()];
                assert!((next - 0.7 * beta).abs() < 1e-6, "{counter}");
            }
        }
    }
}

/// Twenty steps on one batch: whatever comes out as `x.next` goes in as `x`.
#[test]
fn the_loss_falls_on_every_engine() {
    let model = small();
    for optimiser in [Optimiser::RMSPROP, Optimiser::ADAM] {
        let step = optimise(&gradient_of(&model), &optimiser).expect("a step");
        let options = CompileOptions {
            batch: Batch::Symbolic,
            control_flow: ControlFlow::Scan,
            weights: None,
            simplify: true,
        };
        let onnx = compile(&step, &options, &mut |_, _| {}).expect("compiles");
        let bytes = encode(&onnx, &EncodeOptions::default()).expect("encodes");
        let program = Program { name: "step", onnx: &bytes, graph: Some(&step) };
        for engine in engines() {
            let mut session = engine.load(&program).unwrap_or_else(|e| panic!("{e}"));
            let mut given: BTreeMap<String, Array> = BTreeMap::new();
            given.insert("image".into(), Numbers::new(9).images(&model, 2));
            given.insert(LEARNING_RATE.into(), Array::from_elem(vec![1], 0.01));
            for (name, w) in model.initialise(0) {
                for slot in optimiser.slots() {
                    given.insert(state_name(&name, slot), Array::zeros(w.shape()));
                }
                given.insert(name, w);
            }
            for counter in optimiser.counters() {
                given.insert(counter.into(), Array::ones(vec![1]));
            }
            let mut losses = Vec::new();
            for _ in 0..20 {
                let inputs: Vec<(&str, &Array)> =
                    given.iter().map(|(n, a)| (n.as_str(), a)).collect();
                let all = session.run(&inputs).unwrap_or_else(|e| panic!("{e}"));
                for (name, value) in all {
                    match name.strip_suffix(".next") {
                        Some(input) => {
                            given.insert(input.to_string(), value);
                        }
                        None => losses.push(value.sum()),
                    }
                }
            }
            let (first, last) = (losses[0], losses[losses.len() - 1]);
            assert!(last < 0.8 * first, "{}: {losses:?}", engine.name());
        }
    }
}
