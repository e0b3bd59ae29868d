//! Layer 0 of `pixelrnn`: files that are written completely or not at all.
//!
//! **Purpose.** A reader never sees an incomplete file, and a writer that fails leaves the old file
//! unchanged.
//!
//! **Invariants.** A file is written under a temporary name in the same folder, and then renamed.
//! Temporary names begin with `.unfinished-`. If a writer is killed, [`sweep`] removes what it
//! left.
//!
//! **Where to start.** [`write()`], then `begin` and `place`, which the other writers use, too.

#![deny(missing_docs)]

use std::io::{self, Write};
use std::path::Path;

/// The prefix of temporary names.
const UNFINISHED: &str = ".unfinished-";

/// Writes a file under a temporary name and renames it. Readers never see an incomplete file, and
/// after a power failure the file is either the old or the new one.
///
/// # Errors
/// If the folder does not exist or is not writable, or the disk is full. The old file, if any, is
/// then unchanged.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, |sink| sink.write_all(bytes))
}

/// Like [`write()`]; `fill` produces the bytes while the file is written.
///
/// # Errors
/// Those of [`write()`] and of `fill`.
pub fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    // If the path is a link, its target is replaced, not the link. A device or a pipe is written
    // to, not replaced.
    let target = std::fs::canonicalize(path);
    let path = target.as_deref().unwrap_or(path);
    if path.metadata().is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        return fill(&mut std::fs::OpenOptions::new().write(true).open(path)?);
    }
    let mut file = begin(path)?;
    fill(file.as_file_mut())?;
    place(file, path)?;
    sync_folder(path)
}

/// Like [`write()`], for a file that belongs to its folder. If there is a link or anything else
/// than a regular file at the path, it is neither followed nor replaced.
///
/// # Errors
/// Those of [`write()`], and if the path exists but is not a regular file.
pub fn write_own(path: &Path, bytes: &[u8]) -> io::Result<()> {
    own(path)?;
    let mut file = begin(path)?;
    file.as_file_mut().write_all(bytes)?;
    place(file, path)?;
    sync_folder(path)
}

/// Checks that a path is a regular file or does not exist.
///
/// # Errors
/// If it is a link, a folder, a pipe or a device.
pub fn own(path: &Path) -> io::Result<()> {
    let what = match path.symlink_metadata() {
        Ok(found) if found.is_file() => return Ok(()),
        Ok(found) if found.is_symlink() => "a link",
        Ok(found) if found.is_dir() => "a folder",
        Ok(_) => "a pipe, a socket or a device",
        Err(_) => return Ok(()),
    };
    Err(io::Error::other(format!("it is {what}, not a file of the run: remove it first")))
}

/// Writes two files that are useful only together. `fill` writes the second file through a buffer,
/// and returns the bytes of the first. Afterwards either both are written, or both are as before.
/// The exception: if the process is killed or the power fails between the renames, the first file
/// can be old while the second is missing or new.
///
/// # Errors
/// Those of [`write()`] and of `fill`, and if a path exists but is not a regular file.
pub fn write_pair<E: From<io::Error>>(
    first: &Path,
    second: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<Vec<u8>, E>,
) -> Result<(), E> {
    for path in [first, second] {
        if path.symlink_metadata().is_ok_and(|m| !m.is_file()) {
            let text = format!(
                "{} is not a regular file, so a second file cannot be written next to it",
                path.display()
            );
            return Err(io::Error::other(text).into());
        }
    }
    let (mut model, mut data) = (begin(first)?, begin(second)?);
    let mut buffer = io::BufWriter::with_capacity(1 << 20, data.as_file_mut());
    let bytes = fill(&mut buffer)?;
    buffer.flush()?;
    drop(buffer);
    model.as_file_mut().write_all(&bytes)?;
    // The old second file is kept under a temporary name until the new first one is in place. It keeps its own
    // name, too, so that it is not lost if the process is killed here; where there are no hard links it is moved.
    let aside = match second.exists() {
        true => {
            let aside = beside(folder(second))?.into_temp_path();
            std::fs::remove_file(&aside)?;
            std::fs::hard_link(second, &aside).or_else(|_| std::fs::rename(second, &aside))?;
            Some(aside)
        }
        false => None,
    };
    if let Err(error) = place(data, second).and_then(|()| place(model, first)) {
        let _ = std::fs::remove_file(second);
        if let Some(aside) = aside {
            let _ = aside.persist(second);
        }
        return Err(error.into());
    }
    Ok(sync_folder(first)?)
}

