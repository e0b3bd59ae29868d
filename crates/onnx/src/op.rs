//! The ONNX operators that lowering may emit.

use std::sync::Arc;

use pixelrnn_graph::{Attributes, Dim, Elem, Graph, Operation, Type, TypeError};

use crate::literal::Literal;

/// A graph of ONNX operators.
pub type OnnxGraph = Graph<OnnxOp>;

/// An operator with typed attributes. Names and semantics are those of the ONNX standard. Where the
/// standard has axes, shapes or pads as inputs, they are attributes here.
#[derive(Clone, Debug, PartialEq)]
pub enum OnnxOp {
    /// A constant, encoded as an initializer with the name of the node. It is shared, because
    /// passes copy the graph and weights may be large.
    Constant(Arc<Literal>),

    // Element-wise, with broadcasting.
    /// The sum.
    Add,
    /// The difference.
    Sub,
    /// The product.
    Mul,
    /// The quotient.
    Div,
    /// The larger of two values.
    Max,
    /// The smaller of two values.
    Min,
    /// Whether two values are equal.
    Equal,
    /// Whether the first value is greater.
    Greater,
    /// `condition, if true, if false`.
    Where,

    // Element-wise, one input.
    /// The larger of a value and zero.
    Relu,
    /// The logistic function.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// The exponential function.
    Exp,
    /// The natural logarithm.
    Log,
    /// The square root.
    Sqrt,
    /// The negated value.
    Neg,
    /// The absolute value.
    Abs,
    /// The value itself.
    Identity,
    /// Converts to another element type.
    Cast {
        /// The element type of the result.
        to: Elem,
    },
    /// `x, scale`: integers times a scale for each slice along an axis.
    DequantizeLinear {
        /// The axis that the scale belongs to.
        axis: usize,
    },

    // Products.
    /// A matrix product over the last two axes.
    MatMul,
    /// A convolution: `x [N, F, H, W]`, `w [G, F, kh, kw]`, and optionally a bias `[G]`.
    Conv {
        /// The zeros around the map: top, left, bottom, right.
        pads: [usize; 4],
    },

    // Reductions; the reduced axes are dropped.
    /// The sum over axes.
    ReduceSum {
        /// The axes.
        axes: Vec<usize>,
    },
    /// The largest value over axes.
    ReduceMax {
        /// The axes.
        axes: Vec<usize>,
    },
    /// The running sum along an axis.
    CumSum {
        /// The axis.
        axis: usize,
    },

    // Rearrangements.
    /// Reorders axes.
    Transpose {
        /// For each axis of the result, the axis of the input.
        perm: Vec<usize>,
    },
    /// Reshapes to a shape with at most one axis that depends on the batch.
    Reshape {
        /// The shape of the result.
        to: Vec<Dim>,
    },
    /// Inserts axes of extent 1.
    Unsqueeze {
        /// Their positions in the result.
        axes: Vec<usize>,
    },
    /// Concatenates tensors along an axis.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// A range of positions along an axis.
    Slice {
        /// The axis.
        axis: usize,
        /// The first index.
        start: usize,
        /// The index after the last.
        end: usize,
    },
    /// Splits a tensor along an axis.
    Split {
        /// The axis.
        axis: usize,
        /// The extent of each part.
        sizes: Vec<usize>,
    },
    /// Selects slices by index: `data, indices`.
    Gather {
        /// The axis of `data` that the indices refer to.
        axis: usize,
    },
    /// Pads one axis with zeros.
    Pad {
        /// The axis.
        axis: usize,
        /// The number of zeros before.
        before: usize,
        /// The number of zeros after.
        after: usize,
    },
    /// Broadcasts to a shape: `x, shape`. `to` is the value of `shape`.
    Expand {
        /// The shape of the result.
        to: Vec<Dim>,
    },
    /// The extents of the axes `start..end`, as integers.
    Shape {
        /// The first axis.
        start: usize,
        /// The axis after the last.
        end: usize,
    },

