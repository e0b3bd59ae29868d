//! The one environment of ONNX Runtime that a process may have.

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;

use crate::library::{self, Library, Request, silence_telemetry};
use crate::{EngineError, LibraryError};

/// ONNX Runtime, running.
#[derive(Debug)]
pub(super) struct LoadedLibrary {
    pub library: Library,
    pub environment: Environment,
}

/// Never dropped: `ort` cannot make a second environment.
static LOADED: OnceLock<LoadedLibrary> = OnceLock::new();
/// Held while the environment is made, which a `OnceLock` that may fail cannot do by itself yet.
static LOADING: Mutex<()> = Mutex::new(());

/// Loads the library that is asked for, or gives the one that is loaded if it will do.
pub(super) fn load(request: &Request) -> Result<&'static LoadedLibrary, EngineError> {
    let _guard = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = LOADED.get() {
        return suits(loaded, request).map(|()| loaded);
    }
    let library = library::ensure(request)?;
    silence_telemetry();
    let fail = |reason: String| LibraryError::Start { path: library.path.clone(), reason };
    let environment = ort::init_from(&library.path)
        .map_err(|e| fail(e.to_string()))?
        .with_name("pixelrnn")
        .with_telemetry(false)
        .build()
        .map_err(|e| fail(e.to_string()))?;
    if std::env::var_os("ORT_LOG").is_none() {
        // What fails comes back as an error; no need to print it as well.
        environment.set_log_level(LogLevel::Fatal);
    }
    Ok(LOADED.get_or_init(|| LoadedLibrary { library, environment }))
}

fn suits(loaded: &LoadedLibrary, request: &Request) -> Result<(), EngineError> {
    // Only a library asked for by name can differ; a search would find what it found before, or
    // something installed since.
    if let Some(wanted) = &request.explicit
        && !same(&loaded.library.path, wanted)
    {
        let (loaded, wanted) = (loaded.library.path.clone(), wanted.clone());
        return Err(LibraryError::AlreadyLoaded { loaded, wanted }.into());
    }
    if request.cuda && !loaded.library.has_cuda() {
        return Err(EngineError::ProviderUnavailable {
            provider: "CUDA",
            library: loaded.library.path.clone(),
            reason: "this process has loaded it for the CPU, and it comes without CUDA. Run \
                     `pixelrnn runtime install --cuda`, which serves both"
                .to_owned(),
        });
    }
    Ok(())
}

/// Whether a path, of a library or of the folder that holds it, means a loaded library.
fn same(loaded: &Path, wanted: &Path) -> bool {
    wanted.canonicalize().is_ok_and(|wanted| {
        wanted == loaded || (wanted.is_dir() && loaded.parent() == Some(wanted.as_path()))
    })
}
