//! Layer 1 of `pixelrnn`: typed ONNX graphs and their encoder.
//!
//! **Purpose.** [`OnnxOp`] is the set of operators that lowering emits, with typed attributes and shape
//! inference; [`encode`] turns a [`Graph`](pixelrnn_graph::Graph) of them into the bytes of a model.
//!
//! **Invariants.**
//! - Standard domain only, no functions, no random operators.
//! - Strings (operator names, attribute names) appear only in the encoder.
//! - Axes, pads and shapes are attributes here and become initializers when encoded.
//! - Encoding is deterministic: the same graph has the same bytes.
//!
//! **Where to start.** `op.rs` for the operators, `encode.rs` for the encoder.

#![deny(missing_docs)]

mod encode;
mod encoded;
mod external;
mod infer;
mod literal;
pub mod narrow;
mod op;
#[allow(clippy::all, missing_docs)]
pub mod proto;

/// The crate of the constants of [`Literal`].
pub use pixelrnn_graph::ndarray;
/// The crate that reads and writes the messages of [`proto`].
pub use prost;

pub use encode::{EncodeError, EncodeOptions, encode, encode_parts};
pub use encoded::{Encoded, count_nodes};
pub use external::{
    ExternalError, MODEL_LIMIT, constant_bytes, encode_external, has_large_constants,
};
pub use literal::Literal;
pub use op::{Native, OnnxGraph, OnnxOp, Scan};
