//! Everything that can go wrong on this floor.

use std::path::PathBuf;

use pixelrnn_graph::{Diagnostic, Source};

/// Why something could not be done. Its text is for people; a model's errors show the place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A model's text is wrong.
    #[error("{}", crate::render(text, diagnostics, false))]
    Model {
        /// The text.
        text: Source,
        /// All that is wrong in it.
        diagnostics: Vec<Diagnostic>,
    },
    /// A setting does not exist or does not suit.
    #[error("{0}")]
    Setting(String),
    /// No model has this name.
    #[error("there is no model `{name}`{hint}")]
    UnknownModel {
        /// What was asked for.
        name: String,
        /// A suggestion, with its separator.
        hint: String,
    },
    /// A model cannot be proved causal for a reason that is no place in its text.
    #[error("{0}")]
    Causality(pixelrnn_passes::CausalityError),
    /// Compilation failed: weights that do not fit, or a fault of the compiler.
    #[error("{0}")]
    Compile(#[from] pixelrnn_passes::PassError),
    /// The model cannot be sampled pixel by pixel.
    #[error("{0}")]
    Sample(#[from] pixelrnn_passes::SampleError),
    /// What images are to be drawn from does not suit the model.
    #[error("{0}")]
    Sampling(String),
    /// Options of an export that do not go together.
    #[error("{0}")]
    Options(String),
    /// The model cannot be written.
    #[error("{0}")]
    Encode(#[from] pixelrnn_onnx::EncodeError),
    /// An engine is not to be had, or failed.
    #[error("{0}")]
    Engine(#[from] pixelrnn_runtime::EngineError),
    /// Training or evaluation cannot begin or go on.
    #[error(transparent)]
    Train(#[from] pixelrnn_train::TrainError),
    /// Weights cannot be read.
    #[error("{}: {reason}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("cannot {doing} {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read`, `write`.
        doing: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
}
