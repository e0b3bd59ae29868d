//! The places where the library is searched.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Library, Place, Request, probe, python};
use crate::LibraryError;

/// Finds a library that can be opened and is recent enough. If [`Request::explicit`] or
/// [`Request::environment`] names one, no other is tried. Otherwise, these places are searched in order:
/// beside the running program; in the cache, first with CUDA; in Python's packages.
///
/// # Errors
/// [`LibraryError::Unusable`] if the named library cannot be used; [`LibraryError::Missing`], with every
/// searched place, if none is found.
pub fn find(request: &Request) -> Result<Library, LibraryError> {
    if let Some(path) = &request.explicit {
        return named(path, Place::Explicit, "--ort-lib", request.cuda);
    }
    if let Some(path) = &request.environment {
        return named(path, Place::Environment, "ORT_DYLIB_PATH", request.cuda);
    }
    let mut tried = vec!["ORT_DYLIB_PATH and --ort-lib: not given".to_owned()];
    let mut try_in = |label: &str, folder: Option<PathBuf>, place| {
        let Some(folder) = folder else {
            tried.push(format!("{label}: not found"));
            return None;
        };
        match usable(&folder, request.cuda) {
            Ok((path, version)) => Some(Library { path, version, place }),
            Err(reason) => {
                tried.push(format!("{label}, {}: {reason}", folder.display()));
                None
            }
        }
    };
    if request.search {
        let program = env::current_exe().ok();
        let folder = program.as_deref().and_then(Path::parent).map(Path::to_owned);
        if let Some(library) = try_in("beside the program", folder, Place::BesideProgram) {
            return Ok(library);
        }
    }
    for cuda in [true, false] {
        // A library with CUDA also works for the CPU, and a process can load only one.
        if request.cuda && !cuda {
            continue;
        }
        let label = if cuda { "the cache, with CUDA" } else { "the cache" };
        if let Some(library) = try_in(label, request.folder_for(cuda), Place::Cache) {
            return Ok(library);
        }
    }
    if request.search
        && let Some(library) = try_in("Python's packages", python::package(), Place::Python)
    {
        return Ok(library);
    }
    Err(LibraryError::Missing { cuda: request.cuda, offline: false, tried })
}

/// The library that [`find`] would open beside the program or in a Python package. It is not opened, so only
/// its path is known.
pub fn found(request: &Request, place: Place) -> Option<PathBuf> {
    let named = request.explicit.is_some() || request.environment.is_some();
    if named || !request.search {
        return None;
    }
    let folder = match place {
        Place::BesideProgram => env::current_exe().ok()?.parent()?.to_owned(),
        Place::Python => python::package()?,
        Place::Explicit | Place::Environment | Place::Cache => return None,
    };
    let file = library_in(&folder)?.canonicalize().ok()?;
    (!request.cuda || has_cuda(&file)).then_some(file)
}

fn named(
    path: &Path,
    place: Place,
    namer: &'static str,
    cuda: bool,
) -> Result<Library, LibraryError> {
    match usable(path, cuda) {
        Ok((path, version)) => Ok(Library { path, version, place }),
        Err(reason) => Err(LibraryError::Unusable { place: namer, path: path.to_owned(), reason }),
    }
}

/// The library at a path or, if that is a folder, in it. The error is the reason why it cannot be used.
pub(super) fn usable(path: &Path, cuda: bool) -> Result<(PathBuf, probe::Version), String> {
    let file = if path.is_dir() {
        library_in(path).ok_or("no libonnxruntime in it")?
    } else if path.exists() {
        path.to_owned()
    } else {
        return Err("it does not exist".to_owned());
    };
    // Absolute, since `ort` resolves a relative path from the folder of the program.
    let file = file.canonicalize().map_err(|e| e.to_string())?;
    if cuda && !has_cuda(&file) {
        return Err("it comes without CUDA".to_owned());
    }
    let version = probe::probe(&file)?;
    Ok((file, version))
}

/// The library in a folder. If there are several, the one with the longest name, which contains the version.
fn library_in(folder: &Path) -> Option<PathBuf> {
    let names =
        fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| is_library(name)).max().map(|name| folder.join(name))
}

fn is_library(name: &str) -> bool {
    match env::consts::OS {
        "windows" => name == "onnxruntime.dll",
        "macos" => {
            name == "libonnxruntime.dylib"
                || (name.starts_with("libonnxruntime.") && name.ends_with(".dylib"))
        }
        _ => name == "libonnxruntime.so" || name.starts_with("libonnxruntime.so."),
    }
}

/// Whether the provider library for CUDA is in the same folder.
pub(super) fn has_cuda(library: &Path) -> bool {
    let name = if cfg!(windows) {
        "onnxruntime_providers_cuda.dll"
    } else {
        "libonnxruntime_providers_cuda.so"
    };
    library.parent().is_some_and(|folder| folder.join(name).is_file())
}
