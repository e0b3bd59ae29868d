//! `verify_causality`: proves that no output reads its own value or a later one, and computes the blind
//! spot of each output.
//!
//! The analysis is exact in both directions. The graph is expanded and unrolled; then, for every element of
//! every value, the set of image values that it depends on is propagated. A dependence on the output's own
//! value or a later one is a leak: an error with a witness. An earlier value that an output never reads is in
//! its blind spot, which is reported.
//!
//! The analysis relies on the footprint of each operator. The tests of `pixelrnn-ops` compare footprints with
//! the dependences of the evaluation.

mod sets;
mod trace;

use pixelrnn_graph::{BitRows, BuildError, Span};
use pixelrnn_ops::PixelGraph;

use crate::endpoints::GraphEndpoints;
use crate::scales::Scale;
use crate::{cse_dce, expand, unroll};
use sets::Analysis;

/// The position of a value in an image: row, column, color.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The row, from 0.
    pub y: usize,
    /// The column, from 0.
    pub x: usize,
    /// The color, from 0.
    pub colour: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({}, {})", self.y, self.x)?;
        if self.colour > 0 { write!(f, " color {}", self.colour) } else { Ok(()) }
    }
}

/// One step of the path from an output to an input that it must not read.
#[derive(Clone, Debug, PartialEq)]
pub struct Hop {
    /// The dotted path of the layer in the declaration.
    pub layer: String,
    /// The name of the operator.
    pub mnemonic: &'static str,
    /// The layer's place in the declaration.
    pub span: Option<Span>,
    /// The row and column in the layer's result, if that is a map.
    pub place: Option<(usize, usize)>,
    /// The color group at that position.
    pub group: usize,
}

/// An output that leaks, with the path to the input.
#[derive(Clone, Debug, PartialEq)]
pub struct Witness {
    /// The output that leaks.
    pub output: Place,
    /// An input at the position of the output or after it, which the output reads.
    pub input: Place,
    /// The steps from the output back to the input.
    pub path: Vec<Hop>,
}

impl Witness {
    /// The layer at fault: the first one, starting from the output, that reads a position later than its own.
    pub fn fault(&self) -> Option<&Hop> {
        let key = |h: &Hop| h.place.map(|(y, x)| (y, x, h.group));
        let image = (self.input.y, self.input.x, self.input.colour);
        let late = |i: usize| {
            let own = key(&self.path[i])?;
            Some(match self.path.get(i + 1) {
                Some(next) => key(next)? > own,
                // The first layer must not even read its own position of the image.
                None => image >= own,
            })
        };
        let found = (0..self.path.len()).find(|&i| late(i) == Some(true));
        self.path.get(found.unwrap_or(self.path.len().saturating_sub(1)))
    }
}

/// The dependences of every output, with leaks and blind spots.
#[derive(Clone, Debug, PartialEq)]
pub struct Causality {
    /// The height of the image.
    pub height: usize,
    /// The width of the image.
    pub width: usize,
    /// The colors of the image.
    pub colours: usize,
    /// For each output the inputs that it reads. Outputs and inputs are in raster order, colors innermost.
    pub reads: BitRows,
    /// The number of outputs that read their own value or a later one.
    pub leaking_outputs: usize,
    /// The fraction of earlier values that are not read, over all outputs.
    pub blind_share: f64,
    /// The first leak in raster order. Its path is empty, except in a [`CausalityError`].
    pub witness: Option<Witness>,
}

impl Causality {
    /// Finds leaks and blind spots in a table of dependences.
    pub fn judge(height: usize, width: usize, colours: usize, reads: BitRows) -> Causality {
        let mut leaking_outputs = 0;
        let mut witness = None;
        let (mut past, mut seen) = (0u64, 0u64);
        for output in 0..reads.rows() {
            past += output as u64;
            seen += reads.count_below(output, output) as u64;
            if let Some(input) = reads.first_from(output, output) {
                leaking_outputs += 1;
                let place = |i| place(i, width, colours);
                let first = Witness { output: place(output), input: place(input), path: vec![] };
                witness.get_or_insert(first);
            }
        }
        let blind_share = if past == 0 { 0.0 } else { (past - seen) as f64 / past as f64 };
        Causality { height, width, colours, reads, leaking_outputs, blind_share, witness }
    }

    /// The number of outputs.
    pub fn outputs(&self) -> usize {
        self.reads.rows()
    }

    /// Whether there is no leak.
    pub fn causal(&self) -> bool {
        self.leaking_outputs == 0
    }

    /// The earlier values that an output does not read.
    pub fn unseen(&self, output: usize) -> Vec<Place> {
        let gap = |&i: &usize| !self.reads.get(output, i);
        (0..output).filter(gap).map(|i| place(i, self.width, self.colours)).collect()
    }
}

fn place(index: usize, width: usize, colours: usize) -> Place {
    let pixel = index / colours;
    Place { y: pixel / width, x: pixel % width, colour: index % colours }
}

