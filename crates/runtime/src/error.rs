//! Errors of engines and of the ONNX Runtime library.

use std::io;
use std::path::PathBuf;

/// Why an engine is not available, or could not run a program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The engine is not compiled into this binary.
    #[error("engine `{engine}` was not compiled in: build with the feature `{feature}`")]
    NotCompiled {
        /// The engine.
        engine: &'static str,
        /// The Cargo feature that adds it.
        feature: &'static str,
    },
    /// ONNX Runtime's shared library is missing or cannot be used.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The library was found, but cannot run on the requested device.
    #[error("ONNX Runtime at {} cannot use {provider}: {reason}", library.display())]
    ProviderUnavailable {
        /// `CUDA`.
        provider: &'static str,
        /// The library in use.
        library: PathBuf,
        /// What failed, and what to do about it.
        reason: String,
    },
    /// The engine cannot load the program.
    #[error("{engine} cannot load `{program}`: {reason}")]
    Load {
        /// The engine.
        engine: &'static str,
        /// The program's name.
        program: String,
        /// The message of the engine.
        reason: String,
    },
    /// An input or output of the program is not an f32 tensor.
    #[error("{engine} cannot load `{program}`: `{value}` is {found}, not an f32 tensor")]
    Elements {
        /// The engine.
        engine: &'static str,
        /// The program's name.
        program: String,
        /// The input or output.
        value: String,
        /// What it is instead.
        found: String,
    },
    /// The inputs do not match the program.
    #[error("`{program}`: {error}")]
    Input {
        /// The program's name.
        program: String,
        /// What does not fit.
        #[source]
        error: InputError,
    },
    /// The processes that share the work cannot go on together.
    #[error(transparent)]
    World(#[from] crate::world::WorldError),
    /// The engine failed while running.
    #[error("{engine} failed while running `{program}`: {reason}")]
    Run {
        /// The engine.
        engine: &'static str,
        /// The program's name.
        program: String,
        /// The message of the engine.
        reason: String,
    },
}

impl EngineError {
    /// The engine's message if it failed to load or run a program, otherwise the whole error text.
    pub fn reason(self) -> String {
        match self {
            EngineError::Load { reason, .. } | EngineError::Run { reason, .. } => reason,
            other => other.to_string(),
        }
    }
}

/// Why the inputs of a run do not match the program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// An input was not given.
    #[error("input {input} is missing")]
    Missing {
        /// The input, with its declared shape.
        input: String,
    },
    /// The program has no input of this name.
    #[error("unknown input `{input}`; the inputs are {}", known.join(", "))]
    Unknown {
        /// What was given.
        input: String,
        /// The known names.
        known: Vec<String>,
    },
    /// An input was given twice.
    #[error("input `{input}` is given twice")]
    Twice {
        /// The input.
        input: String,
    },
    /// An input has another shape than declared.
    #[error("input `{input}` has shape {given:?}, expected {declared}")]
    Shape {
        /// The input.
        input: String,
        /// The declared shape.
        declared: String,
        /// The shape of the given array.
        given: Vec<usize>,
    },
    /// An input of integers contains a fraction.
    #[error("input `{input}` contains {value}, expected whole numbers")]
    Fraction {
        /// The input.
        input: String,
        /// The value that is not whole, as text.
        value: String,
    },
    /// An input of bytes contains a value out of range.
    #[error("input `{input}` contains {value}, expected whole numbers from 0 to 255")]
    Byte {
        /// The input.
        input: String,
        /// The value, as text.
        value: String,
    },
    /// A symbolic dimension has two different sizes.
    #[error("input `{input}` has {symbol} = {size}, but an earlier input has {symbol} = {before}")]
    Symbol {
        /// The symbol.
        symbol: String,
        /// Its size in an earlier input.
        before: usize,
        /// The input with another size.
        input: String,
        /// Its size there.
        size: usize,
    },
}

/// Why no usable ONNX Runtime library is available.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// The library was not found.
    #[error("{}", missing(*cuda, *offline, tried))]
    Missing {
        /// Whether a library with CUDA is required.
        cuda: bool,
        /// Whether downloading it was forbidden.
        offline: bool,
        /// The searched locations, and why each was rejected.
        tried: Vec<String>,
    },
    /// The library that the user named cannot be used.
    #[error("cannot use {} (from {place}): {reason}", path.display())]
    Unusable {
        /// Who named it.
        place: &'static str,
        /// The library.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A process can load only one library.
    #[error(
        "ONNX Runtime is already loaded from {} and cannot be replaced by {}: use a new process",
        loaded.display(), wanted.display()
    )]
    AlreadyLoaded {
        /// The library in use.
        loaded: PathBuf,
        /// The requested library.
        wanted: PathBuf,
    },
    /// ONNX Runtime was loaded but could not be started.
    #[error("ONNX Runtime at {} cannot be started: {reason}", path.display())]
    Start {
        /// The library.
        path: PathBuf,
        /// The message of ONNX Runtime.
        reason: String,
    },
    /// No download is pinned for this machine.
    #[error(
        "no ONNX Runtime{} is pinned for {platform}: install ONNX Runtime 1.23 or later yourself \
         and name its shared library in ORT_DYLIB_PATH or with --ort-lib, or use engine `tract`",
        if *cuda { " with CUDA" } else { "" }
    )]
    NoWheel {
        /// Operating system and processor.
        platform: String,
        /// Whether a library with CUDA is required.
        cuda: bool,
    },
    /// The cache folder is unknown.
    #[error(
        "no cache folder: neither XDG_CACHE_HOME nor a home folder is known; set XDG_CACHE_HOME"
    )]
    NoCache,
    /// Python or pip is missing or failed.
    #[error("{reason}\nONNX Runtime is downloaded with Python's pip: {hint}")]
    Python {
        /// What failed, with the message of Python.
        reason: String,
        /// How to fix it.
        hint: &'static str,
    },
    /// The downloaded file does not match the pinned hash.
    #[error(
        "{} has SHA-256 {found}, expected {expected}: it was not installed. Download it again, or ask \
         the operator of your package index",
        file.display()
    )]
    Checksum {
        /// The file.
        file: PathBuf,
        /// The pinned hash.
        expected: String,
        /// The hash of the downloaded file.
        found: String,
    },
    /// An error of the file system.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

fn missing(cuda: bool, offline: bool, tried: &[String]) -> String {
    let with = if cuda { " with CUDA" } else { "" };
    let flag = if cuda { " --cuda" } else { "" };
    let mut text = format!("ONNX Runtime{with} was not found. Searched:\n");
    for place in tried {
        text.push_str(&format!("  - {place}\n"));
    }
    text.push_str(&format!(
        "Run `pixelrnn runtime install{flag}` once (it needs Python with pip, and a network), or \
         name libonnxruntime, 1.23 or later, in ORT_DYLIB_PATH or with --ort-lib"
    ));
    if offline {
        text.push_str(". Downloading is disabled by PIXELRNN_OFFLINE");
    }
    text
}
