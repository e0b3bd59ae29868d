//! The training recipe: every setting of a run except the model and the data.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use pixelrnn_passes::{Optimizer, UpdateRule};
use serde_json::{Map, Value, json};

/// The settings of a training run.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// The update rule, gradient clipping and EMA.
    pub optimizer: Optimizer,
    /// The base learning rate, which the schedule scales.
    pub learning_rate: f64,
    /// The learning rate schedule.
    pub schedule: Schedule,
    /// Images per step.
    pub batch: usize,
    /// Data-parallel shards per step. The number changes rounding.
    pub shards: usize,
    /// Whether the backward pass recomputes activations instead of storing them. This changes memory and
    /// time, but not the result.
    pub remat: bool,
    /// Whether all graphs are of plain operators, as in exported models, also on an engine that has operators of its
    /// own. This changes rounding. Runs of older versions were plain.
    pub plain: bool,
    /// Random seed for initialization, shuffling and sampling.
    pub seed: u64,
    /// When the run ends.
    pub budget: Budget,
    /// Steps between validations; `None` for one per epoch.
    pub validate_every: Option<u64>,
    /// The run stops after this number of validations without improvement.
    pub patience: Option<u64>,
    /// Seconds between checkpoints. They do not change the result.
    pub checkpoint_every: f64,
    /// Steps between lines of the log.
    pub log_every: u64,
}

/// When a run ends.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Budget {
    /// After a number of steps.
    Steps(u64),
    /// After a number of epochs.
    Epochs(u64),
    /// After a number of minutes of training, including those before a resume.
    Minutes(f64),
}

/// The shape of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// A constant learning rate.
    Constant,
    /// Linear decay.
    Linear,
    /// Cosine decay.
    Cosine,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Shape; 3] = [Shape::Constant, Shape::Linear, Shape::Cosine];

    /// The name in settings and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Constant => "constant",
            Shape::Linear => "linear",
            Shape::Cosine => "cosine",
        }
    }
}

pixelrnn_graph::named!(Shape, "shape of a schedule");

/// How the learning rate changes during a run. The text form is `cosine` or, with a final fraction,
/// `cosine:0.1`. It does not contain the warm-up.
///
/// The schedule is a function of the fraction of the budget that is spent. With [`Budget::Minutes`] this
/// fraction depends on the clock, so such a run is reproducible only with [`Shape::Constant`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The shape.
    pub shape: Shape,
    /// The final learning rate as a fraction of the base learning rate, from 0 to 1.
    pub last: f64,
    /// Warm-up steps, in which the learning rate rises linearly from 0.
    pub warm_up: u64,
}

impl Schedule {
    /// A constant learning rate without warm-up.
    pub const CONSTANT: Schedule = Schedule { shape: Shape::Constant, last: 0.0, warm_up: 0 };

    /// Linear decay to this fraction of the learning rate, from 0 to 1, without warm-up.
    pub const fn linear(last: f64) -> Schedule {
        Schedule { shape: Shape::Linear, last, warm_up: 0 }
    }

    /// Cosine decay to this fraction of the learning rate, from 0 to 1, without warm-up.
    pub const fn cosine(last: f64) -> Schedule {
        Schedule { shape: Shape::Cosine, last, warm_up: 0 }
    }

    /// The factor of the learning rate in a step, counted from 0, when the fraction `spent` of the budget is
    /// spent.
    pub fn factor(&self, step: u64, spent: f64) -> f64 {
        let spent = spent.clamp(0.0, 1.0);
        let left = match self.shape {
            Shape::Constant => 1.0,
            Shape::Linear => 1.0 - spent,
            Shape::Cosine => 0.5 * (1.0 + (PI * spent).cos()),
        };
        let shape = match self.shape {
            Shape::Constant => 1.0,
            _ => self.last + (1.0 - self.last) * left,
        };
        let warm = match self.warm_up {
            0 => 1.0,
            n => ((step + 1) as f64 / n as f64).min(1.0),
        };
        shape * warm
    }

