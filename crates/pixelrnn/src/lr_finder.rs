//! The learning rate finder: a sweep over learning rates in one short training run (Smith 2017,
//! *Cyclical Learning Rates for Training Neural Networks*).

use std::sync::atomic::{AtomicBool, Ordering};

use pixelrnn_data::{Dataset, Position, Split};
use pixelrnn_passes::{LEARNING_RATE, Optimizer, Weights, fresh_state};
use pixelrnn_runtime::{BatchInputs, Engine};
use pixelrnn_train::{TrainError, feeds_of};

use crate::training::{CompiledStep, can_train};
use crate::{Array, Declaration, Error, GraphKind};

/// The weight of older losses in the smoothed loss.
const SMOOTHING: f64 = 0.9;
/// The sweep ends when the smoothed loss is this many times the lowest one.
const DIVERGED: f64 = 3.0;
/// The first steps, which are ignored because the smoothed loss has not settled yet.
const SETTLING: usize = 5;
/// The smoothed loss must fall by more than this fraction. Smaller differences occur between batches.
const FALL: f64 = 0.01;
/// The suggestion is this fraction of the learning rate with the lowest smoothed loss or, if that is lower,
/// the rate where the loss falls fastest.
const SHARE: f64 = 0.1;

/// The arguments of [`find`].
pub struct Sweep<'a> {
    /// The model.
    pub model: &'a Declaration,
    /// The images.
    pub data: &'a Dataset,
    /// The initial weights.
    pub weights: &'a Weights,
    /// The update rule.
    pub optimizer: &'a Optimizer,
    /// Images per step.
    pub batch: usize,
    /// Data-parallel shards per step.
    pub shards: usize,
    /// The engine.
    pub engine: &'a dyn Engine,
    /// The first and the last learning rate, both positive.
    pub rates: [f64; 2],
    /// The number of steps, at least 2.
    pub steps: u32,
}

/// One step of a sweep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SweepStep {
    /// The learning rate.
    pub rate: f64,
    /// The loss of the batch before the step, in nats per image.
    pub loss: f64,
    /// The loss, smoothed over the steps so far.
    pub smoothed: f64,
}

/// The result of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The steps, with growing learning rates.
    pub steps: Vec<SweepStep>,
    /// Whether the sweep ended early because the loss exploded.
    pub diverged: bool,
    /// The suggested learning rate; `None` if the loss never fell.
    pub suggestion: Option<f64>,
}

/// Trains with a learning rate that grows exponentially from step to step, until the loss explodes.
/// `observe` receives the number of steps done.
///
/// # Errors
/// The model and the data do not match, or the engine fails.
pub fn find(
    sweep: &Sweep,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(u32),
) -> Result<Found, Error> {
    let &Sweep { model, data, optimizer, engine, steps: count, rates: [first, last], .. } = sweep;
    can_train(model, data)?;
    model.check_weights(sweep.weights)?;
    let compiled = CompiledStep::new(model, optimizer, sweep.shards, engine)?;
    let state = fresh_state(sweep.weights, optimizer);
    let mut stepper = compiled.step().start(engine, &state)?;
    let inputs = BatchInputs::of(&model.graph_of(GraphKind::Nll)?)?;
    let batches = data.shuffled(Split::Train, sweep.batch, Position::default());
    let mut batches = batches.map_err(TrainError::from)?;
    let mut steps: Vec<SweepStep> = Vec::new();
    let (mut average, mut diverged) = (0.0, false);
    for step in 0..count {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let share = f64::from(step) / f64::from(count.max(2) - 1);
        let rate = first * (last / first).powf(share);
        let Some(batch) = batches.next() else { break };
        let batch = batch.map_err(TrainError::from)?;
        let given = Array::from_elem(vec![1], rate as f32);
        let from_data = feeds_of(&inputs, &batch).map_err(TrainError::from)?;
        let mut feeds: Vec<(&str, &Array)> = from_data.iter().map(|(n, a)| (*n, a)).collect();
        feeds.push((LEARNING_RATE, &given));
        let results = stepper.step(&feeds)?;
        let loss = results.first().and_then(|(_, loss)| loss.first().copied());
        let loss = f64::from(loss.unwrap_or(f32::NAN));
        average = SMOOTHING * average + (1.0 - SMOOTHING) * loss;
        // Corrects the bias of the average, which starts at zero.
        let smoothed = average / (1.0 - SMOOTHING.powi(step as i32 + 1));
        let lowest = steps.iter().map(|s| s.smoothed).fold(f64::INFINITY, f64::min);
        if !smoothed.is_finite() || smoothed > DIVERGED * lowest {
            diverged = true;
            break;
        }
        steps.push(SweepStep { rate, loss, smoothed });
        observe(step + 1);
    }
    let suggestion = suggestion(&steps);
    Ok(Found { steps, diverged, suggestion })
}

/// Suggests a learning rate well below the one at which the loss begins to rise.
fn suggestion(steps: &[SweepStep]) -> Option<f64> {
    let judged = steps.get(SETTLING..)?;
    let (at, lowest) =
        judged.iter().enumerate().min_by(|a, b| a.1.smoothed.total_cmp(&b.1.smoothed))?;
    if at == 0 || lowest.smoothed > (1.0 - FALL) * judged[0].smoothed {
        return None;
    }
    // The slope over the logarithm of the rate, since rates grow by the same factor from step to step.
    let falls = judged[..=at].windows(3).map(|w| (w[1].rate, w[0].smoothed - w[2].smoothed));
    let steepest = falls.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(rate, _)| rate);
    let share = SHARE * lowest.rate;
    Some(steepest.map_or(share, |rate| rate.min(share)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(loss: impl Fn(f64) -> f64) -> Vec<SweepStep> {
        let rate = |i: i32| 1e-6 * 10f64.powf(f64::from(i) / 10.0);
        (0..60).map(rate).map(|rate| SweepStep { rate, loss: 0.0, smoothed: loss(rate) }).collect()
    }

    #[test]
    fn the_suggestion_is_below_the_lowest_loss() {
        // The loss falls up to a rate of 1e-2, and then rises.
        let valley = steps(|rate| 10.0 + (rate.log10() + 2.0).powi(2));
        let found = suggestion(&valley).expect("a rate");
        assert!(found <= 1.01e-3 && found > 1e-7, "{found}");
        // The loss never falls.
        assert_eq!(suggestion(&steps(|rate| rate)), None);
        assert_eq!(suggestion(&steps(|_| 1.0)), None);
        // The loss varies as it does between batches.
        assert_eq!(suggestion(&steps(|rate| 100.0 + (rate * 1e7).sin() / 4.0)), None);
        assert_eq!(suggestion(&[]), None);
    }
}
