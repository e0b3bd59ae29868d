//! Errors: why a model could not be analyzed.

use std::time::Duration;

use crate::own::Kind;
use crate::text::{listed, shown};

/// Why a model could not be analyzed. Names from the file are escaped when the error is printed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The file cannot be read.
    #[error("cannot read {}: {reason}", shown(.path))]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The bytes do not decode as an ONNX model.
    #[error("not an ONNX model: {0}")]
    Decode(String),
    /// The file contains no graph.
    #[error("the file contains no graph")]
    NoGraph,
    /// The file is not a valid model, or its meaning is ambiguous.
    #[error("invalid model: {0}")]
    Invalid(String),
    /// External weights cannot be read.
    #[error("cannot read the weights of `{}`: external file `{}` {reason}", shown(.name), shown(.location))]
    External {
        /// The initializer whose data are in another file.
        name: String,
        /// The path of the other file, as the model gives it.
        location: String,
        /// Why it cannot be used.
        reason: String,
    },
    /// No input looks like an image, or the requested input does not exist.
    #[error("{}", no_input(.wanted, .inputs))]
    NoInput {
        /// The input that was requested.
        wanted: Option<String>,
        /// The inputs of the graph.
        inputs: Vec<String>,
    },
    /// The requested output does not exist, or the graph has no outputs.
    #[error("{}", no_output(.wanted, .outputs))]
    NoOutput {
        /// The output that was requested.
        wanted: Option<String>,
        /// The outputs of the graph.
        outputs: Vec<String>,
    },
    /// An axis of an input other than the batch has no fixed extent.
    #[error("the size of axis {axis} of input `{}` is dynamic: give the image size, e.g. `--image 3x32x32`", shown(.input))]
    OpenExtent {
        /// The name of the input.
        input: String,
        /// The axis without a fixed extent, from 0.
        axis: usize,
    },
    /// The shape of an input does not match the requested layout.
    #[error("input `{}` has the shape {shape:?}, which is not an image laid out `{layout}`: \
             give the layout of its axes after the batch, as in `--image 28x28 --input-layout '(hw)'` for [N, 784]", shown(.input))]
    InputShape {
        /// The name of the input.
        input: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The layout that was requested.
        layout: String,
    },
    /// The shape of the output does not match logits for each color of each pixel.
    #[error(
        "output `{}` has the shape {shape:?}, which does not match logits of {colours} colors of \
         {height} x {width} pixels: give its layout with `--output-layout`, e.g. `(cl)hw`, or `lhw` \
         for parameters of whole pixels", shown(.output)
    )]
    OutputShape {
        /// The name of the output.
        output: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The number of colors of the image.
        colours: usize,
        /// The height of the image.
        height: usize,
        /// The width of the image.
        width: usize,
    },
    /// The shape of the output fits several layouts.
    #[error("output `{}` has the shape {shape:?}, which fits several layouts: give `--output-layout` {}", shown(.output),
        .layouts.iter().map(|l| format!("`{l}`")).collect::<Vec<_>>().join(" or "))]
    Ambiguous {
        /// The name of the output.
        output: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The layouts that fit.
        layouts: Vec<String>,
    },
    /// A file exported by this project that contains no image with logits.
    #[error("{}", holds(*.0))]
    Holds(Kind),
    /// Operators that the analysis does not support.
    #[error("unsupported operators: {}", .nodes.iter().map(Unsupported::to_string)
        .collect::<Vec<_>>().join("; "))]
    Unsupported {
        /// The operators that are not supported, each with its first node.
        nodes: Vec<Unsupported>,
    },
    /// An initializer whose values cannot be read.
    #[error("constant `{}` {reason}", shown(.name))]
    Constant {
        /// The name of the initializer.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A node reads a value that no earlier node computes.
    #[error("`{}` reads `{}`, which no earlier node computes", shown(.node), shown(.value))]
    UnknownValue {
        /// The name of the node.
        node: String,
        /// The value that it reads.
        value: String,
    },
    /// A node violates the ONNX standard, or an input of it must be constant and is not.
    #[error("`{}` ({}): {problem}", shown(.node), shown(.op_type))]
    Node {
        /// The name of the node.
        node: String,
        /// Its operator.
        op_type: String,
        /// What is wrong at it.
        problem: Problem,
    },
    /// A limit was exceeded outside of any node: before the first one or after the last one.
    #[error("{0}")]
    TooLarge(Resource),
    /// A position is outside the image.
    #[error("position outside of the image: {colours} colors, {height} x {width}")]
    Position {
        /// The number of colors of the image.
        colours: usize,
        /// The height of the image.
        height: usize,
        /// The width of the image.
        width: usize,
    },
    /// A path was requested from an output to an input that it does not depend on.
    #[error("the output does not depend on that input")]
    Independent,
    /// Model-local functions that are recursive, or too large when inlined.
    #[error("function `{}` nests too deep", shown(.0))]
    Recursion(String),
}

