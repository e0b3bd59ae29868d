//! Shared by the tests: reproducible random numbers, engines, and a function that runs a program on an
//! engine.

use std::path::PathBuf;
use std::sync::OnceLock;

use pixelrnn::compare::{TOLERANCE, difference};
use pixelrnn::internal::graph::{Condition, Role};
use pixelrnn::internal::ops::{ConditionKind, Domain, PixelGraph};
use pixelrnn::runtime::{Engine, EngineKind, Program, open};
use pixelrnn::{Array, Declaration, Weights};

/// A small random number generator.
pub struct Numbers(u64);

impl Numbers {
    /// A generator with a different sequence for each seed.
    pub fn new(seed: u64) -> Numbers {
        let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        numbers.next();
        numbers
    }

    /// 31 random bits.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        self.0 >> 33
    }

    /// A number of at least 0 and below 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 7) as f64 / f64::from(1u32 << 24)
    }

    /// A whole number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// An array of numbers between -1 and 1.
    pub fn array(&mut self, shape: Vec<usize>) -> Array {
        Array::from_shape_simple_fn(shape, || (2.0 * self.unit() - 1.0) as f32)
    }

    /// An array of levels, like an image.
    pub fn levels(&mut self, shape: Vec<usize>, levels: usize) -> Array {
        Array::from_shape_simple_fn(shape, || self.below(levels) as f32)
    }

    /// An array of numbers from a domain. Numbers of either sign are not near zero, where derivatives jump.
    pub fn of(&mut self, domain: Domain, shape: Vec<usize>) -> Array {
        match domain {
            Domain::Signed => self.array(shape).mapv(|x| x + 0.1 * x.signum()),
            Domain::Positive => self.array(shape).mapv(|x| x.abs() + 0.5),
            Domain::Unit => Array::from_shape_simple_fn(shape, || self.unit() as f32),
            Domain::Levels(levels) => self.levels(shape, levels),
        }
    }

    /// The inputs of a graph except its parameters, for a model of `levels` levels: images, labels and
    /// smaller images, found by their roles.
    pub fn batch(&mut self, graph: &PixelGraph, levels: usize, count: usize) -> Outputs {
        let inputs = graph.inputs().iter().filter_map(|input| {
            let shape = graph.ty(input.value).extents(count);
            let array = match input.role {
                Role::Image | Role::Condition(Condition::Scale { .. }) => {
                    self.levels(shape, levels)
                }
                role => self.condition(ConditionKind::of(role)?, shape),
            };
            Some((input.name.clone(), array))
        });
        inputs.collect()
    }

    /// Random values of a condition.
    pub fn condition(&mut self, kind: ConditionKind, shape: Vec<usize>) -> Array {
        Array::from_shape_simple_fn(shape, || kind.random((self.unit() * 4_294_967_296.0) as u32))
    }

    /// Random images for a model.
    pub fn images(&mut self, model: &Declaration, count: usize) -> Array {
        let i = model.image();
        self.levels(vec![count, i.colours, i.height, i.width], i.levels)
    }
}

/// Random weights without zeros, so that biases and initial states are tested, too.
pub fn weights(model: &Declaration, seed: u64) -> Weights {
    let mut numbers = Numbers::new(seed);
    let mut weights = model.initialize(seed);
    for array in weights.values_mut() {
        array.mapv_inplace(|x| if x == 0.0 { (numbers.unit() - 0.5) as f32 } else { x });
    }
    weights
}

/// The engines to compare. The reference is first.
pub fn engines() -> &'static [Box<dyn Engine>] {
    static ENGINES: OnceLock<Vec<Box<dyn Engine>>> = OnceLock::new();
    ENGINES.get_or_init(|| {
        let kinds = [EngineKind::Reference, EngineKind::Tract, EngineKind::Ort];
        open(&kinds, &pixelrnn::runtime::Options::default())
            .unwrap_or_else(|e| panic!("these tests need ONNX Runtime: {e}"))
    })
}

/// Loads a program on an engine, and runs it on each set of inputs.
pub fn run(engine: &dyn Engine, program: &Program, calls: &[Vec<(&str, &Array)>]) -> Vec<Outputs> {
    let what = format!("{} on {}", program.name, engine.name());
    let mut session = engine.load(program).unwrap_or_else(|e| panic!("{what}: {e}"));
    calls
        .iter()
        .map(|inputs| session.run(inputs).unwrap_or_else(|e| panic!("{what}: {e}")))
        .collect()
}

/// The inputs by reference.
pub fn refer(inputs: &[(String, Array)]) -> Vec<(&str, &Array)> {
    inputs.iter().map(|(name, array)| (name.as_str(), array)).collect()
}

/// The outputs of a run, by name.
pub type Outputs = Vec<(String, Array)>;

/// Asserts that two sets of outputs agree within the project's tolerance.
#[track_caller]
pub fn assert_same(what: &str, expected: &Outputs, found: &Outputs) {
    assert_eq!(expected.len(), found.len(), "{what}: number of outputs");
    for ((name, a), (other, b)) in expected.iter().zip(found) {
        assert_eq!(name, other, "{what}: name of an output");
        let (absolute, relative, within) = difference(a, b, TOLERANCE);
        assert!(
            within,
            "{what}: `{name}` differs by {absolute:e} ({relative:e} of the largest); shapes {:?} {:?}",
            a.shape(),
            b.shape()
        );
    }
}

/// Converts settings to the form of the library.
pub fn settings(list: &[(&str, usize)]) -> Vec<(String, usize)> {
    list.iter().map(|&(name, value)| (name.to_string(), value)).collect()
}

/// A model of the zoo with some settings changed.
pub fn zoo(name: &str, list: &[(&str, usize)]) -> Declaration {
    let entry = pixelrnn::zoo::find(name).expect("a model of the zoo");
    entry.declare(&settings(list)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Every model of the zoo whose name satisfies `suits`, with small settings that keep all its parts, and with
/// as few rows and columns as possible.
pub fn small_zoo(suits: impl Fn(&str) -> bool, levels: Option<usize>) -> Vec<Declaration> {
    let entries = pixelrnn::zoo::ZOO.iter().filter(|entry| suits(entry.name));
    entries
        .map(|entry| {
            let plain = entry.declare(&[]).unwrap_or_else(|e| panic!("{}: {e}", entry.name));
            // Smaller scales must divide the image.
            let step = plain.scales().iter().map(|scale| scale.factor).max().unwrap_or(1);
            let [height, width] = [4, 5].map(|side: usize| side.next_multiple_of(step));
            let width = if step > 1 { width + step } else { width };
            let wanted = [("h", 6), ("layers", 2), ("small_layers", 1), ("height", height)];
            let wanted = wanted.into_iter().chain(levels.map(|levels| ("levels", levels)));
            let wanted = wanted.chain([("width", width)]);
            let has = |name: &str| {
                let image = ["height", "width", "levels"].contains(&name);
                image || plain.settings().iter().any(|(n, _)| n == name)
            };
            zoo(entry.name, &wanted.filter(|(name, _)| has(name)).collect::<Vec<_>>())
        })
        .collect()
}

/// The root of the repository.
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.join("../..").canonicalize().expect("the repository")
}
