//! How an operator runs pixel by pixel: what its rule is asked, and what it is given to build with.
//!
//! An image is made by two loops, one over rows and in it one over the pixels of a row. Each value of
//! the streamed graph therefore belongs to one of three graphs:
//!
//! - [`Once`]: before all loops; what is computed from parameters and constants alone.
//! - [`Row`]: the body of the outer loop. Before the inner loop: what complete rows above contribute,
//!   for the whole row at once. After it: the complete row, which updates the *caches*.
//! - [`Pixel`]: the body of the inner loop, channels last (`[N, F]`): only what depends on the row so
//!   far, which *states* carry from pixel to pixel.
//!
//! Inside a pixel, maps are computed colour group by colour group, each group once: a group reads no
//! later one (mask B), so evaluating colour after colour costs one pass, not one per colour.

mod streaming;
mod sweep;

use pixelrnn_graph::{BuildError, Span, Value};

pub use streaming::{Cache, State, Streaming};
pub use sweep::Sweep;

/// How an operator of a declaration's graph runs one pixel at a time.
pub enum Stream {
    /// A feature of a pixel needs the same feature of the same pixel of the inputs only.
    Pointwise,
    /// The features of a pixel, cut into so many parts: each colour group as it is.
    Parts(usize),
    /// Earlier pixels, too.
    Cached(Box<dyn StreamRule>),
    /// Not a map of pixels: appears only where a recurrence was expanded, in losses and gradients.
    Expanded,
}

/// A value made before all loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Once(pub Value);

/// A value of the body of the loop over rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row(pub Value);

/// A value of the body of the loop over the pixels of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pixel(pub Value);

/// The rule of an operator that reads earlier pixels. Its methods are called in this order.
pub trait StreamRule {
    /// What depends on earlier pixels alone: once for each row or pixel, not for each colour.
    ///
    /// # Errors
    /// The operator cannot be streamed.
    fn begin(&mut self, cx: &mut Streaming) -> Result<(), StreamError>;

    /// A colour group of the result at this pixel; `None` if it has no features.
    ///
    /// # Errors
    /// As [`StreamRule::begin`].
    fn colour(&mut self, cx: &mut Streaming, group: usize) -> Result<Option<Pixel>, StreamError>;

    /// What the next pixel and the end of the row need.
    ///
    /// # Errors
    /// As [`StreamRule::begin`].
    fn end_pixel(&mut self, cx: &mut Streaming) -> Result<(), StreamError>;

    /// What the next row needs, from the complete row.
    ///
    /// # Errors
    /// As [`StreamRule::begin`].
    fn end_row(&mut self, cx: &mut Streaming) -> Result<(), StreamError>;
}

/// Why a graph cannot be streamed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StreamError {
    #[error("layer `{node}`: `{mnemonic}` has no rule to run pixel by pixel")]
    NoRule { node: String, mnemonic: &'static str, span: Option<Span> },
    #[error(
        "layer `{node}` reads to the right of its pixel, below it, or colours still to be drawn"
    )]
    Ahead { node: String, span: Option<Span> },
    #[error("layer `{node}` combines maps of different shapes, which has no rule pixel by pixel")]
    Shape { node: String, span: Option<Span> },
    #[error("the graph is not one of a declaration: {0}")]
    Form(&'static str),
    #[error(transparent)]
    Build(#[from] BuildError),
}
