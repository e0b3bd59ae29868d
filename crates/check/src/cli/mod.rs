//! The command line: arguments, the answer as text and as JSON. Shared by `pixelrnn-check` and
//! `pixelrnn check FILE.onnx`.

mod answer;
mod arguments;

pub use answer::{Answer, answer};
pub use arguments::{At, FileArguments, at, bytes, image, range};
