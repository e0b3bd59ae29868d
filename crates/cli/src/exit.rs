//! How a command ends.

use std::io;
use std::path::PathBuf;

use pixelrnn_check::CheckError;

/// What the process tells its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// Done, and good.
    Good = 0,
    /// Done, and the answer is no: a leak, or engines that disagree.
    No = 1,
    /// Wrong usage or bad input; standard error says what.
    Bad = 2,
}

impl ExitCode {
    /// Good if the answer is yes.
    pub fn of(yes: bool) -> ExitCode {
        if yes { ExitCode::Good } else { ExitCode::No }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        std::process::ExitCode::from(code as u8)
    }
}

/// Why a command could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// From the floors below.
    #[error(transparent)]
    Pixelrnn(#[from] pixelrnn::Error),
    /// An ONNX file cannot be analyzed.
    #[error("{}: {error}", pixelrnn_check::shown(&path.display().to_string()))]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Why.
        error: CheckError,
    },
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A picture cannot be encoded.
    #[error("cannot draw {}: {error}", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// Why.
        error: png::EncodingError,
    },
    /// The answer cannot be written.
    #[error("cannot write to standard output: {0}")]
    Stdout(io::Error),
}

impl From<pixelrnn::runtime::EngineError> for Failure {
    fn from(error: pixelrnn::runtime::EngineError) -> Self {
        Failure::Pixelrnn(error.into())
    }
}

impl From<pixelrnn::runtime::LibraryError> for Failure {
    fn from(error: pixelrnn::runtime::LibraryError) -> Self {
        pixelrnn::runtime::EngineError::from(error).into()
    }
}

impl Failure {
    /// The data cannot be had.
    pub fn data(error: pixelrnn::training::data::DataError) -> Failure {
        Failure::Pixelrnn(pixelrnn::training::TrainError::from(error).into())
    }
}

impl From<pixelrnn::training::TrainError> for Failure {
    fn from(error: pixelrnn::training::TrainError) -> Self {
        Failure::Pixelrnn(error.into())
    }
}

/// Wrong usage, in words.
pub fn usage<T>(text: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Usage(text.into()))
}
