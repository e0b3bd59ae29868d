//! Training on a device: parameters, states and losses stay there, and a step moves its batch to it and nothing else.
//! The CPU stands in for a GPU: the same bindings and the same counts, in host memory.

use std::sync::{Arc, Mutex};

use pixelrnn::compare::batch_inputs;
use pixelrnn::prelude::*;
use pixelrnn::runtime::{
    Carried, CudaOptions, Engine, EngineError, OrtEngine, OrtOptions, Program, Session, Stepper,
    Transfers,
};
use pixelrnn::training::{CompiledStep, LEARNING_RATE, Trainer, fresh_state};
use pixelrnn::{Array, Batch, Optimizer, Weights};

use crate::common::{Numbers, small_zoo, zoo};

fn small() -> Declaration {
    zoo("digits-diagonal", &[("h", 3), ("layers", 1), ("height", 4), ("width", 3), ("levels", 3)])
}

const OPTIMIZER: Optimizer = Optimizer { clip: Some(5.0), ema: Some(0.9), ..Optimizer::ADAM };

fn device(graph: bool) -> OrtEngine {
    let cuda = CudaOptions { graph, ..CudaOptions::default() };
    OrtEngine::stand_in(OrtOptions::default(), cuda).unwrap_or_else(|e| panic!("{e}"))
}

fn host() -> OrtEngine {
    let options = OrtOptions { plain: true, ..OrtOptions::default() };
    OrtEngine::cpu(options).unwrap_or_else(|e| panic!("{e}"))
}

fn bytes(arrays: &Weights) -> u64 {
    arrays.values().map(|array| 4 * array.len() as u64).sum()
}

/// A stepper of the model's training step, with its first state.
fn start(step: &CompiledStep, engine: &dyn Engine) -> Box<dyn Stepper> {
    let state = fresh_state(&small().initialize(0), &OPTIMIZER);
    step.step().start(engine, &state).unwrap_or_else(|e| panic!("{e}"))
}

fn batch(seed: usize, count: usize) -> Array {
    Numbers::new(seed as u64).images(&small(), count)
}

#[test]
fn a_step_moves_its_batch_and_nothing_else() {
    let model = small();
    let plain = host();
    let step = CompiledStep::new(&model, &OPTIMIZER, 1, &plain).expect("compiles");
    let size = bytes(&fresh_state(&model.initialize(0), &OPTIMIZER));
    let rate = Array::from_elem(vec![1], 0.01);
    // More than wait on a device.
    let steps = 150;
    let mut judge = start(&step, &plain);
    let expected: Vec<_> = (0..steps)
        .map(|i| judge.step(&[("image", &batch(i, 7)), (LEARNING_RATE, &rate)]).expect("steps"))
        .collect();
    assert_eq!(judge.transfers(), Transfers::default());
    for graph in [false, true] {
        let engine = device(graph);
        let mut stepper = start(&step, &engine);
        let begun = stepper.transfers();
        assert_eq!((begun.to_device, begun.to_host), (size, 0));
        // The image and the learning rate.
        let one = 4 * (batch(0, 7).len() as u64 + 1);
        for i in 0..20 {
            let images = batch(i, 7);
            let results = stepper.advance(&[("image", &images), (LEARNING_RATE, &rate)]);
            assert_eq!(results.expect("steps"), None);
            let moved = stepper.transfers();
            let i = i as u64;
            // A captured graph has a place for the losses of two steps alone: they are read before the third.
            let read = if graph { 8 * (i / 2) } else { 0 };
            let expected = (size + (i + 1) * one, read);
            assert_eq!((moved.to_device, moved.to_host), expected, "graph {graph}, step {i}");
        }
        // Losses come when they are asked for, each once.
        let first = stepper.results().expect("losses");
        assert_eq!(first, expected[..20]);
        assert_eq!(stepper.transfers().to_host, 20 * 4);
        assert!(stepper.results().expect("losses").is_empty());
        for i in 20..steps {
            let images = batch(i, 7);
            stepper.advance(&[("image", &images), (LEARNING_RATE, &rate)]).expect("steps");
        }
        assert_eq!(stepper.results().expect("losses"), expected[20..]);
        let moved = stepper.transfers();
        assert_eq!(moved.to_device, size + steps as u64 * one);
        assert_eq!(moved.to_host, steps as u64 * 4);
        // The state only at the end, with the bits of host memory.
        assert_eq!(stepper.state().expect("a state"), judge.state().expect("a state"));
        assert_eq!(stepper.transfers().to_host, steps as u64 * 4 + size);
    }
}

