//! Layer 3 of `pixelrnn`: the operators of the pixel IR, one file each.
//!
//! **Purpose.** The file of an operator under `op/` contains everything about it: shape inference, the
//! footprint (what an output position reads), the vector-Jacobian product, lowering to ONNX, a simple
//! reference evaluation, incremental evaluation pixel by pixel, and samples that the generic tests run
//! on every engine. A new operator is one file and one line in the table of [`op`].
//!
//! **Layouts.** A declaration builds maps `[N, F, H, W]` (batch, features, height, width). Inside expanded
//! recurrences, maps are *pixel-major*, `[H, W, N, F]`: a row or a pixel of the whole batch is
//! contiguous, a 1 x 1 convolution is one matrix product, and skewing is one gather of contiguous
//! blocks.
//!
//! **Invariants.**
//! - All values are real numbers, except class labels; the only dynamic extent is the batch.
//! - The trait of rules has required methods without defaults, so a new operator cannot omit one.
//! - [`Op::eval`] is the definition of an operator. Engines are compared with it.
//! - The causality proof relies on footprints alone: a footprint may be too large, never too small, and
//!   the tests compare it with the dependencies of the evaluation.
//!
//! **Where to start.** `rules/mod.rs` for the trait, `op/relu.rs` for the shortest operator,
//! `op/masked_conv/` for the central one, `op/scan/` for loops.

#![deny(missing_docs)]

pub mod condition;
pub mod dist;
pub mod mask;
pub mod op;
pub mod rules;

pub use condition::ConditionKind;
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

/// The crate of the arrays of [`evaluate`].
pub use pixelrnn_graph::ndarray;

/// A graph of the pixel IR.
pub type PixelGraph = pixelrnn_graph::Graph<Op>;
