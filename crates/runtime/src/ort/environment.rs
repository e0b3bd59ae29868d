//! ONNX Runtime's environment, of which a process can have only one.

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;

use crate::library::{self, Library, Request, silence_telemetry};
use crate::{EngineError, LibraryError};

/// A loaded and initialized ONNX Runtime.
#[derive(Debug)]
pub(super) struct LoadedLibrary {
    pub library: Library,
    pub environment: Environment,
}

/// Never dropped, since `ort` cannot create a second environment.
static LOADED: OnceLock<LoadedLibrary> = OnceLock::new();
/// Held while the environment is created. `OnceLock` has no stable method for an initialization that may
/// fail.
static LOADING: Mutex<()> = Mutex::new(());

/// Loads the requested library, or returns the loaded one if it satisfies the request.
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
        // Failures are returned as errors, so they need not be logged, too.
        environment.set_log_level(LogLevel::Fatal);
    }
    Ok(LOADED.get_or_init(|| LoadedLibrary { library, environment }))
}

fn suits(loaded: &LoadedLibrary, request: &Request) -> Result<(), EngineError> {
    // Only an explicitly named library can conflict. A search would find the loaded library again, or one
    // that was installed later.
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

/// Whether a path refers to the loaded library, or to the folder that contains it.
fn same(loaded: &Path, wanted: &Path) -> bool {
    wanted.canonicalize().is_ok_and(|wanted| {
        wanted == loaded || (wanted.is_dir() && loaded.parent() == Some(wanted.as_path()))
    })
}
