//! `pixelrnn train`: trains a model, or continues a run.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use pixelrnn::training::data::{self, Dataset, Shape, Spec, Split};
use pixelrnn::training::{
    self, Budget, Event, Observer, Outcome, Reason, Recipe, Run, Schedule, Training, bits_per_dim,
};
use pixelrnn::{Declaration, Optimizer, Weights, zoo};
use serde_json::{Value, json};

use crate::arguments::Global;
use crate::curve;
use crate::datasets::{announce, for_model};
use crate::engines;
use crate::exit::{ExitCode, Failure, usage};
use crate::interrupt;
use crate::model::{self, image_text};
use crate::out::Out;
use crate::parse;
use crate::progress::Bar;
use crate::table::{grouped, plural};

/// Train a model
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
RUN will contain the model, the settings, the last checkpoint, the best weights, the log and its
curve. Every command accepts it as MODEL. Ctrl-C saves a checkpoint and stops; --resume continues,
with the same result as an uninterrupted run (same machine, budget in steps or epochs).

Fine-tuning: with a run folder as MODEL, or with --weights, a new run starts from trained weights.
The optimizer state, the step count and the schedule start from zero. run.json records the origin
of the weights in `initial_weights`. To start a run's model from fresh weights, name
RUN/model.pixelrnn.

{}
Example:
  pixelrnn train digits-diagonal --data digits --minutes 1 --out my-run
  pixelrnn train my-run --data digits --epochs 2 --lr 1e-4 --out tuned", data::help()))]
pub struct Train {
    /// Name of a model in the zoo, model file, or run folder to start from; not needed with --resume
    #[arg(required_unless_present = "resume")]
    model: Option<String>,
    /// Override a hyper-parameter, or height, width, colors or levels of the image
    #[arg(long, value_name = "NAME=N", value_parser = parse::setting, requires = "model")]
    set: Vec<(String, usize)>,
    /// Training data, e.g. `idx:mnist,binarize=threshold`. With --resume: the new location of the same
    /// data
    #[arg(long, value_name = "SPEC", value_parser = parse::spec,
          required_unless_present = "resume")]
    data: Option<Spec>,
    /// Run folder to write
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Start from these weights: a safetensors file, or a run folder
    #[arg(long, value_name = "F.safetensors|RUN", conflicts_with = "resume")]
    weights: Option<PathBuf>,
    /// Continue the run in this folder; settings not given here stay unchanged
    #[arg(long)]
    resume: bool,
    /// Stop after N steps
    #[arg(long, value_name = "N", group = "budget",
          value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// Stop after N epochs
    #[arg(long, value_name = "N", group = "budget",
          value_parser = clap::value_parser!(u64).range(1..))]
    epochs: Option<u64>,
    /// Stop after N minutes
    #[arg(long, value_name = "N", group = "budget", value_parser = parse::positive)]
    minutes: Option<f64>,
    /// Images per step [default: 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    batch: Option<u16>,
    /// Data-parallel shards per step (changes rounding) [default: one per core, of at least 4 images]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    shards: Option<u16>,
    /// Recompute activations in the backward pass instead of storing them: the same result with less
    /// memory, in about 1.3 times the time
    #[arg(long)]
    remat: bool,
    /// Update rule [default: rmsprop]
    #[arg(long, value_name = "RULE", value_parser = parse::optimizer())]
    optimizer: Option<Optimizer>,
    #[arg(long, value_name = "X", value_parser = parse::positive, help = parse::learning_rates())]
    lr: Option<f64>,
    /// Learning rate schedule: `constant`, `linear` or `cosine`, e.g. `cosine:0.1` to end at 10 % of --lr
    /// [default: constant]
    #[arg(long, value_name = "HOW", value_parser = Schedule::parse)]
    schedule: Option<Schedule>,
    /// Warm-up: steps in which the learning rate rises linearly from 0 [default: 0]
    #[arg(long, value_name = "STEPS")]
    warmup: Option<u64>,
    /// Clip the gradient to this norm
    #[arg(long, value_name = "NORM", value_parser = parse::positive)]
    clip: Option<f64>,
    /// Validate and keep an exponential moving average of the weights with this decay, e.g. 0.999
    #[arg(long, value_name = "DECAY", value_parser = parse::decay)]
    ema: Option<f64>,
    /// Random seed for initialization, shuffling and sampling [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Engine to train with
    #[arg(long, value_name = "NAME", default_value = "ort", value_parser = parse::engine())]
    engine: String,
    /// Steps between validations [default: one epoch]
    #[arg(long, value_name = "STEPS", value_parser = clap::value_parser!(u64).range(1..))]
    validate_every: Option<u64>,
    /// Stop after N validations without improvement
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    patience: Option<u64>,
    /// Seconds between checkpoints [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = parse::positive)]
    checkpoint_every: Option<f64>,
}

