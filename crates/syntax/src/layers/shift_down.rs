//! `shift_down`: moves every row down by one; the first row becomes zero. A row of the result depends only on
//! complete rows above it.

use pixelrnn_ops::ShiftDown;

use super::Layer;
use crate::elaborate::{Arguments, Build, ErrorReported, Flow};

/// `shift_down`: the map moved down by one row; the first row is zeros.
pub struct shift_down;

pub(super) const LAYER: Layer = Layer {
    name: "shift_down",
    usage: "shift_down",
    parameters: &[],
    has_weights: false,
    terminal: false,
    build,
};

fn build(cx: &mut Build, _: &Arguments, flow: Flow) -> Result<Flow, ErrorReported> {
    let features = flow.features;
    cx.push(ShiftDown, &[flow.value], features)
}
