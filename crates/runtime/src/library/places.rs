//! The places where a library may lie.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Library, Place, Request, probe, python};
use crate::LibraryError;

/// Finds a library that opens and is recent enough. In this order: the one that
/// [`Request::explicit`] or else [`Request::environment`] names, and then no other; beside the
/// running program; in the cache, one with CUDA first; in Python's packages.
///
/// # Errors
/// [`LibraryError::Unusable`] if one is named but of no use; [`LibraryError::Missing`], with every
/// place that was looked at, if there is none.
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
        // One with CUDA serves the CPU as well, and a process can load only one.
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

/// A library that [`find`] would open because it happens to be there: beside the program, or in a
/// Python package. It is not opened, so nothing is known of it but where it is.
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

/// The library at a path, or in it if it is a folder; else why there is none.
pub(super) fn usable(path: &Path, cuda: bool) -> Result<(PathBuf, probe::Version), String> {
    let file = if path.is_dir() {
        library_in(path).ok_or("no libonnxruntime in it")?
    } else if path.exists() {
        path.to_owned()
    } else {
        return Err("it does not exist".to_owned());
    };
    // Absolute, since `ort` takes a relative path as relative to the program.
    let file = file.canonicalize().map_err(|e| e.to_string())?;
    if cuda && !has_cuda(&file) {
        return Err("it comes without CUDA".to_owned());
    }
    let version = probe::probe(&file)?;
    Ok((file, version))
}

/// The library in a folder; the longest name, which is the one with the version.
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

/// Whether the provider library for CUDA lies beside a library.
pub(super) fn has_cuda(library: &Path) -> bool {
    let name = if cfg!(windows) {
        "onnxruntime_providers_cuda.dll"
    } else {
        "libonnxruntime_providers_cuda.so"
    };
    library.parent().is_some_and(|folder| folder.join(name).is_file())
}