#[test]
fn losses_that_wait_survive_other_calls() {
    let plain = host();
    let step = CompiledStep::new(&small(), &OPTIMIZER, 1, &plain).expect("compiles");
    let rate = Array::from_elem(vec![1], 0.01);
    let mut judge = start(&step, &plain);
    let images: Vec<Array> = (0..5).map(|i| batch(i, 4)).collect();
    let mut expected = Vec::new();
    for images in &images {
        expected.push(judge.step(&[("image", images), (LEARNING_RATE, &rate)]).expect("steps"));
    }
    for graph in [false, true] {
        let engine = device(graph);
        let mut stepper = start(&step, &engine);
        let feeds = |i: usize| [("image", &images[i]), (LEARNING_RATE, &rate)];
        stepper.advance(&feeds(0)).expect("steps");
        // Undone, with its loss.
        stepper.advance(&feeds(3)).expect("steps");
        assert!(stepper.undo());
        assert!(!stepper.undo());
        stepper.advance(&feeds(1)).expect("steps");
        assert_eq!(stepper.step(&feeds(2)).expect("steps"), expected[2]);
        assert_eq!(stepper.results().expect("losses"), expected[..2]);
        // What was read is not dropped.
        stepper.advance(&feeds(3)).expect("steps");
        assert_eq!(stepper.results().expect("losses"), expected[3..4]);
        assert!(stepper.undo());
        stepper.advance(&feeds(3)).expect("steps");
        stepper.advance(&feeds(4)).expect("steps");
        assert_eq!(stepper.results().expect("losses"), expected[3..]);
        // Another size of the batch needs other buffers, which a captured graph does not see.
        let fewer = batch(9, 2);
        let result = stepper.advance(&[("image", &fewer), (LEARNING_RATE, &rate)]);
        match (graph, result) {
            (false, Ok(None)) => {}
            (true, Err(error)) => assert!(error.to_string().contains("one shape"), "{error}"),
            (_, other) => panic!("graph {graph}: {other:?}"),
        }
    }
}

/// What `bench --cuda-graph` replays: a program without state, of fixed shapes.
#[test]
fn a_forward_pass_is_replayed() {
    let model = small();
    let weights = model.initialize(0);
    let options = |batch| ExportOptions { batch, ..ExportOptions::with_weights(&weights) };
    let fixed = model.export(GraphKind::Forward, &options(Batch::Fixed(3))).expect("exports");
    let program = Program { name: "forward", onnx: &fixed, graph: None };
    let mut judge = host().load(&program).expect("loads");
    let mut stepper = device(true).load_stepper(&program, &[]).expect("loads");
    stepper.set_state(&[]).expect("no state");
    for i in 0..5 {
        let images = batch(i, 3);
        let expected = judge.run(&[("image", &images)]).expect("runs");
        let found = stepper.step(&[("image", &images)]).expect("steps");
        assert_eq!(found, expected, "{i}");
    }

    // Outputs of a size that is not known before cannot stay where they are.
    let open = model.export(GraphKind::Forward, &options(Batch::Symbolic)).expect("exports");
    let program = Program { name: "forward", onnx: &open, graph: None };
    let mut stepper = device(true).load_stepper(&program, &[]).expect("loads");
    let error = stepper.set_state(&[]).expect_err("no fixed shape").to_string();
    assert!(error.contains("compile the program for a fixed batch"), "{error}");
    // Without a graph they come to the host at once, and are counted.
    let mut stepper = device(false).load_stepper(&program, &[]).expect("loads");
    stepper.set_state(&[]).expect("no state");
    let images = batch(0, 2);
    let found = stepper.advance(&[("image", &images)]).expect("steps").expect("outputs");
    assert_eq!(found[0].1.shape()[0], 2);
    assert_eq!(stepper.transfers().to_host, 4 * found[0].1.len() as u64);
}

/// Whole numbers have buffers of their own.
#[test]
fn labels_reach_a_device() {
    let models = small_zoo(|name| name == "digits-gated-class", None);
    let model = models.first().expect("a model with classes");
    let weights = model.initialize(0);
    let options = ExportOptions { batch: Batch::Fixed(3), ..ExportOptions::with_weights(&weights) };
    let onnx = model.export(GraphKind::Forward, &options).expect("exports");
    let program = Program { name: "forward", onnx: &onnx, graph: None };
    let mut judge = host().load(&program).expect("loads");
    for graph in [false, true] {
        let mut stepper = device(graph).load_stepper(&program, &[]).expect("loads");
        stepper.set_state(&[]).expect("no state");
        for labels in [[0, 1, 1], [1, 0, 1]] {
            let images = Numbers::new(7).images(model, 3);
            let inputs = batch_inputs(model, images.clone(), Some(&labels)).expect("a batch");
            let inputs: Vec<(&str, &Array)> = inputs.iter().map(|(n, a)| (n.as_str(), a)).collect();
            let before = stepper.transfers().to_device;
            let found = stepper.step(&inputs).expect("steps");
            assert_eq!(found, judge.run(&inputs).expect("runs"), "{labels:?}");
            let moved = stepper.transfers().to_device - before;
            assert_eq!(moved, 4 * images.len() as u64 + 3 * 8);
        }
    }
}