impl Train {
    /// Runs the command.
    pub fn run(&self, global: &Global, out: &Out) -> Result<ExitCode, Failure> {
        let run = Run::new(&self.out);
        let begun = run.exists();
        let (model, spec, mut recipe) = match (begun, self.resume) {
            (true, false) => {
                return usage(format!(
                    "{} already contains a run: continue it with `--resume`, or choose another folder",
                    self.out.display()
                ));
            }
            (true, true) => self.resumed(&run)?,
            (false, _) => self.fresh()?,
        };
        let (data, same) = self.load(&run, begun, &spec, recipe.seed)?;
        announce(&data, out);
        training::can_train(&model, &data)?;
        let engine = engines::one(&self.engine, global)?;
        if begun {
            self.same_data(&run, &data, same)?;
            if same.is_none() {
                out.warn(&format!(
                    "run.json has no hash of the training images: {} may contain different images",
                    data.name()
                ));
            }
        } else {
            let usual = training::shards(&*engine, recipe.batch);
            recipe.shards = self.shards.map_or(usual, usize::from);
            if recipe.shards > recipe.batch {
                return usage(format!(
                    "invalid --shards {}: expected at most the batch size, {}",
                    recipe.shards, recipe.batch
                ));
            }
        }
        let validates = data.images(Split::Valid).is_ok();
        if self.patience.is_some() && !validates {
            return usage(format!(
                "`--patience` needs validation images, and {} has none: use `,holdout=0.1`",
                data.name()
            ));
        }
        let initial = if begun { None } else { self.initial(&model)? };
        let mut settings = training::settings(&model, &data, &recipe);
        settings["initial_weights"] = match &initial {
            Some((_, origin)) => origin.clone(),
            None if begun => run.settings()?["initial_weights"].clone(),
            None => Value::Null,
        };
        if begun && !settings["initial_weights"].is_null() && !run.last_path().exists() {
            return usage(format!(
                "cannot resume: {} was stopped before its first checkpoint, and does not contain the weights \
                 that it started from. Start a new run in another folder",
                self.out.display()
            ));
        }
        if !begun {
            run.create(&model.text(), &settings)?;
        }
        let stop = interrupt::flag(out);
        let mut watch = Watch::new(out, data.shape(), &run);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut about = settings.clone();
        about["engine"] = json!(engine.name());
        about["engine_version"] =
            json!(engines::version(engine.name(), &engines::options(global, None)));
        about["hardware_threads"] = json!(cores);
        let count = |split| data.images(split).map_or(0, |images| images.count());
        out.progress(&format!(
            "{} ({}, {} parameters): training on {} images of {}, validating on {}",
            model.name(),
            image_text(&model),
            grouped(model.parameters()),
            grouped(count(Split::Train)),
            data.name(),
            grouped(count(Split::Valid)),
        ));
        let task = Training {
            model: &model,
            data: &data,
            recipe: &recipe,
            engine: &*engine,
            about,
            settings: &settings,
            weights: initial.as_ref().map(|(weights, _)| weights),
        };
        let outcome = watch.train(&task, &run, &stop)?;
        self.answer(&outcome, &run, &data, watch.speed, out)?;
        Ok(ExitCode::of(outcome.reason != Reason::Diverged))
    }