/// Reads a regular file, or the target of a link to one.
///
/// # Errors
/// If the file cannot be read. A pipe, a socket or a device is an error, too: reading it might
/// block or never end.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let kind = std::fs::metadata(path)?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        let text = "it is a pipe, a socket or a device: expected a regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    std::fs::read(path)
}

/// Reads a regular file of UTF-8 text; see [`read`].
///
/// # Errors
/// Those of [`read`], and if the bytes are not UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    let text = String::from_utf8(read(path)?);
    text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// A temporary file in the folder of `path`, for [`place`].
fn begin(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    beside(folder(path))
}

/// Renames a temporary file to its path, after all of it is on the disk.
fn place(file: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    // A file that is replaced keeps its permissions.
    #[cfg(unix)]
    if let Ok(old) = std::fs::metadata(path) {
        file.as_file().set_permissions(old.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

/// Makes renames durable by syncing the folder, on systems where that is needed.
fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    std::fs::File::open(folder(path))?.sync_all()?;
    let _ = path;
    Ok(())
}

/// Writes a new folder with files at the given relative paths. Readers never see an incomplete
/// folder.
///
/// # Errors
/// If the folder exists and is not empty, its parent does not exist or is not writable, or the disk
/// is full. Nothing is left then.
pub fn write_folder(path: &Path, files: &[(std::path::PathBuf, Vec<u8>)]) -> io::Result<()> {
    new_folder(path)?;
    let mut builder = tempfile::Builder::new();
    let unfinished = open_to_others(builder.prefix(UNFINISHED), 0o777).tempdir_in(folder(path));
    let unfinished = unfinished.map_err(without_path)?;
    for (inside, bytes) in files {
        let file = unfinished.path().join(inside);
        std::fs::create_dir_all(folder(&file))?;
        write(&file, bytes)?;
    }
    if path.is_dir() {
        std::fs::remove_dir(path)?;
    }
    std::fs::rename(unfinished.path(), path)
}

/// Gives a temporary file or folder the permissions that any other would have: by default, only its owner has
/// access. The umask of the process takes effect.
#[cfg(unix)]
fn open_to_others<'b, 'p, 's>(
    builder: &'b mut tempfile::Builder<'p, 's>,
    mode: u32,
) -> &'b mut tempfile::Builder<'p, 's> {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn open_to_others<'b, 'p, 's>(
    builder: &'b mut tempfile::Builder<'p, 's>,
    _: u32,
) -> &'b mut tempfile::Builder<'p, 's> {
    builder
}

/// Whether two paths lead to the same file or folder, which may not exist yet.
pub fn is_same(one: &Path, other: &Path) -> bool {
    resolved(one) == resolved(other)
}

/// A path without links. Of what does not exist, the folder is resolved.
pub fn resolved(path: &Path) -> std::path::PathBuf {
    let named = || Some(std::fs::canonicalize(folder(path)).ok()?.join(path.file_name()?));
    std::fs::canonicalize(path).ok().or_else(named).unwrap_or_else(|| path.to_path_buf())
}

/// Checks that [`write_folder`] could start, before work is done whose result would be lost.
///
/// # Errors
/// Those of [`write_folder`].
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

/// Checks that [`write()`] could start, before work is done whose result would be lost.
///
/// # Errors
/// Those of [`write()`], and if the path is a folder.
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
    let mut builder = tempfile::Builder::new();
    open_to_others(builder.prefix(UNFINISHED), 0o666).tempfile_in(folder).map_err(without_path)
}

/// Removes what killed writers have left in a folder.
///
/// # Errors
/// If the folder cannot be read, or a file cannot be removed.
pub fn sweep(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The error of the operating system, without the random file name that `tempfile` adds.
fn without_path(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.split_once(" at path ") {
        Some((reason, _)) => io::Error::new(error.kind(), reason.to_string()),
        None => error,
    }
}
