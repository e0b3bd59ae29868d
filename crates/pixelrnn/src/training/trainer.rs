//! Training in one call.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pixelrnn_data::{Dataset, Spec, Split};
use pixelrnn_passes::{Optimizer, Weights};
use pixelrnn_runtime::world::{Alone, World, lead, share_arrays};
use pixelrnn_runtime::{DistributedEngine, Engine, EngineKind, Options};
use pixelrnn_train::{
    Budget, ModelText, Observer, Outcome, Recipe, Request, Run, Schedule, Task, TrainError,
    same_settings,
};
use serde_json::{Map, Value, json};

use super::choice::{Choice, Opened};
use super::{
    Compiled, CompiledStep, PLAIN_NOW, any_weights, can_train, enough_shards, for_model, model_of,
    one_shard, shards, weights_of,
};
use crate::{Declaration, Error, ExportOptions, GraphKind};

/// The images to train on: a specification, as text or parsed, or loaded images.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Images {
    /// The text of a specification, such as `digits` or `idx:mnist,binarize=threshold`.
    Text(String),
    /// A specification.
    Spec(Box<Spec>),
    /// Loaded images. Without a validation split, a tenth of the training images is held out.
    Loaded(Box<Dataset>),
}

impl From<&str> for Images {
    fn from(text: &str) -> Images {
        Images::Text(text.to_string())
    }
}

impl From<String> for Images {
    fn from(text: String) -> Images {
        Images::Text(text)
    }
}

impl From<Spec> for Images {
    fn from(spec: Spec) -> Images {
        Images::Spec(Box::new(spec))
    }
}

impl From<Dataset> for Images {
    fn from(data: Dataset) -> Images {
        Images::Loaded(Box::new(data))
    }
}

/// The weights that a new run starts from.
enum Initial {
    Path(PathBuf),
    Weights(Weights),
}

/// A training run. Settings that are not given have their defaults in a new run, and stay unchanged in a
/// resumed run.
///
/// A new run needs [`model`](Trainer::model), [`data`](Trainer::data) and a budget
/// ([`steps`](Trainer::steps), [`epochs`](Trainer::epochs) or [`minutes`](Trainer::minutes)). See the
/// [module](super) for an example.
#[must_use = "a trainer does nothing until `train` or `prepare` is called"]
pub struct Trainer {
    run: Run,
    resume: bool,
    model: Option<Declaration>,
    images: Option<Images>,
    request: Request,
    initial: Option<Initial>,
    engine: Choice,
    world: Arc<dyn World>,
}

impl Trainer {
    /// A run in this folder, which is created if it does not exist.
    pub fn new(folder: impl Into<PathBuf>) -> Trainer {
        Trainer {
            run: Run::new(folder),
            resume: false,
            model: None,
            images: None,
            request: Request::default(),
            initial: None,
            engine: Choice::Usual(Options::default()),
            world: Arc::new(Alone),
        }
    }

    /// Resumes the run in the folder. Without a run there, a new one begins. The result is that of an uninterrupted run:
    /// bit-identical on the same machine, with a budget in steps or epochs. Model, images and engine need not
    /// be given again. Settings on which the state depends cannot change; see [`Request::resumed_recipe`].
    pub fn resume(mut self) -> Trainer {
        self.resume = true;
        self
    }

    /// The model to train.
    pub fn model(mut self, model: &Declaration) -> Trainer {
        self.model = Some(model.clone());
        self
    }

    /// The images to train on: the text of a specification such as `digits`, a [`Spec`], or a [`Dataset`].
    /// For a resumed run: the new location of the same images.
    pub fn data(mut self, images: impl Into<Images>) -> Trainer {
        self.images = Some(images.into());
        self
    }

    /// Starts from the weights in a safetensors file, or in a run folder.
    pub fn initial_file(mut self, path: impl Into<PathBuf>) -> Trainer {
        self.initial = Some(Initial::Path(path.into()));
        self
    }

    /// Starts from these weights.
    pub fn initial_weights(mut self, weights: Weights) -> Trainer {
        self.initial = Some(Initial::Weights(weights));
        self
    }

