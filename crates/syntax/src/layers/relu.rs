//! `relu`: element-wise.

use pixelrnn_ops::Relu;

use super::Layer;
use super::activation::{apply, layer};

/// `relu`: the positive part.
pub struct relu;

pub(super) const LAYER: Layer = layer("relu", |cx, _, flow| apply(cx, Relu.into(), flow));