    /// A loop with a body graph.
    Scan(Box<Scan>),
    /// An operator of the engine that runs in this process.
    Native(Box<Native>),
}

/// An operator of the engine that runs in this process, in the domain [`Native::DOMAIN`]. Exported
/// models never contain one.
#[derive(Clone, Debug, PartialEq)]
pub struct Native {
    /// Its name.
    pub name: &'static str,
    /// Its attributes: lists of integers.
    pub attributes: Vec<(&'static str, Vec<i64>)>,
    /// The types of its results.
    pub results: Vec<Type>,
}

impl Native {
    /// The domain of operators that are not of the ONNX standard.
    pub const DOMAIN: &'static str = "pixelrnn";
    /// The name of the operator that returns its first input, after all others are computed.
    pub const BARRIER: &'static str = "Barrier";

    /// Whether a graph contains such an operator, possibly in a nested graph.
    pub fn is_in(graph: &OnnxGraph) -> bool {
        graph.nodes().any(|(_, node)| {
            matches!(node.op, OnnxOp::Native(_)) || node.op.bodies().into_iter().any(Native::is_in)
        })
    }

    /// For each value of a graph, the largest number of barriers on a path to it.
    ///
    /// ONNX Runtime's plan gives a free buffer to a later value of the same shape, and keeps it until
    /// then. So the batch axis has another name after each barrier ([`encode`](crate::encode)): the
    /// blocks between two barriers share no buffers, and the memory of one is free for the next.
    pub fn barriers_before(graph: &OnnxGraph) -> Vec<usize> {
        let mut before = vec![0; graph.value_count()];
        for (_, node) in graph.nodes() {
            let most = node.inputs.iter().map(|v| before[v.index()]).max().unwrap_or(0);
            let own = matches!(&node.op, OnnxOp::Native(op) if op.name == Native::BARRIER);
            node.outputs.iter().for_each(|v| before[v.index()] = most + usize::from(own));
        }
        before
    }
}

/// A loop over axis 0 of its scanned inputs.
///
/// The inputs of the node are the initial states, the invariants, and the scanned tensors. The
/// inputs of the body, in the same order, are the states, the invariants, and one slice of each
/// scanned tensor. The outputs of the body are the new states, and one slice of each stacked
/// result. The outputs of the node are the last states and the stacked results.
///
/// An invariant that is constant, in this graph or an outer one, is encoded as a value that the
/// body captures, any other as a state that never changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// The body.
    pub body: OnnxGraph,
    /// The number of states.
    pub states: usize,
    /// The number of invariants.
    pub invariants: usize,
    /// Whether the loop runs from the last slice to the first. Results are stacked in the same
    /// order, so that slice t of a result belongs to slice t of the inputs.
    pub reverse: bool,
}

impl Scan {
    /// The number of scanned tensors.
    pub fn scanned(&self) -> usize {
        self.body.inputs().len().saturating_sub(self.states + self.invariants)
    }

    /// The number of stacked results.
    pub fn stacked(&self) -> usize {
        self.body.outputs().len().saturating_sub(self.states)
    }
}

impl OnnxOp {
    /// A constant with this value.
    pub fn constant(literal: Literal) -> OnnxOp {
        OnnxOp::Constant(Arc::new(literal))
    }

