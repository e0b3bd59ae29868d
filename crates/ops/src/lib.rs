//! Floor 3 of `pixelrnn`: the operators of the pixel IR, one file each.
//!
//! **Purpose.** Everything that is known of an operator stands in its file under `op/`: shapes,
//! what an output position reads, gradient, lowering to ONNX, a slow and obvious evaluation, how it
//! streams pixel by pixel, and samples that the generic tests run on every engine. Adding an
//! operator is one file and one line in the table of [`op`].
//!
//! **Layouts.** A map is `[N, F, H, W]` (batch, features, height, width) in what a declaration
//! builds. Inside expanded recurrences it is *pixel-major*, `[H, W, N, F]`: a row or a pixel of the
//! whole batch is contiguous, a 1 x 1 convolution is one matrix product, and skewing is one gather
//! of contiguous blocks.
//!
//! **Invariants.**
//! - All values are real numbers, but for class labels; the only unknown extent is the batch.
//! - The rules trait has required methods and no defaults: a new operator cannot forget one.
//! - [`Op::eval`] is the definition. Engines are compared with it, never the other way round.
//!
//! - What a footprint says is all that the proof of causality knows: it may say too much, never too
//!   little, and the tests hold it against what evaluation reads.
//!
//! **Where to start.** `rules/mod.rs` for the trait, `op/relu.rs` for the shortest operator,
//! `op/masked_conv/` for the central one, `op/scan/` for loops.

pub mod dist;
pub mod mask;
pub mod op;
pub mod rules;

pub use dist::Distribution;
pub use mask::{Mask, MaskKind};
pub use op::*;
pub use rules::adjoint::{Adjoint, AdjointError};
pub use rules::eval::{Env, EvalError, Real, evaluate};
pub use rules::footprint::{Footprint, Grid, Reading};
pub use rules::lower::{Batch, Lower, LowerError, lower_graph};
pub use rules::stream::{
    Begun, Phase, PixelValue, PreludeValue, RowValue, Stream, StreamError, StreamRule, Streaming,
};
pub use rules::{Domain, Sample};

/// A graph of the pixel IR.
pub type PixelGraph = pixelrnn_graph::Graph<Op>;
