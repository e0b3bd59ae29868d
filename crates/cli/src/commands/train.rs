//! `pixelrnn train`: trains a model, or continues a run.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;

use pixelrnn::runtime::EngineKind;
use pixelrnn::training::data::{self, Dataset, Shape, Spec, Split};
use pixelrnn::training::{
    self, Budget, Event, Observer, Outcome, Prepared, Reason, Request, Run, Schedule, Trainer,
    bits_per_dim,
};
use pixelrnn::{Optimizer, zoo};
use serde_json::{Value, json};

use crate::arguments::Global;
use crate::curve;
use crate::datasets::announce;
use crate::engines;
use crate::exit::{ExitCode, Failure};
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
    /// Update rule [default: rmsprop]
    #[arg(long, value_name = "RULE", value_parser = parse::optimizer())]
    optimizer: Option<Optimizer>,
    #[arg(long, value_name = "X", value_parser = parse::positive, help = parse::learning_rates())]
    lr: Option<f64>,
    /// Learning rate schedule: `constant`, `linear` or `cosine`, e.g. `cosine:0.1` to end at 10 % of --lr
    /// [default: constant]
    #[arg(long, value_name = "HOW", value_parser = Schedule::from_str)]
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
    engine: EngineKind,
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
        let prepared = self.trainer(global)?.prepare()?;
        let (model, data, run) = (prepared.model(), prepared.data(), prepared.run());
        announce(data, out);
        if let Some(warning) = prepared.warning() {
            out.warn(warning);
        }
        let stop = interrupt::flag(out);
        let mut watch = Watch::new(out, data.shape(), run);
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

    /// What was asked for; the library decides what a resumed run allows.
    fn trainer(&self, global: &Global) -> Result<Trainer, Failure> {
        let mut trainer = Trainer::new(&self.out)
            .request(self.request())
            .engine_with(self.engine, engines::options(global, None));
        let begun = Run::new(&self.out).exists();
        if self.resume {
            trainer = trainer.resume();
        }
        if let Some(name) = &self.model {
            // A run that exists and is not resumed is refused whatever the model.
            if self.resume || !begun {
                trainer = trainer.model(&model::load(name, &self.set)?);
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
        let why = match outcome.reason {
            Reason::Budget => "done",
            Reason::Patience => "stopped early: validation no longer improves",
            Reason::Stopped => "stopped; continue with `--resume`",
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
    pub fn train(&mut self, prepared: &Prepared, stop: &AtomicBool) -> Result<Outcome, Failure> {
        let outcome = prepared.train(self, stop);
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
            _ => {}
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
