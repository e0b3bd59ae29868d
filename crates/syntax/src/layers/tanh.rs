//! `tanh`: an element-wise activation.

use pixelrnn_ops::Tanh;

use super::Layer;
use super::activation::{apply, layer};

/// `tanh`: the hyperbolic tangent.
pub struct tanh;

pub(super) const LAYER: Layer = layer("tanh", |cx, _, flow| apply(cx, Tanh.into(), flow));