    /// The weights that a new run starts from and their origin; `None` for fresh weights.
    fn initial(&self, model: &Declaration) -> Result<Option<(Weights, Value)>, Failure> {
        let named = self.weights.as_deref().or(self.model.as_deref().map(Path::new));
        let Some(path) = named else { return Ok(None) };
        let run = Run::new(path);
        let zoo = self.weights.is_none() && zoo::find(&path.to_string_lossy()).is_ok();
        let (weights, file) = match (run.exists() && !zoo, &self.weights) {
            (true, _) => training::weights_of(&run, model)?,
            (false, Some(path)) => (training::any_weights(path, model)?, path.clone()),
            (false, None) => return Ok(None),
        };
        model.check_weights(&weights).map_err(|error| {
            let (file, model) = (file.display(), model.name());
            Failure::Usage(format!("the weights of {file} do not fit {model}: {error}"))
        })?;
        let origin = json!({
            "file": file.display().to_string(),
            "sha256": pixelrnn::weights::fingerprint(&weights),
        });
        Ok(Some((weights, origin)))
    }

    /// The images, and for a resumed run whether they are unchanged.
    fn load(
        &self,
        run: &Run,
        begun: bool,
        spec: &Spec,
        seed: u64,
    ) -> Result<(Dataset, Option<bool>), Failure> {
        if !begun {
            return Ok((spec.load(seed).map_err(Failure::data)?.hold_out(), None));
        }
        training::data_of(run, spec, seed).map_err(|error| match self.data {
            None => Failure::Usage(format!(
                "{error}\nThese images are named in {}: resume in the folder where the run was started, or give \
                 their new location with `--data`",
                run.settings_path().display()
            )),
            Some(_) => error.into(),
        })
    }

    /// The settings of a new run.
    fn fresh(&self) -> Result<(Declaration, Spec, Recipe), Failure> {
        let (Some(name), Some(spec)) = (&self.model, &self.data) else {
            return usage(format!("cannot resume: {} contains no run", self.out.display()));
        };
        let Some(budget) = self.budget() else {
            return usage(
                "missing training budget: give `--steps N`, `--epochs N` or `--minutes N`",
            );
        };
        let model = model::load(name, &self.set)?;
        // The weights of a leaking model are useless.
        model.prove()?;
        let optimizer = self.optimizer.unwrap_or(Optimizer::RMSPROP);
        let mut recipe = Recipe::new(optimizer, budget);
        recipe.batch = self.batch.map_or(recipe.batch, usize::from);
        recipe.seed = self.seed.unwrap_or(recipe.seed);
        recipe.optimizer.ema = self.ema;
        self.change(&mut recipe);
        let spec = for_model(spec, &model);
        Ok((model, spec, recipe))
    }

