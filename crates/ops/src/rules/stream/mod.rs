//! How an operator is computed pixel by pixel: its streaming rule, and the context that the rule builds nodes
//! in.
//!
//! An image is drawn by two nested loops, one over rows and one over the pixels of a row. So each value of
//! the streamed graph belongs to one of three graphs:
//!
//! - [`PreludeValue`]: computed before all loops, from parameters, constants and conditions.
//! - [`RowValue`]: in the body of the outer loop. Before the inner loop: the contributions of complete rows
//!   above, for the whole row at once, `[W, N, F]`. After it: the complete row, which updates the *caches*.
//! - [`PixelValue`]: in the body of the inner loop, channels last, `[N, F]`: only what depends on the row so
//!   far, which *states* carry from pixel to pixel.
//!
//! The [`Phase`] of a value of the declaration's graph says when it is known. What depends only on conditions
//! and parameters is *given* and computed once, by its ordinary operator; what depends on rows above is known
//! when a row begins; the rest is known at its pixel. A rule asks for the phase of its inputs.
//!
//! Inside a pixel, maps are computed one color group after another. A group reads no later one (mask B), so
//! this costs one pass over the features, not one per color. If the features of a map consist of several
//! *gates*, each gate has its own groups; at a pixel they are ordered by group (`[group, gate, feature]`), so
//! that a group is always contiguous.

mod streaming;
mod sweep;
mod track;

use pixelrnn_graph::{BuildError, Span, Value};

pub use streaming::{Cache, State, Streaming};
pub use sweep::Sweep;
pub use track::Phase;

/// How an operator of a declaration's graph is computed pixel by pixel.
pub enum Stream {
    /// A feature of a pixel reads only the same feature of the same pixel of the inputs.
    Pointwise,
    /// Selects a range of the features of a pixel.
    Features {
        /// The first feature.
        start: usize,
        /// The number of features.
        length: usize,
    },
    /// Splits the features of a pixel into this number of parts. Color groups do not change.
    Parts(usize),
    /// Reads earlier pixels, too.
    Cached(Box<dyn StreamRule>),
    /// Does not work on maps of pixels: the operator appears only on conditions and parameters, in expanded
    /// recurrences, and in losses and gradients.
    Expanded,
}

/// A value that is computed before all loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PreludeValue(pub Value);

/// A value of the body of the loop over rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowValue(pub Value);

/// A value of the body of the loop over the pixels of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PixelValue(pub Value);

/// When the result of an operator is known, as its rule reports it.
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

/// The streaming rule of an operator that reads earlier pixels. The methods are called in this order.
pub trait StreamRule {
    /// Adds what depends on earlier pixels only: once for each row or pixel, not for each color.
    ///
    /// # Errors
    /// [`StreamError`] if the operator cannot be streamed.
    fn begin(&mut self, cx: &mut Streaming) -> Result<Begun, StreamError>;

    /// Adds a color group of the result at this pixel; `None` if the group has no features. Not called if the
    /// result is known when the row begins.
    ///
    /// # Errors
    /// As [`StreamRule::begin`].
    fn colour(
        &mut self,
        cx: &mut Streaming,
        group: usize,
    ) -> Result<Option<PixelValue>, StreamError>;

    /// Adds what the next pixel and the end of the row need.
    ///
    /// # Errors
    /// As [`StreamRule::begin`].
    fn end_pixel(&mut self, cx: &mut Streaming) -> Result<(), StreamError>;

    /// Adds what the next row needs, from the complete row.
    ///
    /// # Errors
    /// As [`StreamRule::begin`].
    fn end_row(&mut self, cx: &mut Streaming) -> Result<(), StreamError>;
}

/// Why a graph cannot be streamed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The operator of a layer has no streaming rule.
    #[error("layer `{node}` cannot be sampled incrementally: `{mnemonic}` has no rule for that")]
    NoRule {
        /// The layer.
        node: String,
        /// The name of the operator.
        mnemonic: &'static str,
        /// The place of the layer in the declaration.
        span: Option<Span>,
    },
    /// A layer reads values that are not drawn yet.
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
    /// The graph is not that of a declaration. Contains the reason.
    #[error("the graph is not one of a declaration: {0}")]
    Form(&'static str),
    /// A value needs a whole row, but steps of single pixels have none. Contains what it is.
    #[error("{0} cannot be computed by a loop outside the graph; export `sample` instead")]
    Whole(&'static str),
    /// A node of the loops cannot be added.
    #[error(transparent)]
    Build(#[from] BuildError),
}
