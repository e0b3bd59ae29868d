//! What a run tells whoever watches it.

use pixelrnn_passes::Weights;
use serde_json::Value;

use crate::checkpoint::Score;

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Its budget is spent.
    Budget,
    /// Validation has not got better for long enough.
    Patience,
    /// Somebody asked it to.
    Stopped,
    /// The budget is spent, but the loss is far above that of a model that knows nothing.
    Diverged,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 4] =
        [Reason::Budget, Reason::Patience, Reason::Stopped, Reason::Diverged];

    /// One word.
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

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The first step is about to be taken.
    Start {
        /// Steps done before, when a run is resumed.
        step: u64,
        /// Steps of an epoch.
        steps_per_epoch: usize,
    },
    /// A step was taken.
    Step {
        /// Steps done.
        step: u64,
        /// The epoch, from 0.
        epoch: u64,
        /// Nats per image over the batch; over an earlier one where losses stay on a device until they are logged.
        loss: f64,
        /// Over the last steps.
        images_per_second: f64,
        /// The share of the budget that is spent.
        spent: f64,
        /// Seconds left if it goes on like this.
        left: f64,
    },
    /// The run had a best validation, but its weights are gone: the next validation is the best.
    LostBest,
    /// Validation begins.
    Validating,
    /// Validation is done.
    Validation {
        /// The figure.
        score: Score,
        /// Whether it is the best so far.
        best: bool,
    },
    /// A checkpoint was written.
    Checkpoint {
        /// Steps done.
        step: u64,
    },
    /// The run is over.
    Stop(Reason),
}

/// Whoever watches a run.
pub trait Observer {
    /// Something happened.
    fn event(&mut self, event: &Event);

    /// A line was added to the log: an object whose `event` is `start`, `step`, `validation` or `stop`.
    fn logged(&mut self, _line: &Value) {}

    /// Whether [`Observer::weights`] should be called after this step.
    fn wants_weights(&self, _step: u64) -> bool {
        false
    }

    /// The weights after a step: the EMA if there is one.
    fn weights(&mut self, _step: u64, _weights: &Weights) {}
}

/// Nobody watches.
impl Observer for () {
    fn event(&mut self, _: &Event) {}
}