    /// The settings of a resumed run. Settings that the result depends on cannot change.
    fn resumed(&self, run: &Run) -> Result<(Declaration, Spec, Recipe), Failure> {
        let (data, mut recipe) = training::recipe_of(run)?;
        let model = training::model_of(run, &[])?;
        let fixed = |name: &str, was: String, asked: Option<String>| match asked {
            Some(asked) if asked != was => usage(format!(
                "cannot change {name} from {was} to {asked} when resuming: leave the option out, or start \
                 a new run in another folder"
            )),
            _ => Ok(()),
        };
        if let Some(name) = &self.model {
            let asked = model::load(name, &self.set)?;
            let text = |m: &Declaration| format!("{} {:?}", m.name(), m.settings());
            fixed("the model", text(&model), Some(text(&asked)))?;
            if asked.text() != model.text() {
                return usage(format!(
                    "{name} differs from the model of the run ({}): restore it, or start a new run in \
                     another folder",
                    run.model_path().display()
                ));
            }
        }
        let rule = recipe.optimizer.rule;
        let asked = self.optimizer.map(|asked| asked.rule.name.to_string());
        fixed("the optimizer", rule.name.to_string(), asked)?;
        fixed("the batch", recipe.batch.to_string(), self.batch.map(|n| n.to_string()))?;
        if let Some(shards) = self.shards.map(usize::from).filter(|&n| n != recipe.shards) {
            // This changes rounding, so it needs an explicit request.
            fixed(
                "the shards",
                recipe.shards.to_string(),
                (shards != 1).then(|| shards.to_string()),
            )?;
            recipe.shards = shards;
        }
        fixed("the seed", recipe.seed.to_string(), self.seed.map(|n| n.to_string()))?;
        let was = recipe.optimizer.ema.map_or("none".to_string(), |x| x.to_string());
        fixed("the average's decay", was, self.ema.map(|x| x.to_string()))?;
        if let Some(budget) = self.budget() {
            recipe.budget = budget;
        }
        self.change(&mut recipe);
        let spec = match &self.data {
            Some(spec) => spec.clone(),
            None => parse::spec(&data).map_err(Failure::Usage)?,
        };
        let spec = for_model(&spec, &model);
        Ok((model, spec, recipe))
    }

    /// Checks that a resumed run has the images that it started with.
    fn same_data(&self, run: &Run, data: &Dataset, same: Option<bool>) -> Result<(), Failure> {
        let named = training::recipe_of(run)?.0;
        let path = run.settings_path();
        match same {
            Some(true) => Ok(()),
            Some(false) => usage(format!(
                "the images in {} have changed since the run started (hash in {}): start a new run in \
                 another folder",
                data.name(),
                path.display()
            )),
            None if named == data.name() => Ok(()),
            None => usage(format!(
                "cannot change the data from {named} to {} when resuming: leave out `--data`, or start a new \
                 run in another folder",
                data.name()
            )),
        }
    }

    fn budget(&self) -> Option<Budget> {
        let steps = self.steps.map(Budget::Steps);
        steps.or(self.epochs.map(Budget::Epochs)).or(self.minutes.map(Budget::Minutes))
    }

    /// Applies the settings that may change when resuming.
    fn change(&self, recipe: &mut Recipe) {
        recipe.remat |= self.remat;
        recipe.learning_rate = self.lr.unwrap_or(recipe.learning_rate);
        let warm_up = self.warmup.unwrap_or(recipe.schedule.warm_up);
        recipe.schedule = Schedule { warm_up, ..self.schedule.unwrap_or(recipe.schedule) };
        recipe.optimizer.clip = self.clip.or(recipe.optimizer.clip);
        recipe.validate_every = self.validate_every.or(recipe.validate_every);
        recipe.patience = self.patience.or(recipe.patience);
        recipe.checkpoint_every = self.checkpoint_every.unwrap_or(recipe.checkpoint_every);
    }

