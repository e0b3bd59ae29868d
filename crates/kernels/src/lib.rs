//! Numeric kernels on plain slices. They do in one pass over memory what plain ONNX operators do in many.
//!
//! **Purpose.** For training and evaluation inside this process, the engine `ort` registers these kernels as
//! operators of ONNX Runtime. Exported models never contain them: for each kernel there is a graph of plain
//! operators that computes the same, and tests compare the two.
//!
//! **Invariants.**
//! - A result depends only on the inputs, not on the number of threads.
//! - Maps are pixel-major, `[H, W, N, F]`, as in the compiler; `N` is the number of images.
//! - Lengths of slices are checked once, at the beginning. A wrong length panics.
//!
//! **Where to start.** `geometry.rs` for the order of the cells, then `forward.rs` and `backward.rs` for
//! the recurrence, `conv.rs` for masked convolutions.

mod backward;
mod categorical;
mod cell;
mod conv;
mod forward;
mod geometry;
mod math;
mod product;

pub use backward::{Found, Gradient, backward};
pub use categorical::Categorical;
pub use conv::Conv;
pub use forward::{Gates, forward};
pub use geometry::{Order, Sweep};

/// Divides rows or pixels into parts of almost equal size, for the threads. The parts depend on the number alone, so
/// that sums over them do, too.
pub fn parts(extent: usize) -> Vec<std::ops::Range<usize>> {
    let count = extent.clamp(1, 4);
    (0..count).map(|i| i * extent / count..(i + 1) * extent / count).collect()
}
