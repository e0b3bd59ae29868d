//! Exit codes and errors of commands.

use std::io;
use std::path::PathBuf;

use pixelrnn::training::TrainError;
use pixelrnn_check::CheckError;

/// The exit code of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// Success.
    Good = 0,
    /// The answer is no: there is a leak, or engines disagree.
    No = 1,
    /// Wrong usage or bad input; the message is on standard error.
    Bad = 2,
}

impl ExitCode {
    /// [`ExitCode::Good`] if the answer is yes, otherwise [`ExitCode::No`].
    pub fn of(yes: bool) -> ExitCode {
        if yes { ExitCode::Good } else { ExitCode::No }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        std::process::ExitCode::from(code as u8)
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// An error of the library.
    #[error(transparent)]
    Pixelrnn(#[from] pixelrnn::Error),
    /// An ONNX file cannot be analyzed.
    #[error("{}", pixelrnn_check::cli::failure(&path.display().to_string(), error))]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: CheckError,
    },
    /// Wrong usage, with the whole message.
    #[error("{0}")]
    Usage(String),
    /// A picture cannot be encoded.
    #[error("cannot draw {}: {error}", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: png::EncodingError,
    },
    /// A plot cannot be drawn.
    #[error("cannot draw {}: {reason}", path.display())]
    Plot {
        /// The file.
        path: PathBuf,
        /// What the drawing library reports.
        reason: String,
    },
    /// The result cannot be written to standard output.
    #[error("cannot write to standard output: {0}")]
    Stdout(io::Error),
}

impl Failure {
    /// The exit code. A run that diverged is a negative answer; any other failure is wrong usage or
    /// bad input.
    pub fn code(&self) -> ExitCode {
        match self {
            Failure::Pixelrnn(pixelrnn::Error::Train(TrainError::NotFinite { .. })) => ExitCode::No,
            _ => ExitCode::Bad,
        }
    }
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
    /// Wraps an error that occurred while reading data.
    pub fn data(error: pixelrnn::training::data::DataError) -> Failure {
        Failure::Pixelrnn(pixelrnn::training::TrainError::from(error).into())
    }
}

impl From<pixelrnn::training::TrainError> for Failure {
    fn from(error: pixelrnn::training::TrainError) -> Self {
        Failure::Pixelrnn(error.into())
    }
}

/// Returns [`Failure::Usage`] with this message.
pub fn usage<T>(text: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Usage(text.into()))
}
