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
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file =
        tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder).map_err(without_path)?;
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
