//! The operator that makes one value wait for others.

use ort::operator::{ComputeContext, KernelContext};

use super::{Compute, Inputs, replaced};

/// `x, token...`: `x`. ONNX Runtime gives the result the memory of `x`.
pub(super) struct Barrier;

impl Compute for Barrier {
    const NAME: &'static str = "Barrier";
    const SAME: &'static [(u32, u32)] = &[(0, 0)];

    fn new(_: &KernelContext) -> ort::Result<Self> {
        Ok(Barrier)
    }

    fn compute(&mut self, cx: &ComputeContext) -> ort::Result<()> {
        replaced(cx, &Inputs::of(cx)?, 0, 0).map(drop)
    }
}
