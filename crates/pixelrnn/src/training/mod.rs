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

mod choice;
mod trainer;

use std::path::Path;

use pixelrnn_data::{Dataset, Spec, Split};
use pixelrnn_ops::PixelGraph;
use pixelrnn_ops::condition::Source;
use pixelrnn_passes::{AVERAGE, Optimizer, Weights, state_name};
use pixelrnn_runtime::world::World;
use pixelrnn_runtime::{
    BatchError, BatchInputs, Captured, DataParallel, Engine, Program, load_parallel,
};
use pixelrnn_train::{is_checkpoint, load};

use serde_json::Value;

use crate::compare::prepare;
use crate::{Batch, ControlFlow, Declaration, Error, ExportOptions, GraphKind, Image};

pub use pixelrnn_data as data;
pub use pixelrnn_passes::{LEARNING_RATE, fresh_state};
pub use pixelrnn_runtime::{ConditionFault, ConditionValues};
/// The crate of the settings of a run.
pub use pixelrnn_train::serde_json;
pub use pixelrnn_train::{
    Budget, Event, Figures, Loss, Observer, Outcome, Progress, Reason, Recipe, Request, Run,
    RunImages, Schedule, ScheduleError, Score, Shape, Step, TrainError, bits_per_dim,
    old_fingerprints,
};
pub use trainer::{Images, Prepared, Trained, Trainer};

/// Checks that the images, the labels and the other conditions of a data set match a model.
///
/// # Errors
/// [`TrainError::Mismatch`] if the size, the levels, the classes or the shape of a condition differ. The
/// message says what to change.
pub fn suits(model: &Declaration, data: &Dataset) -> Result<(), Error> {
    suits_images(model, data)?;
    suits_labels(model, data)?;
    suits_arrays(model, data)
}

