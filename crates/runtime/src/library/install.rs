//! Downloads ONNX Runtime's library into the cache.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::places::usable;
use super::{Library, Pin, Place, RELEASE, Request, io as failed, pin, python};
use crate::LibraryError;

/// Downloads the release [`RELEASE`] into the cache, unless it is there already; with CUDA if
/// [`Request::cuda`] is set. Several processes may call it at once: one downloads, the others wait. The cache
/// never contains a partial library, since the finished folder is moved there in one step.
///
/// # Errors
/// [`LibraryError::NoWheel`] if no download is pinned for this machine; [`LibraryError::Python`] if Python or
/// pip is missing or cannot reach its index; [`LibraryError::Checksum`] if the downloaded file does not have
/// the pinned hash; [`LibraryError::Io`]; [`LibraryError::NoCache`].
pub fn install(request: &Request) -> Result<Library, LibraryError> {
    let cuda = request.cuda;
    let pin = pin(cuda).ok_or_else(|| LibraryError::NoWheel {
        platform: format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH),
        cuda,
    })?;
    let target = request.folder()?;
    let cache = request.cache.as_ref().ok_or(LibraryError::NoCache)?;
    fs::create_dir_all(cache).map_err(failed("create", cache))?;

    let lock_path = beside(&target, "lock");
    let lock = File::create(&lock_path).map_err(failed("create", &lock_path))?;
    // The lock is released when the file is closed, also if this process is killed.
    lock.lock().map_err(failed("lock", &lock_path))?;

    // Another process may have installed it in the meantime.
    if let Some(library) = installed(&target, cuda) {
        return Ok(library);
    }
    request.say(&format!(
        "downloading {} {RELEASE} ({} MB) into {}",
        pin.package,
        pin.megabytes,
        target.display()
    ));
    // No other process holds the lock, so a partial download is left over from a process that was killed.
    let partial = beside(&target, "partial");
    clear(&partial)?;
    let done = fetch(pin, &partial).and_then(|unpacked| {
        clear(&target)?;
        fs::rename(&unpacked, &target).map_err(failed("move to its place", &target))
    });
    let cleared = clear(&partial);
    done.and(cleared)?;
    let (path, version) = usable(&target, cuda).map_err(|reason| LibraryError::Unusable {
        place: "`runtime install`",
        path: target,
        reason,
    })?;
    let library = Library { path, version, place: Place::Cache };
    request.say(&format!("installed {library}"));
    Ok(library)
}

fn installed(target: &Path, cuda: bool) -> Option<Library> {
    let (path, version) = usable(target, cuda).ok()?;
    Some(Library { path, version, place: Place::Cache })
}

/// `onnxruntime-1.31.1` -> `onnxruntime-1.31.1.partial`. `with_extension` would replace the last number of
/// the release.
fn beside(target: &Path, suffix: &str) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

fn clear(folder: &Path) -> Result<(), LibraryError> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed("remove", folder)(e)),
        _ => Ok(()),
    }
}

/// Downloads, checks and unpacks a wheel below a folder. Returns the folder with the libraries.
fn fetch(pin: &Pin, partial: &Path) -> Result<PathBuf, LibraryError> {
    let (download, unpacked) = (partial.join("wheel"), partial.join("library"));
    for folder in [&download, &unpacked] {
        fs::create_dir_all(folder).map_err(failed("create", folder))?;
    }
    python::download(pin, &download)?;
    let wheel = only_wheel(&download)?;
    check(&wheel, pin.sha256)?;
    python::unpack(&wheel, &unpacked)?;
    Ok(unpacked)
}

fn only_wheel(folder: &Path) -> Result<PathBuf, LibraryError> {
    let entries = fs::read_dir(folder).map_err(failed("read", folder))?;
    let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    files
        .find(|path| path.extension().is_some_and(|e| e == "whl"))
        .ok_or_else(|| failed("find a wheel in", folder)(io::Error::from(io::ErrorKind::NotFound)))
}

/// Checks a file against a pinned hash.
fn check(file: &Path, expected: &str) -> Result<(), LibraryError> {
    let mut source = File::open(file).map_err(failed("open", file))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match source.read(&mut buffer).map_err(failed("read", file))? {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found == expected {
        return Ok(());
    }
    Err(LibraryError::Checksum { file: file.to_owned(), expected: expected.to_owned(), found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_other_than_the_pinned_one_is_refused() {
        let path = std::env::temp_dir().join(format!("pixelrnn-wheel-{}", std::process::id()));
        fs::write(&path, "not a wheel").unwrap();
        let pin = pin(false).unwrap();
        let error = check(&path, pin.sha256).unwrap_err();
        fs::remove_file(&path).unwrap();
        assert!(
            matches!(&error, LibraryError::Checksum { expected, .. } if expected == pin.sha256)
        );
        assert!(error.to_string().contains("was not installed"), "{error}");
    }
}
