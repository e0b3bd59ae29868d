//! What the options do to images.

mod binarize;
mod levels;
mod shrink;

pub use binarize::{draw, threshold};
pub use levels::requantise;
pub use shrink::shrink;
