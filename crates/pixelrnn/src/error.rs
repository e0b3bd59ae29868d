//! Errors of this crate.

use std::path::PathBuf;

use pixelrnn_graph::{Diagnostic, Source};

/// Why an operation failed. The text is written for people; errors of a model quote its source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text of a model is invalid.
    #[error("{}", crate::render(text, diagnostics, false))]
    Model {
        /// The text.
        text: Source,
        /// All errors in it.
        diagnostics: Vec<Diagnostic>,
    },
    /// A setting does not exist or has an invalid value.
    #[error("{0}")]
    Setting(String),
    /// No model has this name.
    #[error("unknown model `{name}`{hint}")]
    UnknownModel {
        /// The name that was given.
        name: String,
        /// A suggestion, with its separator.
        hint: String,
    },
    /// A model cannot be proved causal, for a reason without a position in its source.
    #[error("{0}")]
    Causality(#[source] pixelrnn_passes::CausalityError),
    /// Compilation failed: the weights do not fit, or there is a bug in the compiler.
    #[error("{0}")]
    Compile(#[from] pixelrnn_passes::PassError),
    /// The model cannot be sampled pixel by pixel.
    #[error("{0}")]
    Sample(#[from] pixelrnn_passes::SampleError),
    /// The arguments of sampling do not match the model.
    #[error("{0}")]
    Sampling(String),
    /// The options of an export contradict each other.
    #[error("{0}")]
    Options(String),
    /// The model cannot be encoded.
    #[error("{0}")]
    Encode(#[from] pixelrnn_onnx::EncodeError),
    /// An engine is not available, or failed.
    #[error("{0}")]
    Engine(#[from] pixelrnn_runtime::EngineError),
    /// The labels do not match the model.
    #[error(transparent)]
    Batch(#[from] pixelrnn_runtime::BatchError),
    /// Training or evaluation cannot start or continue.
    #[cfg(feature = "train")]
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
        /// The error of the system.
        #[source]
        error: std::io::Error,
    },
}

impl From<pixelrnn_runtime::world::WorldError> for Error {
    fn from(error: pixelrnn_runtime::world::WorldError) -> Error {
        Error::Engine(error.into())
    }
}
