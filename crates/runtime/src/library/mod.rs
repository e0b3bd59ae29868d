//! Finds ONNX Runtime's shared library, or fetches it.
//!
//! [`find`] looks where the user says, else in a few places; [`install`] fetches the library from
//! the Python package of the same name, through pip, into a cache that all projects share;
//! [`ensure`] does the one, else the other. Nothing is fetched while building.

mod install;
mod places;
mod probe;
mod python;
mod wheels;

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

pub use install::install;
pub use places::{find, found};
pub(crate) use probe::silence_telemetry;
pub use probe::{Version, opens, probe};
pub use wheels::{Pin, RELEASE, pin};

use crate::LibraryError;

/// Which library is wanted, and where it may come from.
#[derive(Clone, Debug)]
pub struct Request {
    /// A file, or a folder that holds it, that the user named (`--ort-lib`): this or none.
    pub explicit: Option<PathBuf>,
    /// The same from the environment (`ORT_DYLIB_PATH`), if nothing was named explicitly.
    pub environment: Option<PathBuf>,
    /// The folder where fetched libraries are kept, `~/.cache/pixelrnn`.
    pub cache: Option<PathBuf>,
    /// Whether to look beside the running program and into Python's packages.
    pub search: bool,
    /// Whether it must come with CUDA.
    pub cuda: bool,
    /// Whether fetching is forbidden (`PIXELRNN_OFFLINE=1`).
    pub offline: bool,
    /// Told, in a line each, what takes long; silent by default.
    pub progress: Option<fn(&str)>,
}

impl Default for Request {
    /// What the environment variables say.
    fn default() -> Self {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
        let cache = variable("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| env::home_dir().map(|home| home.join(".cache")));
        Request {
            explicit: None,
            environment: variable("ORT_DYLIB_PATH").map(PathBuf::from),
            cache: cache.map(|path| path.join("pixelrnn")),
            search: true,
            cuda: false,
            offline: variable("PIXELRNN_OFFLINE").is_some_and(|value| value != "0"),
            progress: None,
        }
    }
}

impl Request {
    /// The same, but with CUDA or without.
    pub fn with_cuda(self, cuda: bool) -> Request {
        Request { cuda, ..self }
    }

    /// Where [`install`] puts the library.
    ///
    /// # Errors
    /// [`LibraryError::NoCache`].
    pub fn folder(&self) -> Result<PathBuf, LibraryError> {
        self.folder_for(self.cuda).ok_or(LibraryError::NoCache)
    }

    fn folder_for(&self, cuda: bool) -> Option<PathBuf> {
        let variant = if cuda { "-gpu" } else { "" };
        Some(self.cache.as_ref()?.join(format!("onnxruntime{variant}-{RELEASE}")))
    }

    fn say(&self, line: &str) {
        if let Some(progress) = self.progress {
            progress(line);
        }
    }
}

/// For [`Request::progress`]: the lines go to standard error.
pub fn to_stderr(line: &str) {
    eprintln!("{line}");
}

/// A shared library of ONNX Runtime that opened and is recent enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// The file.
    pub path: PathBuf,
    /// What it says it is.
    pub version: Version,
    /// Who named it, or where it lay.
    pub place: Place,
}

impl Library {
    /// Whether the library that serves CUDA lies beside it, where alone ONNX Runtime looks.
    pub fn has_cuda(&self) -> bool {
        places::has_cuda(&self.path)
    }
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ONNX Runtime {} at {} ({})", self.version, self.path.display(), self.place)
    }
}

/// Where a library was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Named by the caller.
    Explicit,
    /// Named by `ORT_DYLIB_PATH`.
    Environment,
    /// In the folder of the running program.
    BesideProgram,
    /// Where [`install`] puts it.
    Cache,
    /// In an installed Python package.
    Python,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Place::Explicit => "named by --ort-lib",
            Place::Environment => "named by ORT_DYLIB_PATH",
            Place::BesideProgram => "beside the program",
            Place::Cache => "fetched by `pixelrnn runtime install`",
            Place::Python => "from a Python package",
        })
    }
}

/// Finds the library, else fetches it.
///
/// One with CUDA is never fetched unasked: it is 256 MB, and of no use without a GPU.
///
/// # Errors
/// Those of [`find`] and [`install`].
pub fn ensure(request: &Request) -> Result<Library, LibraryError> {
    match find(request) {
        Err(LibraryError::Missing { cuda: false, tried, .. }) if request.offline => {
            Err(LibraryError::Missing { cuda: false, offline: true, tried })
        }
        Err(LibraryError::Missing { cuda: false, .. }) => install(request),
        found => found,
    }
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> LibraryError {
    let path = path.to_owned();
    move |source| LibraryError::Io { doing, path, source }
}
