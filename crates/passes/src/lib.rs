//! Layer 4 of `pixelrnn`: compiler passes, and the pipeline that runs them.
//!
//! **Purpose.** From a declaration's graphs to an ONNX graph: [`make()`] and [`lower()`] run the passes of
//! [`pipeline`]'s table in order. [`verify_causality`] proves that no output reads its own pixel or a
//! later one.
//!
//! **Invariants.**
//! - Every pass is a function from a graph to a graph, in one table. Its name is the same in the table,
//!   in `--dump-after` and in errors.
//! - The structural verifier runs after every pass, in every build.
//! - A pass keeps the names, roles, docs and sites of everything that it does not change. A failure is an
//!   error that names the pass and the node.
//! - Only [`verify_causality`] and [`verify_scales`] can create a [`CausalProof`], and sampling requires
//!   one.
//!
//! **Where to start.** `pipeline.rs`, then `expand.rs` for the shortest pass and `causality/` for the
//! proof.

#![deny(missing_docs)]

pub mod bind;
pub mod causality;
pub mod cse_dce;
pub mod differentiate;
pub mod dtype;
pub mod endpoints;
pub mod expand;
pub mod fold;
pub mod fuse_reshapes;
pub mod half;
pub mod hoist;
pub mod images;
pub mod init;
pub mod kind;
pub mod layout;
pub mod loss;
pub mod optimizers;
pub mod own_states;
pub mod pads_to_concat;
pub mod pipeline;
pub mod rewrite;
pub mod scales;
pub mod slices_to_split;
pub mod state;
pub mod stored;
pub mod stream;
pub mod training_step;
pub mod unroll;

pub use bind::{BindError, Weights, bind};
pub use causality::{
    CausalProof, Causality, CausalityError, Hop, Place, ProvedScale, Witness, verify_causality,
    verify_scales,
};
pub use differentiate::{differentiate, gradient_name};
pub use dtype::Dtype;
pub use endpoints::GraphEndpoints;
pub use images::{ImageFormat, ImageLayout};
pub use init::initialize;
pub use kind::GraphKind;
pub use loss::loss;
pub use optimizers::{RULES, UpdateRule};
pub use pipeline::{ControlFlow, Job, PassError, lower, make};
pub use scales::{Scale, merge_scales};
pub use state::{AVERAGE, complete_state, fresh_state};
pub use stream::{SampleError, SampleOptions};
pub use training_step::{
    LEARNING_RATE, Optimizer, next_name, state_name, training_step, update_step,
};
