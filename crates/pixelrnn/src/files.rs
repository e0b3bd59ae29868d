//! Files that appear whole or not at all.

use std::path::{Path, PathBuf};

use crate::Error;

/// Writes a file beside its place and renames it there, so that nobody ever sees half of it.
///
/// # Errors
/// The folder is missing or not writable, or the disk is full; then the old file, if any, is whole.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    pixelrnn_files::write(path, bytes).map_err(failed(path))
}

/// As [`write()`], with bytes that `fill` makes while the file is written.
pub(crate) fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>,
) -> Result<(), Error> {
    pixelrnn_files::write_with(path, fill).map_err(failed(path))
}

/// Whether [`write()`] can begin, found out before work is done whose result would be lost.
///
/// # Errors
/// As [`write()`]; also for the name of a folder.
pub fn writable(path: &Path) -> Result<(), Error> {
    pixelrnn_files::writable(path).map_err(failed(path))
}

/// Writes a new folder of files, each at a path inside it, so that nobody ever sees half of it.
///
/// # Errors
/// The folder exists and is not empty, its parent is missing or not writable, or the disk is full;
/// then nothing is left.
pub fn write_folder(path: &Path, files: &[(PathBuf, Vec<u8>)]) -> Result<(), Error> {
    pixelrnn_files::write_folder(path, files).map_err(failed(path))
}

/// Whether [`write_folder`] can begin, found out before work is done whose result would be lost.
///
/// # Errors
/// As [`write_folder`].
pub fn new_folder(path: &Path) -> Result<(), Error> {
    pixelrnn_files::new_folder(path).map_err(failed(path))
}

/// As [`write()`], for a file of a run's folder: a link or device in its place is not written to.
///
/// # Errors
/// Like [`write()`], but also for a path that is not a regular file.
pub fn write_own(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    pixelrnn_files::write_own(path, bytes).map_err(failed(path))
}

/// Reads a regular file of UTF-8 text.
///
/// # Errors
/// The file cannot be read, is a pipe, a socket or a device, or is not UTF-8.
pub fn read_text(path: &Path) -> std::io::Result<String> {
    pixelrnn_files::read_text(path)
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    move |error| Error::Io { path: path.to_path_buf(), doing: "write", error }
}