    fn parse(text: &str) -> Result<Schedule, ScheduleError> {
        let (name, last) = match text.split_once(':') {
            Some((name, last)) => (name, Some(last)),
            None => (text, None),
        };
        let shape = Shape::ALL.into_iter().find(|s| s.name() == name);
        let last = last.map_or(Ok(0.0), |l| l.parse::<f64>().map_err(|_| ()));
        match (shape, last) {
            (Some(Shape::Constant), Ok(0.0)) => Ok(Schedule::CONSTANT),
            (Some(shape), Ok(last)) if shape != Shape::Constant && (0.0..=1.0).contains(&last) => {
                Ok(Schedule { shape, last, warm_up: 0 })
            }
            _ => Err(ScheduleError { text: text.to_string() }),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.last {
            0.0 => f.write_str(self.shape.name()),
            last => write!(f, "{}:{last}", self.shape),
        }
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Schedule, ScheduleError> {
        Schedule::parse(text)
    }
}

/// A text that is not a [`Schedule`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid schedule `{text}`: expected `constant`, `linear[:X]` or `cosine[:X]`, where X, from 0 to 1, is \
     the final share of the learning rate, e.g. `cosine:0.1`"
)]
#[non_exhaustive]
pub struct ScheduleError {
    /// The text.
    pub text: String,
}

impl Recipe {
    /// A recipe with this optimizer and budget, and defaults for all other settings.
    pub fn new(optimizer: Optimizer, budget: Budget) -> Recipe {
        Recipe {
            optimizer,
            learning_rate: optimizer.rule.usual_rate,
            schedule: Schedule::CONSTANT,
            batch: 16,
            shards: 1,
            remat: false,
            plain: false,
            seed: 0,
            budget,
            validate_every: None,
            patience: None,
            checkpoint_every: 60.0,
            log_every: 20,
        }
    }

    /// The fraction of the budget that is spent.
    pub fn spent(&self, step: u64, steps_per_epoch: usize, seconds: f64) -> f64 {
        let of = |done: f64, all: f64| if all > 0.0 { done / all } else { 1.0 };
        match self.budget {
            Budget::Steps(all) => of(step as f64, all as f64),
            Budget::Epochs(all) => of(step as f64, all as f64 * steps_per_epoch as f64),
            Budget::Minutes(all) => of(seconds, all * 60.0),
        }
    }

    /// Whether the budget is spent.
    pub fn over(&self, step: u64, steps_per_epoch: usize, seconds: f64) -> bool {
        match self.budget {
            Budget::Steps(all) => step >= all,
            Budget::Epochs(all) => step >= all.saturating_mul(steps_per_epoch as u64),
            Budget::Minutes(all) => seconds >= all * 60.0,
        }
    }

    /// As JSON, for run.json.
    pub fn json(&self) -> Value {
        let names = self.optimizer.rule.settings.iter().map(|&(name, _)| name.to_string());
        let numbers = self.optimizer.settings().iter().map(|&x| json!(x));
        let rule: Map<String, Value> = names.zip(numbers).collect();
        let budget = match self.budget {
            Budget::Steps(n) => json!({ "steps": n }),
            Budget::Epochs(n) => json!({ "epochs": n }),
            Budget::Minutes(n) => json!({ "minutes": n }),
        };
        json!({
            "optimizer": self.optimizer.rule.name,
            "rule": rule,
            "clip": self.optimizer.clip,
            "ema": self.optimizer.ema,
            "lr": self.learning_rate,
            "schedule": self.schedule.to_string(),
            "warmup": self.schedule.warm_up,
            "batch": self.batch,
            "shards": self.shards,
            "remat": self.remat,
            "plain": self.plain,
            "seed": self.seed,
            "budget": budget,
            "validate_every": self.validate_every,
            "patience": self.patience,
            "checkpoint_every": self.checkpoint_every,
            "log_every": self.log_every,
        })
    }

