//! The requested settings of a run, and which of them may change when a run is resumed.

use pixelrnn_passes::Optimizer;

use crate::{Budget, Recipe, Schedule, TrainError};

/// The requested settings. `None` stands for the default in a new run, and for the previous value in a
/// resumed one.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Request {
    /// The update rule and its settings. Its clipping and EMA are requested if they are not `None`.
    pub optimizer: Option<Optimizer>,
    /// The base learning rate; the default is that of the rule.
    pub learning_rate: Option<f64>,
    /// The learning rate schedule. Its warm-up is replaced by [`Request::warm_up`].
    pub schedule: Option<Schedule>,
    /// Steps in which the learning rate rises linearly from 0; by default none.
    pub warm_up: Option<u64>,
    /// Clip the gradient to this global norm; by default not at all.
    pub clip: Option<f64>,
    /// Keep an exponential moving average of the weights with this decay; by default none.
    pub ema: Option<f64>,
    /// Images per step; by default 16.
    pub batch: Option<usize>,
    /// Data-parallel shards per step; by default as many as suit the engine.
    pub shards: Option<usize>,
    /// Random seed for initialization, shuffling and sampling; by default 0.
    pub seed: Option<u64>,
    /// When the run ends. A new run needs one.
    pub budget: Option<Budget>,
    /// Steps between validations; by default one epoch.
    pub validate_every: Option<u64>,
    /// Stop after this number of validations without improvement; by default never.
    pub patience: Option<u64>,
    /// Seconds between checkpoints; by default 60.
    pub checkpoint_every: Option<f64>,
    /// Recompute activations in the backward pass. Once set, it stays set when the run is resumed.
    pub remat: bool,
}

impl Request {
    /// The recipe of a new run, with one shard by default.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] if no budget was given, or if a setting is out of range.
    pub fn new_recipe(&self) -> Result<Recipe, TrainError> {
        let Some(budget) = self.budget else {
            return Err(TrainError::Recipe(
                "missing training budget: give `--steps N`, `--epochs N` or `--minutes N`"
                    .to_string(),
            ));
        };
        let mut recipe = Recipe::new(self.optimizer.unwrap_or(Optimizer::RMSPROP), budget);
        recipe.batch = self.batch.unwrap_or(recipe.batch);
        recipe.seed = self.seed.unwrap_or(recipe.seed);
        recipe.optimizer.ema = self.ema.or(recipe.optimizer.ema);
        self.change(&mut recipe);
        recipe.shards = self.shards.unwrap_or(recipe.shards);
        if recipe.shards > recipe.batch {
            return Err(TrainError::Recipe(format!(
                "invalid number of shards {} (`--shards`): expected at most the batch size, {}",
                recipe.shards, recipe.batch
            )));
        }
        recipe.check().map_err(TrainError::Recipe)?;
        Ok(recipe)
    }

    /// The recipe of a resumed run. The learning rate and its schedule, clipping, validation, checkpoints and
    /// the budget may change. The optimizer, the batch size, the seed and the EMA must not, since the state
    /// of the run depends on them. The number of shards may change only to 1, since it affects rounding.
    ///
    /// # Errors
    /// [`TrainError::Fixed`] if another value is requested for a setting that must not change;
    /// [`TrainError::Recipe`] if a setting is out of range.
    pub fn resumed_recipe(&self, mut recipe: Recipe) -> Result<Recipe, TrainError> {
        let own = recipe.optimizer;
        if let Some(asked) = self.optimizer {
            fixed("the optimizer", own.rule.name, Some(asked.rule.name))?;
            for (i, (name, default)) in own.rule.settings.iter().enumerate() {
                // A setting with its default value was most likely not requested.
                let asked = Some(asked.settings[i]).filter(|x| x != default);
                fixed(&format!("{name} of the optimizer"), own.settings[i], asked)?;
            }
        }
        fixed("the batch", recipe.batch, self.batch)?;
        if let Some(shards) = self.shards.filter(|&n| n != recipe.shards) {
            // This affects rounding, so it must be requested explicitly.
            fixed("the shards", recipe.shards, Some(shards).filter(|&n| n != 1))?;
            recipe.shards = shards;
        }
        fixed("the seed", recipe.seed, self.seed)?;
        let decay = own.ema.map_or("none".to_string(), |x| x.to_string());
        let asked = self.ema.or(self.optimizer.and_then(|asked| asked.ema));
        fixed("the average's decay", decay, asked.map(|x| x.to_string()))?;
        recipe.budget = self.budget.unwrap_or(recipe.budget);
        self.change(&mut recipe);
        recipe.check().map_err(TrainError::Recipe)?;
        Ok(recipe)
    }

    /// Changes the settings that any run may change.
    fn change(&self, recipe: &mut Recipe) {
        recipe.remat |= self.remat;
        recipe.learning_rate = self.learning_rate.unwrap_or(recipe.learning_rate);
        let warm_up = self.warm_up.unwrap_or(recipe.schedule.warm_up);
        recipe.schedule = Schedule { warm_up, ..self.schedule.unwrap_or(recipe.schedule) };
        let clip = self.clip.or(self.optimizer.and_then(|asked| asked.clip));
        recipe.optimizer.clip = clip.or(recipe.optimizer.clip);
        recipe.validate_every = self.validate_every.or(recipe.validate_every);
        recipe.patience = self.patience.or(recipe.patience);
        recipe.checkpoint_every = self.checkpoint_every.unwrap_or(recipe.checkpoint_every);
    }
}

/// Fails if a value is requested that differs from that of the run.
fn fixed<T: PartialEq + ToString>(what: &str, was: T, asked: Option<T>) -> Result<(), TrainError> {
    match asked {
        Some(asked) if asked != was => Err(TrainError::Fixed {
            what: what.to_string(),
            was: was.to_string(),
            asked: asked.to_string(),
        }),
        _ => Ok(()),
    }
}