    /// Trains with this engine. The default is ONNX Runtime, or tract if it is not available.
    pub fn engine(self, kind: EngineKind) -> Trainer {
        self.engine_with(kind, Options::default())
    }

    /// Trains with this engine and its options.
    pub fn engine_with(mut self, kind: EngineKind, options: Options) -> Trainer {
        self.engine = Choice::Kind(kind, options);
        self
    }

    /// Trains with ONNX Runtime and these options, or with tract if it is not available.
    pub fn usual_engine_with(mut self, options: Options) -> Trainer {
        self.engine = Choice::Usual(options);
        self
    }

    /// Trains with an engine that is already open.
    pub fn opened_engine(mut self, engine: Box<dyn Engine>) -> Trainer {
        self.engine = Choice::Opened(engine);
        self
    }

    /// Divides the work among the processes of a world, such as the ranks of an MPI job: the shards of each batch, and
    /// validation. Every process makes the same calls; rank 0 alone writes the run folder. The result has the same bits
    /// as that of one process with as many shards.
    pub fn world(mut self, world: Arc<dyn World>) -> Trainer {
        self.world = world;
        self
    }

    /// Sets all settings at once, and replaces those that were given before.
    pub fn request(mut self, request: Request) -> Trainer {
        self.request = request;
        self
    }

    /// The optimizer: its update rule, clipping and EMA. The default is RMSProp.
    pub fn optimizer(mut self, optimizer: Optimizer) -> Trainer {
        self.request.optimizer = Some(optimizer);
        self
    }

    /// The base learning rate. The default is that of the update rule.
    pub fn learning_rate(mut self, rate: f64) -> Trainer {
        self.request.learning_rate = Some(rate);
        self
    }

    /// The learning rate schedule, with its warm-up. The default is a constant rate.
    pub fn schedule(mut self, schedule: Schedule) -> Trainer {
        self.request.schedule = Some(schedule);
        self.request.warm_up = Some(schedule.warm_up);
        self
    }

    /// Clips the gradient to this global norm.
    pub fn clip(mut self, norm: f64) -> Trainer {
        self.request.clip = Some(norm);
        self
    }

    /// Keeps an exponential moving average (EMA) of the weights with this decay, below 1, and validates it.
    pub fn ema(mut self, decay: f64) -> Trainer {
        self.request.ema = Some(decay);
        self
    }

    /// Images per step. The default is 16.
    pub fn batch(mut self, images: usize) -> Trainer {
        self.request.batch = Some(images);
        self
    }

    /// The number of data-parallel shards per step. The default is one per core, with at least 4 images each.
    /// It affects rounding.
    pub fn shards(mut self, shards: usize) -> Trainer {
        self.request.shards = Some(shards);
        self
    }

    /// Random seed for initialization, shuffling and sampling. The default is 0.
    pub fn seed(mut self, seed: u64) -> Trainer {
        self.request.seed = Some(seed);
        self
    }

    /// Stops after this number of steps, including those before a resume.
    pub fn steps(self, steps: u64) -> Trainer {
        self.budget(Budget::Steps(steps))
    }

    /// Stops after this number of epochs, including those before a resume.
    pub fn epochs(self, epochs: u64) -> Trainer {
        self.budget(Budget::Epochs(epochs))
    }

    /// Stops after this number of minutes of training, including those before a resume.
    pub fn minutes(self, minutes: f64) -> Trainer {
        self.budget(Budget::Minutes(minutes))
    }

    /// When the run ends.
    pub fn budget(mut self, budget: Budget) -> Trainer {
        self.request.budget = Some(budget);
        self
    }

    /// Steps between validations. The default is one epoch.
    pub fn validate_every(mut self, steps: u64) -> Trainer {
        self.request.validate_every = Some(steps);
        self
    }

    /// Stops after this number of validations without improvement.
    pub fn patience(mut self, validations: u64) -> Trainer {
        self.request.patience = Some(validations);
        self
    }

