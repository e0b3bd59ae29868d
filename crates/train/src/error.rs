//! Everything that can stop a training run.

use std::io;
use std::path::{Path, PathBuf};

use pixelrnn_data::DataError;
use pixelrnn_runtime::EngineError;

/// Why a run could not begin or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// An engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The data cannot be had.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file cannot be read or written.
    #[error("cannot {doing} {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read`, `write`, `create`.
        doing: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// A checkpoint is damaged, or not one.
    #[error("{} is damaged: {reason}{}", path.display(), advice(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A run's settings cannot be understood.
    #[error("{}: {reason}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The loss, a validation or the state is no number any more.
    #[error(
        "{what}: {place}. Try a lower learning rate (it was {rate:e}) or a clipped gradient (--clip); \
         the checkpoint of step {saved} holds numbers alone, though a run that diverged before it \
         is better begun anew"
    )]
    NotFinite {
        /// What was seen, and in which step, from 1.
        what: String,
        /// The first layer or parameter that holds what is no number.
        place: String,
        /// The learning rate.
        rate: f64,
        /// The step of the last checkpoint.
        saved: u64,
    },
    /// Figures of an evaluation are no numbers.
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
    /// Another process trains in the same folder.
    #[error("{} is being trained by another process: wait for it, or stop it first", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// A model with classes is trained or evaluated on data without labels.
    #[error(
        "the model is conditioned on one of {classes} classes, but these images have no labels: take \
         them from a source with labels (MNIST's label files beside the images, CIFAR-10, a folder a \
         class, an array `labels` in an .npz), or a model without a condition"
    )]
    NoLabels {
        /// The classes of the model.
        classes: usize,
    },
    /// A label is not a class of the model.
    #[error(
        "the data have the label {label}, but the model has the classes 0 to {}: set its number of \
         classes with `--set`, or take other data", classes - 1
    )]
    Label {
        /// The label.
        label: u32,
        /// The classes of the model.
        classes: usize,
    },
    /// A model and its data do not go together.
    #[error("{0}")]
    Mismatch(String),
}

impl TrainError {
    /// For `map_err` on what a file system says.
    pub(crate) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> TrainError {
        let path = path.to_path_buf();
        move |error| TrainError::Io { path, doing, error }
    }
}

fn advice(path: &Path) -> &'static str {
    match path.file_name().and_then(|n| n.to_str()) {
        Some(crate::run::LAST) => {
            ". The run cannot be resumed from it; put an intact copy in its place, or train anew in \
             another folder"
        }
        _ => "",
    }
}
