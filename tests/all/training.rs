//! The training step as a graph: each update rule is compared with its formula, and the loss falls on every
//! engine.

use std::collections::BTreeMap;

use pixelrnn::Array;
use pixelrnn::compare::{Prepared, prepare};
use pixelrnn::internal::graph::Array as Tensor;
use pixelrnn::internal::ops::{Env, PixelGraph, evaluate};
use pixelrnn::internal::passes::expand::expand;
use pixelrnn::internal::passes::optimizers::Entry;
use pixelrnn::internal::passes::training_step::{LEARNING_RATE, next_name, state_name};
use pixelrnn::internal::passes::{
    Optimizer, RULES, differentiate, fresh_state, gradient_name, loss, training_step, update_step,
};
use pixelrnn::prelude::*;
use pixelrnn::runtime::{Engine, Program, load_parallel};
use pixelrnn::training::{CompiledStep, shards};

use crate::common::{Numbers, engines, weights, zoo};

type Doubles = BTreeMap<String, Tensor<f64>>;

fn small() -> Declaration {
    zoo("digits-diagonal", &[("h", 3), ("layers", 1), ("height", 4), ("width", 3), ("levels", 3)])
}

fn gradient_of(model: &Declaration) -> PixelGraph {
    let expanded = expand(&loss(model.graph()).expect("a loss")).expect("expands");
    differentiate(&expanded).expect("a gradient")
}

fn results(graph: &PixelGraph, inputs: &Doubles) -> Doubles {
    let values = evaluate(graph, &Env { batch: 2 }, inputs).expect("evaluates");
    graph.outputs().iter().map(|o| o.name.clone()).zip(values).collect()
}

/// States that differ from their initial values, so that no term of a formula is zero.
fn states(model: &Declaration, optimizer: &Optimizer, numbers: &mut Numbers) -> Doubles {
    let mut all = Doubles::new();
    for (name, w) in weights(model, 2) {
        for slot in optimizer.slots() {
            let state = numbers.array(w.shape().to_vec()).mapv(|x| f64::from(x.abs() + 0.01));
            all.insert(state_name(&name, slot), state);
        }
    }
    for counter in optimizer.counters() {
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
    // Settings that differ from the defaults, so that the test notices if one is not used.
    let settings = [[0.8, 0.97, 1e-5, 0.05], [0.95, 1e-5, 0.0, 0.0]];
    for (rule, settings) in RULES.iter().flat_map(|&rule| settings.map(|s| (rule, s))) {
        let cases = [
            (None, None),
            (Some(norm / 3.0), Some(0.9)),
            (Some(3.0 * norm), Some(0.99)),
            (Some(norm / 1e8), None),
        ];
        for (clip, ema) in cases {
            let optimizer = Optimizer { settings, clip, ema, ..Optimizer::new(rule) };
            let counters: Vec<f64> =
                rule.counters.iter().map(|&(_, i)| 0.7 * settings[i]).collect();
            let step = training_step(&gradient, &optimizer).expect("a step");
            pixelrnn::internal::graph::verify(&step).expect("a sound graph");
            let state = states(&model, &optimizer, &mut numbers);
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
                    let mut slots: Vec<f64> = rule.slots.iter().map(|slot| old(slot)).collect();
                    let entry = Entry { w, g, settings: &settings, counters: &counters };
                    let direction = (rule.reference)(&entry, &mut slots);
                    let expected = w - lr * direction;
                    let error = (next[&i] - expected).abs();
                    // The constants of the graph are f32.
                    assert!(error < 1e-6, "{rule:?} {name} {i:?}: {} {expected}", next[&i]);
                    for (slot, expected) in rule.slots.iter().zip(slots) {
                        let found = after[&next_name(&state_name(name, slot))][&i];
                        // Compares the gradient alone, whatever it was scaled by.
                        let bound = 1e-6 * g.abs() + 1e-7 * old(slot).abs() + 1e-6 * expected.abs();
                        assert!((found - expected).abs() <= bound, "{slot}: {found} {expected}");
                    }
                    if let Some(decay) = ema {
                        let average = after[&next_name(&state_name(name, "ema"))][&i];
                        // The counter has the value 0.7, for which the early decay is smaller.
                        let decay = f64::min(decay, 0.7 / 9.7);
                        let expected = decay * old("ema") + (1.0 - decay) * next[&i];
                        assert!((average - expected).abs() < 1e-6, "{rule:?} {name}: average");
                    }
                }
            }
            for counter in optimizer.counters() {
                let next = after[&next_name(counter)][[0].as_slice()];
                let named = rule.counters.iter().position(|&(name, _)| name == counter);
                let expected = named.map_or(1.7, |i| counters[i]);
                assert!((next - expected).abs() < 1e-6, "{counter}");
            }
        }
    }
}

