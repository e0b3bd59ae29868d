//! Functions on data sets that several commands use.

use pixelrnn::training::data::Dataset;

use crate::out::Out;

pub use pixelrnn::training::for_model;

/// Prints the warnings of a data set, and how its validation images were chosen.
pub fn announce(data: &Dataset, out: &Out) {
    for warning in data.warnings() {
        out.warn(warning);
    }
    if let Some(selection) = data.selection() {
        out.note(selection);
    }
}
