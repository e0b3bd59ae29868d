//! The command line: arguments, the answer as text and as JSON. Shared by `pixelrnn-check` and
//! `pixelrnn check FILE.onnx`.

mod answer;
mod arguments;

pub use answer::{Answer, answer};
pub use arguments::{At, FileArguments, at, bytes, image, range};

use crate::{CheckError, shown};

/// The error of a file as text, with the file's name once.
pub fn failure(file: &str, error: &CheckError) -> String {
    match error {
        CheckError::File { path, .. } if path == file => error.to_string(),
        _ => format!("{}: {error}", shown(file)),
    }
}