/// Twenty steps on one batch. Each output `x.next` is the input `x` of the next step.
#[test]
fn the_loss_falls_on_every_engine() {
    let model = small();
    for optimizer in RULES.iter().map(|&rule| Optimizer::new(rule)) {
        let options = ExportOptions { optimizer, ..ExportOptions::default() };
        let bytes = model.export(GraphKind::Train, &options).expect("exports");
        let step = model.graph_with(GraphKind::Train, &options).expect("a step");
        let program = Program { name: "step", onnx: &bytes, graph: Some(&step) };
        for engine in engines() {
            let mut session = engine.load(&program).unwrap_or_else(|e| panic!("{e}"));
            let mut given = fresh_state(&model.initialize(0), &optimizer);
            given.insert("image".into(), Numbers::new(9).images(&model, 2));
            given.insert(LEARNING_RATE.into(), Array::from_elem(vec![1], 0.01));
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
            assert!(last < 0.9 * first, "{}: {losses:?}", engine.name());
        }
    }
}

#[test]
fn a_gradient_and_an_update_are_a_step() {
    let model = small();
    let gradient = gradient_of(&model);
    let mut numbers = Numbers::new(6);
    let mut inputs = Doubles::new();
    inputs.insert("image".into(), numbers.images(&model, 2).mapv(f64::from));
    for (name, w) in weights(&model, 2) {
        inputs.insert(name, w.mapv(f64::from));
    }
    for &rule in RULES {
        let optimizer = Optimizer { clip: Some(0.5), ema: Some(0.9), ..Optimizer::new(rule) };
        let mut all = inputs.clone();
        all.extend(states(&model, &optimizer, &mut numbers));
        all.insert(LEARNING_RATE.into(), Tensor::from_elem(vec![1], 0.02));
        let mut expected = results(&training_step(&gradient, &optimizer).expect("a step"), &all);
        expected.remove("loss").expect("a loss");
        let mut found = results(&gradient, &inputs);
        found.remove("loss").expect("a loss");
        all.remove("image");
        all.extend(found);
        let update = update_step(&gradient, &optimizer).expect("an update");
        pixelrnn::internal::graph::verify(&update).expect("a sound graph");
        assert_eq!(results(&update, &all), expected, "{rule:?}");
    }
}

/// The EMA forgets its initial value, however close to 1 its decay is. With constant parameters, it is after
/// n steps as near to them as the early decay allows.
#[test]
fn averages_forget_their_beginning() {
    let model = small();
    let optimizer = Optimizer { ema: Some(0.999), ..Optimizer::SGD };
    let gradient = gradient_of(&model);
    let update = update_step(&gradient, &optimizer).expect("an update");
    let mut all: Doubles = fresh_state(&model.initialize(0), &optimizer)
        .iter()
        .map(|(name, a)| (name.clone(), a.mapv(f64::from)))
        .collect();
    for name in weights(&model, 2).keys() {
        let zero = all[name].mapv(|_| 0.0);
        all.insert(gradient_name(name), zero.clone());
        all.insert(state_name(name, "ema"), zero);
    }
    all.insert(LEARNING_RATE.into(), Tensor::from_elem(vec![1], 0.1));
    let mut left = 1.0;
    for step in 1..=30 {
        for (name, value) in results(&update, &all) {
            all.insert(name.strip_suffix(".next").expect("a state").to_string(), value);
        }
        left *= f64::from(step) / f64::from(step + 9);
        let (w, average) = (&all["stem.weight"], &all["stem.weight.ema"]);
        assert!((average - &(w * (1.0 - left))).iter().all(|d| d.abs() < 1e-6), "step {step}");
    }
    assert!(left < 1e-7);
}

