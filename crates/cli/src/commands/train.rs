//! `pixelrnn train`: trains a model, or continues a run.

use std::path::PathBuf;
use std::str::FromStr;

use pixelrnn::runtime::EngineKind;
use pixelrnn::training::data::{self, Dataset, Spec, Split};
use pixelrnn::training::{
    self, Budget, Outcome, Reason, Request, Run, Schedule, Trainer, bits_per_dim,
};
use pixelrnn::{Optimizer, zoo};
use serde_json::{Value, json};

use crate::arguments::{COMMON, Global, MODEL};
use crate::datasets::announce;
use crate::engines;
use crate::exit::{ExitCode, Failure, usage};
use crate::interrupt;
use crate::model::{self, image_text};
use crate::out::Out;
use crate::parse;
use crate::ranks;
use crate::records::{self, PROGRESS, Records};
use crate::table::{grouped, plural};
use crate::watch::{Watch, figure};

/// The headings, in the help text, of groups of options.
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
at 10 % of --lr. Shards share a batch: by default one per core, with at least
4 images each.

--events, --csv, --tensorboard, --sample-every and the common options are not settings of the run:
give them again with --resume.

Fine-tuning: with a run folder as MODEL, or with --weights, a new run starts from trained weights.
The optimizer state, the step count and the schedule start from zero. run.json records the origin
of the weights in `initial_weights`. To start a run's model from fresh weights, name
RUN/model.pixelrnn.

{}
Example:
  pixelrnn train digits-diagonal --data digits --minutes 1 --out my-run
  pixelrnn train my-run --data digits --epochs 2 --lr 1e-4 --out tuned", parse::learning_rates(), data::help()))]
pub struct Train {
    /// Name in the zoo, model file, or run folder to start from; not needed with --resume
    #[arg(required_unless_present = "resume")]
    model: Option<String>,
    /// Training data. With --resume: the new location of the same data
    #[arg(long, value_name = "SPEC", value_parser = parse::spec,
          required_unless_present = "resume")]
    data: Option<Spec>,
    /// Run folder to write
    #[arg(short = 'o', long, value_name = "RUN")]
    out: PathBuf,
    /// Continue the run in this folder; other settings stay unchanged
    #[arg(long)]
    resume: bool,
    /// Override a hyper-parameter, or the height, width, colors or levels
    #[arg(long, value_name = "NAME=N", value_parser = parse::setting, help_heading = MODEL)]
    set: Vec<(String, usize)>,
    /// Start from these weights: a safetensors file, or a run folder
    #[arg(long, value_name = "F|RUN", conflicts_with = "resume", help_heading = MODEL)]
    weights: Option<PathBuf>,
    /// Random seed for initialization, shuffling and sampling [default: 0]
    #[arg(long, value_name = "N", value_parser = parse::seed, help_heading = MODEL)]
    seed: Option<u64>,
    /// Stop after N steps, counted from the start of the run, as in the other budgets
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
    #[arg(long, value_name = "HOW", value_parser = Schedule::from_str, help_heading = RECIPE)]
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
    /// Replay steps as CUDA graphs, on `ort-cuda`: faster steps, but a longer start
    #[arg(long, help_heading = COMMON)]
    cuda_graph: bool,
    /// Round products to TF32, on `ort-cuda`
    #[arg(long, help_heading = COMMON)]
    tf32: bool,
    /// Engine: `ort`, `ort-cuda`, `tract`, `reference` [default: ort, else tract]
    #[arg(long, value_name = "NAME", value_parser = parse::engine(), hide_possible_values = true,
          help_heading = COMMON)]
    engine: Option<EngineKind>,
}

impl Train {
    /// Runs the command.
    pub fn run(&self, global: &Global, out: &Out) -> Result<ExitCode, Failure> {
        let prepared = self.trainer(global)?.prepare()?;
        let (model, data, run) = (prepared.model(), prepared.data(), prepared.run());
        announce(data, out);
        if let Some(warning) = prepared.warning() {
            out.warn(warning);
        }
        if let Some(warning) = training::unused_classes(model, data) {
            out.warn(&warning);
        }
        self.warn_of_classes(data, out)?;
        let stop = interrupt::flag(out);
        if !ranks::leads() {
            let outcome = prepared.train(&mut (), &stop)?;
            return Ok(ExitCode::of(outcome.reason != Reason::Diverged));
        }
        let mut watch = Watch::new(out, data.shape(), run, &self.records);
        let count = |split| data.images(split).map_or(0, |images| images.count());
        out.progress(&format!(
            "{} ({}, {} parameters): training on {} images of {}, validating on {}",
            model.name(),
            image_text(model),
            grouped(model.parameters()),
            grouped(count(Split::Train)),
            data.name(),
            grouped(count(Split::Valid)),
        ));
        let outcome = watch.train(&prepared, &stop)?;
        self.answer(&outcome, run, data, watch.speed, out)?;
        Ok(ExitCode::of(outcome.reason != Reason::Diverged))
    }

