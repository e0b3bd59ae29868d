//! Floor 1 of `pixelrnn`: ONNX, typed.
//!
//! **Purpose.** [`OnnxOp`] is the operators that lowering emits, with typed attributes and shape
//! rules; [`encode`] turns a [`Graph`](pixelrnn_graph::Graph) of them into the bytes of a model.
//!
//! **Invariants.**
//! - Standard domain only, no functions, no random operators.
//! - Strings (operator names, attribute names) appear in the encoder alone.
//! - A graph holds no attribute-like inputs: axes, pads and shapes are attributes here and become
//!   initializers when encoded.
//! - The same graph gives the same bytes.
//!
//! **Where to start.** `op.rs` for what can be said, `encode.rs` for how it is written.

mod encode;
mod external;
mod infer;
mod literal;
pub mod narrow;
mod op;
#[allow(clippy::all, missing_docs)]
pub mod proto;

pub use encode::{EncodeError, EncodeOptions, encode};
pub use external::{
    ExternalError, MODEL_LIMIT, constant_bytes, encode_external, has_large_constants,
};
pub use literal::Literal;
pub use op::{OnnxGraph, OnnxOp, Scan};
