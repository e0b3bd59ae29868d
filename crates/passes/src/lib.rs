//! Floor 4 of `pixelrnn`: passes, and the pipeline that runs them.
//!
//! **Purpose.** From a declaration's graph to an ONNX graph: [`compile`] runs the passes of
//! [`pipeline::PASSES`] in order. [`verify_causality`] proves that no output reads a pixel at or
//! after its own place.
//!
//! **Invariants.**
//! - Every pass is a function from a graph to a graph, in one table; its name is the same in the
//!   table, in `--dump-after` and in errors.
//! - The structural verifier runs after every pass, in every build.
//! - A pass keeps names, roles, doc and spans of what it does not change.
//! - [`CausalProof`] can only be made by [`verify_causality`].
//!
//! **Where to start.** `pipeline.rs`, then `expand.rs` for the shortest pass and `causality/` for
//! the most particular one.

pub mod bind;
pub mod causality;
pub mod differentiate;
pub mod expand;
pub mod fold;
pub mod hoist;
pub mod init;
pub mod join;
pub mod layout;
pub mod loss;
pub mod optimise;
pub mod pipeline;
pub mod rewrite;
pub mod split;
pub mod state;
pub mod stream;
pub mod tidy;
pub mod unroll;
pub mod views;

pub use bind::{BindError, Weights, bind};
pub use causality::{
    CausalProof, Causality, CausalityError, Hop, Place, Witness, verify_causality,
};
pub use differentiate::{differentiate, gradient_name};
pub use init::initialise;
pub use loss::with_loss;
pub use optimise::{LEARNING_RATE, Optimiser, Rule, next_name, optimise, state_name, update};
pub use pipeline::{CompileOptions, ControlFlow, PassError, compile};
pub use state::{AVERAGE, complete_state, fresh_state};
pub use stream::{SampleError, SampleOptions};
