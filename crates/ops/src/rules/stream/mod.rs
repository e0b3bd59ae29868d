//! How an operator runs pixel by pixel: what its rule is asked, and what it is given to build with.
//!
//! An image is made by two loops, one over rows and in it one over the pixels of a row. Each value of
//! the streamed graph therefore belongs to one of three graphs:
//!
//! - [`PreludeValue`]: before all loops; what is computed from parameters, constants and conditions.
//! - [`RowValue`]: the body of the outer loop. Before the inner loop: what complete rows above
//!   contribute, for the whole row at once, `[W, N, F]`. After it: the complete row, which updates the
//!   *caches*.
//! - [`PixelValue`]: the body of the inner loop, channels last (`[N, F]`): only what depends on the row
//!   so far, which *states* carry from pixel to pixel.
//!
//! When a value of the declaration's graph is known is its [`Phase`]: what depends on conditions and
//! parameters alone is *given* and computed by its ordinary operator, once; what depends on rows above is
//! known when a row begins; the rest is known at its pixel. A rule asks for the phase of what it reads.
//!
//! Inside a pixel, maps are computed color group by color group, each group once: a group reads no later
//! one (mask B), so evaluating color after color costs one pass, not one per color. A map whose features
//! are several *gates* has each gate's features grouped on their own; at a pixel they stand group by group
//! (`[group, gate, feature]`), so that a group is always contiguous.

mod streaming;
mod sweep;
mod track;

use pixelrnn_graph::{BuildError, Span, Value};

pub use streaming::{Cache, State, Streaming};
pub use sweep::Sweep;
pub use track::Phase;

/// How an operator of a declaration's graph runs one pixel at a time.
pub enum Stream {
    /// A feature of a pixel needs the same feature of the same pixel of the inputs only.
    Pointwise,
    /// A range of the features of a pixel.
    Features {
        /// The first feature.
        start: usize,
        /// How many.
        length: usize,
    },
    /// The features of a pixel, split into this number of parts; color groups stay unchanged.
    Parts(usize),
    /// Earlier pixels, too.
    Cached(Box<dyn StreamRule>),
    /// Not a map of pixels: appears only on conditions and parameters, where a recurrence was
    /// expanded, in losses and gradients.
    Expanded,
}

/// A value made before all loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PreludeValue(pub Value);

/// A value of the body of the loop over rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowValue(pub Value);

/// A value of the body of the loop over the pixels of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PixelValue(pub Value);

/// When the result of an operator is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// When the row begins: `[W, N, F]`.
    Row(RowValue),
    /// At its pixel, color group by color group.
    Pixel {
        /// The number of gates.
        gates: usize,
    },
}

/// The rule of an operator that reads earlier pixels. Its methods are called in this order.
pub trait StreamRule {
    /// What depends on earlier pixels alone: once for each row or pixel, not for each color.
    ///
    /// # Errors
    /// The operator cannot be streamed.
    fn begin(&mut self, cx: &mut Streaming) -> Result<Begun, StreamError>;

    /// A color group of the result at this pixel; `None` if it has no features. Not asked if the result
    /// is known when the row begins.
    ///
    /// # Errors
    /// As [`StreamRule::begin`].
    fn colour(
        &mut self,
        cx: &mut Streaming,
        group: usize,
    ) -> Result<Option<PixelValue>, StreamError>;

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
#[non_exhaustive]
pub enum StreamError {
    /// The operator of a layer has no rule for single pixels.
    #[error("layer `{node}` cannot be sampled incrementally: `{mnemonic}` has no rule for that")]
    NoRule {
        /// The layer.
        node: String,
        /// The name of the operator.
        mnemonic: &'static str,
        /// The place of the layer in the declaration.
        span: Option<Span>,
    },
    /// A layer reads what is not drawn yet.
    #[error(
        "layer `{node}` reads to the right of its pixel, below it, or colors still to be drawn"
    )]
    Ahead {
        /// The layer.
        node: String,
        /// The place of the layer in the declaration.
        span: Option<Span>,
    },
    /// The inputs of a layer have different shapes.
    #[error("layer `{node}` cannot be sampled incrementally: its inputs have different shapes")]
    Shape {
        /// The layer.
        node: String,
        /// The place of the layer in the declaration.
        span: Option<Span>,
    },
    /// The graph is not that of a declaration; why not.
    #[error("the graph is not one of a declaration: {0}")]
    Form(&'static str),
    /// Something needs a whole row, which single steps do not have; what.
    #[error("{0} cannot be computed by a loop outside the graph; export `sample` instead")]
    Whole(&'static str),
    /// A node of the loops cannot be added.
    #[error(transparent)]
    Build(#[from] BuildError),
}