/// A device that tells what its last stepper moved.
struct Watched {
    engine: OrtEngine,
    moved: Arc<Mutex<Transfers>>,
}

struct WatchedStepper {
    inner: Box<dyn Stepper>,
    moved: Arc<Mutex<Transfers>>,
}

impl Engine for Watched {
    fn name(&self) -> &'static str {
        self.engine.name()
    }

    fn load(&self, program: &Program) -> Result<Box<dyn Session>, EngineError> {
        self.engine.load(program)
    }

    fn load_stepper(
        &self,
        program: &Program,
        carried: &[Carried],
    ) -> Result<Box<dyn Stepper>, EngineError> {
        let inner = self.engine.load_stepper(program, carried)?;
        Ok(Box::new(WatchedStepper { inner, moved: Arc::clone(&self.moved) }))
    }
}

type Outputs = Vec<(String, Array)>;

impl WatchedStepper {
    fn note(&self) {
        *self.moved.lock().expect("a count") = self.inner.transfers();
    }
}

impl Stepper for WatchedStepper {
    fn set_state(&mut self, state: &[(&str, &Array)]) -> Result<(), EngineError> {
        self.inner.set_state(state)
    }

    fn step(&mut self, _: &[(&str, &Array)]) -> Result<Outputs, EngineError> {
        panic!("training waits for no loss")
    }

    fn advance(&mut self, feeds: &[(&str, &Array)]) -> Result<Option<Outputs>, EngineError> {
        let result = self.inner.advance(feeds);
        self.note();
        result
    }

    fn results(&mut self) -> Result<Vec<Outputs>, EngineError> {
        let result = self.inner.results();
        self.note();
        result
    }

    fn state(&mut self) -> Result<Outputs, EngineError> {
        let result = self.inner.state();
        self.note();
        result
    }

    fn undo(&mut self) -> bool {
        self.inner.undo()
    }
}

#[test]
fn training_reads_the_state_only_to_keep_it() {
    let set = [("height", 4), ("width", 4), ("layers", 1), ("h", 4)];
    let model = zoo("digits-pixelcnn", &set);
    let folder = tempfile::tempdir().expect("a folder");
    let trainer = |name: &str| {
        Trainer::new(folder.path().join(name))
            .model(&model)
            .data("digits,limit=40,size=4x4")
            .optimizer(OPTIMIZER)
            .batch(8)
            .shards(1)
            .validate_every(1_000)
            .steps(30)
    };
    let moved = Arc::new(Mutex::new(Transfers::default()));
    let watched = Watched { engine: device(false), moved: Arc::clone(&moved) };
    let there = trainer("device").opened_engine(Box::new(watched)).train().expect("trains");
    let here = trainer("host").opened_engine(Box::new(host())).train().expect("trains");
    assert!(there.weights == here.weights);
    assert_eq!(there.outcome.loss, here.outcome.loss);
    assert_eq!(there.outcome.validation, here.outcome.validation);
    let log = |name: &str| {
        let text = std::fs::read_to_string(folder.path().join(name).join("log.jsonl"));
        let lines = text.expect("a log");
        let line = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            (line["event"].clone(), line["step"].clone(), line["nats"].clone())
        };
        lines.lines().map(line).collect::<Vec<_>>()
    };
    assert_eq!(log("device"), log("host"));

    let size = bytes(&fresh_state(&model.initialize(0), &OPTIMIZER));
    let moved = *moved.lock().expect("a count");
    // Checkpoints at the start, after the validation and at the end; the weights to validate.
    assert_eq!(moved.to_host, 4 * size + 30 * 4);
    let batches = 30 * 4 * (8 * 16 + 1);
    assert_eq!(moved.to_device, size + batches);
}

