//! Everything that can go wrong between a program and its numbers.

use std::io;
use std::path::PathBuf;

/// Why an engine could not be had, or could not run a program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// No engine has this name.
    #[error("there is no engine `{name}`; there are {}", known.join(", "))]
    UnknownEngine {
        /// What was asked for.
        name: String,
        /// What could have been.
        known: Vec<String>,
    },
    /// The engine was left out when this binary was built.
    #[error("engine `{engine}` was not compiled in: build with the feature `{feature}`")]
    NotCompiled {
        /// The engine.
        engine: &'static str,
        /// The Cargo feature that brings it.
        feature: &'static str,
    },
    /// ONNX Runtime's shared library is missing or of no use.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The library is there, but cannot run on the device asked for.
    #[error("ONNX Runtime at {} cannot use {provider}: {reason}", library.display())]
    ProviderUnavailable {
        /// `CUDA`.
        provider: &'static str,
        /// The library in use.
        library: PathBuf,
        /// What failed, and what to do about it.
        reason: String,
    },
    /// The engine refused the program.
    #[error("{engine} cannot load `{program}`: {reason}")]
    Load {
        /// The engine.
        engine: &'static str,
        /// The program's name.
        program: String,
        /// The engine's own words.
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
    /// What was handed in does not fit the program.
    #[error("`{program}`: {error}")]
    Input {
        /// The program's name.
        program: String,
        /// What does not fit.
        #[source]
        error: InputError,
    },
    /// The engine failed while running.
    #[error("{engine} failed while running `{program}`: {reason}")]
    Run {
        /// The engine.
        engine: &'static str,
        /// The program's name.
        program: String,
        /// The engine's own words.
        reason: String,
    },
}

impl EngineError {
    /// The engine's own words where it failed to load or run a program, else the whole message.
    pub fn reason(self) -> String {
        match self {
            EngineError::Load { reason, .. } | EngineError::Run { reason, .. } => reason,
            other => other.to_string(),
        }
    }
}

/// How the inputs of a run do not fit its program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// An input was not given.
    #[error("input {input} is missing")]
    Missing {
        /// The input, with its declared shape.
        input: String,
    },
    /// There is no such input.
    #[error("there is no input `{input}`; the inputs are {}", known.join(", "))]
    Unknown {
        /// What was given.
        input: String,
        /// What could have been.
        known: Vec<String>,
    },
    /// An input was given twice.
    #[error("input `{input}` is given twice")]
    Twice {
        /// The input.
        input: String,
    },
    /// An input has another shape than declared.
    #[error("input `{input}` has shape {given:?}, but {declared} is declared")]
    Shape {
        /// The input.
        input: String,
        /// The declared shape.
        declared: String,
        /// The shape of what was given.
        given: Vec<usize>,
    },
    /// An input of whole numbers was given another.
    #[error("input `{input}` takes whole numbers, but {value} was given")]
    Fraction {
        /// The input.
        input: String,
        /// What is not whole, as text.
        value: String,
    },
    /// An input of bytes was given another number.
    #[error("input `{input}` takes whole numbers from 0 to 255, but {value} was given")]
    Byte {
        /// The input.
        input: String,
        /// What is not one, as text.
        value: String,
    },
    /// One symbol would stand for two numbers.
    #[error("input `{input}` makes {symbol} = {size}, but an input before it made it {before}")]
    Symbol {
        /// The symbol.
        symbol: String,
        /// What it was first.
        before: usize,
        /// The input that disagrees.
        input: String,
        /// What it says.
        size: usize,
    },
}

/// Why there is no usable shared library of ONNX Runtime.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// It is nowhere that was looked at.
    #[error("{}", missing(*cuda, *offline, tried))]
    Missing {
        /// Whether one with CUDA was wanted.
        cuda: bool,
        /// Whether fetching it was forbidden.
        offline: bool,
        /// Each place, and why it did not do.
        tried: Vec<String>,
    },
    /// The one that was named cannot be used.
    #[error("{place} names {}, which is of no use: {reason}", path.display())]
    Unusable {
        /// Who named it.
        place: &'static str,
        /// The library.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A process can load one library in its life.
    #[error(
        "this process already runs ONNX Runtime from {}, and cannot change to {}: start another",
        loaded.display(), wanted.display()
    )]
    AlreadyLoaded {
        /// The library in use.
        loaded: PathBuf,
        /// The one asked for.
        wanted: PathBuf,
    },
    /// ONNX Runtime was loaded but would not start.
    #[error("ONNX Runtime at {} does not start: {reason}", path.display())]
    Start {
        /// The library.
        path: PathBuf,
        /// Its own words.
        reason: String,
    },
    /// No wheel is pinned for this machine.
    #[error(
        "no ONNX Runtime{} is pinned for {platform}: install ONNX Runtime 1.23 or later yourself \
         and name its shared library in ORT_DYLIB_PATH or with --ort-lib, or use engine `tract`",
        if *cuda { " with CUDA" } else { "" }
    )]
    NoWheel {
        /// Operating system and processor.
        platform: String,
        /// Whether one with CUDA was wanted.
        cuda: bool,
    },
    /// There is no place to keep it.
    #[error(
        "no cache folder: neither XDG_CACHE_HOME nor a home folder is known; set XDG_CACHE_HOME"
    )]
    NoCache,
    /// Python or pip is missing or failed.
    #[error("{reason}\nONNX Runtime is fetched with Python's pip: {hint}")]
    Python {
        /// What failed, with its own words.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// What came is not what is pinned.
    #[error(
        "{} has SHA-256 {found}, but {expected} is pinned: it was not installed. \
         Fetch again, or ask whoever runs your package index",
        file.display()
    )]
    Checksum {
        /// The file.
        file: PathBuf,
        /// The pinned hash.
        expected: String,
        /// Its hash.
        found: String,
    },
    /// The file system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

fn missing(cuda: bool, offline: bool, tried: &[String]) -> String {
    let with = if cuda { " with CUDA" } else { "" };
    let flag = if cuda { " --cuda" } else { "" };
    let mut text = format!("ONNX Runtime{with} was not found. Looked at:\n");
    for place in tried {
        text.push_str(&format!("  - {place}\n"));
    }
    text.push_str(&format!(
        "Run `pixelrnn runtime install{flag}` once (it needs Python with pip, and a network), or \
         name libonnxruntime, 1.23 or later, in ORT_DYLIB_PATH or with --ort-lib"
    ));
    if offline {
        text.push_str(". Fetching it now was forbidden by PIXELRNN_OFFLINE");
    }
    text
}
