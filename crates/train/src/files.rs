//! Files that appear whole or not at all.

use std::io::{self, Write};
use std::path::Path;

/// What the names of files begin with while they are written.
const UNFINISHED: &str = ".unfinished-";

/// Writes a file beside its place and renames it there, so that nobody ever sees half of it, and a
/// machine that loses its power keeps the old file or has the new one.
///
/// # Errors
/// The folder is missing or not writable, or the disk is full; then the old file, if any, is whole.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // What a link names is replaced, not the link; a device or a pipe is written to, not replaced.
    let target = std::fs::canonicalize(path);
    let path = target.as_deref().unwrap_or(path);
    if path.metadata().is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        return std::fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let folder = folder(path);
    let mut file = beside(folder)?;
    file.as_file_mut().write_all(bytes)?;
    // Temporary files are private; a result is as readable as any other file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).map_or(0o644, |m| m.permissions().mode());
        file.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    // The rename itself lies in the folder. Where a folder cannot be opened, it is safe already.
    #[cfg(unix)]
    std::fs::File::open(folder)?.sync_all()?;
    Ok(())
}

/// Writes a new folder of files, each at a path inside it, so that nobody ever sees half of it.
///
/// # Errors
/// The folder exists and is not empty, its parent is missing or not writable, or the disk is full;
/// then nothing is left.
pub fn write_folder(path: &Path, files: &[(std::path::PathBuf, Vec<u8>)]) -> io::Result<()> {
    new_folder(path)?;
    let unfinished = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(folder(path));
    let unfinished = unfinished.map_err(without_path)?;
    for (inside, bytes) in files {
        let file = unfinished.path().join(inside);
        std::fs::create_dir_all(folder(&file))?;
        write(&file, bytes)?;
    }
    // Temporary folders are private; a result is as readable as any other.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(unfinished.path(), std::fs::Permissions::from_mode(0o755))?;
    }
    if path.is_dir() {
        std::fs::remove_dir(path)?;
    }
    std::fs::rename(unfinished.path(), path)
}

/// Whether [`write_folder`] can begin, found out before work is done whose result would be lost.
///
/// # Errors
/// As [`write_folder`].
pub fn new_folder(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.is_dir() => Err(io::ErrorKind::NotADirectory.into()),
        Ok(_) if std::fs::read_dir(path)?.next().is_some() => {
            Err(io::ErrorKind::DirectoryNotEmpty.into())
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => beside(folder(path)).map(drop),
        Err(error) => Err(error),
    }
}

/// Whether [`write`] can begin, found out before work is done whose result would be lost.
///
/// # Errors
/// As [`write`]; also for the name of a folder.
pub fn writable(path: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => Ok(()),
        _ => beside(folder(&std::fs::canonicalize(path).unwrap_or(path.to_path_buf()))).map(drop),
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn beside(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder).map_err(without_path)
}

/// Removes what writers that were killed left in a folder.
///
/// # Errors
/// The folder cannot be read, or a file cannot be removed.
pub fn sweep(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// What the system says, without the name drawn by chance that `tempfile` adds.
fn without_path(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.split_once(" at path ") {
        Some((reason, _)) => io::Error::new(error.kind(), reason.to_string()),
        None => error,
    }
}
