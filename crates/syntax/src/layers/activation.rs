//! What element-wise layers without weights share.

use pixelrnn_ops::Op;

use super::Layer;
use crate::elaborate::{Arguments, Build, ErrorReported, Flow};

/// An element-wise layer.
pub(super) const fn layer(
    name: &'static str,
    build: fn(&mut Build, &Arguments, Flow) -> Result<Flow, ErrorReported>,
) -> Layer {
    Layer { name, usage: name, parameters: &[], has_weights: false, terminal: false, build }
}

/// Applies an element-wise operator.
pub(super) fn apply(cx: &mut Build, op: Op, flow: Flow) -> Result<Flow, ErrorReported> {
    let features = flow.features;
    let out = cx.push(op, &[flow.value], features)?;
    Ok(Flow { raw: flow.raw, ..out })
}
