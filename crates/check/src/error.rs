//! Why a model could not be analysed.

/// Why a model could not be analysed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DependError {
    /// The bytes are no ONNX model.
    #[error("not an ONNX model: {0}")]
    Decode(String),
    /// The model holds no graph.
    #[error("the model holds no graph")]
    NoGraph,
    /// No input looks like an image, or the named one does not exist.
    #[error("{}", no_input(.wanted, .inputs))]
    NoInput { wanted: Option<String>, inputs: Vec<String> },
    /// The named output does not exist, or there is none.
    #[error("{}", no_output(.wanted, .outputs))]
    NoOutput { wanted: Option<String>, outputs: Vec<String> },
    /// An extent of an input is not stated in the file.
    #[error("input `{input}`: the extent of axis {axis} is open; give the image's size")]
    OpenExtent { input: String, axis: usize },
    /// An input's shape does not read as an image in the layout that was asked for.
    #[error("input `{input}` has the shape {shape:?}, which is not an image laid out `{layout}`")]
    InputShape { input: String, shape: Vec<usize>, layout: String },
    /// The output's shape holds no value for each colour of each pixel.
    #[error(
        "output `{output}` has the shape {shape:?}, which does not read as logits of {colours} \
         colours of {height} x {width} pixels; say how it is laid out, `(cl)hw` for example"
    )]
    OutputShape { output: String, shape: Vec<usize>, colours: usize, height: usize, width: usize },
    /// The output's shape can be read in several ways.
    #[error("output `{output}` has the shape {shape:?}, which may be laid out {}; say which",
        .layouts.iter().map(|l| format!("`{l}`")).collect::<Vec<_>>().join(" or "))]
    Ambiguous { output: String, shape: Vec<usize>, layouts: Vec<String> },
    /// Operators that this analysis does not know.
    #[error("unsupported: {}", .nodes.iter().map(Unsupported::to_string)
        .collect::<Vec<_>>().join(", "))]
    Unsupported { nodes: Vec<Unsupported> },
    /// A constant whose numbers cannot be read.
    #[error("constant `{name}` {reason}")]
    Constant { name: String, reason: &'static str },
    /// A node reads a value that nothing has made.
    #[error("`{node}` reads `{value}`, which nothing makes before it")]
    UnknownValue { node: String, value: String },
    /// A node does not follow the standard, or needs what is not constant.
    #[error("`{node}` ({op_type}): {problem}")]
    Node { node: String, op_type: String, problem: Problem },
    /// A position outside the image.
    #[error("there is no such position in an image of {colours} colours, {height} x {width}")]
    Position { colours: usize, height: usize, width: usize },
    /// A path was asked for where there is none.
    #[error("the output does not read that input")]
    Independent,
    /// Functions that call each other without end, or blow up when inlined.
    #[error("function `{0}` nests too deep")]
    Recursion(String),
}

/// One operator that is not known, and how many nodes use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The first node of this kind.
    pub node: String,
    pub op_type: String,
    pub count: usize,
}

impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (`{}`", self.op_type, self.node)?;
        match self.count {
            0 | 1 => f.write_str(")"),
            n => write!(f, " and {} more)", n - 1),
        }
    }
}

/// What is wrong at one node.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    #[error("input {0} is missing")]
    Missing(usize),
    #[error("attribute `{0}` is missing, or no value that the standard allows")]
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
    #[error("needs more {0} than the limit of this analysis")]
    TooLarge(Resource),
    #[error("{0}")]
    Form(&'static str),
}

/// What the analysis may run out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Elements of one tensor.
    Elements,
    /// Bytes for distinct dependency sets.
    Memory,
    /// Steps.
    Work,
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Resource::Elements => "elements in one tensor",
            Resource::Memory => "memory",
            Resource::Work => "steps",
        })
    }
}

fn list(names: &[String]) -> String {
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

fn no_input(wanted: &Option<String>, inputs: &[String]) -> String {
    match wanted {
        Some(name) => format!("there is no input `{name}` (inputs: {})", list(inputs)),
        None => format!("no input looks like an image; name one of {}", list(inputs)),
    }
}

fn no_output(wanted: &Option<String>, outputs: &[String]) -> String {
    match wanted {
        Some(name) => format!("there is no output `{name}` (outputs: {})", list(outputs)),
        None => "the graph has no output".to_string(),
    }
}

/// An operator's failure: its own, or one of a node in its body.
#[derive(Debug)]
pub(super) enum Fail {
    Here(Problem),
    Inside(Box<DependError>),
}

impl From<Problem> for Fail {
    fn from(problem: Problem) -> Self {
        Fail::Here(problem)
    }
}

impl From<DependError> for Fail {
    fn from(error: DependError) -> Self {
        Fail::Inside(Box::new(error))
    }
}
