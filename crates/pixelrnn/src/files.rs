//! Functions that write files completely or not at all.

use std::path::{Path, PathBuf};

pub use pixelrnn_files::{is_same, resolved};

use crate::Error;

/// Writes a temporary file in the same folder and renames it, so that no other process ever sees a partial
/// file.
///
/// # Errors
/// [`Error::Io`] if the folder is missing or not writable, or the disk is full. An existing file is then
/// unchanged.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    pixelrnn_files::write(path, bytes).map_err(failed(path))
}

/// Like [`write()`], with bytes that `fill` generates while the file is written.
pub(crate) fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>,
) -> Result<(), Error> {
    pixelrnn_files::write_with(path, fill).map_err(failed(path))
}

/// Checks that [`write()`] can begin, before work is done whose result would be lost.
///
/// # Errors
/// As [`write()`]. Also if the path is a folder.
pub fn writable(path: &Path) -> Result<(), Error> {
    pixelrnn_files::writable(path).map_err(failed(path))
}

/// Writes a new folder of files, given by their paths inside it, so that no other process ever sees a partial
/// folder.
///
/// # Errors
/// [`Error::Io`] if the folder exists and is not empty, its parent is missing or not writable, or the disk is
/// full. Nothing is then left on disk.
pub fn write_folder(path: &Path, files: &[(PathBuf, Vec<u8>)]) -> Result<(), Error> {
    pixelrnn_files::write_folder(path, files).map_err(failed(path))
}

/// Checks that [`write_folder`] can begin, before work is done whose result would be lost.
///
/// # Errors
/// As [`write_folder`].
pub fn new_folder(path: &Path) -> Result<(), Error> {
    pixelrnn_files::new_folder(path).map_err(failed(path))
}

/// Like [`write()`], for a file of a run folder. Does not write to a link or a device at that path.
///
/// # Errors
/// As [`write()`]. Also if the path is not a regular file.
pub fn write_own(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    pixelrnn_files::write_own(path, bytes).map_err(failed(path))
}

/// Reads a regular file of UTF-8 text.
///
/// # Errors
/// The file cannot be read, is a pipe, a socket or a device, or is not valid UTF-8.
pub fn read_text(path: &Path) -> std::io::Result<String> {
    pixelrnn_files::read_text(path)
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    move |error| Error::Io { path: path.to_path_buf(), doing: "write", error }
}
