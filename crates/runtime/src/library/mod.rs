//! Finds or downloads ONNX Runtime's shared library.
//!
//! [`find`] looks at the place that the user names, otherwise in a few default places. [`install`] downloads
//! the library from the Python package `onnxruntime`, with pip, into a cache that all projects share.
//! [`ensure`] calls `find` and, if that fails, `install`, except for CUDA. The build downloads nothing.

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

/// Which library is required, and where it may come from.
#[derive(Clone, Debug)]
pub struct Request {
    /// The file, or a folder that contains it, that the user named (`--ort-lib`). If given, no other place is
    /// searched.
    pub explicit: Option<PathBuf>,
    /// Like `explicit`, from the environment (`ORT_DYLIB_PATH`). Used if `explicit` is not given.
    pub environment: Option<PathBuf>,
    /// The folder for downloaded libraries, `~/.cache/pixelrnn`.
    pub cache: Option<PathBuf>,
    /// Whether to search beside the running program and in Python's packages.
    pub search: bool,
    /// Whether the library must support CUDA.
    pub cuda: bool,
    /// Whether downloading is forbidden (`PIXELRNN_OFFLINE=1`).
    pub offline: bool,
    /// Called with a line of text before each slow operation. `None`: no messages.
    pub progress: Option<fn(&str)>,
}

impl Default for Request {
    /// A request with the settings of the environment variables.
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
    /// The same request, with or without CUDA.
    pub fn with_cuda(self, cuda: bool) -> Request {
        Request { cuda, ..self }
    }

    /// The folder into which [`install`] puts the library.
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

/// A function for [`Request::progress`] that prints to standard error.
pub fn to_stderr(line: &str) {
    eprintln!("{line}");
}

/// A shared library of ONNX Runtime that could be opened and is recent enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// The file.
    pub path: PathBuf,
    /// The version that it reports.
    pub version: Version,
    /// Who named it, or where it was found.
    pub place: Place,
}

impl Library {
    /// Whether the library for CUDA is in the same folder. ONNX Runtime does not look elsewhere.
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
    /// In the cache, where [`install`] puts it.
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

/// Finds the library or, if there is none, downloads the one for the CPU.
///
/// A library with CUDA is never downloaded here, only by [`install`]: it has 256 MB, and is useless without a
/// GPU.
///
/// # Errors
/// Those of [`find`] and [`install`]. [`LibraryError::Missing`] if CUDA is requested and not found, or if
/// downloading is forbidden.
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
