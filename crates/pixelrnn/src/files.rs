//! Files that appear whole or not at all.

use std::io::Write;
use std::path::Path;

use crate::Error;

/// Writes a file beside its place and renames it there, so that nobody ever sees half of it.
///
/// # Errors
/// The folder is missing or not writable, or the disk is full; then the old file, if any, is whole.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let fail = |error| Error::Io { path: path.to_path_buf(), doing: "write", error };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
    file.write_all(bytes).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    // Temporary files are private; a result is as readable as any other file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).map_or(0o644, |m| m.permissions().mode());
        file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).map_err(fail)?;
    }
    file.persist(path).map_err(|e| fail(e.error))?;
    Ok(())
}
