//! `relu`, `tanh`, `sigmoid`: element-wise, without parameters.

use pixelrnn_ops::{Op, Relu, Sigmoid, Tanh};

use super::Layer;
use crate::elaborate::{Build, Flow, Refused};

const fn activation(
    name: &'static str,
    build: fn(&mut Build, &crate::elaborate::Arguments, Flow) -> Result<Flow, Refused>,
) -> Layer {
    Layer { name, usage: name, parameters: &[], has_weights: false, terminal: false, build }
}

pub(super) const RELU: Layer = activation("relu", |cx, _, flow| apply(cx, Relu.into(), flow));
pub(super) const TANH: Layer = activation("tanh", |cx, _, flow| apply(cx, Tanh.into(), flow));
pub(super) const SIGMOID: Layer =
    activation("sigmoid", |cx, _, flow| apply(cx, Sigmoid.into(), flow));

fn apply(cx: &mut Build, op: Op, flow: Flow) -> Result<Flow, Refused> {
    let features = flow.features;
    let out = cx.push(op, &[flow.value], features)?;
    Ok(Flow { raw: flow.raw, ..out })
}
