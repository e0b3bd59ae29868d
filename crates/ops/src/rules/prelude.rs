//! The imports of every operator's file.

pub use crate::PixelGraph;
pub use crate::op::Composite;
pub use crate::op::Op;
pub use crate::rules::adjoint::{Adjoint, AdjointError};
pub use crate::rules::eval::{Env, EvalError, Real};
pub use crate::rules::footprint::{Cell, Footprint, Grid, Reading, Visit, every, refine};
pub use crate::rules::lower::{Lower, LowerError};
pub use crate::rules::stream::{
    Begun, Phase, PixelValue, PreludeValue, RowValue, Stream, StreamError, StreamRule, Streaming,
};
pub use crate::rules::{Domain, Rules, Sample, shape};
pub use pixelrnn_graph::text::ReadAttributes;
pub use pixelrnn_graph::{Array, Attributes, BuildError, Dim, Type, TypeError, Value};
pub use pixelrnn_onnx::{Literal, OnnxOp};