    fn answer(
        &self,
        outcome: &Outcome,
        run: &Run,
        data: &Dataset,
        speed: f64,
        out: &Out,
    ) -> Result<(), Failure> {
        let folder = self.out.display();
        let progress = &outcome.progress;
        let figure = |nats: f64| figure(nats, data.shape());
        let diverged = format!(
            "diverged: the loss of the last steps is {}, and uniform predictions have {}. The checkpoint \
             of step {} is kept. Lower the learning rate (--lr) or clip the gradient (--clip). Stopped",
            figure(outcome.loss),
            figure(outcome.uniform),
            outcome.saved,
        );
        let why = match outcome.reason {
            Reason::Budget => "done",
            Reason::Patience => "stopped early: validation no longer improves",
            Reason::Stopped => "stopped; continue with `--resume`",
            Reason::Diverged => &diverged,
        };
        let best = match progress.best {
            Some(best) => {
                format!("; best validation {} after step {}", figure(best.nats), best.step)
            }
            None => String::new(),
        };
        let judged = match data.splits().last() {
            Some(Split::Train) | None => String::new(),
            Some(split) => {
                format!("; evaluate them with `pixelrnn eval {folder} --split {}`", split.name())
            }
        };
        let weights = training::weights_path(run);
        let text = format!(
            "{folder}: {why} after {}, {:.0} s{best}\n{}: the weights{judged}",
            plural(usize::try_from(progress.step).unwrap_or(usize::MAX), "step"),
            progress.seconds,
            weights.display(),
        );
        let score = |score: Option<training::Score>| match score {
            None => Value::Null,
            Some(score) => json!({
                "step": score.step,
                "nats_per_image": score.nats,
                "bits_per_dim": bits_per_dim(score.nats, data.shape()),
            }),
        };
        let object = json!({
            "run": folder.to_string(),
            "weights": { "file": weights.display().to_string() },
            "reason": outcome.reason.name(),
            "step": progress.step,
            "epochs": progress.step as f64 / outcome.steps_per_epoch as f64,
            "seconds": progress.seconds,
            "images_per_second": speed,
            "loss": outcome.loss.is_finite().then_some(outcome.loss),
            "validation": score(outcome.validation),
            "best": score(progress.best),
        });
        out.report(&text, &object)
    }
}

/// Positions of the bar.
const BAR: u64 = 1000;

/// Shows the progress of a run on a terminal, and draws its curve in the run folder.
pub struct Watch {
    out: Out,
    bar: Bar,
    shape: Shape,
    speed: f64,
    log: PathBuf,
    curve: PathBuf,
}

impl Watch {
    /// A watch without events.
    pub fn new(out: &Out, shape: Shape, run: &Run) -> Watch {
        let (log, curve) = (run.log_path(), run.folder().join("curve.png"));
        Watch { out: *out, bar: Bar::new(out, BAR), shape, speed: 0.0, log, curve }
    }

    /// Trains until the run stops or fails, then draws the curve.
    pub fn train(
        &mut self,
        task: &Training,
        run: &Run,
        stop: &AtomicBool,
    ) -> Result<Outcome, Failure> {
        let outcome = training::train(task, run, self, stop);
        self.bar.clear();
        let drawn = curve::write(&self.log, &self.curve);
        let outcome = outcome?;
        drawn?;
        Ok(outcome)
    }
}

impl Observer for Watch {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Step { step, loss, images_per_second, spent, left, .. } => {
                self.speed = *images_per_second;
                self.bar.set((spent.min(1.0) * BAR as f64) as u64);
                self.bar.say(format!(
                    "step {}  {}  {:.0} images/s  {} left",
                    grouped(usize::try_from(*step).unwrap_or(usize::MAX)),
                    figure(*loss, self.shape),
                    images_per_second,
                    time(*left),
                ));
            }
            // The progress bar prints only to terminals.
            Event::LostBest => self.out.warn(
                "best.safetensors is missing although the log has a best validation; the next \
                 validation counts as the best",
            ),
            Event::Validating => self.bar.say("validating".to_string()),
            Event::Validation { score, best } => {
                let best = if *best { ", the best so far" } else { "" };
                let nats = figure(score.nats, self.shape);
                self.bar.line(&format!("step {}: validation {nats}{best}", score.step));
                // The run goes on without it; at the end it is an error.
                let _ = curve::write(&self.log, &self.curve);
            }
            Event::Start { .. } | Event::Checkpoint { .. } | Event::Stop(_) => {}
        }
    }
}

/// In both units: papers use nats for two levels, bits per dimension for more.
fn figure(nats: f64, shape: Shape) -> String {
    format!("{nats:.2} nats ({:.4} bits/dim)", bits_per_dim(nats, shape))
}

fn time(seconds: f64) -> String {
    let s = seconds as u64;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{}:{:02} min", s / 60, s % 60),
        _ => format!("{}:{:02} h", s / 3600, s % 3600 / 60),
    }
}
