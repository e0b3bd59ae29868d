//! Floor 8 of `pixelrnn`: training.
//!
//! **Purpose.** From a compiled training step, a compiled likelihood and a data set to a finished
//! run: [`train`] is the loop, [`evaluate`] the figure that is reported, [`Run`] the folder in which
//! everything lies.
//!
//! **Invariants.**
//! - Nothing is lost: a checkpoint holds the whole state and appears by rename, so that a run which
//!   is killed at any moment and resumed ends with the same weights, bit for bit, as one that is
//!   not. What the clock decides (when to write a checkpoint) changes no number; with a budget in
//!   minutes the clock decides the end, and the shape of a schedule.
//! - A step's numbers depend on how many parts its batch is divided into, and on nothing else of the
//!   machine's cores: a run keeps that number, and what the parts find is summed in their order.
//! - A checkpoint has a checksum; a damaged one is refused by name.
//! - Figures are nats per image over a whole split, every image with the same weight, summed in
//!   f64; bits per dimension are these over ln 2 times the values of an image.
//! - A non-finite loss ends the run with the step and the position; such a state is never saved.
//!
//! **Where to start.** `train.rs` for the loop, `checkpoint.rs` for what is kept.

mod checkpoint;

mod error;
mod evaluate;
pub mod files;
mod fingerprint;
mod inputs;
mod locate_non_finite;
mod log;
mod observer;
mod recipe;
mod run;
mod train;

pub use checkpoint::{Progress, Score, is_checkpoint, load, save, weights_fingerprint};
pub use error::TrainError;
pub use evaluate::{Figures, bits_per_dim, evaluate};
pub use fingerprint::old_fingerprints;
pub use inputs::BatchInputs;
pub use observer::{Event, Observer, Reason};
pub use recipe::{Budget, Recipe, Schedule, Shape};
pub use run::Run;
pub use train::{Outcome, Step, Task, train};
