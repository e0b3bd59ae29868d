//! `relu`: an element-wise activation.

use pixelrnn_ops::Relu;

use super::Layer;
use super::activation::{apply, layer};

/// `relu`: the larger of x and zero, for every element.
pub struct relu;

pub(super) const LAYER: Layer = layer("relu", |cx, _, flow| apply(cx, Relu.into(), flow));