/// One unsupported operator, and the number of nodes that use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The first node of this kind.
    pub node: String,
    /// The operator.
    pub op_type: String,
    /// The number of nodes with it.
    pub count: usize,
    /// What to do about it.
    pub advice: String,
}

impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (`{}`", shown(&self.op_type), shown(&self.node))?;
        match self.count {
            0 | 1 => write!(f, "): {}", self.advice),
            n => write!(f, " and {} more): {}", n - 1, self.advice),
        }
    }
}

/// What is wrong at one node.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The input at this position is missing.
    #[error("input {0} is missing")]
    Missing(usize),
    /// The attribute of this name is missing or invalid.
    #[error("attribute `{0}` is missing, or not a value that the standard allows")]
    Attribute(&'static str),
    /// The input at this position must be constant.
    #[error("input {0} must be constant")]
    NotConstant(usize),
    /// Two shapes do not match.
    #[error("shapes {0:?} and {1:?} do not match")]
    Extents(Vec<usize>, Vec<usize>),
    /// An axis does not exist.
    #[error("invalid axis {axis}: expected one of {rank} axes")]
    Axis {
        /// The axis, counted from the end if negative.
        axis: i64,
        /// The number of axes.
        rank: usize,
    },
    /// An input has an unsupported rank.
    #[error("input {input} has {found} axes")]
    Rank {
        /// The index of the input.
        input: usize,
        /// The rank of the input.
        found: usize,
    },
    /// An index is out of bounds.
    #[error("invalid index {index} for an axis of size {extent}")]
    Index {
        /// The index.
        index: i64,
        /// The extent of the axis.
        extent: usize,
    },
    /// A limit of the analysis was exceeded.
    #[error("{0}")]
    TooLarge(Resource),
    /// Any other problem, in words that follow the node's name.
    #[error("{0}")]
    Form(&'static str),
}

/// A limit of the analysis.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resource {
    /// The number of elements of one tensor; its shape.
    Elements(Vec<usize>),
    /// Memory, in bytes.
    Memory {
        /// The bytes that were needed when the analysis stopped.
        needed: usize,
        /// The bytes that are allowed.
        limit: usize,
    },
    /// Time.
    Time {
        /// The time that is allowed.
        limit: Duration,
    },
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Resource::Elements(shape) => write!(f, "a tensor of shape {shape:?} is too large"),
            Resource::Memory { needed, limit } => write!(
                f,
                "needs more than {}, of {} allowed; raise the limit with `--memory`",
                // The analysis stopped here and would have needed more: round down.
                size(*needed, false),
                size(*limit, true)
            ),
            Resource::Time { limit } => write!(
                f,
                "takes longer than the {} s allowed; raise the limit with `--time`",
                limit.as_secs_f64()
            ),
        }
    }
}

/// A number of bytes in the largest suitable unit. With `exact`, it is an integer of that unit;
/// otherwise it is rounded.
pub(crate) fn size(bytes: usize, exact: bool) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let suits = |shift: u32| match exact {
        true => bytes > 0 && bytes.is_multiple_of(1 << shift),
        false => bytes >> shift >= 10,
    };
    match units.into_iter().find(|&(_, shift)| suits(shift)) {
        Some((unit, shift)) => format!("{} {unit}", bytes >> shift),
        None if bytes == 1 => "1 byte".to_string(),
        None => format!("{bytes} bytes"),
    }
}

fn holds(kind: Kind) -> String {
    let what = match kind {
        Kind::Update => "contains the update of an optimizer, which reads no image",
        Kind::Step => "contains the work for one pixel of a sampler, without the loop",
        Kind::Row => "contains the work between two rows of a sampler, without the loop",
        _ => "contains several logits: choose one with `--output`",
    };
    let instead = match kind {
        Kind::Step | Kind::Row => "`sample` or `forward`",
        _ => "`forward`",
    };
    format!(
        "cannot tell: by its metadata (`pixelrnn.graph = {kind}`) the file {what}; check the file \
         that `pixelrnn export --graph` writes for {instead}"
    )
}

fn no_input(wanted: &Option<String>, inputs: &[String]) -> String {
    match wanted {
        Some(name) => format!("no input `{}`; the inputs are {}", shown(name), listed(inputs)),
        None => format!(
            "no input looks like an image: choose one with `--input`; the inputs are {}",
            listed(inputs)
        ),
    }
}

fn no_output(wanted: &Option<String>, outputs: &[String]) -> String {
    match wanted {
        Some(name) => format!("no output `{}`; the outputs are {}", shown(name), listed(outputs)),
        None => "the graph has no output".to_string(),
    }
}

/// The failure of an operator: its own, or that of a node inside its body.
#[derive(Debug)]
pub(crate) enum Fail {
    Here(Problem),
    Inside(Box<CheckError>),
}

impl From<Problem> for Fail {
    fn from(problem: Problem) -> Self {
        Fail::Here(problem)
    }
}

impl From<CheckError> for Fail {
    fn from(error: CheckError) -> Self {
        Fail::Inside(Box::new(error))
    }
}
