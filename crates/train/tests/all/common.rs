//! A small model, small data, and functions to train.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use pixelrnn_data::{Dataset, Spec};
use pixelrnn_ops::PixelGraph;
use pixelrnn_passes::{GraphKind, Job, Optimizer, Weights, initialize, make};
use pixelrnn_runtime::{DataParallel, Precision, Program, ReferenceEngine};
use pixelrnn_train::{Budget, Observer, Outcome, Recipe, Run, Step, Task, TrainError, load, train};
use serde_json::json;

const MODEL: &str = "
    pub Tiny { h: usize = 2 }
    image 4 x 4, colours 1, levels 2;
    stem: masked_conv(3 x 3, A, h);
    head: relu;
    logits;
";

pub struct Model {
    pub nll: PixelGraph,
    pub step: PixelGraph,
    /// The two programs of a data-parallel step.
    pub gradient: PixelGraph,
    pub update: PixelGraph,
    pub weights: Weights,
}

pub fn model(optimizer: &Optimizer) -> Model {
    let (model, diagnostics) = pixelrnn_syntax::parse(MODEL);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let scales = pixelrnn_syntax::elaborate(&model.unwrap(), &[]).unwrap().scales;
    let graph = |kind| {
        let job = Job { optimizer: *optimizer, ..Job::new(&scales, kind) };
        make(&job, &mut |_, _| {}).unwrap()
    };
    Model {
        nll: graph(GraphKind::Nll),
        step: graph(GraphKind::Train),
        gradient: graph(GraphKind::Grad),
        update: graph(GraphKind::Update),
        weights: initialize(&scales[0].graph, 0),
    }
}

/// 47 training images, which give batches of 4 and a last one of 3. They are resampled every epoch.
pub fn data() -> Dataset {
    let spec: Spec = "digits,limit=47,size=4x4,binarize=resample".parse().unwrap();
    spec.load(5).unwrap().hold_out()
}

/// A recipe with every kind of state: two slots, two counters and an EMA; and with a schedule.
pub fn recipe(steps: u64) -> Recipe {
    let optimizer = Optimizer { clip: Some(5.0), ema: Some(0.9), ..Optimizer::ADAM };
    let mut recipe = Recipe::new(optimizer, Budget::Steps(steps));
    recipe.batch = 4;
    recipe.learning_rate = 0.01;
    recipe.validate_every = Some(5);
    recipe
}

/// A recipe with plain gradient descent, which diverges at a high learning rate.
pub fn plain(rate: f64) -> Recipe {
    let optimizer = Optimizer { settings: [0.0; 4], ..Optimizer::SGD };
    Recipe { learning_rate: rate, ..Recipe::new(optimizer, Budget::Steps(20)) }
}

pub fn go(
    folder: &Path,
    recipe: &Recipe,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    let model = model(&recipe.optimizer);
    let program = |graph| Program { name: "tiny", onnx: &[], graph: Some(graph) };
    let data = data();
    let task = Task {
        step: match recipe.shards {
            1 => Step::Whole(program(&model.step)),
            shards => Step::DataParallel(DataParallel {
                part: program(&model.gradient),
                whole: program(&model.update),
                shards,
            }),
        },
        nll: program(&model.nll),
        nll_graph: &model.nll,
        data: &data,
        recipe,
        weights: &model.weights,
        about: json!({}),
        settings: &json!({ "of": "a test" }),
    };
    let engine = ReferenceEngine { precision: Precision::Single };
    train(&task, &engine, &Run::new(folder), observer, stop)
}

/// Trains to the end without an observer.
pub fn finish(folder: &Path, recipe: &Recipe) -> Outcome {
    go(folder, recipe, &mut (), &AtomicBool::new(false)).unwrap()
}

/// The final state of a run, as bits.
pub fn bits(folder: &Path) -> Vec<(String, Vec<u32>)> {
    let (state, _) = load(&Run::new(folder).last_path()).unwrap();
    state.into_iter().map(|(n, a)| (n, a.iter().map(|x| x.to_bits()).collect())).collect()
}
