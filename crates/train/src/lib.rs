//! Layer 8 of `pixelrnn`: training.
//!
//! **Purpose.** Trains with a compiled training step, a compiled likelihood and a data set: [`train`] is
//! the training loop, [`evaluate`] computes the likelihood of a split, and [`Run`] is the run folder.
//!
//! **Invariants.**
//! - A checkpoint contains the whole training state and is written by atomic rename. A run that is killed
//!   at any moment and resumed ends with the same weights, bit for bit, as an uninterrupted run. The
//!   times of checkpoints do not change the result; a budget in minutes does depend on the clock, and
//!   with it the schedule.
//! - The result of a step depends on the number of shards, but not on the number of cores: a run keeps
//!   its number of shards, and their results are summed in order.
//! - A checkpoint has a checksum; a damaged checkpoint is an error that names the file.
//! - Every rank of the engine's world runs [`train`] with the same task. Rank 0 alone decides, by its clock and its
//!   signals, and writes. The result has the same bits as that of one process with as many shards.
//! - Likelihoods are in nats per image over a whole split, every image with the same weight, summed in
//!   f64. Bits per dimension are nats / (ln 2 * values per image).
//! - This crate decides what may change when a run is resumed: [`Request`] for its settings,
//!   [`Run::check_model`] and [`Run::check_images`] for the model and the images.
//! - A non-finite loss ends the run with an error that names the step and the layer or parameter. Such a
//!   state is never saved.
//!
//! **Where to start.** `train.rs` for the loop, `checkpoint.rs` for checkpoints.

#![deny(missing_docs)]

mod checkpoint;

mod error;
mod evaluate;
mod fingerprint;
mod inputs;
mod locate_non_finite;
mod log;
mod observer;
mod ranks;
mod recipe;
mod request;
mod resume;
mod run;
mod train;

/// The crate of settings and log lines.
pub use serde_json;

pub use checkpoint::{Loss, Progress, Score, is_checkpoint, load, save, weights_fingerprint};
pub use error::TrainError;
pub use evaluate::{Figures, bits_per_dim, evaluate};
pub use fingerprint::old_fingerprints;
pub use inputs::feeds_of;
pub use observer::{Event, Observer, Reason};
pub use ranks::same_settings;
pub use recipe::{Budget, Recipe, Schedule, ScheduleError, Shape};
pub use request::Request;
pub use resume::{ModelText, RunImages};
pub use run::Run;
pub use train::{Outcome, Step, Task, train};