    /// Recomputes activations in the backward pass instead of storing them: the same result with less memory,
    /// in about 1.3 times the time.
    pub fn remat(mut self) -> Trainer {
        self.request.remat = true;
        self
    }

    /// Seconds between checkpoints. The default is 60. They do not change the result.
    pub fn checkpoint_every(mut self, seconds: f64) -> Trainer {
        self.request.checkpoint_every = Some(seconds);
        self
    }

    /// Trains until the budget is spent, or until validation stops improving.
    ///
    /// # Errors
    /// As [`Trainer::prepare`] and [`Prepared::train`].
    pub fn train(self) -> Result<Trained, Error> {
        let prepared = self.prepare()?;
        let outcome = prepared.train(&mut (), &AtomicBool::new(false))?;
        let world = prepared.world;
        let own = lead(&*world, || weights_of(&prepared.run, &prepared.model))?;
        let own = own.map_or(Weights::new(), |(weights, _)| weights);
        let weights = share_arrays(&*world, own.into_iter().collect())?.into_iter().collect();
        Ok(Trained { outcome, weights, run: prepared.run })
    }

    /// Checks all settings, reads the images and opens the engine. Writes nothing.
    ///
    /// # Errors
    /// - [`TrainError::Exists`] if the folder contains a run and [`Trainer::resume`] was not called.
    /// - [`TrainError::Recipe`] if a required setting is missing, or a setting is out of range.
    /// - [`TrainError::Fixed`] or [`TrainError::Resume`] if a setting, the model or the images of a resumed
    ///   run have changed.
    /// - Other errors if the model is not causal, the images cannot be read or do not match it, the initial
    ///   weights do not fit, or the engine is not available.
    pub fn prepare(self) -> Result<Prepared, Error> {
        match (self.run.exists(), self.resume) {
            (true, false) => {
                Err(TrainError::Exists { path: self.run.folder().to_path_buf() }.into())
            }
            (true, true) => self.prepare_resumed(),
            (false, _) => self.prepare_new(),
        }
    }

    fn prepare_new(self) -> Result<Prepared, Error> {
        let missing = |what: &str| {
            let folder = self.run.folder().display();
            TrainError::Recipe(match self.resume {
                true => format!("cannot resume: {folder} contains no run"),
                false => format!("missing {what}: a new run needs a model, images and a budget"),
            })
        };
        let model = self.model.clone().ok_or_else(|| missing("model"))?;
        let images = self.images.clone().ok_or_else(|| missing("images"))?;
        let mut recipe = self.request.new_recipe()?;
        // The weights of a model that leaks are useless.
        model.prove()?;
        let data = load(&images, &model, recipe.seed)?;
        can_train(&model, &data)?;
        let initial = self.initial.as_ref().map(|i| i.load(&model)).transpose()?;
        let Opened { engine, version, warning } = self.engine.open()?;
        let ranks = DistributedEngine::new(&*engine, Arc::clone(&self.world));
        if self.request.shards.is_none() {
            recipe.shards = shards(&ranks, recipe.batch);
        }
        recipe.plain = !engine.native();
        enough_shards(&recipe, &*self.world, false)?;
        one_shard(&recipe, &*engine)?;
        can_be_patient(&recipe, &data)?;
        let mut settings = settings(&model, &data, &recipe);
        let (weights, origin) = initial.unzip();
        settings["initial_weights"] = origin.unwrap_or(Value::Null);
        Ok(Prepared {
            run: self.run,
            begun: false,
            about: about(&settings, &*engine, &version),
            model,
            data,
            recipe,
            engine,
            world: self.world,
            settings,
            weights,
            warning,
        })
    }