/// A scale of a model that was proved causal.
#[derive(Clone, Debug, PartialEq)]
pub struct ProvedScale {
    scale: Scale,
    causality: Causality,
}

impl ProvedScale {
    /// The scale, with the graph that was proved.
    pub fn scale(&self) -> &Scale {
        &self.scale
    }

    /// The graph that was proved.
    pub fn graph(&self) -> &PixelGraph {
        &self.scale.graph
    }

    /// The dependences that the proof found.
    pub fn causality(&self) -> &Causality {
        &self.causality
    }
}

/// A proof that a model is causal, which sampling requires. Only [`verify_causality`] and
/// [`verify_scales`] can create it.
#[derive(Clone, Debug, PartialEq)]
pub struct CausalProof {
    /// At least one. The image itself is last.
    scales: Vec<ProvedScale>,
}

impl CausalProof {
    /// The scales, the image itself last.
    pub fn scales(&self) -> &[ProvedScale] {
        &self.scales
    }

    /// The scale of the image itself.
    pub fn whole(&self) -> &ProvedScale {
        &self.scales[self.scales.len() - 1]
    }

    /// The dependences that the proof found for the image itself.
    pub fn causality(&self) -> &Causality {
        self.whole().causality()
    }
}

/// Why the proof failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CausalityError {
    /// Outputs read values that they must not read. Contains all dependences.
    #[error(
        "{} of {} outputs read their own value or a later one",
        .0.leaking_outputs, .0.outputs()
    )]
    Leak(Box<Causality>),
    /// A node mixes images of a batch.
    #[error("node `{node}` mixes the images of a batch")]
    MixesBatch {
        /// The node.
        node: String,
        /// Its place in the declaration.
        span: Option<Span>,
    },
    /// A node has several results.
    #[error("node `{node}` has several results, which the causality analysis does not support")]
    Results {
        /// The node.
        node: String,
        /// Its place in the declaration.
        span: Option<Span>,
    },
    /// The graph is not that of a declaration. Contains the reason.
    #[error("the graph is not one of a declaration: {0}")]
    Form(&'static str),
    /// The image is too large for the analysis.
    #[error(
        "an image of {values} values is too large for the causality proof: expected at most {limit}"
    )]
    TooLarge {
        /// The number of values of the image.
        values: usize,
        /// The largest number that is analyzed.
        limit: usize,
    },
    /// A node of the analyzed graph cannot be added.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// The largest number of values of an image. The table of dependences grows with its square.
pub const MAX_VALUES: usize = 1 << 15;

/// Proves that a declaration's graph is causal.
///
/// # Errors
/// [`CausalityError::Leak`] with a witness and its path if there is a leak; other errors if the graph is not
/// that of a declaration, or is too large.
pub fn verify_causality(graph: &PixelGraph) -> Result<CausalProof, CausalityError> {
    verify_scales(&[Scale::whole(graph.clone())])
}

/// Proves that every scale of a model is causal.
///
/// # Errors
/// As [`verify_causality`], for the first scale that fails. Also if there is no scale.
pub fn verify_scales(scales: &[Scale]) -> Result<CausalProof, CausalityError> {
    if scales.is_empty() {
        return Err(CausalityError::Form("it has no scale"));
    }
    let scales = scales.iter().map(verify_one).collect::<Result<_, _>>()?;
    Ok(CausalProof { scales })
}

fn verify_one(scale: &Scale) -> Result<ProvedScale, CausalityError> {
    let (causality, flat) = table(&scale.graph)?;
    match causality.witness.clone() {
        None => Ok(ProvedScale { scale: scale.clone(), causality }),
        Some(witness) => {
            let path = trace::path(&flat, &witness)?;
            let witness = Some(Witness { path, ..witness });
            Err(CausalityError::Leak(Box::new(Causality { witness, ..causality })))
        }
    }
}

/// Computes the dependences of every output of a graph, whether it is causal or not. The witness has no path.
///
/// # Errors
/// [`CausalityError`] if the graph is not that of a declaration, or is too large.
pub fn causality(graph: &PixelGraph) -> Result<Causality, CausalityError> {
    table(graph).map(|(causality, _)| causality)
}

fn table(graph: &PixelGraph) -> Result<(Causality, PixelGraph), CausalityError> {
    let ends = GraphEndpoints::of(graph).map_err(CausalityError::Form)?;
    let [colours, height, width] = ends.dims();
    let values = colours.saturating_mul(height).saturating_mul(width);
    if values > MAX_VALUES {
        return Err(CausalityError::TooLarge { values, limit: MAX_VALUES });
    }
    let flat = cse_dce::cse_dce(&unroll::unroll(&expand::expand(graph)?)?)?;
    let reads = Analysis::new(&flat)?.reads()?;
    Ok((Causality::judge(height, width, colours, reads), flat))
}
