//! Why a model could not be analyzed.

use std::time::Duration;

use crate::own::Kind;
use crate::text::{listed, shown};

/// Why a model could not be analyzed. Names from the file are escaped when this is printed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CheckError {
    /// The file cannot be read.
    #[error("cannot read {}: {reason}", shown(.path))]
    File { path: String, reason: String },
    /// The bytes do not decode as an ONNX model.
    #[error("not an ONNX model: {0}")]
    Decode(String),
    /// The model holds no graph.
    #[error("the model holds no graph")]
    NoGraph,
    /// The file is not a valid model, or its meaning is not certain.
    #[error("invalid model: {0}")]
    Invalid(String),
    /// Weights in another file that cannot be taken.
    #[error("the weights of `{}` lie in `{}`, which {reason}", shown(.name), shown(.location))]
    External { name: String, location: String, reason: String },
    /// No input looks like an image, or the named one does not exist.
    #[error("{}", no_input(.wanted, .inputs))]
    NoInput { wanted: Option<String>, inputs: Vec<String> },
    /// The named output does not exist, or there is none.
    #[error("{}", no_output(.wanted, .outputs))]
    NoOutput { wanted: Option<String>, outputs: Vec<String> },
    /// A dimension of an input is not stated in the file.
    #[error("the size of axis {axis} of input `{}` is open; give the image's size, as `--image 3x32x32`", shown(.input))]
    OpenExtent { input: String, axis: usize },
    /// An input's shape does not read as an image in the layout that was asked for.
    #[error("input `{}` has the shape {shape:?}, which is not an image laid out `{layout}`", shown(.input))]
    InputShape { input: String, shape: Vec<usize>, layout: String },
    /// The output's shape holds no value for each color of each pixel.
    #[error(
        "output `{}` has the shape {shape:?}, which does not read as logits of {colours} \
         colors of {height} x {width} pixels; say how it is laid out, `(cl)hw` for example, or \
         `lhw` for parameters of whole pixels", shown(.output)
    )]
    OutputShape { output: String, shape: Vec<usize>, colours: usize, height: usize, width: usize },
    /// The output's shape can be read in several ways.
    #[error("output `{}` has the shape {shape:?}, which may be laid out {}; say which with \
        `--output-layout`", shown(.output),
        .layouts.iter().map(|l| format!("`{l}`")).collect::<Vec<_>>().join(" or "))]
    Ambiguous { output: String, shape: Vec<usize>, layouts: Vec<String> },
    /// A file of this project that holds no image and its logits.
    #[error("{}", holds(*.0))]
    Holds(Kind),
    /// Operators that this analysis does not know.
    #[error("unsupported operators: {}", .nodes.iter().map(Unsupported::to_string)
        .collect::<Vec<_>>().join("; "))]
    Unsupported { nodes: Vec<Unsupported> },
    /// A constant whose numbers cannot be read.
    #[error("constant `{}` {reason}", shown(.name))]
    Constant { name: String, reason: &'static str },
    /// A node reads a value that nothing has made.
    #[error("`{}` reads `{}`, which nothing makes before it", shown(.node), shown(.value))]
    UnknownValue { node: String, value: String },
    /// A node does not follow the standard, or needs what is not constant.
    #[error("`{}` ({}): {problem}", shown(.node), shown(.op_type))]
    Node { node: String, op_type: String, problem: Problem },
    /// Beyond the budget before any node ran, or after all did.
    #[error("{0}")]
    TooLarge(Resource),
    /// A position outside the image.
    #[error("there is no such position in an image of {colours} colors, {height} x {width}")]
    Position { colours: usize, height: usize, width: usize },
    /// A path was asked for where there is none.
    #[error("the output does not depend on that input")]
    Independent,
    /// Functions that call each other without end, or blow up when inlined.
    #[error("function `{}` nests too deep", shown(.0))]
    Recursion(String),
}

/// One operator that is not known, and how many nodes use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The first node of this kind.
    pub node: String,
    pub op_type: String,
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
pub enum Problem {
    #[error("input {0} is missing")]
    Missing(usize),
    #[error("attribute `{0}` is missing, or not a value that the standard allows")]
    Attribute(&'static str),
    #[error("input {0} must be constant")]
    NotConstant(usize),
    #[error("extents {0:?} and {1:?} do not fit")]
    Extents(Vec<usize>, Vec<usize>),
    #[error("there is no axis {axis} among {rank}")]
    Axis { axis: i64, rank: usize },
    #[error("input {input} has {found} axes")]
    Rank { input: usize, found: usize },
    #[error("index {index} of an axis of {extent}")]
    Index { index: i64, extent: usize },
    #[error("{0}")]
    TooLarge(Resource),
    #[error("{0}")]
    Form(&'static str),
}

/// What the analysis may run out of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Elements of one tensor.
    Elements(Vec<usize>),
    /// Bytes.
    Memory { needed: usize, limit: usize },
    /// Seconds.
    Time { limit: Duration },
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mib = |n: &usize| n.div_ceil(1 << 20);
        match self {
            Resource::Elements(shape) => write!(f, "a tensor of shape {shape:?} is too large"),
            Resource::Memory { needed, limit } => write!(
                f,
                "needs more than {} MiB, of {} MiB allowed; raise the limit with `--memory`",
                mib(needed),
                mib(limit)
            ),
            Resource::Time { limit } => write!(
                f,
                "takes longer than the {} s allowed; raise the limit with `--time`",
                limit.as_secs_f64()
            ),
        }
    }
}

fn holds(kind: Kind) -> String {
    let what = match kind {
        Kind::Update => "holds the update of an optimizer, which reads no image",
        Kind::Step => "holds one pixel of a sampler, without the loop around it",
        Kind::Row => "holds what a sampler does once for each row, without the loop around it",
        _ => "holds logits that cannot be told apart; name one with `--output`",
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
            "no input looks like an image; name it with `--input`, one of {}",
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

/// An operator's failure: its own, or one of a node in its body.
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
