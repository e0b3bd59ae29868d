//! Layer 4 of `pixelrnn`: compiler passes, and the pipeline that runs them.
//!
//! **Purpose.** Compiles a declaration's graphs to an ONNX graph: [`make()`] and [`lower()`] run the passes
//! of the tables in this file in order. [`verify_causality`] proves that no output reads its own value or a
//! later one.
//!
//! **Invariants.**
//! - Every pass is a function from a graph to a graph, listed in one table. It has the same name in the
//!   table, in `--dump-after` and in errors.
//! - The structural verifier runs after every pass, in every build.
//! - A pass keeps the names, roles, docs and sites of everything that it does not change. If it fails, the
//!   error names the pass and the node.
//! - Only [`verify_causality`] and [`verify_scales`] can create a [`CausalProof`], and sampling requires
//!   one.
//!
//! **Where to start.** The tables here and `pipeline.rs`, then `expand.rs` for the shortest pass and
//! `causality/` for the proof.

pub mod causality;
pub mod dtype;
pub mod endpoints;
pub mod init;
pub mod kind;
pub mod optimizers;
pub mod pipeline;
pub mod rewrite;
pub mod state;

/// Declares the modules of passes, and the tables of the passes, in the order in which they run. A line that
/// begins with `mod NAME:` also declares the module; other lines run a pass whose module is declared
/// elsewhere.
macro_rules! passes {
    ($($(#[$doc:meta])* $table:ident { $($(mod $module:ident:)? $pass:expr,)* })*) => {
        $($($(pub mod $module;)?)*)*

        $($(#[$doc])* pub const $table: &[Pass] = &[$($pass,)*];)*
    };
}

passes! {
    /// The passes that make the graph that was asked for, in order.
    MAKING {
        mod loss: pass("loss", "compute the likelihood of the distributions", |job| job.kind.has_likelihood(), Step::Scale(|graph, _, _| loss::loss(graph).map_err(build("loss")))),
        mod stream: pass("stream", "turn the model into a loop over pixels", SAMPLING, Step::Scale(stream_pass)),
        mod scales: pass("merge_scales", "merge the scales into one graph", ALWAYS, Step::Merge),
        mod cse_dce: pass("cse_dce", "eliminate common subexpressions and dead code", SAMPLING, Step::Pixel(cse_dce::cse_dce)),
        pass("unread_parameters", "remove unused parameters", SAMPLING, Step::Pixel(cse_dce::unread_parameters)),
        mod native: pass("native", "use operators of the engine", |job| job.native && job.kind.differentiates(), Step::Make(|graph, job| native::native(graph, job.kind.differentiates()).map_err(build("native")))),
        mod expand: pass("expand", "expand composites into scans", DIFFERENTIATING, Step::Pixel(expand::expand)),
        mod layout: pass("layout", "keep maps pixel-major, without transposes", DIFFERENTIATING, Step::Pixel(layout::layout)),
        pass("cse_dce", "eliminate common subexpressions and dead code", DIFFERENTIATING, Step::Pixel(cse_dce::cse_dce)),
        mod differentiate: pass("differentiate", "add the gradients of the likelihood", |job| job.kind.differentiates() && !job.remat, Step::Make(|graph, _| differentiate::differentiate(graph).map_err(|error| PassError::Differentiate { pass: "differentiate", error }))),
        mod remat: pass("remat", "add the gradients, with activations recomputed block by block", |job| job.kind.differentiates() && job.remat, Step::Make(|graph, job| remat::remat(graph, job.native).map_err(|error| PassError::Differentiate { pass: "remat", error }))),
        pass("cse_dce", "eliminate common subexpressions and dead code", DIFFERENTIATING, Step::Pixel(cse_dce::cse_dce)),
        mod training_step: pass("training_step", "add the optimizer's update", |job| job.kind == GraphKind::Train, Step::Make(|graph, job| training_step(graph, &job.optimizer).map_err(build("training_step")))),
        pass("update_step", "build the optimizer's update from given gradients", |job| job.kind == GraphKind::Update, Step::Make(|graph, job| update_step(graph, &job.optimizer).map_err(build("update_step")))),
    }
    /// The passes that compile a graph of the pixel IR to ONNX, in order.
    LOWERING {
        pass("native", "use operators of the engine", |job| job.native && !job.kind.differentiates(), Step::Make(|graph, job| native::native(graph, job.kind.differentiates()).map_err(build("native")))),
        pass("expand", "expand composites into scans", ALWAYS, Step::Pixel(expand::expand)),
        mod unroll: pass("unroll", "unroll scans into their steps", |job| job.control_flow == ControlFlow::Unroll, Step::Pixel(unroll::unroll)),
        mod pads_to_concat: pass("pads_to_concat", "replace sums of padded parts by concats", SIMPLIFYING, Step::Pixel(pads_to_concat::pads_to_concat)),
        pass("layout", "keep maps pixel-major, without transposes", SIMPLIFYING, Step::Pixel(layout::layout)),
        pass("cse_dce", "eliminate common subexpressions and dead code", SIMPLIFYING, Step::Pixel(cse_dce::cse_dce)),
        pass("lower", "lower pixel operators to ONNX", ALWAYS, Step::Lower),
        mod bind: pass("bind", "bind the weights as constants", |job| job.weights.is_some(), Step::Bind),
        mod hoist: pass("hoist", "move loop invariants out of loops", SIMPLIFYING, Step::Onnx(hoist::hoist)),
        mod slices_to_split: pass("slices_to_split", "merge slices into splits", SIMPLIFYING, Step::Onnx(slices_to_split::slices_to_split)),
        mod fold: pass("fold", "fold constants", SIMPLIFYING, Step::OnnxOwned(fold::fold)),
        mod fuse_reshapes: pass("fuse_reshapes", "fuse chains of reshapes", SIMPLIFYING, Step::Onnx(fuse_reshapes::fuse_reshapes)),
        mod full_rank: pass("full_rank", "give broadcast constants the rank of the result", SIMPLIFYING, Step::Onnx(full_rank::full_rank)),
        pass("cse_dce_onnx", "eliminate common subexpressions and dead code", SIMPLIFYING, Step::Onnx(cse_dce::cse_dce)),
        mod half: pass("half", "compute in f16", |job| job.dtype == Dtype::F16, Step::Onnx(half::half)),
        mod stored: pass("store_bf16", "store weights in bf16", |job| job.dtype == Dtype::Bf16, Step::Onnx(stored::store_bf16)),
        pass("store_int8", "store weights in int8", |job| job.dtype == Dtype::Int8, Step::Onnx(stored::store_int8)),
        mod images: pass("image_format", "change layout and element type of images", |job| job.images.changes(job.kind), Step::OnnxJob(|graph, job| images::image_format(graph, job.kind, job.images))),
        mod own_states: pass("own_states", "give each loop state its own initial value", |job| job.portable && !job.kind.trains(), Step::Onnx(own_states::own_states)),
    }
}

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
use pipeline::{
    ALWAYS, DIFFERENTIATING, Pass, SAMPLING, SIMPLIFYING, Step, build, pass, stream_pass,
};
pub use pipeline::{ControlFlow, Job, PassError, lower, make};
pub use scales::{Scale, merge_scales};
pub use state::{AVERAGE, complete_state, fresh_state};
pub use stream::{SampleError, SampleOptions};
pub use training_step::{
    LEARNING_RATE, Optimizer, next_name, state_name, training_step, update_step,
};
