//! Layer 7 of `pixelrnn`: engines that run compiled graphs.
//!
//! **Purpose.** One trait, [`Engine`], for everything that can run a [`Program`], so that the results of
//! engines can be compared. Engines have different requirements: `tract` is compiled in, `ort` and
//! `ort-cuda` need ONNX Runtime's shared library, which the module `library` finds or downloads.
//!
//! **Invariants.**
//! - Every input and output is an f32 [`Array`]. [`Engine::load`] rejects other graphs.
//! - Inputs are checked against the signature of the graph *before* an engine runs ([`signature::bind`]):
//!   missing, unknown, duplicate or of a wrong shape, or with different batch sizes.
//! - No user input makes this crate panic: invalid models, invalid libraries, a machine without Python.
//!   Every failure is an [`EngineError`] with a remedy.
//! - ONNX Runtime's telemetry is disabled before its library is opened, and again in its environment.
//! - The build downloads nothing and links nothing; [`EngineError`] and the traits exist without any
//!   engine compiled in.
//!
//! **Where to start.** `engine.rs` for the traits, `choose.rs` for opening and listing engines,
//! `tract.rs` for the smallest complete engine, `ort/environment.rs` for ONNX Runtime's environment (one
//! per process), `library/mod.rs` for finding the shared library.

#![deny(missing_docs)]

mod batch_inputs;
pub mod captured;
pub mod choose;
pub mod data_parallel;
pub mod distributed;
pub mod engine;
pub mod error;
pub mod parallel;
pub mod reference;
pub mod signature;
pub mod stepper;
pub mod world;

#[cfg(feature = "ort")]
pub mod library;
#[cfg(feature = "ort")]
pub mod ort;
#[cfg(feature = "tract")]
pub mod tract;

pub use batch_inputs::{BatchError, BatchInputs, ConditionFault, ConditionValues};
pub use captured::Captured;
pub use choose::{EngineKind, Options, State, Status, open, open_one, survey, version};
pub use data_parallel::DataParallel;
pub use distributed::DistributedEngine;
pub use engine::{Engine, Program, Session};
pub use error::{EngineError, InputError, LibraryError};
pub use parallel::load_parallel;
pub use pixelrnn_graph::Array;
pub use reference::{Precision, ReferenceEngine};
pub use signature::{Elements, Extent, Tensor};
pub use stepper::{Carried, Stepper, Transfers};

#[cfg(feature = "ort")]
pub use ort::{CudaOptions, Optimization, OrtEngine, OrtOptions};
#[cfg(feature = "tract")]
pub use tract::TractEngine;
