//! What element-wise layers without parameters share.

use pixelrnn_ops::Op;

use super::Layer;
use crate::elaborate::{Arguments, Build, ErrorReported, Flow};

/// The layer of this name.
pub(super) const fn layer(
    name: &'static str,
    build: fn(&mut Build, &Arguments, Flow) -> Result<Flow, ErrorReported>,
) -> Layer {
    Layer { name, usage: name, parameters: &[], has_weights: false, terminal: false, build }
}

/// Applies an operator to each element.
pub(super) fn apply(cx: &mut Build, op: Op, flow: Flow) -> Result<Flow, ErrorReported> {
    let features = flow.features;
    let out = cx.push(op, &[flow.value], features)?;
    Ok(Flow { raw: flow.raw, ..out })
}
