//! `above(height x width, A or B, features)`: a convolution over rows above, in all columns and colors. With
//! mask A it reads the rows above the current one, with mask B also the current row. For maps in which a row
//! depends on complete earlier rows only, such as the vertical stack of a Gated PixelCNN (van den Oord et al.
//! 2016).

use pixelrnn_graph::Diagnostic;
use pixelrnn_ops::{Mask, MaskKind, ShiftDown};

use super::{Kind, Layer, Parameter, masked_conv};
use crate::elaborate::{Arguments, Build, ErrorReported, Flow};

/// `above(height x width, A or B, features)`: a convolution over rows above, in every column and color.
///
/// With `A` it reads the `height / 2` rows above the current one, with `B` also the current row, so the
/// result depends on complete rows only. This is the vertical stack of the Gated PixelCNN (van den Oord et
/// al. 2016, *Conditional Image Generation with PixelCNN Decoders*). The kernel is the upper half of
/// `height x width`.
///
/// Parameters: `weight [features, input features, rows, width]`, `bias [features]`.
pub struct above;

pub(super) const LAYER: Layer = Layer {
    name: "above",
    usage: "above(height x width, A or B, features)",
    parameters: &[
        Parameter::required("kernel", Kind::Kernel { odd: true }),
        Parameter::required("mask", Kind::Word(&["A", "B"])),
        Parameter::required("features", Kind::Number),
    ],
    has_weights: true,
    terminal: false,
    build,
};

/// The kernel is the upper half of `height x width`: `height / 2` rows above and, with mask B, the current
/// row. With mask A, the map is first moved down by a row.
fn build(cx: &mut Build, args: &Arguments, flow: Flow) -> Result<Flow, ErrorReported> {
    let [height, width] = args.kernel("kernel");
    let strict = args.word("mask") == 0;
    if !strict && flow.raw {
        let wrong = Diagnostic::error(args.span("mask"), "the first layer must have mask A")
            .remark("mask B would read the row of the pixel that is predicted");
        return Err(cx.report(wrong.help("write `A` here")));
    }
    let rows = if strict { height / 2 } else { height / 2 + 1 };
    if rows == 0 {
        let wrong = Diagnostic::error(args.span("kernel"), "this convolution has nothing to read")
            .remark("mask A hides the only row of a kernel of height 1");
        return Err(cx.report(wrong.help("use a larger kernel, such as `3 x 3`")));
    }
    let mut map = flow;
    if strict {
        map = cx.push_part("/row_above", ShiftDown, &[map.value], map.features)?;
    }
    let colours = cx.image().colours;
    let mask = Mask { kind: MaskKind::Above, kernel: [rows, width], colours, gates: 1 };
    masked_conv::conv(cx, mask, args.number("features"), map)
}
