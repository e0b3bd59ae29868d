//! The training loop. Every rank of the engine's world runs it; rank 0 decides and writes, see `ranks.rs`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use pixelrnn_data::{Batch, DataError, Dataset, Position, Split};
use pixelrnn_graph::Array;
use pixelrnn_ops::PixelGraph;
use pixelrnn_passes::{AVERAGE, LEARNING_RATE, Weights, next_name, state_name};
use pixelrnn_runtime::world::{World, meet, share_arrays};
use pixelrnn_runtime::{
    BatchInputs, Captured, Carried, DataParallel, Engine, EngineError, Program, Session, Stepper,
    load_parallel,
};
use serde_json::{Value, json};

use crate::checkpoint::{self, Progress, Score};
use crate::evaluate::{bits_per_dim, evaluate_while};
use crate::locate_non_finite::locate_non_finite;
use crate::log::Log;
use crate::observer::{Event, Observer, Reason};
use crate::ranks::{Start, agreed, agreed_flag};
use crate::{Recipe, Run, TrainError, feeds_of};

/// The arguments of [`train`].
pub struct Task<'a> {
    /// The training step. Its batch size is dynamic.
    pub step: Step<'a>,
    /// The likelihood: from `image` and parameters to `nll`. Its batch size is dynamic.
    pub nll: Program<'a>,
    /// The graph of the likelihood.
    pub nll_graph: &'a PixelGraph,
    /// The images.
    pub data: &'a Dataset,
    /// The training recipe.
    pub recipe: &'a Recipe,
    /// The initial weights; ignored when a run is resumed.
    pub weights: &'a Weights,
    /// The first line of the log.
    pub about: Value,
    /// The settings that replace those of the run after its checkpoint is read.
    pub settings: &'a Value,
}

/// A training step: from `image`, state and learning rate to `loss` and the new state.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// One program for the whole batch.
    Whole(Program<'a>),
    /// Data-parallel shards.
    DataParallel(DataParallel<'a>),
    /// A program that the engine captures, and one for batches of another size.
    Captured(Captured<'a>),
}

impl Step<'_> {
    /// Loads the step and sets its state.
    ///
    /// # Errors
    /// The engine fails, or the state is missing or does not fit.
    pub fn start(
        &self,
        engine: &dyn Engine,
        state: &Weights,
    ) -> Result<Box<dyn Stepper>, EngineError> {
        let carried = |name: &String| Carried { input: name.clone(), output: next_name(name) };
        let carried: Vec<Carried> = state.keys().map(carried).collect();
        let mut stepper = match self {
            Step::Whole(program) => engine.load_stepper(program, &carried)?,
            Step::DataParallel(sharded) => sharded.load_stepper(engine, &carried)?,
            Step::Captured(captured) => captured.load_stepper(engine, &carried)?,
        };
        let given: Vec<(&str, &Array)> = state.iter().map(|(n, a)| (n.as_str(), a)).collect();
        stepper.set_state(&given)?;
        Ok(stepper)
    }
}

/// The outcome of a training session.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// Why it ended.
    pub reason: Reason,
    /// The progress of the run.
    pub progress: Progress,
    /// The last validation.
    pub validation: Option<Score>,
    /// The number of steps of this session.
    pub steps: u64,
    /// Steps per epoch.
    pub steps_per_epoch: usize,
    /// The loss of the last steps of this session in nats per image; NaN without steps.
    pub loss: f64,
    /// Nats per image of uniform predictions.
    pub uniform: f64,
    /// The step of the last checkpoint.
    pub saved: u64,
}

/// The number of prefetched batches.
const READY: usize = 2;

