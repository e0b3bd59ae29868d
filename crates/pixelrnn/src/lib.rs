//! Declare an autoregressive image model in a dozen lines. The compiler proves that it is causal, trains
//! it, samples from it, and exports it as standard ONNX, with the same results on several engines.
//!
//! (This is layer 9 of the project, its public library.)
//!
//! ```
//! use pixelrnn::prelude::*;
//!
//! pixelrnn::model! {
//!     /// A small Diagonal BiLSTM.
//!     pub Small { h: usize = 4, layers: usize = 1 }
//!
//!     image 8 x 8, colors 1, levels 17;
//!
//!     stem: masked_conv(7 x 7, A, 2 * h);
//!     body: repeat layers {
//!         residual { lstm: diagonal_bilstm(h); up: masked_conv(1 x 1, B, 2 * h); }
//!     }
//!     head: relu; hidden: masked_conv(1 x 1, B, 8); relu; logits;
//! }
//!
//! # fn main() -> Result<(), pixelrnn::Error> {
//! let model = Small { layers: 2, ..Small::default() }.declare()?;
//! let proof = model.prove()?; // no output reads its own pixel or a later one
//! assert!(proof.causality().causal());
//! let weights = model.initialize(0);
//! let onnx = model.export(GraphKind::Forward, &ExportOptions::with_weights(&weights))?;
//! # assert!(onnx.len() > 1000);
//! # Ok(())
//! # }
//! ```
//!
//! **Purpose.** The public interface: the macro, declarations, the zoo, export, comparison of engines,
//! training, sampling.
//!
//! **Invariants.**
//! - No user input makes this crate panic.
//! - Files are written completely or not at all.
//!
//! **Where to start.** `declaration.rs`, then `zoo/` for examples of models.

#![deny(missing_docs)]

// The macro refers to this crate by name. The zoo uses the macro inside this crate.
extern crate self as pixelrnn;

pub mod blocks;
pub mod compare;
mod declaration;
mod error;
mod export;
mod external;
pub mod files;
#[cfg(feature = "train")]
pub mod lr_finder;
mod render;
pub mod sampling;
#[cfg(feature = "train")]
pub mod training;
pub mod triton;
pub mod weights;
pub mod zoo;

pub use declaration::{Declaration, Model};
pub use error::Error;
pub use export::ExportOptions;
pub use external::{ExternalData, Written};
/// The crate of [`Array`], in the version of this crate.
pub use pixelrnn_graph::ndarray;
pub use pixelrnn_graph::{Array, Source, UnknownName};
pub use pixelrnn_macros::model;
pub use pixelrnn_ops::Batch;
pub use pixelrnn_passes::{
    CausalProof, Causality, ControlFlow, Dtype, GraphKind, ImageFormat, ImageLayout, Optimizer,
    RULES, SampleOptions, UpdateRule, Weights,
};
pub use pixelrnn_syntax::Image;

pub use render::render;

/// The layers of the model language. These items are documentation: an editor shows them on hover and
/// completes their names inside [`model!`].
///
/// `h`, `width` and the like are expressions of numbers and hyper-parameters. The paths of parameters begin
/// with the label of the layer or, without a label, its name: `stem: masked_conv(...)` has `stem.weight` and
/// `stem.bias`.
pub mod layers {
    pub use pixelrnn_syntax::layers::items::*;
}

/// The engines, re-exported.
pub use pixelrnn_runtime as runtime;

/// The parts of the compiler, for tools that are built on it.
pub mod internal {
    pub use pixelrnn_graph as graph;
    pub use pixelrnn_onnx as onnx;
    pub use pixelrnn_ops as ops;
    pub use pixelrnn_passes as passes;
    pub use pixelrnn_syntax as syntax;
}

/// The items that a program needs to declare and export a model.
pub mod prelude {
    pub use crate::{
        Batch, ControlFlow, Declaration, ExportOptions, GraphKind, Image, Model, Optimizer,
        SampleOptions, Weights, model,
    };

    #[cfg(feature = "train")]
    pub use crate::training::Trainer;
}

/// The Rust code of the README and of the book, as tests.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/src/first-model.md")]
    struct FirstModel;
    #[doc = include_str!("../../../docs/src/rust.md")]
    struct Rust;
}
