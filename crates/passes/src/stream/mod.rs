//! `stream`: from a declaration to graphs that make an image pixel by pixel, at the cost of one pass.
//!
//! **What is derived.** What depends on conditions alone is computed before the first pixel, by its
//! ordinary operator. The rest is two nested loops, over rows and over the pixels of a row. What each operator
//! does in which of them is its own rule ([`pixelrnn_ops::rules::stream`]); this pass asks the rules in
//! order, color group by color group, and closes the loops. The result is ordinary IR: nested
//! [`Scan`](pixelrnn_ops::Scan)s, run by the interpreter and lowered like any other.
//!
//! **Cost.** Every product that the forward graph has is made once: for rows above when a row begins,
//! for the row so far when a pixel begins, and for the pixel itself group by group. The right direction
//! of a diagonal layer is swept once over each row, all layers in one loop.
//!
//! **The graphs.**
//! - [`sample`]: `uniform [N, H, W, C]`, and for completion `given` and `mask` of the same shape (1 keeps
//!   the given level), to `image [N, H, W, C]` of levels.
//! - [`replay`]: `image [N, C, H, W]` to `logits` as the forward graph has them, by the same bodies:
//!   what is tested is what samples.
//! - [`step`] and [`row`]: the two bodies by themselves, for a loop outside.
//!
//! The loops stand inside the graph by default. Measured with ONNX Runtime, 16 images of mnist-diagonal
//! (`bench --graph sample,step,row`): 0.064 s inside; outside 784 calls of `step` (0.08 ms) and 28 of
//! `row` (0.76 ms) take 0.084 s, and what is handed from one to the other takes time as well.
//! mnist-row-lstm: 0.058 and 0.074 s; mnist-pixelcnn: 0.029 and 0.047 s.
//! States and stacked values joined into one tensor each were no faster (fewer nodes, but wide
//! `Concat` and `Split`).
//!
//! **A loop outside** makes an image with `row` and `step` like this:
//!
//! 1. Call `row` with `begun` zero and everything else zeros of the shapes of its inputs.
//! 2. For every pixel of the row call `step`. Its inputs are
//!    - `uniform [N, C]`, and for completion `given` and `mask` of the same shape;
//!    - each `state.*`: of the first pixel what `row` gave as that, of every other what the step before
//!      gave as `state.*.next`;
//!    - each `row.*`, of which `row` gave `[W, ..]`: the slice of this pixel.
//!
//!    It gives `pixel [N, C]`, the drawn levels, each `state.*.next`, and each `done.*`.
//! 3. Stack each `done.*` over the pixels of the row, `[W, N, ..]`, and call `row` with `begun` one,
//!    those, and each cache `c` as the last call gave it in `c.next`. Go on with 2.
//!
//! All shapes stand in the graphs, so a driver needs no knowledge of the model: outputs of one graph
//! and inputs of the other go by the same names.
//!
//! All demand a [`CausalProof`](crate::CausalProof): without one, a pixel might need what is not drawn yet.

mod open_loop;
mod sample;
mod scan_loops;
mod walk;

pub use open_loop::{row, step};
pub use sample::{SampleOptions, replay, sample};

use pixelrnn_graph::BuildError;
use pixelrnn_ops::StreamError;

/// What a model of several scales cannot be.
pub(crate) const SCALES: StreamError = StreamError::Whole("a model of several scales");

/// Why there is no streamed graph.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// The model cannot be run pixel by pixel.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The temperature is not a positive number.
    #[error("invalid temperature {0}: expected a number from about 3e-39 to 7e44")]
    Temperature(f64),
}

impl From<BuildError> for SampleError {
    fn from(error: BuildError) -> Self {
        SampleError::Stream(error.into())
    }
}
