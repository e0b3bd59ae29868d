//! Observers of a training run.

use pixelrnn_passes::Weights;
use serde_json::Value;

use crate::checkpoint::Score;

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The budget is spent.
    Budget,
    /// Validation has not improved for the allowed number of times.
    Patience,
    /// A stop was requested.
    Stopped,
    /// The run has ended, but the loss is far above that of uniform predictions.
    Diverged,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 4] =
        [Reason::Budget, Reason::Patience, Reason::Stopped, Reason::Diverged];

    /// The reason as one word.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Budget => "budget",
            Reason::Patience => "patience",
            Reason::Stopped => "stopped",
            Reason::Diverged => "diverged",
        }
    }
}

pixelrnn_graph::named!(Reason, "reason");

/// An event of a run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The first step is about to begin.
    Start {
        /// The number of steps done before, if the run is resumed.
        step: u64,
        /// The number of steps per epoch.
        steps_per_epoch: usize,
    },
    /// A step was done.
    Step {
        /// The number of steps done.
        step: u64,
        /// The epoch, from 0.
        epoch: u64,
        /// The loss of a batch, in nats per image; of an earlier batch where losses stay on a device until they are logged.
        loss: f64,
        /// The speed of the last steps.
        images_per_second: f64,
        /// The fraction of the budget that is spent.
        spent: f64,
        /// The estimated number of seconds left.
        left: f64,
    },
    /// The weights of the best validation are missing. The next validation counts as the best.
    LostBest,
    /// A validation begins.
    Validating,
    /// A validation is done.
    Validation {
        /// Its result.
        score: Score,
        /// Whether it is the best so far.
        best: bool,
    },
    /// A checkpoint was written.
    Checkpoint {
        /// The number of steps done.
        step: u64,
    },
    /// The run has ended.
    Stop(Reason),
}

/// Receives the events of a run.
pub trait Observer {
    /// Called for every event.
    fn event(&mut self, event: &Event);

    /// Called for every line of the log: an object whose `event` is `start`, `step`, `validation` or `stop`.
    fn logged(&mut self, _line: &Value) {}

    /// Whether [`Observer::weights`] should be called after this step.
    fn wants_weights(&self, _step: u64) -> bool {
        false
    }

    /// Called with the weights after a step if [`Observer::wants_weights`] returns true: the EMA if there is
    /// one.
    fn weights(&mut self, _step: u64, _weights: &Weights) {}
}

/// Ignores all events.
impl Observer for () {
    fn event(&mut self, _: &Event) {}
}
