//! `pixelrnn train`: trains a model, or continues a run.

use std::path::{Path, PathBuf};

use pixelrnn::training::data::{self, Dataset, Spec, Split};
use pixelrnn::training::{
    self, Budget, Outcome, Reason, Recipe, Run, Schedule, Training, bits_per_dim,
};
use pixelrnn::{Declaration, Optimizer, Weights, zoo};
use serde_json::{Value, json};

use crate::arguments::{COMMON, Global, MODEL};
use crate::datasets::{announce, for_model};
use crate::engines;
use crate::exit::{ExitCode, Failure, usage};
use crate::interrupt;
use crate::model::{self, image_text};
use crate::out::Out;
use crate::parse;
use crate::records::{self, PROGRESS, Records};
use crate::table::{grouped, plural};
use crate::watch::{Watch, figure};

/// The headings of groups of options.
const BUDGET: &str = "Budget";
const RECIPE: &str = "Recipe";

/// Train a model
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
RUN will contain the model, the settings, the last checkpoint, the best weights, the log and its
curve. Every command accepts it as MODEL. Ctrl-C saves a checkpoint and stops; --resume continues,
with the same result as an uninterrupted run (same machine, budget in steps or epochs).

{}
`pixelrnn lr-find` suggests one. --schedule is `constant`, `linear` or `cosine`; `cosine:0.1` ends
at 10 % of --lr. Shards share a batch: by default one per core, of at least 4 images.

--events, --csv, --tensorboard and --sample-every are not settings of the run: give them again with
--resume.

Fine-tuning: with a run folder as MODEL, or with --weights, a new run starts from trained weights.
The optimizer state, the step count and the schedule start from zero. run.json records the origin
of the weights in `initial_weights`. To start a run's model from fresh weights, name
RUN/model.pixelrnn.

{}
Example:
  pixelrnn train digits-diagonal --data digits --minutes 1 --out my-run
  pixelrnn train my-run --data digits --epochs 2 --lr 1e-4 --out tuned", parse::learning_rates(), data::help()))]
pub struct Train {
    /// Name in the zoo, model file, or run folder to start from; not with --resume
    #[arg(required_unless_present = "resume")]
    model: Option<String>,
    /// Training data. With --resume: the new location of the same data
    #[arg(long, value_name = "SPEC", value_parser = parse::spec,
          required_unless_present = "resume")]
    data: Option<Spec>,
    /// Run folder to write
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Continue the run in this folder; other settings stay unchanged
    #[arg(long)]
    resume: bool,
    /// Override a hyper-parameter, or the height, width, colors or levels
    #[arg(long, value_name = "NAME=N", value_parser = parse::setting, requires = "model",
          help_heading = MODEL)]
    set: Vec<(String, usize)>,
    /// Start from these weights: a safetensors file, or a run folder
    #[arg(long, value_name = "F|RUN", conflicts_with = "resume", help_heading = MODEL)]
    weights: Option<PathBuf>,
    /// Random seed for initialization, shuffling and sampling [default: 0]
    #[arg(long, value_name = "N", value_parser = parse::seed, help_heading = MODEL)]
    seed: Option<u64>,
    /// Stop after N steps
    #[arg(long, value_name = "N", group = "budget", value_parser = parse::at_least_one,
          help_heading = BUDGET)]
    steps: Option<u64>,
    /// Stop after N epochs
    #[arg(long, value_name = "N", group = "budget", value_parser = parse::at_least_one,
          help_heading = BUDGET)]
    epochs: Option<u64>,
    /// Stop after N minutes
    #[arg(long, value_name = "N", group = "budget", value_parser = parse::positive,
          help_heading = BUDGET)]
    minutes: Option<f64>,
    /// Stop after N validations without improvement
    #[arg(long, value_name = "N", value_parser = parse::at_least_one, help_heading = BUDGET)]
    patience: Option<u64>,
    #[arg(long, value_name = "RULE", value_parser = parse::optimizer(), help = parse::rules(),
          hide_possible_values = true, help_heading = RECIPE)]
    optimizer: Option<Optimizer>,
    /// Learning rate [default: that of the update rule, see below]
    #[arg(long, value_name = "X", value_parser = parse::positive, help_heading = RECIPE)]
    lr: Option<f64>,
    /// Learning rate schedule, see below [default: constant]
    #[arg(long, value_name = "HOW", value_parser = Schedule::parse, help_heading = RECIPE)]
    schedule: Option<Schedule>,
    /// Steps in which the learning rate rises from 0 [default: 0]
    #[arg(long, value_name = "STEPS", value_parser = parse::seed, help_heading = RECIPE)]
    warmup: Option<u64>,
    /// Clip the gradient to this norm
    #[arg(long, value_name = "NORM", value_parser = parse::positive, help_heading = RECIPE)]
    clip: Option<f64>,
    /// Average the weights with this decay, e.g. 0.999, and validate the average
    #[arg(long, value_name = "DECAY", value_parser = parse::decay, help_heading = RECIPE)]
    ema: Option<f64>,
    /// Images per step [default: 16]
    #[arg(long, value_name = "N", value_parser = parse::some, help_heading = RECIPE)]
    batch: Option<u16>,
    /// Data-parallel shards of a batch; changes rounding [default: automatic]
    #[arg(long, value_name = "N", value_parser = parse::some, help_heading = RECIPE)]
    shards: Option<u16>,
    /// Recompute activations in the backward pass: less memory, about 1.3 times the time
    #[arg(long, help_heading = RECIPE)]
    remat: bool,
    /// Steps between validations [default: one epoch]
    #[arg(long, value_name = "STEPS", value_parser = parse::at_least_one, help_heading = PROGRESS)]
    validate_every: Option<u64>,
    /// Seconds between checkpoints [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = parse::positive, help_heading = PROGRESS)]
    checkpoint_every: Option<f64>,
    #[command(flatten)]
    records: Records,
    /// Engine: `ort`, `ort-cuda`, `tract` or `reference`
    #[arg(long, value_name = "NAME", default_value = "ort", value_parser = parse::engine(),
          hide_possible_values = true, help_heading = COMMON)]
    engine: String,
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
        if let Some(warning) = training::unused_classes(&model, &data) {
            out.warn(&warning);
        }
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
        let mut watch = Watch::new(out, data.shape(), &run, &self.records);
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
            if let Some(differences) = model::differences(&model, &asked) {
                return usage(format!(
                    "cannot change the model when resuming: {differences}. Leave the model out, or start a \
                     new run in another folder"
                ));
            }
            // Older versions wrote `colours`.
            let text = |m: &Declaration| m.text().replace("colours", "colors");
            if text(&asked) != text(&model) {
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
        if self.records.events {
            return out.bytes(format!("{}\n", records::event("end", &object)).as_bytes());
        }
        out.report(&text, &object)
    }
}