    fn prepare_resumed(self) -> Result<Prepared, Error> {
        if self.initial.is_some() {
            let text = "cannot resume from other weights: a run goes on from its checkpoint";
            return Err(TrainError::Resume(text.to_string()).into());
        }
        let (named, recipe) = self.run.recipe()?;
        let model = model_of(&self.run, &[])?;
        if let Some(asked) = &self.model {
            let (own_text, asked_text) = (model.text(), asked.text());
            let own = ModelText { name: model.name(), settings: model.settings(), text: &own_text };
            let asked =
                ModelText { name: asked.name(), settings: asked.settings(), text: &asked_text };
            self.run.check_model(&own, &asked)?;
        }
        let mut recipe = self.request.resumed_recipe(recipe)?;
        let images = self.images(named, &model, recipe.seed)?;
        can_train(&model, &images.data)?;
        let Opened { engine, version, warning } = self.engine.open()?;
        enough_shards(&recipe, &*self.world, true)?;
        one_shard(&recipe, &*engine)?;
        let mut warnings: Vec<String> = warning.into_iter().collect();
        warnings.extend(self.run.check_images(&images)?);
        if !engine.native() && !recipe.plain {
            recipe.plain = true;
            warnings.push(PLAIN_NOW.to_string());
        }
        let data = images.data;
        can_be_patient(&recipe, &data)?;
        let mut settings = settings(&model, &data, &recipe);
        settings["initial_weights"] = self.run.check_start()?;
        Ok(Prepared {
            run: self.run,
            begun: true,
            about: about(&settings, &*engine, &version),
            model,
            data,
            recipe,
            engine,
            world: self.world,
            settings,
            weights: None,
            warning: (!warnings.is_empty()).then(|| warnings.join("\n")),
        })
    }

    /// The images of a resumed run. `named` is their specification in run.json.
    fn images(
        &self,
        named: String,
        model: &Declaration,
        seed: u64,
    ) -> Result<pixelrnn_train::RunImages, Error> {
        let read = |spec: &Spec| self.run.images(&for_model(spec, model), seed);
        Ok(match &self.images {
            Some(Images::Spec(spec)) => read(spec)?,
            Some(Images::Text(text)) => read(&parse(text)?)?,
            Some(Images::Loaded(data)) => self.run.loaded_images(Dataset::clone(data).hold_out())?,
            None => read(&parse(&named)?).map_err(|error| {
                TrainError::Resume(format!(
                    "{error}\nThese images are named in {}: resume in the folder where the run was started, \
                     or give their new location with `--data`",
                    self.run.settings_path().display()
                ))
            })?,
        })
    }
}

impl Initial {
    /// The initial weights and their origin, for run.json.
    fn load(&self, model: &Declaration) -> Result<(Weights, Value), Error> {
        let (weights, file) = match self {
            Initial::Weights(weights) => (weights.clone(), None),
            Initial::Path(path) => {
                let (weights, file) = initial_file(path, model)?;
                (weights, Some(file.display().to_string()))
            }
        };
        model.check_weights(&weights).map_err(|error| {
            let file = file.as_deref().unwrap_or("the program");
            let model = model.name();
            TrainError::Mismatch(format!("the weights of {file} do not fit {model}: {error}"))
        })?;
        let origin = json!({ "file": file, "sha256": crate::weights::fingerprint(&weights) });
        Ok((weights, origin))
    }
}

/// The weights in a run folder or in a file, and the path of the file.
fn initial_file(path: &Path, model: &Declaration) -> Result<(Weights, PathBuf), Error> {
    let run = Run::new(path);
    match run.exists() {
        true => weights_of(&run, model),
        false => Ok((any_weights(path, model)?, path.to_path_buf())),
    }
}

fn parse(text: &str) -> Result<Spec, TrainError> {
    text.parse().map_err(|error: pixelrnn_data::SpecError| TrainError::Recipe(error.to_string()))
}

fn load(images: &Images, model: &Declaration, seed: u64) -> Result<Dataset, TrainError> {
    Ok(match images {
        Images::Loaded(data) => Dataset::clone(data),
        Images::Spec(spec) => for_model(spec, model).load(seed)?,
        Images::Text(text) => for_model(&parse(text)?, model).load(seed)?,
    }
    .hold_out())
}