/// Runs some steps on batches of different sizes. Returns the losses and the final state.
fn steps(
    step: &CompiledStep,
    engine: &dyn Engine,
    model: &Declaration,
    optimizer: &Optimizer,
) -> (Vec<Array>, Vec<(String, Array)>) {
    let state = fresh_state(&model.initialize(0), optimizer);
    let mut stepper = step.step().start(engine, &state).unwrap_or_else(|e| panic!("{e}"));
    let rate = Array::from_elem(vec![1], 0.01);
    let mut losses = Vec::new();
    for (i, count) in [7, 7, 2, 1, 7].into_iter().enumerate() {
        let images = Numbers::new(i as u64).images(model, count);
        let mut step = || stepper.step(&[("image", &images), (LEARNING_RATE, &rate)]);
        let results = step().unwrap_or_else(|e| panic!("{e}"));
        if i == 3 {
            // The step is undone, and repeated.
            assert!(stepper.undo());
            assert!(!stepper.undo());
            let mut step = || stepper.step(&[("image", &images), (LEARNING_RATE, &rate)]);
            assert_eq!(step().unwrap_or_else(|e| panic!("{e}")), results);
        }
        let [(name, loss)] = &results[..] else { panic!("{results:?}") };
        assert_eq!(name, "loss");
        losses.push(loss.clone());
    }
    (losses, stepper.state().unwrap_or_else(|e| panic!("{e}")))
}

#[test]
fn a_stepper_gives_what_runs_give() {
    let model = small();
    let optimizer = Optimizer { clip: Some(5.0), ema: Some(0.9), ..Optimizer::ADAM };
    for engine in engines() {
        let name = engine.name();
        let step = CompiledStep::new(&model, &optimizer, 1, &**engine).expect("compiles");
        let (losses, state) = steps(&step, &**engine, &model, &optimizer);
        let options = ExportOptions {
            optimizer,
            portable: engine.portable_only(),
            native: engine.native(),
            ..ExportOptions::default()
        };
        let bytes = model.export(GraphKind::Train, &options).expect("exports");
        let graph = model.graph_with(GraphKind::Train, &options).expect("a step");
        let program = Program { name: "step", onnx: &bytes, graph: Some(&graph) };
        let mut session = engine.load(&program).unwrap_or_else(|e| panic!("{e}"));
        let mut given = fresh_state(&model.initialize(0), &optimizer);
        given.insert(LEARNING_RATE.into(), Array::from_elem(vec![1], 0.01));
        for (i, (count, loss)) in [7, 7, 2, 1, 7].into_iter().zip(losses).enumerate() {
            given.insert("image".into(), Numbers::new(i as u64).images(&model, count));
            let inputs: Vec<(&str, &Array)> = given.iter().map(|(n, a)| (n.as_str(), a)).collect();
            for (output, value) in session.run(&inputs).unwrap_or_else(|e| panic!("{e}")) {
                match output.strip_suffix(".next") {
                    Some(input) => drop(given.insert(input.to_string(), value)),
                    None => assert_eq!(value, loss, "{name}, step {i}"),
                }
            }
        }
        for (input, value) in state {
            assert_eq!(value, given[&input], "{name}: {input}");
        }
    }
}

#[test]
fn a_divided_batch_changes_rounding_alone() {
    let model = small();
    let optimizer = Optimizer { clip: Some(5.0), ema: Some(0.9), ..Optimizer::RMSPROP };
    for engine in engines() {
        let compile = |shards| CompiledStep::new(&model, &optimizer, shards, &**engine);
        let run = |shards| {
            let step = compile(shards).expect("compiles");
            steps(&step, &**engine, &model, &optimizer)
        };
        let (whole, whole_state) = run(1);
        // More shards than images in some batches, and shards of different sizes.
        let (parts, parts_state) = run(3);
        assert_eq!((&parts, &parts_state), (&run(3).0, &run(3).1), "always the same");
        let names = |state: &[(String, Array)]| -> Vec<String> {
            state.iter().map(|(name, _)| name.clone()).collect()
        };
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names
        };
        assert_eq!(sorted(names(&whole_state)), sorted(names(&parts_state)));
        let whole_state: BTreeMap<String, Array> = whole_state.into_iter().collect();
        for (name, value) in parts_state {
            let worst = (&value - &whole_state[&name]).iter().fold(0.0f32, |m, d| m.max(d.abs()));
            assert!(worst < 2e-5, "{}: {name} differs by {worst}", engine.name());
        }
        for (a, b) in whole.iter().zip(&parts) {
            assert!((a - b).sum().abs() < 1e-5 * a.sum().abs(), "{a} {b}");
        }
    }
    let ort = &engines()[2];
    assert_eq!((shards(&**ort, 3), shards(&*engines()[0], 64)), (1, 1));
    assert_eq!(shards(&**ort, 4096), ort.threads());
}

