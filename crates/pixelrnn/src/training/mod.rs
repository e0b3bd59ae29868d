//! Training and evaluation of declared models, and access to finished runs.
//!
//! [`Trainer`] trains a model in one call:
//!
//! ```no_run
//! use pixelrnn::prelude::*;
//! use pixelrnn::training::{Schedule, Trainer};
//! use pixelrnn::Optimizer;
//!
//! # fn main() -> Result<(), pixelrnn::Error> {
//! let model = pixelrnn::zoo::DigitsDiagonal::default().declare()?;
//! let trained = Trainer::new("my-run")
//!     .model(&model)
//!     .data("digits")
//!     .optimizer(Optimizer::ADAM)
//!     .learning_rate(0.006)
//!     .schedule(Schedule::cosine(0.02))
//!     .epochs(20)
//!     .train()?;
//! let best = trained.outcome.progress.best.expect("digits have validation images");
//! println!("{:.2} nats per image", best.nats);
//!
//! // Later, or after an interruption:
//! Trainer::new("my-run").resume().epochs(40).train()?;
//! # Ok(())
//! # }
//! ```

mod trainer;

use std::path::Path;

use pixelrnn_data::{Dataset, Split};
use pixelrnn_ops::PixelGraph;
use pixelrnn_passes::{AVERAGE, Optimizer, Weights, state_name};
use pixelrnn_runtime::{BatchError, BatchInputs, DataParallel, Engine, Program, load_parallel};
use pixelrnn_train::{is_checkpoint, load};

use crate::compare::prepare;
use crate::{Declaration, Error, ExportOptions, GraphKind};

pub use pixelrnn_data as data;
pub use pixelrnn_passes::{LEARNING_RATE, fresh_state};
pub use pixelrnn_train::{
    Budget, Event, Figures, Observer, Outcome, Progress, Reason, Recipe, Request, Run, RunImages,
    Schedule, ScheduleError, Score, Shape, Step, TrainError, bits_per_dim, old_fingerprints,
};
pub use trainer::{Images, Prepared, Trained, Trainer};

/// Checks that the images and labels of a data set match a model.
///
/// # Errors
/// The size, levels or classes differ; the message says what to change.
pub fn suits(model: &Declaration, data: &Dataset) -> Result<(), Error> {
    suits_images(model, data)?;
    suits_labels(model, data)
}

/// Checks that a model can be trained on data: like [`suits`], and a class-conditional model needs labels
/// for all training and validation images.
///
/// # Errors
/// What does not go together, and how to change it.
pub fn can_train(model: &Declaration, data: &Dataset) -> Result<(), Error> {
    suits(model, data)?;
    if model.label().is_none() {
        return Ok(());
    }
    for split in data.splits() {
        if split != Split::Test && data.images(split).is_ok_and(|images| images.labels().is_none())
        {
            return Err(TrainError::Mismatch(format!(
                "the {} images of {} have no labels, but {} is class-conditional: add labels, or leave \
                 out the images of this split",
                split.name(),
                data.name(),
                model.name(),
            ))
            .into());
        }
    }
    Ok(())
}

/// Checks that the images of a data set have the size and the levels of a model.
///
/// # Errors
/// What does not go together, and how to change it.
pub fn suits_images(model: &Declaration, data: &Dataset) -> Result<(), Error> {
    let (image, shape) = (model.image(), data.shape());
    let size = |h: usize, w: usize, c: usize| match c {
        1 => format!("{h} x {w}"),
        c => format!("{h} x {w}, {c} colors"),
    };
    if (image.height, image.width, image.colours) != (shape.height, shape.width, shape.colours) {
        return Err(TrainError::Mismatch(format!(
            "{} expects images of {}, but those of {} are {}: change the model with `--set height=H \
             --set width=W --set colors=C`, or shrink the images with `,size=HxW`",
            model.name(),
            size(image.height, image.width, image.colours),
            data.name(),
            size(shape.height, shape.width, shape.colours),
        ))
        .into());
    }
    if image.levels != data.levels() {
        return Err(TrainError::Mismatch(format!(
            "{} expects {} levels, but {} has {}: change the model with `--set levels={}`, or requantize \
             the data with `,levels={}`{}",
            model.name(),
            image.levels,
            data.name(),
            data.levels(),
            data.levels(),
            image.levels,
            if image.levels == 2 { " or `,binarize=threshold|sample|resample`" } else { "" },
        ))
        .into());
    }
    Ok(())
}

