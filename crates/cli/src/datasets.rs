//! What a user is told about a data set, whatever the command.

use pixelrnn::training::data::Dataset;

use crate::out::Out;

/// Says what is odd about a data set, and how its validation images were chosen.
pub fn announce(data: &Dataset, out: &Out) {
    for warning in data.warnings() {
        out.warn(warning);
    }
    if let Some(selection) = data.selection() {
        out.note(selection);
    }
}