/// Trains until the budget is spent, validation stops improving, or `stop` is set. Continues from the last
/// checkpoint of the run if there is one.
///
/// # Errors
/// [`TrainError`] if an engine or a file fails, the last checkpoint is damaged, or the loss is not finite.
/// The last checkpoint on disk is always complete.
pub fn train(
    task: &Task,
    engine: &dyn Engine,
    run: &Run,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    let world = engine.world();
    let Start { lock: _lock, state, progress, lost_best, fresh } = Start::of(task, run, &*world)?;
    let stepper = task.step.start(engine, &state)?;
    drop(state);
    let validator = match task.data.images(Split::Valid) {
        Ok(_) => Some(load_parallel(engine, &task.nll, task.recipe.shards)?),
        Err(_) => None,
    };
    let batches = task.data.shuffled(Split::Train, task.recipe.batch, progress.position)?;
    let steps_per_epoch = batches.steps_per_epoch();
    let log = world.leads().then(|| Log::open(run, progress.step)).transpose()?;
    let mut about = task.about.clone();
    about["event"] = json!("start");
    about["step"] = json!(progress.step);
    let mut nobody = ();
    let observer = if world.leads() { observer } else { &mut nobody };
    let mut session = Training {
        task,
        run,
        world,
        observer,
        stop,
        inputs: BatchInputs::of(task.nll_graph)?,
        stepper,
        validator,
        evaluated_at_once: engine.evaluated_at_once(task.recipe.batch),
        log,
        steps_per_epoch,
        begun: Instant::now(),
        before: progress.seconds,
        first: progress.step,
        saved: progress.step,
        saved_at: Instant::now(),
        announced: None,
        validation: None,
        window: Window::default(),
        recent: VecDeque::new(),
        unread: VecDeque::new(),
        last: None,
        progress,
    };
    session.record(&about)?;
    session.observer.event(&Event::Start { step: session.first, steps_per_epoch });
    if lost_best {
        session.observer.event(&Event::LostBest);
    }
    if fresh {
        session.save()?;
    }
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(READY);
        // Ends when the receiver is dropped, at the latest after one more batch.
        scope.spawn(move || {
            for batch in batches {
                if sender.send(batch).is_err() {
                    break;
                }
            }
        });
        session.go(receiver)
    })
}

/// A run in progress.
struct Training<'a, 'b> {
    task: &'a Task<'a>,
    run: &'a Run,
    world: Arc<dyn World>,
    observer: &'b mut dyn Observer,
    stop: &'a AtomicBool,
    /// The inputs that come from the data.
    inputs: BatchInputs,
    stepper: Box<dyn Stepper>,
    validator: Option<Box<dyn Session>>,
    /// Images that it takes at once.
    evaluated_at_once: usize,
    /// On rank 0.
    log: Option<Log>,
    steps_per_epoch: usize,
    begun: Instant,
    /// The seconds of training before this session, and the first step of this session.
    before: f64,
    first: u64,
    /// The step and the time of the last checkpoint.
    saved: u64,
    saved_at: Instant,
    /// The step of the last checkpoint that the observer was told.
    announced: Option<u64>,
    validation: Option<Score>,
    window: Window,
    /// The losses of the last steps.
    recent: VecDeque<f64>,
    /// Steps whose loss the engine still has, oldest first.
    unread: VecDeque<Unread>,
    /// The batch of the last step.
    last: Option<Batch>,
    progress: Progress,
}

/// A step whose loss was not read yet.
struct Unread {
    step: u64,
    images: usize,
    rate: f64,
}

/// A run has diverged if the mean loss of this many steps is more than this many times the loss of
/// uniform predictions. Untrained models are near 1.
const RECENT: usize = 20;
const ABSURD: f64 = 2.0;

/// The speed since the last line of the log.
#[derive(Default)]
struct Window {
    images: usize,
    since: Option<Instant>,
}

impl Window {
    fn images_per_second(&self) -> f64 {
        let seconds = self.since.map_or(0.0, |s| s.elapsed().as_secs_f64());
        if seconds > 0.0 { self.images as f64 / seconds } else { 0.0 }
    }
}

impl Training<'_, '_> {
    fn go(&mut self, batches: Receiver<Result<Batch, DataError>>) -> Result<Outcome, TrainError> {
        let mut reason = self.steps(&batches)?;
        // Lets the thread that reads batches end.
        drop(batches);
        self.read()?;
        let loss = self.recent_loss();
        let diverged = loss > ABSURD * self.uniform();
        if diverged && reason != Reason::Stopped {
            reason = Reason::Diverged;
        }
        self.save()?;
        self.log_window()?;
        let seconds = self.progress.seconds;
        self.record(&json!({
            "event": "stop", "reason": reason.name(), "step": self.progress.step,
            "seconds": round(seconds),
        }))?;
        self.observer.event(&Event::Stop(reason));
        // Whoever looks into the folder next finds all files.
        meet(&*self.world)?;
        Ok(Outcome {
            reason,
            progress: self.progress.clone(),
            validation: self.validation,
            steps: self.progress.step - self.first,
            steps_per_epoch: self.steps_per_epoch,
            loss,
            uniform: self.uniform(),
            saved: self.saved,
        })
    }