/// Checks that there are validation images if early stopping is requested.
fn can_be_patient(recipe: &Recipe, data: &Dataset) -> Result<(), TrainError> {
    match recipe.patience {
        Some(_) if data.images(Split::Valid).is_err() => Err(TrainError::Recipe(format!(
            "early stopping (`--patience`) needs validation images, and {} has none: use `,holdout=0.1`",
            data.name()
        ))),
        _ => Ok(()),
    }
}

/// The settings of a run, for run.json.
fn settings(model: &Declaration, data: &Dataset, recipe: &Recipe) -> Value {
    let set: Map<String, Value> =
        model.settings().iter().map(|(name, n)| (name.clone(), json!(n))).collect();
    json!({
        "pixelrnn": env!("CARGO_PKG_VERSION"),
        "model": { "name": model.name(), "settings": set },
        "data": data.name(),
        "data_sha256": data.fingerprint(),
        "data_selection": data.selection(),
        "class_names": data.class_names(),
        "recipe": recipe.json(),
    })
}

/// The first line of the log.
fn about(settings: &Value, engine: &dyn Engine, version: &str) -> Value {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut about = settings.clone();
    about["engine"] = json!(engine.name());
    about["engine_version"] = json!(version);
    about["hardware_threads"] = json!(threads);
    about
}

/// A training run whose settings have been checked. Created by [`Trainer::prepare`].
pub struct Prepared {
    run: Run,
    begun: bool,
    model: Declaration,
    data: Dataset,
    recipe: Recipe,
    engine: Box<dyn Engine>,
    world: Arc<dyn World>,
    settings: Value,
    about: Value,
    weights: Option<Weights>,
    warning: Option<String>,
}

impl Prepared {
    /// The run folder.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The model.
    pub fn model(&self) -> &Declaration {
        &self.model
    }

    /// The images, with validation images held out.
    pub fn data(&self) -> &Dataset {
        &self.data
    }

    /// The settings of the run.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The engine.
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// A warning: about the engine, or about a resumed run, for example that its images could not be compared.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Trains until the budget is spent, validation stops improving, or `stop` is set. Then a checkpoint is
    /// written, from which [`Trainer::resume`] continues. `observer` receives the events of the run; `()`
    /// ignores them.
    ///
    /// # Errors
    /// [`Error`] if the graphs cannot be compiled, an engine or a file fails, the last checkpoint is damaged,
    /// or the loss is not finite. The last checkpoint on disk is always complete.
    pub fn train(&self, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Outcome, Error> {
        let Prepared { model, recipe, engine, .. } = self;
        let world = &self.world;
        same_settings(&**world, &self.settings)?;
        if !self.begun {
            lead(&**world, || self.run.create(&model.text(), &self.settings))?;
        }
        let engine = &DistributedEngine::new(&**engine, Arc::clone(world)).plain(recipe.plain);
        let (optimizer, remat) = (&recipe.optimizer, recipe.remat);
        let step = if engine.captures() {
            let count = self.data.images(Split::Train).map_err(TrainError::from)?.count();
            let sizes = (recipe.batch, !count.is_multiple_of(recipe.batch));
            CompiledStep::captured(model, (optimizer, remat), sizes, engine)?
        } else {
            CompiledStep::with_remat(model, optimizer, recipe.shards, remat, engine)?
        };
        let nll = Compiled::new(model, GraphKind::Nll, &ExportOptions::default(), engine)?;
        let fresh;
        let weights = match &self.weights {
            Some(weights) => weights,
            None => {
                fresh = model.initialize(recipe.seed);
                &fresh
            }
        };
        let task = Task {
            step: step.step(),
            nll: nll.program(),
            nll_graph: &nll.graph,
            data: &self.data,
            recipe,
            weights,
            about: self.about.clone(),
            settings: &self.settings,
        };
        Ok(pixelrnn_train::train(&task, engine, &self.run, observer, stop)?)
    }
}

/// The result of [`Trainer::train`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Trained {
    /// Why the run ended, and its results.
    pub outcome: Outcome,
    /// The weights of the best validation, otherwise the last ones; the EMA if there is one.
    pub weights: Weights,
    /// The run folder.
    pub run: Run,
}
