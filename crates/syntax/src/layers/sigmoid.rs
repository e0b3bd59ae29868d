//! `sigmoid`: an element-wise activation.

use pixelrnn_ops::Sigmoid;

use super::Layer;
use super::activation::{apply, layer};

/// `sigmoid`: the logistic function.
pub struct sigmoid;

pub(super) const LAYER: Layer = layer("sigmoid", |cx, _, flow| apply(cx, Sigmoid.into(), flow));
