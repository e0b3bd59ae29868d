//! The command line: arguments, and the report as text and as JSON. Shared by `pixelrnn-check` and
//! `pixelrnn check FILE.onnx`.

mod answer;
mod arguments;

pub use answer::{Answer, answer};
pub use arguments::{At, FileArguments, at, bytes, image, range};

/// The crate of [`FileArguments`].
pub use clap;
/// The crate of [`Answer`] as JSON.
pub use serde_json;

use crate::{CheckError, shown};

/// An error as text that names the file exactly once.
pub fn failure(file: &str, error: &CheckError) -> String {
    match error {
        CheckError::File { path, .. } if path == file => error.to_string(),
        _ => format!("{}: {error}", shown(file)),
    }
}