    /// Nats per image of uniform predictions.
    fn uniform(&self) -> f64 {
        let data = self.task.data;
        data.shape().values() as f64 * (data.levels() as f64).ln()
    }

    /// The mean loss of the last steps; NaN before the first.
    fn recent_loss(&self) -> f64 {
        self.recent.iter().sum::<f64>() / self.recent.len() as f64
    }

    fn steps(
        &mut self,
        batches: &Receiver<Result<Batch, DataError>>,
    ) -> Result<Reason, TrainError> {
        let recipe = self.task.recipe;
        loop {
            let seconds = self.before + self.begun.elapsed().as_secs_f64();
            self.progress.seconds = agreed(&*self.world, seconds)?;
            let (step, seconds) = (self.progress.step, self.progress.seconds);
            let over = recipe.over(step, self.steps_per_epoch, seconds);
            if self.is_validation_due(over) && !self.validate()? {
                return Ok(Reason::Stopped);
            }
            if over {
                return Ok(Reason::Budget);
            }
            if recipe.patience.is_some_and(|most| self.progress.since_best >= most) {
                return Ok(Reason::Patience);
            }
            if agreed_flag(&*self.world, self.stop)? {
                return Ok(Reason::Stopped);
            }
            if self.saved_at.elapsed().as_secs_f64() >= recipe.checkpoint_every {
                self.save()?;
            }
            // The sender ends before the receiver only after an error.
            let Ok(batch) = batches.recv() else { return Ok(Reason::Stopped) };
            self.step(batch?)?;
        }
    }

    fn step(&mut self, batch: Batch) -> Result<(), TrainError> {
        let recipe = self.task.recipe;
        let rate = self.rate();
        self.window.since.get_or_insert_with(Instant::now);
        let given = Array::from_elem(vec![1], rate as f32);
        let from_data = feeds_of(&self.inputs, &batch)?;
        let mut feeds: Vec<(&str, &Array)> = from_data.iter().map(|(n, a)| (*n, a)).collect();
        feeds.push((LEARNING_RATE, &given));
        let results = self.stepper.advance(&feeds)?;
        let (images, position) = (batch.indices.len(), batch.position);
        self.last = Some(batch);
        self.unread.push_back(Unread { step: self.progress.step + 1, images, rate });
        match results {
            Some(results) => self.account(vec![results])?,
            // There is no loss to show yet.
            None if self.recent.is_empty() => self.read()?,
            None => {}
        }
        self.progress.step += 1;
        self.progress.position = self.after(position);
        self.window.images += images;
        let step = self.progress.step;
        let spent = recipe.spent(step, self.steps_per_epoch, self.progress.seconds);
        let (done, here) = (step - self.first, self.begun.elapsed().as_secs_f64());
        let left = match recipe.budget {
            crate::Budget::Minutes(all) => all * 60.0 - self.progress.seconds,
            _ if spent > 0.0 && done > 0 => {
                (step as f64 / spent - step as f64) * here / done as f64
            }
            _ => 0.0,
        };
        self.observer.event(&Event::Step {
            step,
            epoch: position.epoch,
            loss: self.recent.back().copied().unwrap_or(f64::NAN),
            images_per_second: self.window.images_per_second(),
            spent,
            left: left.max(0.0),
        });
        if step.is_multiple_of(recipe.log_every) {
            self.log_window()?;
        }
        if self.observer.wants_weights(step) {
            // The observer's time must not count as time of training.
            self.log_window()?;
            let weights = self.weights()?;
            self.observer.weights(step, &weights);
        }
        Ok(())
    }

    /// Reads the losses that the engine still has. They stay on its device until somebody needs them, so that a step
    /// copies nothing to the host.
    fn read(&mut self) -> Result<(), TrainError> {
        if self.unread.is_empty() {
            return Ok(());
        }
        let results = self.stepper.results()?;
        self.account(results)
    }

