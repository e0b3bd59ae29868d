//! What all commands do with a data set.

use pixelrnn::Declaration;
use pixelrnn::internal::ops::condition::Source;
use pixelrnn::training::data::{Dataset, Spec};

use crate::out::Out;

/// The specification with the arrays that the model is conditioned on, unless it names some or its format
/// has none.
pub fn for_model(spec: &Spec, model: &Declaration) -> Spec {
    let mut spec = spec.clone();
    if spec.conditions.is_none() && spec.source.format.takes.contains(&"conditions") {
        let arrays = model.conditions().iter().filter(|(_, kind)| kind.source() == Source::Array);
        let names: Vec<String> = arrays.map(|(name, _)| name.clone()).collect();
        spec.conditions = Some(names).filter(|names| !names.is_empty());
    }
    spec
}

/// Prints the warnings of a data set, and how its validation images were chosen.
pub fn announce(data: &Dataset, out: &Out) {
    for warning in data.warnings() {
        out.warn(warning);
    }
    if let Some(selection) = data.selection() {
        out.note(selection);
    }
}
