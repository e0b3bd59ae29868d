//! How a model is trained: everything but the model and the data.

use std::f64::consts::PI;

use pixelrnn_passes::{Optimiser, UpdateRule};
use serde_json::{Map, Value, json};

/// How a model is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// The rule of descent, clipping and averaging.
    pub optimiser: Optimiser,
    /// The learning rate that the schedule scales.
    pub learning_rate: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Images of a step.
    pub batch: usize,
    /// Parts of a batch that are worked on at the same time. Another number rounds otherwise.
    pub shards: usize,
    /// Of orders, draws and fresh weights.
    pub seed: u64,
    /// When the run is over.
    pub budget: Budget,
    /// Steps between validations; without a number once an epoch.
    pub validate_every: Option<u64>,
    /// The run ends after so many validations without a better one.
    pub patience: Option<u64>,
    /// Seconds between checkpoints. They change no number.
    pub checkpoint_every: f64,
    /// Steps between lines of the log.
    pub log_every: u64,
}

/// When a run is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// After so many steps.
    Steps(u64),
    /// After the training images have been seen so often.
    Epochs(u64),
    /// After so many minutes of training, the minutes before a resumption included.
    Minutes(f64),
}

/// The shape of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Always the same.
    Constant,
    /// Falls evenly.
    Linear,
    /// Falls by half a cosine.
    Cosine,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Shape; 3] = [Shape::Constant, Shape::Linear, Shape::Cosine];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Constant => "constant",
            Shape::Linear => "linear",
            Shape::Cosine => "cosine",
        }
    }
}

/// How the learning rate changes during a run.
///
/// It follows the share of the budget that is spent. With [`Budget::Minutes`] that share is a
/// matter of the clock, so that such a run is repeatable only with [`Shape::Constant`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The shape.
    pub shape: Shape,
    /// The share of the learning rate that is left at the end.
    pub last: f64,
    /// Steps in which the learning rate grows from nothing.
    pub warm_up: u64,
}

impl Schedule {
    /// The learning rate stays.
    pub const CONSTANT: Schedule = Schedule { shape: Shape::Constant, last: 0.0, warm_up: 0 };

    /// What the learning rate is multiplied with in a step, counted from 0, when this share of the
    /// budget is spent.
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

    /// `cosine`, or with the last share `cosine:0.1`.
    pub fn text(&self) -> String {
        match self.last {
            0.0 => self.shape.name().to_string(),
            last => format!("{}:{last}", self.shape.name()),
        }
    }

    /// Reads what [`Schedule::text`] writes; there is no warm-up.
    ///
    /// # Errors
    /// What would be right.
    pub fn parse(text: &str) -> Result<Schedule, String> {
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
            _ => Err(format!(
                "`{text}` is no schedule: write `constant`, `linear` or `cosine`, the last two with \
                 the share of the rate that is left at the end if it is not 0, as in `cosine:0.1`"
            )),
        }
    }
}

impl Recipe {
    /// With an optimiser and a budget; everything else as usual.
    pub fn new(optimiser: Optimiser, budget: Budget) -> Recipe {
        Recipe {
            optimiser,
            learning_rate: optimiser.rule.usual_rate,
            schedule: Schedule::CONSTANT,
            batch: 16,
            shards: 1,
            seed: 0,
            budget,
            validate_every: None,
            patience: None,
            checkpoint_every: 60.0,
            log_every: 20,
        }
    }

    /// The share of the budget that is spent.
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

    /// For a run's settings.
    pub fn json(&self) -> Value {
        let names = self.optimiser.rule.settings.iter().map(|&(name, _)| name.to_string());
        let numbers = self.optimiser.settings().iter().map(|&x| json!(x));
        let rule: Map<String, Value> = names.zip(numbers).collect();
        let budget = match self.budget {
            Budget::Steps(n) => json!({ "steps": n }),
            Budget::Epochs(n) => json!({ "epochs": n }),
            Budget::Minutes(n) => json!({ "minutes": n }),
        };
        json!({
            "optimizer": self.optimiser.rule.name,
            "rule": rule,
            "clip": self.optimiser.clip,
            "ema": self.optimiser.ema,
            "lr": self.learning_rate,
            "schedule": self.schedule.text(),
            "warmup": self.schedule.warm_up,
            "batch": self.batch,
            "shards": self.shards,
            "seed": self.seed,
            "budget": budget,
            "validate_every": self.validate_every,
            "patience": self.patience,
            "checkpoint_every": self.checkpoint_every,
            "log_every": self.log_every,
        })
    }

    /// Reads what [`Recipe::json`] writes.
    ///
    /// # Errors
    /// Which setting is missing or wrong.
    pub fn from_json(value: &Value) -> Result<Recipe, String> {
        let wrong = |name: &str| format!("`{name}` is missing or of the wrong kind");
        let real = |v: &Value, name: &str| v[name].as_f64().ok_or_else(|| wrong(name));
        let whole = |v: &Value, name: &str| v[name].as_u64().ok_or_else(|| wrong(name));
        let maybe = |name: &'static str| (!value[name].is_null()).then_some(name);
        let rule = value["optimizer"].as_str().and_then(UpdateRule::named);
        let mut optimiser = Optimiser::new(rule.ok_or_else(|| wrong("optimizer"))?);
        for (i, (name, _)) in optimiser.rule.settings.iter().enumerate() {
            optimiser.settings[i] = real(&value["rule"], name)?;
        }
        optimiser.clip = maybe("clip").map(|n| real(value, n)).transpose()?;
        optimiser.ema = maybe("ema").map(|n| real(value, n)).transpose()?;
        let budget = &value["budget"];
        let budget = match (whole(budget, "steps"), whole(budget, "epochs")) {
            (Ok(n), _) => Budget::Steps(n),
            (_, Ok(n)) => Budget::Epochs(n),
            _ => Budget::Minutes(real(budget, "minutes").map_err(|_| wrong("budget"))?),
        };
        let count = |name: &str| usize::try_from(whole(value, name)?).map_err(|_| wrong(name));
        let schedule = value["schedule"].as_str().ok_or_else(|| wrong("schedule"))?;
        let batch = count("batch")?;
        // Not said before there were any.
        let shards = maybe("shards").map(count).transpose()?.unwrap_or(1);
        let recipe = Recipe {
            optimiser,
            learning_rate: real(value, "lr")?,
            schedule: Schedule { warm_up: whole(value, "warmup")?, ..Schedule::parse(schedule)? },
            batch,
            shards,
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

    /// The rules that the command line keeps to as well.
    ///
    /// # Errors
    /// The first setting out of its range, and the range.
    pub fn check(&self) -> Result<(), String> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        let fraction = |x: f64| x > 0.0 && x < 1.0;
        let budget = match self.budget {
            Budget::Steps(n) | Budget::Epochs(n) => n > 0,
            Budget::Minutes(x) => positive(x),
        };
        let optimiser = &self.optimiser;
        let rules = [
            (positive(self.learning_rate), "lr", "a positive number"),
            (optimiser.clip.is_none_or(positive), "clip", "a positive number"),
            (optimiser.ema.is_none_or(fraction), "ema", "a number between 0 and 1"),
            (optimiser.settings().iter().all(|x| x.is_finite()), "rule", "finite numbers"),
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