    /// Reads the JSON of [`Recipe::json`].
    ///
    /// # Errors
    /// A setting is missing or invalid; the message names it.
    pub fn from_json(value: &Value) -> Result<Recipe, String> {
        let wrong = |name: &str| format!("`{name}` is missing or has the wrong type");
        let real = |v: &Value, name: &str| v[name].as_f64().ok_or_else(|| wrong(name));
        let whole = |v: &Value, name: &str| v[name].as_u64().ok_or_else(|| wrong(name));
        let maybe = |name: &'static str| (!value[name].is_null()).then_some(name);
        let rule = value["optimizer"].as_str().and_then(UpdateRule::named);
        let mut optimizer = Optimizer::new(rule.ok_or_else(|| wrong("optimizer"))?);
        for (i, (name, _)) in optimizer.rule.settings.iter().enumerate() {
            optimizer.settings[i] = real(&value["rule"], name)?;
        }
        optimizer.clip = maybe("clip").map(|n| real(value, n)).transpose()?;
        optimizer.ema = maybe("ema").map(|n| real(value, n)).transpose()?;
        let budget = &value["budget"];
        let budget = match (whole(budget, "steps"), whole(budget, "epochs")) {
            (Ok(n), _) => Budget::Steps(n),
            (_, Ok(n)) => Budget::Epochs(n),
            _ => Budget::Minutes(real(budget, "minutes").map_err(|_| wrong("budget"))?),
        };
        let count = |name: &str| usize::try_from(whole(value, name)?).map_err(|_| wrong(name));
        let schedule = value["schedule"].as_str().ok_or_else(|| wrong("schedule"))?;
        let schedule: Schedule = schedule.parse().map_err(|e: ScheduleError| e.to_string())?;
        let batch = count("batch")?;
        // Absent in runs of older versions.
        let shards = maybe("shards").map(count).transpose()?.unwrap_or(1);
        let recipe = Recipe {
            optimizer,
            learning_rate: real(value, "lr")?,
            schedule: Schedule { warm_up: whole(value, "warmup")?, ..schedule },
            batch,
            shards,
            remat: value["remat"].as_bool().unwrap_or(false),
            plain: value["plain"].as_bool().unwrap_or(true),
            seed: whole(value, "seed")?,
            budget,
            validate_every: maybe("validate_every").map(|n| whole(value, n)).transpose()?,
            patience: maybe("patience").map(|n| whole(value, n)).transpose()?,
            checkpoint_every: real(value, "checkpoint_every")?,
            log_every: whole(value, "log_every")?.max(1),
        };
        recipe.check()?;
        Ok(recipe)
    }

    /// Checks that all settings are in their ranges. The command line has the same rules.
    ///
    /// # Errors
    /// A message with the first setting that is out of range, and its range.
    pub fn check(&self) -> Result<(), String> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        let fraction = |x: f64| x > 0.0 && x < 1.0;
        let budget = match self.budget {
            Budget::Steps(n) | Budget::Epochs(n) => n > 0,
            Budget::Minutes(x) => positive(x),
        };
        let optimizer = &self.optimizer;
        let rules = [
            (positive(self.learning_rate), "lr", "a positive number"),
            (optimizer.clip.is_none_or(positive), "clip", "a positive number"),
            (optimizer.ema.is_none_or(fraction), "ema", "a number between 0 and 1"),
            (optimizer.settings().iter().all(|x| x.is_finite()), "rule", "finite numbers"),
            ((1..=MOST_IMAGES).contains(&self.batch), "batch", "1 to 65535"),
            ((1..=self.batch).contains(&self.shards), "shards", "1 to the batch"),
            (budget, "budget", "above zero"),
            (self.validate_every != Some(0), "validate_every", "at least 1"),
            (self.patience != Some(0), "patience", "at least 1"),
            (
                self.checkpoint_every.is_finite() && self.checkpoint_every >= 0.0,
                "checkpoint_every",
                "zero or more seconds",
            ),
        ];
        match rules.iter().find(|(good, ..)| !good) {
            Some((_, name, range)) => Err(format!("invalid `{name}`: expected {range}")),
            None => Ok(()),
        }
    }
}

/// The largest batch.
const MOST_IMAGES: usize = u16::MAX as usize;