    /// Takes the losses of the oldest steps that were not read.
    fn account(&mut self, results: Vec<Vec<(String, Array)>>) -> Result<(), TrainError> {
        for outputs in results {
            let Some(unread) = self.unread.pop_front() else { break };
            let loss = outputs.first().and_then(|(_, loss)| loss.first().copied());
            let loss = loss.unwrap_or(f32::NAN);
            if !loss.is_finite() {
                return Err(self.not_finite(loss, &unread));
            }
            if self.recent.len() == RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back(f64::from(loss));
            self.progress.window.nats += f64::from(loss) * unread.images as f64;
            self.progress.window.images += unread.images;
        }
        Ok(())
    }

    fn after(&self, position: Position) -> Position {
        match position.step + 1 < self.steps_per_epoch {
            true => Position { step: position.step + 1, ..position },
            false => Position { epoch: position.epoch + 1, step: 0 },
        }
    }

    /// Adds a line to the log, and passes it to the observer.
    fn record(&mut self, line: &Value) -> Result<(), TrainError> {
        if let Some(log) = &mut self.log {
            log.line(line)?;
        }
        self.observer.logged(line);
        Ok(())
    }

    fn log_window(&mut self) -> Result<(), TrainError> {
        self.read()?;
        let window = std::mem::take(&mut self.window);
        // The loss goes on where the checkpoint left it, so that the log is that of an uninterrupted run.
        if window.images == 0 || self.progress.window.images == 0 {
            return Ok(());
        }
        let loss = std::mem::take(&mut self.progress.window);
        let nats = loss.nats / loss.images as f64;
        let (step, seconds) = (self.progress.step, self.progress.seconds);
        self.record(&json!({
            "event": "step",
            "step": step,
            "epoch": step as f64 / self.steps_per_epoch as f64,
            "nats": nats,
            "bits_per_dim": bits_per_dim(nats, self.task.data.shape()),
            "images_per_second": round(window.images_per_second()),
            "lr": self.rate(),
            "seconds": round(seconds),
        }))
    }

    fn is_validation_due(&self, over: bool) -> bool {
        let step = self.progress.step;
        let every = self.task.recipe.validate_every.unwrap_or(self.steps_per_epoch as u64).max(1);
        let due = over || step.is_multiple_of(every);
        step > 0 && due && self.validator.is_some() && self.progress.validated != Some(step)
    }

    /// Validates the current weights. Returns false if a stop was requested before the end.
    fn validate(&mut self) -> Result<bool, TrainError> {
        self.log_window()?;
        let weights = self.shared_weights()?;
        let Some(validator) = &mut self.validator else { return Ok(true) };
        self.observer.event(&Event::Validating);
        let (data, batch) = (self.task.data, self.evaluated_at_once);
        let go_on = |_| Ok(!agreed_flag(&*self.world, self.stop)?);
        let inputs = &self.inputs;
        let figures =
            evaluate_while(&mut **validator, inputs, &weights, data, Split::Valid, batch, go_on)?;
        let Some(figures) = figures else { return Ok(false) };
        if !figures.nats_per_image.is_finite() {
            let step = self.progress.step;
            let what = format!("validation after step {step} returned {}", figures.nats_per_image);
            let place =
                "the weights are finite, but the likelihood computed from them is not".to_string();
            return Err(self.diverged(what, place));
        }
        let progress = &mut self.progress;
        let score = Score { step: progress.step, nats: figures.nats_per_image };
        let best = progress.best.is_none_or(|best| score.nats < best.nats);
        progress.validated = Some(score.step);
        progress.since_best = if best { 0 } else { progress.since_best + 1 };
        if best {
            progress.best = Some(score);
            if self.world.leads() {
                checkpoint::save(&self.run.best_path(), &weights, progress)?;
            }
        }
        progress.seconds = self.before + self.begun.elapsed().as_secs_f64();
        let seconds = progress.seconds;
        self.record(&json!({
            "event": "validation",
            "step": score.step,
            "epoch": score.step as f64 / self.steps_per_epoch as f64,
            "nats": score.nats,
            "bits_per_dim": figures.bits_per_dim,
            "images": figures.images,
            "best": best,
            "seconds": round(seconds),
        }))?;
        self.validation = Some(score);
        self.observer.event(&Event::Validation { score, best });
        self.save()?;
        Ok(true)
    }