    /// The name of the operator in the ONNX standard, or in its own domain if it is [`Native`].
    pub fn op_type(&self) -> &'static str {
        match self {
            OnnxOp::Constant(_) => "Constant",
            OnnxOp::Add => "Add",
            OnnxOp::Sub => "Sub",
            OnnxOp::Mul => "Mul",
            OnnxOp::Div => "Div",
            OnnxOp::Max => "Max",
            OnnxOp::Min => "Min",
            OnnxOp::Equal => "Equal",
            OnnxOp::Greater => "Greater",
            OnnxOp::Where => "Where",
            OnnxOp::Relu => "Relu",
            OnnxOp::Sigmoid => "Sigmoid",
            OnnxOp::Tanh => "Tanh",
            OnnxOp::Exp => "Exp",
            OnnxOp::Log => "Log",
            OnnxOp::Sqrt => "Sqrt",
            OnnxOp::Neg => "Neg",
            OnnxOp::Abs => "Abs",
            OnnxOp::Identity => "Identity",
            OnnxOp::Cast { .. } => "Cast",
            OnnxOp::DequantizeLinear { .. } => "DequantizeLinear",
            OnnxOp::MatMul => "MatMul",
            OnnxOp::Conv { .. } => "Conv",
            OnnxOp::ReduceSum { .. } => "ReduceSum",
            OnnxOp::ReduceMax { .. } => "ReduceMax",
            OnnxOp::CumSum { .. } => "CumSum",
            OnnxOp::Transpose { .. } => "Transpose",
            OnnxOp::Reshape { .. } => "Reshape",
            OnnxOp::Unsqueeze { .. } => "Unsqueeze",
            OnnxOp::Concat { .. } => "Concat",
            OnnxOp::Slice { .. } => "Slice",
            OnnxOp::Split { .. } => "Split",
            OnnxOp::Gather { .. } => "Gather",
            OnnxOp::Pad { .. } => "Pad",
            OnnxOp::Expand { .. } => "Expand",
            OnnxOp::Shape { .. } => "Shape",
            OnnxOp::Scan(_) => "Scan",
            OnnxOp::Native(op) => op.name,
        }
    }
}

impl Operation for OnnxOp {
    type Distribution = pixelrnn_graph::NoDistribution;

    fn mnemonic(&self) -> &'static str {
        self.op_type()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        crate::infer::infer(self, inputs)
    }

    fn attributes(&self) -> Attributes {
        let dims = |to: &[Dim]| to.iter().map(Dim::to_string).collect::<Vec<_>>().join("x");
        let none = Attributes::none();
        match self {
            OnnxOp::Constant(l) => match &**l {
                Literal::Real(a) if a.len() <= 8 => none.array("value", a.clone()),
                other => none.word("value", other.ty().to_string()),
            },
            OnnxOp::Cast { to } => none.word("to", to.to_string()),
            OnnxOp::Conv { pads } => none.ints("pads", pads),
            OnnxOp::ReduceSum { axes }
            | OnnxOp::ReduceMax { axes }
            | OnnxOp::Unsqueeze { axes } => none.ints("axes", axes),
            OnnxOp::Transpose { perm } => none.ints("perm", perm),
            OnnxOp::Reshape { to } | OnnxOp::Expand { to } => none.word("to", dims(to)),
            OnnxOp::Concat { axis }
            | OnnxOp::Gather { axis }
            | OnnxOp::CumSum { axis }
            | OnnxOp::DequantizeLinear { axis } => none.int("axis", *axis),
            OnnxOp::Slice { axis, start, end } => {
                none.int("axis", *axis).int("start", *start).int("end", *end)
            }
            OnnxOp::Split { axis, sizes } => none.int("axis", *axis).ints("sizes", sizes),
            OnnxOp::Pad { axis, before, after } => {
                none.int("axis", *axis).int("before", *before).int("after", *after)
            }
            OnnxOp::Shape { start, end } => none.int("start", *start).int("end", *end),
            OnnxOp::Scan(s) => none
                .int("states", s.states)
                .int("invariants", s.invariants)
                .int("reverse", usize::from(s.reverse)),
            OnnxOp::Native(op) => op.attributes.iter().fold(none, |all, (name, values)| {
                let values: Vec<usize> = values.iter().map(|&v| v as usize).collect();
                all.ints(name, &values)
            }),
            _ => none,
        }
    }

    fn bodies(&self) -> Vec<&OnnxGraph> {
        match self {
            OnnxOp::Scan(s) => vec![&s.body],
            _ => Vec::new(),
        }
    }
}
