//! Reads files: the model itself, and external weights next to it.
//!
//! Weights are read from the model's folder and its subfolders only. A location must be a relative
//! path without `..`, no part of it may be a symbolic link, and only regular files are opened.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use pixelrnn_onnx::proto::TensorProto;

use crate::error::{CheckError, size};

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
/// [`CheckError::File`] if it does not exist, is not a regular file, or is too large.
pub(crate) fn model(path: &Path, limit: usize) -> Result<Vec<u8>, CheckError> {
    let fail = |reason: String| CheckError::File { path: path.display().to_string(), reason };
    let meta = std::fs::metadata(path).map_err(|e| fail(e.to_string()))?;
    if !meta.is_file() {
        return Err(fail("not a regular file".into()));
    }
    if meta.len() > limit as u64 {
        return Err(fail(format!(
            "it has {}, more than the {} allowed; raise the limit with `--memory`",
            size(usize::try_from(meta.len()).unwrap_or(usize::MAX), false),
            size(limit, true)
        )));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| fail(e.to_string()))?;
    file.take(limit as u64).read_to_end(&mut bytes).map_err(|e| fail(e.to_string()))?;
    Ok(bytes)
}

/// Reads the bytes of a tensor that are stored in another file.
///
/// # Errors
/// [`CheckError::External`] if the location leads outside the folder, or the file is too short.
pub(crate) fn read(
    proto: &TensorProto,
    folder: Option<&Path>,
    wanted: usize,
) -> Result<Vec<u8>, CheckError> {
    let entry = |key: &str| {
        let found = proto.external_data.iter().find(|e| e.key() == key);
        found.map(|e| e.value().to_string())
    };
    let location = entry("location").unwrap_or_default();
    let fail = |reason: &str| CheckError::External {
        name: proto.name().to_string(),
        location: if location.is_empty() {
            "a file without a name".into()
        } else {
            location.clone()
        },
        reason: reason.to_string(),
    };
    let number = |key| match entry(key) {
        None => Ok(None),
        Some(text) => text.trim().parse::<u64>().map(Some).map_err(|_| fail("has a bad offset")),
    };
    let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
    let folder = folder.ok_or_else(|| {
        fail("is not known: the model was given as bytes; give a path, or save it as one file")
    })?;
    if length.is_some_and(|n| n != wanted as u64) {
        return Err(fail("has more or fewer bytes than the shape says"));
    }
    let path = inside(folder, &location).map_err(fail)?;
    let mut file = File::open(&path).map_err(|e| fail(&format!("cannot be opened: {e}")))?;
    let meta = file.metadata().map_err(|e| fail(&format!("cannot be opened: {e}")))?;
    if !meta.is_file() {
        return Err(fail("is not a regular file"));
    }
    if offset.checked_add(wanted as u64).is_none_or(|end| end > meta.len()) {
        return Err(fail("is too short"));
    }
    let mut bytes = vec![0; wanted];
    file.seek(SeekFrom::Start(offset)).map_err(|e| fail(&e.to_string()))?;
    file.read_exact(&mut bytes).map_err(|e| fail(&e.to_string()))?;
    Ok(bytes)
}

/// The path of `location` inside `folder`, if no part of it is a symbolic link.
fn inside(folder: &Path, location: &str) -> Result<PathBuf, &'static str> {
    let mut path = folder.to_path_buf();
    if location.is_empty() || location.contains('\0') || location.contains('\\') {
        return Err("is not a file name");
    }
    for part in Path::new(location).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => continue,
            _ => return Err("is outside the model's folder; it was not opened"),
        }
        let meta = std::fs::symlink_metadata(&path).map_err(|_| "does not exist")?;
        if meta.file_type().is_symlink() {
            return Err("is a link; it was not followed");
        }
        if !meta.is_dir() && !meta.is_file() {
            return Err("is not a regular file");
        }
    }
    Ok(path)
}
