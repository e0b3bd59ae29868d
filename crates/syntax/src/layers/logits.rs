//! `logits`: the last layer. A 1 x 1 convolution, mask B, to the unnormalised log-probabilities of
//! every value: one logit per value with two levels, else one for each level.

use pixelrnn_ops::{Mask, MaskKind, SplitAxis};

use super::{Layer, masked_conv};
use crate::elaborate::{Arguments, Build, Flow, Refused};

pub(super) const LAYER: Layer =
    Layer { name: "logits", usage: "logits", parameters: &[], has_weights: true, build };

fn build(cx: &mut Build, _: &Arguments, flow: Flow) -> Result<Flow, Refused> {
    cx.needs_mask_a(&flow)?;
    let image = cx.image();
    let features = match image.levels {
        2 => image.colours,
        levels => image.colours * levels,
    };
    let kernel = [1, 1];
    let mask = Mask { kind: MaskKind::B, kernel, colours: image.colours, gates: 1 };
    let mut flow = masked_conv::conv(cx, mask, features, flow)?;
    if image.levels > 2 {
        // [N, C L, H, W] to [N, C, L, H, W].
        let split = SplitAxis { axis: 1, parts: image.colours };
        flow = cx.push_part("/split", split, &[flow.value], features)?;
    }
    cx.finish(flow.value)?;
    Ok(flow)
}