/// Checks that a model can be trained on data: like [`suits`], and all training and validation images need
/// labels for a class-conditional model, and values for other conditions.
///
/// # Errors
/// [`TrainError::Mismatch`], with a message that says what to change.
pub fn can_train(model: &Declaration, data: &Dataset) -> Result<(), Error> {
    suits(model, data)?;
    for split in data.splits().into_iter().filter(|&split| split != Split::Test) {
        let images = data.images(split).map_err(TrainError::from)?;
        for (name, kind) in model.conditions() {
            let (missing, is) = match kind.source() {
                Source::Labels if images.labels().is_none() => ("labels", "class-conditional"),
                Source::Array if !images.conditions().any(|(known, _)| known == name) => {
                    (name.as_str(), "conditioned on it")
                }
                _ => continue,
            };
            return Err(TrainError::Mismatch(format!(
                "the {} images of {} have no {missing}, but {} is {is}: add them, or leave out the \
                 images of this split",
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
/// [`TrainError::Mismatch`], with a message that says what to change.
pub fn suits_images(model: &Declaration, data: &Dataset) -> Result<(), Error> {
    let (image, shape) = (model.image(), data.shape());
    let size = |h: usize, w: usize, c: usize| match c {
        1 => format!("{h} x {w}"),
        c => format!("{h} x {w}, {c} colors"),
    };
    if (image.height, image.width, image.colours) != (shape.height, shape.width, shape.colours) {
        return Err(TrainError::Mismatch(format!(
            "{} expects images of {}, but those of {} are {}: {}",
            model.name(),
            size(image.height, image.width, image.colours),
            data.name(),
            size(shape.height, shape.width, shape.colours),
            fit_sizes(&image, &shape),
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

/// Suggests how to make a model and images of different sizes match.
fn fit_sizes(image: &Image, shape: &data::Shape) -> String {
    let settings = [
        ("height", image.height, shape.height),
        ("width", image.width, shape.width),
        ("colors", image.colours, shape.colours),
    ];
    let changed: Vec<String> = settings
        .iter()
        .filter(|(_, has, wants)| has != wants)
        .map(|(name, _, wants)| format!("--set {name}={wants}"))
        .collect();
    let mut options = String::new();
    // Images cannot be enlarged.
    let smaller = image.height <= shape.height && image.width <= shape.width;
    if (image.height, image.width) != (shape.height, shape.width) {
        options = format!(",size={}x{}", image.height, image.width);
    }
    if image.colours != shape.colours {
        options.push_str(&format!(",colors={}", image.colours));
    }
    let model = format!("change the model with `{}`", changed.join(" "));
    match smaller {
        true => format!("{model}, or the images with `{options}`"),
        false => model,
    }
}

/// A warning if the data have no images for some classes of a class-conditional model.
pub fn unused_classes(model: &Declaration, data: &Dataset) -> Option<String> {
    let ((name, classes), found) = model.label().zip(data.classes())?;
    (found < classes).then(|| {
        format!(
            "{} is conditioned on `{name}` with {classes} classes, but {} has {found}: the classes {found} \
             to {} are never trained. A model with {found} classes would fit",
            model.name(),
            data.name(),
            classes - 1,
        )
    })
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

fn suits_arrays(model: &Declaration, data: &Dataset) -> Result<(), Error> {
    let size = [model.image().height, model.image().width];
    let arrays = model.conditions().iter().filter(|(_, kind)| kind.source() == Source::Array);
    for (name, kind) in arrays {
        let mut found = false;
        for split in data.splits() {
            let images = data.images(split).map_err(TrainError::from)?;
            // All rows have the shape of the first.
            let first: Vec<usize> = (0..images.count().min(1)).collect();
            let rows = images.condition(name, &first).map_err(TrainError::from)?;
            let Some(rows) = rows else { continue };
            found = true;
            let fault = |reason| BatchError::condition(name, *kind, ConditionFault::Value(reason));
            kind.take(rows, size).map_err(fault).map_err(TrainError::from)?;
        }
        if !found {
            let fault = BatchError::condition(name, *kind, ConditionFault::Missing);
            return Err(TrainError::from(fault).into());
        }
    }
    Ok(())
}

/// Adds the names of the arrays on which the model is conditioned to a specification, unless it already names
/// arrays or its format does not support them.
pub fn for_model(spec: &Spec, model: &Declaration) -> Spec {
    let mut spec = spec.clone();
    if spec.conditions.is_none() && spec.source.format.takes.contains(&"conditions") {
        let arrays = model.conditions().iter().filter(|(_, kind)| kind.source() == Source::Array);
        let names: Vec<String> = arrays.map(|(name, _)| name.clone()).collect();
        spec.conditions = Some(names).filter(|names| !names.is_empty());
    }
    spec
}

/// The default number of shards of a batch on an engine: one per thread of all ranks, with at least 4 images each,
/// rounded to a multiple of the number of ranks.
pub fn shards(engine: &dyn Engine, batch: usize) -> usize {
    let ranks = engine.world().size();
    let shards = (engine.threads() * ranks).min(batch / 4);
    (shards - shards % ranks).max(ranks)
}

/// The warning if a run loses the operators of its engine.
const PLAIN_NOW: &str = "the run was trained with the operators of the engine `ort`, and goes on with plain ones: from \
                         here on the last bits differ from those of an uninterrupted run";

/// Checks that each rank has a shard.
fn enough_shards(recipe: &Recipe, world: &dyn World, resumed: bool) -> Result<(), TrainError> {
    let (ranks, batch, shards) = (world.size(), recipe.batch, recipe.shards);
    if batch < ranks {
        return Err(TrainError::Recipe(format!(
            "invalid batch size {batch} (`--batch`) for {ranks} ranks: expected at least one image per rank"
        )));
    }
    if shards < ranks {
        return Err(TrainError::Recipe(match resumed {
            true => format!(
                "cannot resume on {ranks} ranks: the run has {shards} shards per batch, and a rank needs at least \
                 one. Start at most {shards} ranks"
            ),
            false => format!(
                "invalid number of shards {shards} (`--shards`) for {ranks} ranks: expected at least one per rank, \
                 up to the batch size, {batch}"
            ),
        }));
    }
    Ok(())
}

/// Checks that an engine which captures steps has whole batches.
fn one_shard(recipe: &Recipe, engine: &dyn Engine) -> Result<(), TrainError> {
    match (engine.captures(), recipe.shards) {
        (false, _) | (true, 0 | 1) => Ok(()),
        (true, shards) => Err(TrainError::Recipe(format!(
            "the run has {shards} shards per batch, but CUDA graphs (`--cuda-graph`) need one shard, on one rank"
        ))),
    }
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
        options: &ExportOptions,
        engine: &dyn Engine,
    ) -> Result<Compiled, Error> {
        let options = ExportOptions {
            portable: engine.portable_only(),
            native: engine.native(),
            weights: None,
            ..options.clone()
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
pub struct CompiledStep(Programs);

enum Programs {
    Whole(Compiled),
    /// For each of some shards, and for the update.
    Sharded(Compiled, Compiled, usize),
    /// For batches of this size, and for those of another one.
    Captured(Compiled, usize, Option<Compiled>),
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
        CompiledStep::with_remat(model, optimizer, shards, false, engine)
    }

    /// Like [`CompiledStep::new`]. With `remat`, activations are recomputed instead of stored: the same
    /// results, with less memory and more time.
    ///
    /// # Errors
    /// As [`CompiledStep::new`].
    pub fn with_remat(
        model: &Declaration,
        optimizer: &Optimizer,
        shards: usize,
        remat: bool,
        engine: &dyn Engine,
    ) -> Result<CompiledStep, Error> {
        let options = ExportOptions { optimizer: *optimizer, remat, ..ExportOptions::default() };
        CompiledStep::with_options(model, &options, shards, engine)
    }

    /// Like [`CompiledStep::new`], with these options: the optimizer, rematerialization, how recurrences are written,
    /// and the batch, which must be dynamic if there are several shards.
    ///
    /// # Errors
    /// As [`CompiledStep::new`].
    pub fn with_options(
        model: &Declaration,
        options: &ExportOptions,
        shards: usize,
        engine: &dyn Engine,
    ) -> Result<CompiledStep, Error> {
        let compile = |kind| Compiled::new(model, kind, options, engine);
        Ok(CompiledStep(match shards {
            0 | 1 => Programs::Whole(compile(GraphKind::Train)?),
            _ => Programs::Sharded(compile(GraphKind::Grad)?, compile(GraphKind::Update)?, shards),
        }))
    }

    /// Compiles a training step for an engine that captures it ([`Engine::captures`]): with unrolled loops, for batches
    /// of `batch` images; with `others`, also one for batches of another size, such as the last one of an epoch.
    ///
    /// # Errors
    /// As [`CompiledStep::new`].
    pub fn captured(
        model: &Declaration,
        (optimizer, remat): (&Optimizer, bool),
        (batch, others): (usize, bool),
        engine: &dyn Engine,
    ) -> Result<CompiledStep, Error> {
        let options = ExportOptions { optimizer: *optimizer, remat, ..ExportOptions::default() };
        let (control_flow, fixed) = (ControlFlow::Unroll, Batch::Fixed(batch));
        let unrolled = ExportOptions { control_flow, batch: fixed, ..options.clone() };
        let compile = |options| Compiled::new(model, GraphKind::Train, options, engine);
        let other = others.then(|| compile(&options)).transpose()?;
        Ok(CompiledStep(Programs::Captured(compile(&unrolled)?, batch, other)))
    }

    /// The compiled step, ready to be loaded into an engine.
    pub fn step(&self) -> Step<'_> {
        match &self.0 {
            Programs::Whole(whole) => Step::Whole(whole.program()),
            Programs::Sharded(part, update, shards) => Step::DataParallel(DataParallel {
                part: part.program(),
                whole: update.program(),
                shards: *shards,
            }),
            Programs::Captured(whole, images, other) => Step::Captured(Captured {
                whole: whole.program(),
                images: *images,
                other: other.as_ref().map(Compiled::program),
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
    let options = ExportOptions { native: engine.native(), ..ExportOptions::default() };
    let prepared = prepare(model, GraphKind::Nll, weights, &options)?;
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
    let fail = |reason| TrainError::Settings { path: run.settings_path(), reason };
    let mut set = model_settings(&run.settings()?).map_err(fail)?;
    set.extend_from_slice(overrides);
    Declaration::from_file(&run.model_path(), &set)
}

/// The settings of the model in the settings of a run, for [`Declaration::from_source`].
///
/// # Errors
/// A message that names the field if the settings are missing or damaged.
pub fn model_settings(settings: &Value) -> Result<Vec<(String, usize)>, String> {
    let settings = settings["model"]["settings"]
        .as_object()
        .ok_or("`model.settings` is missing or has the wrong type")?;
    let number = |(name, value): (&String, &Value)| {
        let number = value.as_u64().and_then(|n| usize::try_from(n).ok());
        let wrong = || format!("`model.settings.{name}` is {value}, not a whole number");
        Ok((name.clone(), number.ok_or_else(wrong)?))
    };
    settings.iter().map(number).collect()
}

/// The weights of a run, and their file. The weights are those of the best validation, otherwise the last
/// ones. They are the EMA if there is one.
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

/// The weights in a training state: the EMA if there is one. Weights that the model does not have are among
/// them, so that [`Declaration::check_weights`] finds them.
fn weights_in(mut state: Weights, model: &Declaration) -> Weights {
    let mut weights = Weights::new();
    for (name, _) in model.parameter_shapes() {
        let average = state.remove(&state_name(name, AVERAGE));
        let own = state.remove(name);
        weights.extend(average.or(own).map(|weight| (name.to_string(), weight)));
    }
    // What is left are states of the optimizer, named after their parameter or without a dot, and unknown weights.
    let parent = |name: &str| name.rsplit_once('.').map(|(parent, _)| parent.to_string());
    let known = |name: &String| match parent(name) {
        None => true,
        Some(parent) => weights.contains_key(&parent) || state.contains_key(&parent),
    };
    let unknown: Vec<String> = state.keys().filter(|name| !known(name)).cloned().collect();
    for name in unknown {
        weights.extend(state.remove_entry(&name));
    }
    weights
}
