//! Floor 7 of `pixelrnn`: engines that run what the compiler emits.
//!
//! **Purpose.** One trait, [`Engine`], over everything that can run a [`Program`], so that a
//! number from one engine can be held against the same number from another. Engines differ in what
//! they need: `tract` needs nothing, `ort` and `ort-cuda` need ONNX Runtime's shared library, which
//! the module `library` finds or fetches.
//!
//! **Invariants.**
//! - Every input and output is an f32 [`Array`]. A graph that takes anything else is refused at
//!   [`Engine::load`].
//! - Inputs are checked against the graph's own signature *before* an engine sees them
//!   ([`signature::bind`]): missing, unknown, twice given, misshapen, or two batch sizes at once.
//! - Nothing here panics on what a user can hand in: bytes that are no model, a library that is
//!   none, a machine without Python. Every failure is an [`EngineError`] that says what to do.
//! - ONNX Runtime's telemetry is off before its library is opened, and again in its environment.
//! - The build downloads nothing and links nothing; [`EngineError`] and the traits exist without
//!   any engine compiled in.
//!
//! **Where to start.** `engine.rs` for the traits, `choose.rs` to open engines by name and to ask
//! which work here, `tract.rs` for the smallest complete engine, `ort/environment.rs` for the one
//! environment a process may have, `library/mod.rs` for where the shared library comes from.

pub mod choose;
pub mod engine;
pub mod error;
pub mod parallel;
pub mod reference;
pub mod sharded;
pub mod signature;
pub mod stepper;

#[cfg(feature = "ort")]
pub mod library;
#[cfg(feature = "ort")]
pub mod ort;
#[cfg(feature = "tract")]
pub mod tract;

pub use choose::{NAMES, Options, State, Status, open, survey};
pub use engine::{Engine, Program, Session};
pub use error::{EngineError, InputError, LibraryError};
pub use parallel::load_parallel;
pub use pixelrnn_graph::Array;
pub use reference::{Precision, ReferenceEngine};
pub use sharded::Sharded;
pub use signature::{Elements, Extent, Tensor};
pub use stepper::{Carried, Stepper};

#[cfg(feature = "ort")]
pub use ort::{CudaOptions, Optimization, OrtEngine, OrtOptions};
#[cfg(feature = "tract")]
pub use tract::TractEngine;