fn suits_labels(model: &Declaration, data: &Dataset) -> Result<(), Error> {
    if let Some((name, classes)) = model.label() {
        match data.classes() {
            None => return Err(TrainError::from(BatchError::NoLabels { classes }).into()),
            Some(found) if found > classes => {
                return Err(TrainError::Mismatch(format!(
                    "{} is conditioned on `{name}` with {classes} classes, but {} has {found}: declare \
                     the model with {found} classes",
                    model.name(),
                    data.name(),
                ))
                .into());
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// The default number of shards of a batch for an engine: one per thread, of at least 4 images.
pub fn shards(engine: &dyn Engine, batch: usize) -> usize {
    engine.threads().min(batch / 4).max(1)
}

/// A graph of a model, compiled for an engine of this process, with parameters as inputs.
struct Compiled {
    name: String,
    onnx: Vec<u8>,
    graph: PixelGraph,
}

impl Compiled {
    fn new(
        model: &Declaration,
        kind: GraphKind,
        optimizer: &Optimizer,
        engine: &dyn Engine,
    ) -> Result<Compiled, Error> {
        let options = ExportOptions {
            portable: engine.portable_only(),
            optimizer: *optimizer,
            ..ExportOptions::default()
        };
        let (graph, onnx) = model.compile_both(kind, &options, &mut |_, _| {})?;
        let onnx = model.encode(kind, &options, &onnx)?;
        Ok(Compiled { name: model.name().to_string(), onnx, graph })
    }

    fn program(&self) -> Program<'_> {
        Program { name: &self.name, onnx: &self.onnx, graph: Some(&self.graph) }
    }
}

/// One training step, compiled for an engine.
pub struct CompiledStep {
    /// The whole step; or the part for each shard, and the update.
    programs: (Compiled, Option<Compiled>),
    shards: usize,
}

impl CompiledStep {
    /// Compiles a training step with this number of data-parallel shards.
    ///
    /// # Errors
    /// The graph cannot be compiled.
    pub fn new(
        model: &Declaration,
        optimizer: &Optimizer,
        shards: usize,
        engine: &dyn Engine,
    ) -> Result<CompiledStep, Error> {
        let compile = |kind| Compiled::new(model, kind, optimizer, engine);
        let programs = match shards {
            0 | 1 => (compile(GraphKind::Train)?, None),
            _ => (compile(GraphKind::Grad)?, Some(compile(GraphKind::Update)?)),
        };
        Ok(CompiledStep { programs, shards })
    }

    /// The compiled step, ready to be loaded into an engine.
    pub fn step(&self) -> Step<'_> {
        let first = self.programs.0.program();
        match &self.programs.1 {
            None => Step::Whole(first),
            Some(update) => Step::DataParallel(DataParallel {
                part: first,
                whole: update.program(),
                shards: self.shards,
            }),
        }
    }
}

/// Evaluates a model on a split. Calls `observe` with the number of images done.
///
/// # Errors
/// The weights or the data do not match the model, or the engine fails.
pub fn evaluate(
    model: &Declaration,
    weights: &Weights,
    data: &Dataset,
    split: Split,
    batch: usize,
    engine: &dyn Engine,
    observe: &mut dyn FnMut(usize),
) -> Result<Figures, Error> {
    suits(model, data)?;
    let prepared = prepare(model, GraphKind::Nll, weights, &ExportOptions::default())?;
    let (onnx, graph) = (&prepared.onnx[..], Some(&prepared.graph));
    let program = Program { name: model.name(), onnx, graph };
    let mut session = load_parallel(engine, &program, shards(engine, batch))?;
    let (inputs, none) = (BatchInputs::of(&prepared.graph)?, Weights::new());
    Ok(pixelrnn_train::evaluate(&mut *session, &inputs, &none, data, split, batch, observe)?)
}

/// The model of a run, with overrides of settings.
///
/// # Errors
/// The model cannot be read, or a setting is unknown.
pub fn model_of(run: &Run, overrides: &[(String, usize)]) -> Result<Declaration, Error> {
    let settings = run.settings()?;
    let fail = |reason| TrainError::Settings { path: run.settings_path(), reason };
    let settings = settings["model"]["settings"]
        .as_object()
        .ok_or_else(|| fail("`model.settings` is missing or has the wrong type".to_string()))?;
    let mut set: Vec<(String, usize)> = Vec::new();
    for (name, value) in settings {
        let number = value.as_u64().and_then(|n| usize::try_from(n).ok());
        let wrong = || fail(format!("`model.settings.{name}` is {value}, not a whole number"));
        set.push((name.clone(), number.ok_or_else(wrong)?));
    }
    set.extend_from_slice(overrides);
    Declaration::from_file(&run.model_path(), &set)
}

/// The weights of a run, and their file: those of the best validation, otherwise the last ones; the EMA
/// if there is one.
///
/// # Errors
/// There are no weights yet, the file is damaged, or the best weights are missing.
pub fn weights_of(run: &Run, model: &Declaration) -> Result<(Weights, std::path::PathBuf), Error> {
    let path = weights_path(run);
    let (state, progress) = load(&path)?;
    if let (Some(best), false) = (progress.best, run.best_path().exists()) {
        let reason = format!(
            "it is missing, although the best validation was after step {}. Restore it, or use the last \
             weights with `--weights {}`",
            best.step,
            path.display()
        );
        return Err(TrainError::Damaged { path: run.best_path(), reason }.into());
    }
    Ok((weights_in(state, model), path))
}

/// The file of a run's weights: those of the best validation, if there was a validation.
pub fn weights_path(run: &Run) -> std::path::PathBuf {
    let best = run.best_path();
    if best.exists() { best } else { run.last_path() }
}

/// The weights in a file: a checkpoint, whose checksum is verified, or any other safetensors file.
///
/// # Errors
/// The file cannot be read or is damaged.
pub fn any_weights(path: &Path, model: &Declaration) -> Result<Weights, Error> {
    match is_checkpoint(path)? {
        true => checkpoint_weights(path, model),
        false => crate::weights::load(path),
    }
}

/// The weights of a model in a checkpoint: the EMA if there is one.
///
/// # Errors
/// The file cannot be read or is damaged.
pub fn checkpoint_weights(path: &Path, model: &Declaration) -> Result<Weights, Error> {
    Ok(weights_in(load(path)?.0, model))
}

/// The weights in a training state: the EMA if there is one.
fn weights_in(mut state: Weights, model: &Declaration) -> Weights {
    let names = model.parameter_shapes().into_iter().map(|(name, _)| name.to_string());
    names
        .filter_map(|name| {
            let average = state.remove(&state_name(&name, AVERAGE));
            let weight = average.or_else(|| state.remove(&name))?;
            Some((name, weight))
        })
        .collect()
}