    /// The weights to validate: the EMA if there is one.
    fn weights(&mut self) -> Result<Weights, TrainError> {
        let mut state: Weights = self.stepper.state()?.into_iter().collect();
        let names = self.task.nll_graph.parameters().map(|(input, _)| &input.name);
        Ok(names
            .filter_map(|name| {
                let average = state.remove(&state_name(name, AVERAGE));
                Some((name.clone(), average.or_else(|| state.remove(name))?))
            })
            .collect())
    }

    /// The weights of rank 0, which alone has the averages.
    fn shared_weights(&mut self) -> Result<Weights, TrainError> {
        let own = if self.world.leads() { self.weights()? } else { Weights::new() };
        Ok(share_arrays(&*self.world, own.into_iter().collect())?.into_iter().collect())
    }

    /// Writes a checkpoint on rank 0, unless the run has diverged: then the last good checkpoint is kept.
    fn save(&mut self) -> Result<(), TrainError> {
        self.read()?;
        if !self.world.leads() || self.recent_loss() > ABSURD * self.uniform() {
            self.saved_at = Instant::now();
            return Ok(());
        }
        let state: Weights = self.stepper.state()?.into_iter().collect();
        if let Some((name, _)) = state.iter().find(|(_, a)| a.iter().any(|x| !x.is_finite())) {
            let what = format!("a weight or a state overflowed by step {}", self.progress.step);
            return Err(self.diverged(what, format!("`{name}` is no longer finite")));
        }
        checkpoint::save(&self.run.last_path(), &state, &self.progress)?;
        (self.saved, self.saved_at) = (self.progress.step, Instant::now());
        // At the end, the checkpoint of a validation is written again with the time of the run.
        if self.announced.replace(self.saved) != Some(self.saved) {
            self.observer.event(&Event::Checkpoint { step: self.saved });
        }
        Ok(())
    }

    fn not_finite(&mut self, loss: f32, unread: &Unread) -> TrainError {
        let (&Unread { step, rate, .. }, saved) = (unread, self.saved);
        let what = format!("the loss is {loss} in step {step}");
        if !self.world.leads() {
            // Rank 0 looks for the place, and says it.
            let place = "rank 0 says where".to_string();
            let found = TrainError::NotFinite { what, place, rate, saved };
            return meet(&*self.world).err().map_or(found, TrainError::from);
        }
        let later = !self.unread.is_empty();
        let (Some(batch), false) = (self.last.take(), later) else {
            let place = "the loss was read some steps later, and the state before that step is gone; the engine \
                         `ort` reads it in every step, and names the place"
                .to_string();
            let found = TrainError::NotFinite { what, place, rate, saved };
            return meet(&*self.world).err().map_or(found, TrainError::from);
        };
        self.stepper.undo();
        let state: Weights = match self.stepper.state() {
            Ok(state) => state.into_iter().collect(),
            Err(error) => return error.into(),
        };
        let graph = self.task.nll_graph;
        let place = match feeds_of(&self.inputs, &batch) {
            Ok(feeds) => locate_non_finite(graph, &state, &feeds, self.stop),
            Err(error) => return error.into(),
        };
        let found = TrainError::NotFinite { what, place, rate, saved };
        meet(&*self.world).err().map_or(found, TrainError::from)
    }

    fn diverged(&self, what: String, place: String) -> TrainError {
        TrainError::NotFinite { what, place, rate: self.rate(), saved: self.saved }
    }

    /// The current learning rate.
    fn rate(&self) -> f64 {
        let recipe = self.task.recipe;
        let Progress { step, seconds, .. } = self.progress;
        let spent = recipe.spent(step, self.steps_per_epoch, seconds);
        recipe.learning_rate * recipe.schedule.factor(step, spent)
    }
}

/// Rounds a time or a speed to three decimals.
fn round(x: f64) -> f64 {
    (x * 1e3).round() / 1e3
}
