//! The causality check at compile time: fast, and exact for the sizes that it examines.
//!
//! The image is cropped to the first side of [`SIZES`]. Every operator does the same at every position, so a
//! leak in a large image also shows in a small one, unless it needs a kernel larger than that. If the proof
//! would still take more than about a second, the model is proved with fewer repeats of its blocks and a
//! smaller image or, if that does not suffice, not at all.
//!
//! `pixelrnn check`, and everything that samples, prove the model as it is declared.

use pixelrnn_ops::{Op, PixelGraph};
use pixelrnn_passes::{CausalityError, verify_scales};

use crate::ast::Model;
use crate::elaborate::{Declared, MAX_REPEAT, elaborate_shortened};

/// The largest side of the image and the largest number of repeats of a block, from the strongest proof to
/// the weakest.
const SIZES: [(usize, usize); 4] = [(12, MAX_REPEAT), (12, 4), (6, 2), (3, 1)];

/// The largest estimated [`cost`] of a proof, in nanoseconds: about a second.
const BUDGET: usize = 1 << 30;

/// Looks for a leak in a declared model, as far as that is fast.
///
/// # Errors
/// [`CausalityError`] if there is a leak.
pub(crate) fn quickly(model: &Model, declared: &Declared) -> Result<(), CausalityError> {
    // The factors of scales must divide the sides of the image.
    let unit = declared.scales.iter().map(|scale| scale.factor).fold(1, lcm);
    for (side, repeats) in SIZES {
        let side = side.next_multiple_of(unit);
        let image = declared.image;
        let sides = [("height", image.height), ("width", image.width)];
        let sides = sides.map(|(name, n)| (name.to_string(), n.min(side)));
        // Elaboration fails if a layer needs a larger image.
        let Ok(small) = elaborate_shortened(model, &sides, repeats) else { continue };
        let cost = small.scales.iter().map(|scale| cost(&scale.graph, image.colours));
        if cost.fold(0, usize::saturating_add) <= BUDGET {
            return verify_scales(&small.scales).map(|_| ());
        }
    }
    Ok(())
}

/// The least common multiple.
fn lcm(a: usize, b: usize) -> usize {
    let gcd = |mut a: usize, mut b: usize| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    a / gcd(a, b).max(1) * b
}

/// A rough estimate of the cost of a proof, in nanoseconds, measured in an optimized build.
fn cost(graph: &PixelGraph, colours: usize) -> usize {
    let node = |node: &pixelrnn_graph::Node<Op>| {
        let Some(&result) = node.outputs.first() else { return 0 };
        let extents = graph.ty(result).extents(1);
        let features = extents.get(1).copied().unwrap_or(1);
        let (height, width) = (extents.iter().rev().nth(1), extents.last());
        let (height, width) = (height.copied().unwrap_or(1), width.copied().unwrap_or(1));
        let (each, per_value) = match &node.op {
            Op::MaskedConv(conv) => {
                // Taps outside the image are skipped one by one.
                let taps = conv.mask.kernel[0] * conv.mask.kernel[1];
                (0, 300 + taps + 20 * taps.min(height * width))
            }
            // A recurrence is unrolled, and every step has its own nodes.
            op if op.composite().is_some() => (160_000 * (height + width), 8_000),
            _ => (0, 100),
        };
        5_000 + each + 10 * features + height * width * colours * per_value
    };
    graph.nodes().map(|(_, n)| node(n)).fold(0, usize::saturating_add)
}
