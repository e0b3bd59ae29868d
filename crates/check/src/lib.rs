//! Which inputs each output of a foreign ONNX model reads, exactly.
//!
//! **Purpose.** [`analyse`] takes the bytes of any autoregressive image model, whoever exported it,
//! and gives for every colour of every pixel the set of image values that its logits depend on.
//! [`trace`] gives the way from one output back to one input, node by node. Neither judges.
//!
//! **How.** The graph is run once on abstract elements. An element is a known number or "unknown,
//! a function of this set of image values"; sets are interned, so that equal ones share a number
//! and a union is a table look-up. Known numbers are computed with, so shapes, indices and masks
//! resolve by themselves; and a known zero stops what is multiplied with it, so masks count
//! whether they are baked into weights, multiplied in by the graph, selected by `Where`, or added
//! as minus infinity before a softmax. Weights that are inputs of the graph are unknown and
//! independent of the image; so is the rest of the batch.
//!
//! **What exact means.** Two terms that cancel are not noticed, nor is a weight that is zero
//! without being constant. A summand of -1e9 or less counts as minus infinity, and so does a known
//! logit of -1e4 or less beside others in a softmax. Batch extents that are open are taken as 1.
//!
//! **Where to start.** `store.rs` for sets, `tensor.rs` for elements, `machine.rs` for how graphs
//! run, `ops/mod.rs` for the operators, `model.rs` for how a file is read.

mod call;
mod error;
mod inline;
mod layout;
mod literal;
mod machine;
mod model;
mod ops;
mod store;
mod tensor;
mod trace;

pub use error::{DependError, Problem, Resource, Unsupported};
pub use layout::{Layout, LayoutError};
pub use trace::{Hop, condense, trace};

use pixelrnn_graph::BitRows;

use layout::Size;
use machine::Machine;
use model::Model;
use store::{El, Store};

/// What to analyse, where the file leaves a choice.
#[derive(Clone, Debug)]
pub struct Options {
    /// The input that is the image; by default the first with four axes of floats that no
    /// initialiser sets, or what comes closest.
    pub input: Option<String>,
    /// The output that holds the logits; by default the first.
    pub output: Option<String>,
    /// Colours, height and width, where the file leaves them open.
    pub image: Option<[usize; 3]>,
    /// How the input is laid out; by default `chw`, or `hwc` if only the last axis is short.
    pub input_layout: Option<Layout>,
    /// How the output is laid out; by default whatever fits, an error if much does.
    pub output_layout: Option<Layout>,
    /// Logits for each value, to tell layouts apart.
    pub levels: Option<usize>,
    /// Bytes that dependency sets may take; by default 4 GiB.
    pub memory: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            input: None,
            output: None,
            image: None,
            input_layout: None,
            output_layout: None,
            levels: None,
            memory: 4 << 30,
        }
    }
}

/// What the outputs of a model read.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependence {
    pub colours: usize,
    pub height: usize,
    pub width: usize,
    /// Logits for each value.
    pub levels: usize,
    /// Rows are outputs, columns inputs; both in the order of [`Dependence::index`].
    pub sets: BitRows,
    /// The input that is the image.
    pub input: String,
    /// The output that holds the logits, and how it is laid out.
    pub output: String,
    pub output_layout: Layout,
    /// Nodes that the output needs, those of bodies not counted.
    pub nodes: usize,
    /// Numbers in weights: float constants of the graph, masks of zeros and ones aside, and inputs
    /// beside the image.
    pub parameters: usize,
    /// How many different sets were met.
    pub distinct_sets: usize,
}

/// A colour of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    pub colour: usize,
    pub row: usize,
    pub column: usize,
}

impl Dependence {
    /// The place of a position in raster order: rows, columns, colours.
    pub fn index(&self, p: Position) -> usize {
        (p.row * self.width + p.column) * self.colours + p.colour
    }

    /// The position at a place in raster order.
    pub fn position(&self, index: usize) -> Position {
        let pixel = index / self.colours;
        Position {
            colour: index % self.colours,
            row: pixel / self.width,
            column: pixel % self.width,
        }
    }
}

/// For each output the exact set of image values that it reads.
///
/// # Errors
/// Bytes that are no model, operators that are not known (all of them named at once), a model that
/// does not follow the standard, shapes that do not read as an image and its logits, or a model
/// beyond the limits.
pub fn analyse(bytes: &[u8], options: &Options) -> Result<Dependence, DependError> {
    let model = Model::decode(bytes)?;
    let task = model.task(options)?;
    let Size { colours, height, width } = task.size;
    let bits = colours * height * width;
    let mut machine = Machine::new(Store::new(bits, options.memory), task.opset);
    let image = task.image(&mut machine.store, Store::single);
    let (_, output) = task.run(&mut machine, image, false)?;
    let (output_layout, place) = task.output_place(&output, options)?;
    let mut sets = BitRows::new(bits, bits);
    let store = &machine.store;
    for row in 0..bits {
        let (c, pixel) = (row % colours, row / colours);
        for level in 0..place.levels {
            let element = place.element([c, pixel / width, pixel % width], level);
            if let El::Set(id) = output.el(store, element) {
                sets.union(row, store.words(id));
            }
        }
    }
    Ok(Dependence {
        colours,
        height,
        width,
        levels: place.levels,
        sets,
        input: task.input.to_string(),
        output: task.output.to_string(),
        output_layout,
        nodes: task.plan.nodes.len(),
        parameters: task.parameters,
        distinct_sets: store.distinct(),
    })
}
