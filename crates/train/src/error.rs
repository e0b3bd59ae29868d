//! Errors of training.

use std::io;
use std::path::{Path, PathBuf};

use pixelrnn_data::DataError;
use pixelrnn_runtime::world::WorldError;
use pixelrnn_runtime::{BatchError, EngineError};

/// Why a run could not start or continue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// An engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The processes that share the work cannot go on together.
    #[error(transparent)]
    World(#[from] WorldError),
    /// Ranks were given different tasks.
    #[error(
        "rank {rank} was started with other settings than rank 0 (`{what}` in run.json differs): give all ranks the \
         same arguments and the same files"
    )]
    Differs {
        /// The rank.
        rank: usize,
        /// The first entry of `run.json` that differs.
        what: String,
    },
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file cannot be read or written.
    #[error("cannot {doing} {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read`, `write`, `create`.
        doing: &'static str,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
    /// A checkpoint is damaged, or not a checkpoint.
    #[error("{} is damaged: {reason}{}", path.display(), advice(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The settings of a run are invalid.
    #[error("{}: {reason}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The loss, a validation or the training state is no longer finite.
    #[error(
        "{what}: {place}. Lower the learning rate (now {rate:e}) or clip the gradient with --clip. The \
         checkpoint of step {saved} is finite, but if the run diverged earlier, start a new run"
    )]
    NotFinite {
        /// The value that is not finite, and in which step, counted from 1.
        what: String,
        /// The first layer or parameter with a non-finite value.
        place: String,
        /// The learning rate.
        rate: f64,
        /// The step of the last checkpoint.
        saved: u64,
    },
    /// An evaluation returned a non-finite value.
    #[error(
        "evaluation of the {split} images returned {nats} nats: these weights have diverged, or a value \
         of the images is not a level of the model"
    )]
    NoFigure {
        /// The split.
        split: &'static str,
        /// Nats per image.
        nats: f64,
    },
    /// Another process is training in the same folder.
    #[error("another process is training in {}: wait until it ends, or stop it", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// The data have no values for a condition of the model, or these are invalid.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A setting is missing or out of range.
    #[error("{0}")]
    Recipe(String),
    /// The folder contains a run, but resuming was not requested.
    #[error(
        "{} already contains a run: continue it with `--resume`, or choose another folder", path.display()
    )]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A setting on which the state of a run depends cannot change when the run is resumed.
    #[error(
        "cannot change {what} from {was} to {asked} when resuming: leave the option out, or start a new \
         run in another folder"
    )]
    Fixed {
        /// The setting.
        what: String,
        /// Its value in the run.
        was: String,
        /// The requested value.
        asked: String,
    },
    /// A run cannot be resumed.
    #[error("{0}")]
    Resume(String),
    /// The model and the data do not match.
    #[error("{0}")]
    Mismatch(String),
}

impl TrainError {
    /// Converts an error of the file system, for `map_err`.
    pub(crate) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> TrainError {
        let path = path.to_path_buf();
        move |error| TrainError::Io { path, doing, error }
    }
}

fn advice(path: &Path) -> &'static str {
    match path.file_name().and_then(|n| n.to_str()) {
        Some(crate::run::LAST) => "; restore an intact copy, or start a new run in another folder",
        _ => "",
    }
}