    /// The trainer for these arguments. The library decides which of them a resumed run may change.
    fn trainer(&self, global: &Global) -> Result<Trainer, Failure> {
        if self.model.is_none() && !self.set.is_empty() {
            return usage(
                "`--set` changes the model that is named: leave it out, since a resumed run keeps its settings",
            );
        }
        let mut options = engines::options(global, None);
        (options.cuda.graph, options.cuda.tf32) = (self.cuda_graph, self.tf32);
        for (name, set) in [("--cuda-graph", self.cuda_graph), ("--tf32", self.tf32)] {
            if set && self.engine != Some(EngineKind::OrtCuda) {
                return usage(format!("`{name}` needs `--engine ort-cuda`"));
            }
        }
        let trainer = Trainer::new(&self.out).request(self.request());
        let mut trainer = match self.engine {
            Some(kind) => trainer.engine_with(kind, options),
            None => trainer.usual_engine_with(options),
        }
        .world(ranks::world());
        let begun = Run::new(&self.out).exists();
        if self.resume {
            trainer = trainer.resume();
        }
        if let Some(name) = &self.model {
            // Without --resume, an existing run is an error, whatever the model. So do not load the
            // model then.
            if self.resume || !begun {
                let asked = model::load(name, &self.set)?;
                if begun {
                    let own = training::model_of(&Run::new(&self.out), &[])?;
                    if let Some(differences) = model::differences(&own, &asked) {
                        return usage(format!(
                            "cannot change the model when resuming: {differences}. Leave the model out, or \
                             start a new run in another folder"
                        ));
                    }
                }
                trainer = trainer.model(&asked);
            }
            let is_run = zoo::find(name).is_err() && Run::new(name).exists();
            if self.weights.is_none() && is_run && !begun {
                trainer = trainer.initial_file(name);
            }
        }
        if let Some(spec) = &self.data {
            trainer = trainer.data(spec.clone());
        }
        Ok(match &self.weights {
            Some(path) => trainer.initial_file(path),
            None => trainer,
        })
    }

    /// Warns if a run to start from was trained on other classes.
    fn warn_of_classes(&self, data: &Dataset, out: &Out) -> Result<(), Failure> {
        let run = self.model.as_ref().map(Run::new).filter(|run| !self.resume && run.exists());
        let Some(run) = run else { return Ok(()) };
        let before = model::class_names_in(&run.settings()?);
        if !before.is_empty() && !data.class_names().is_empty() && before != data.class_names() {
            out.warn(&format!(
                "the run that this one starts from was trained on the classes {}, in this order: the classes of {} \
                 are others, and begin with the weights of those",
                before.join(", "),
                data.name()
            ));
        }
        Ok(())
    }

    fn request(&self) -> Request {
        let steps = self.steps.map(Budget::Steps);
        let budget =
            steps.or(self.epochs.map(Budget::Epochs)).or(self.minutes.map(Budget::Minutes));
        let mut request = Request::default();
        request.optimizer = self.optimizer;
        request.learning_rate = self.lr;
        request.schedule = self.schedule;
        request.warm_up = self.warmup;
        request.clip = self.clip;
        request.ema = self.ema;
        request.batch = self.batch.map(usize::from);
        request.shards = self.shards.map(usize::from);
        request.seed = self.seed;
        request.budget = budget;
        request.validate_every = self.validate_every;
        request.patience = self.patience;
        request.checkpoint_every = self.checkpoint_every;
        request.remat = self.remat;
        request
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
        let stopped = format!("to continue: `pixelrnn train --resume --out {folder}`. Stopped");
        let why = match outcome.reason {
            Reason::Budget if outcome.steps == 0 => {
                "nothing to do: the budget counts from the start of the run; give more --steps, --epochs \
                 or --minutes. The run stands"
            }
            Reason::Budget => "done",
            Reason::Patience => "stopped early: validation no longer improves",
            Reason::Stopped => &stopped,
            Reason::Diverged => &diverged,
            other => other.name(),
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
