//! `stream`: derives from a declaration the graphs that draw an image pixel by pixel, at the cost of one
//! forward pass.
//!
//! **Method.** What depends only on conditions is computed before the first pixel, by its ordinary operator.
//! The rest becomes two nested loops, over rows and over the pixels of a row. The rule of each operator says
//! what it does in each loop ([`pixelrnn_ops::rules::stream`]). This pass calls the rules in order, one color
//! group after another, and closes the loops. The result is ordinary pixel IR with nested
//! [`Scan`](pixelrnn_ops::Scan)s. The interpreter runs it, and it is lowered like any other graph.
//!
//! **Cost.** Every product of the forward graph is computed once: for the rows above when a row begins, for
//! the row so far when a pixel begins, and for the pixel itself group by group. The right direction of a
//! diagonal layer runs once over each row, for all layers in one loop.
//!
//! **The graphs.**
//! - [`sample`]: draws `image [N, H, W, C]` of levels from `uniform [N, H, W, C]` and, for completion,
//!   `given` and `mask` of the same shape. A given level is kept where the mask is 1.
//! - [`replay`]: computes the `logits` of the forward graph from `image [N, C, H, W]`, with the same loop
//!   bodies as `sample`, so that tests can compare the two.
//! - [`step`] and [`row`]: the two loop bodies as separate graphs, for an outer loop in another program.
//! - [`step`] and [`row`]: the two bodies by themselves, for a loop outside.
//!
//! By default, the loops are inside the graph. Measured with ONNX Runtime, 16 images of mnist-diagonal
//! (`bench --graph sample,step,row`) take 0.064 s with loops inside. With an outer loop, 784 calls of `step`
//! (0.08 ms each) and 28 of `row` (0.76 ms each) take 0.084 s, plus the time to pass values between them.
//! mnist-row-lstm: 0.058 s inside and 0.074 s outside; mnist-pixelcnn: 0.029 s and 0.047 s. Joining states
//! and stacked values into one tensor each was no faster: it has fewer nodes, but wide `Concat`s and
//! `Split`s.
//!
//! **An outer loop** draws an image with `row` and `step` like this:
//!
//! 1. Call `row` with `begun` zero, and zeros of the right shapes for all other inputs.
//! 2. For every pixel of the row call `step`. Its inputs are
//!    - `uniform [N, C]` and, for completion, `given` and `mask` of the same shape;
//!    - each `state.*`: for the first pixel the output of `row` with that name, for other pixels the output
//!      `state.*.next` of the previous step;
//!    - each `row.*`: the slice for this pixel of the output `[W, ..]` of `row` with that name.
//!
//!    Its outputs are `pixel [N, C]`, the drawn levels, each `state.*.next`, and each `done.*`.
//! 3. Stack each `done.*` over the pixels of the row to `[W, N, ..]`. Call `row` with `begun` one, these
//!    stacks, and each cache `c` as the output `c.next` of the last call. Continue with 2.
//!
//! The graphs contain all shapes, and outputs of one graph have the same names as the inputs of the other, so
//! a driver needs no knowledge of the model.
//!
//! All these graphs require a [`CausalProof`](crate::CausalProof): without one, a pixel might read values
//! that are not drawn yet.

mod open_loop;
mod sample;
mod scan_loops;
mod walk;

pub use open_loop::{row, step};
pub use sample::{SampleOptions, replay, sample};

use pixelrnn_graph::BuildError;
use pixelrnn_ops::StreamError;

/// The error for a model of several scales.
pub(crate) const SCALES: StreamError = StreamError::Whole("a model of several scales");

/// Why a graph cannot be streamed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// The model cannot be computed pixel by pixel.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The temperature, or its inverse, is not a positive f32.
    #[error("invalid temperature {0}: expected a number from about 3e-39 to 7e44")]
    Temperature(f64),
}

impl From<BuildError> for SampleError {
    fn from(error: BuildError) -> Self {
        SampleError::Stream(error.into())
    }
}