/// The result of a program for each image does not depend on how the batch is divided, except for rounding.
#[test]
fn a_divided_batch_gives_the_same_of_each_image() {
    let gated = zoo("digits-gated-class", &[("h", 3), ("layers", 1)]);
    for model in [small(), gated] {
        let weights = weights(&model, 3);
        for kind in [GraphKind::Forward, GraphKind::Nll] {
            let options = ExportOptions::default();
            let Prepared { onnx, graph, .. } =
                prepare(&model, kind, &weights, &options).expect("prepares");
            for engine in engines() {
                let program = Program { name: "divided", onnx: &onnx, graph: Some(&graph) };
                let mut whole = engine.load(&program).unwrap_or_else(|e| panic!("{e}"));
                let mut parts = load_parallel(&**engine, &program, 3).expect("loads");
                assert_eq!(parts.output_names(), whole.output_names());
                for count in [1, 2, 7] {
                    let images = Numbers::new(count as u64).images(&model, count);
                    let label = Array::from_shape_fn(vec![count], |i| (i[0] % 3) as f32);
                    let mut inputs = vec![("image", &images)];
                    inputs.extend(model.label().map(|(name, _)| (name, &label)));
                    let expected = whole.run(&inputs).unwrap_or_else(|e| panic!("{e}"));
                    let found = parts.run(&inputs).unwrap_or_else(|e| panic!("{e}"));
                    for ((name, a), (_, b)) in expected.iter().zip(&found) {
                        assert_eq!(a.shape(), b.shape(), "{}: {name}", engine.name());
                        let worst = (a - b).iter().fold(0.0f32, |m, d| m.max(d.abs()));
                        assert!(worst < 1e-4, "{}: {name} differs by {worst}", engine.name());
                    }
                }
            }
        }
    }
}

/// Initial biases are zero, so pixels with black surroundings have exactly zero before `relu`, where its
/// derivative is zero. A loop whose states begin next to zero would use the other derivative.
#[test]
fn gradients_of_fresh_weights_are_the_same_with_and_without_loops() {
    for name in ["digits-row-lstm", "digits-diagonal"] {
        let model = zoo(name, &[("h", 4), ("layers", 1), ("height", 4), ("width", 5)]);
        let weights = model.initialize(1);
        let images = Array::from_shape_fn(vec![2, 1, 4, 5], |i| (i[0] * (i[2] % 2) * i[3]) as f32);
        let gradients = [ControlFlow::Scan, ControlFlow::Unroll].map(|control_flow| {
            let options = ExportOptions { control_flow, ..ExportOptions::default() };
            let onnx = model.export(GraphKind::Grad, &options).expect("exports");
            let program = Program { name, onnx: &onnx, graph: None };
            let mut session = engines()[2].load(&program).unwrap_or_else(|e| panic!("{e}"));
            let mut inputs: Vec<(&str, &Array)> = vec![("image", &images)];
            inputs.extend(weights.iter().map(|(name, array)| (name.as_str(), array)));
            session.run(&inputs).unwrap_or_else(|e| panic!("{e}"))
        });
        let reference = results(
            &gradient_of(&model),
            &weights
                .iter()
                .map(|(n, w)| (n.clone(), w.mapv(f64::from)))
                .chain([("image".to_string(), images.mapv(f64::from))])
                .collect(),
        );
        for (output, scan) in &gradients[0] {
            let unrolled =
                gradients[1].iter().find(|(n, _)| n == output).expect("the same outputs");
            let truth = reference[output].mapv(|x| x as f32);
            let size = truth.iter().fold(1e-3f32, |m, x| m.max(x.abs()));
            for (form, found) in [("scan", scan), ("unroll", &unrolled.1)] {
                let worst = (found - &truth).iter().fold(0.0f32, |m, d| m.max(d.abs()));
                assert!(worst < 1e-4 * size, "{name} {form}: {output} is off by {worst} of {size}");
            }
        }
    }
}