/// What a captured step computes is that of the loop, also in the last batch of an epoch, which is smaller.
#[test]
fn captured_steps_train_like_loops() {
    let set = [("height", 4), ("width", 4), ("layers", 1), ("h", 4)];
    let folder = tempfile::tempdir().expect("a folder");
    // Of 36 images to train on: the last of 3 batches is smaller, or none.
    for (name, batch) in [("digits-diagonal", 16), ("digits-row-lstm", 12)] {
        let model = zoo(name, &set);
        let trainer = |engine: OrtEngine, steps| {
            let which = if engine.captures() { "captured" } else { "loops" };
            let trainer = Trainer::new(folder.path().join(format!("{name}-{which}")));
            let trainer = trainer.model(&model).data("digits,limit=40,size=4x4");
            let trainer = trainer.optimizer(OPTIMIZER).batch(batch);
            trainer.shards(1).steps(steps).resume().opened_engine(Box::new(engine))
        };
        let there = trainer(device(true), 8).train().expect("trains");
        let here = trainer(host(), 8).train().expect("trains");
        assert_eq!(there.outcome.loss, here.outcome.loss, "{name}");
        assert_eq!(there.outcome.validation, here.outcome.validation, "{name}");
        assert!(there.weights == here.weights, "{name}");
        // Resumed, with the other kind of step.
        let there = trainer(device(true), 11).train().expect("goes on");
        let here = trainer(host(), 11).train().expect("goes on");
        assert!(there.weights == here.weights, "{name}, resumed");
    }
}

#[test]
fn a_step_of_another_size_keeps_its_place() {
    let (model, plain) = (small(), host());
    let step = CompiledStep::new(&model, &OPTIMIZER, 1, &plain).expect("compiles");
    let rate = Array::from_elem(vec![1], 0.01);
    let engine = device(true);
    let captured = CompiledStep::captured(&model, (&OPTIMIZER, false), (4, true), &engine);
    let mut stepper = start(&captured.expect("compiles"), &engine);
    let mut judge = start(&step, &plain);
    let images: Vec<Array> = [4, 4, 2, 4, 3, 3].iter().map(|&n| batch(n + 1, n)).collect();
    let feeds = |i: usize| [("image", &images[i]), (LEARNING_RATE, &rate)];
    let expected: Vec<_> =
        (0..images.len()).map(|i| judge.step(&feeds(i)).expect("steps")).collect();
    assert!(!stepper.undo(), "there is no step");
    for i in 0..3 {
        assert_eq!(stepper.advance(&feeds(i)).expect("steps"), None);
    }
    // Undone, with its loss, which nobody read.
    assert!(stepper.undo());
    assert!(!stepper.undo(), "only the last step");
    for i in 2..4 {
        stepper.advance(&feeds(i)).expect("steps");
    }
    assert_eq!(stepper.results().expect("losses"), expected[..4]);
    assert_eq!(stepper.step(&feeds(4)).expect("steps"), expected[4]);
    stepper.advance(&feeds(5)).expect("steps");
    assert_eq!(stepper.results().expect("losses"), expected[5..]);
    // What was read is not dropped.
    assert!(stepper.undo());
    assert!(stepper.results().expect("losses").is_empty());
    stepper.advance(&feeds(5)).expect("steps");
    assert_eq!(stepper.state().expect("a state"), judge.state().expect("a state"));
}

#[test]
fn captured_steps_need_whole_batches() {
    let folder = tempfile::tempdir().expect("a folder");
    let trainer = Trainer::new(folder.path().join("run")).model(&small()).steps(1);
    let trainer = trainer.data("digits,size=4x3,levels=3").batch(8).shards(2);
    let prepared = trainer.opened_engine(Box::new(device(true))).prepare();
    let error = prepared.err().expect("two shards").to_string();
    assert!(error.contains("2 shards per batch, but CUDA graphs"), "{error}");
}

#[test]
fn a_loss_that_is_read_late_is_told_with_its_step() {
    let set = [("height", 4), ("width", 4), ("layers", 1), ("h", 4)];
    let model = zoo("digits-pixelcnn", &set);
    let folder = tempfile::tempdir().expect("a folder");
    let trainer = |name: &str| {
        Trainer::new(folder.path().join(name))
            .model(&model)
            .data("digits,limit=40,size=4x4")
            .learning_rate(1e30)
            .batch(6)
            .shards(1)
            .steps(30)
    };
    let told = |name, engine: OrtEngine| {
        let error = trainer(name).opened_engine(Box::new(engine)).train().expect_err("diverges");
        error.to_string()
    };
    let there = told("device", device(false));
    let here = told("host", host());
    let step = |text: &str| text.split(" in step ").nth(1).map(|t| t.to_string()).expect("a step");
    let number = |text: &str| step(text).chars().take_while(char::is_ascii_digit).count();
    let digits = number(&here);
    assert_eq!(step(&there)[..digits], step(&here)[..digits], "{there}\n{here}");
    assert!(there.contains("the state before that step is gone"), "{there}");
    assert!(!here.contains("is gone"), "{here}");
}
