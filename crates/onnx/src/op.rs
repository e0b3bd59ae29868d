//! The ONNX operators that lowering may emit.

use std::sync::Arc;

use pixelrnn_graph::{Attributes, Dim, Elem, Graph, Operation, Type, TypeError};

use crate::literal::Literal;

/// A graph of ONNX operators.
pub type OnnxGraph = Graph<OnnxOp>;

/// One operator with its typed attributes. Names and meanings are those of the ONNX standard;
/// where the standard takes axes, shapes or pads as an input, they are an attribute here.
#[derive(Clone, Debug, PartialEq)]
pub enum OnnxOp {
    /// A constant; encoded as an initializer named like the node. Shared, since every pass copies
    /// the graph and weights may be large.
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
    /// Converts the kind of the elements.
    Cast {
        /// The kind of the result.
        to: Elem,
    },
    /// `x, scale`: whole numbers times a scale for each slice along an axis.
    DequantizeLinear {
        /// The axis that the scale belongs to.
        axis: usize,
    },

    // Products.
    /// The product of matrices, over the last two axes.
    MatMul,
    /// `x [N, F, H, W]`, `w [G, F, kh, kw]`, and a bias `[G]` if given. `pads` is top, left,
    /// bottom, right.
    Conv {
        /// Rows and columns of zeros around the map.
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
    /// To a shape with at most one axis that holds the batch.
    Reshape {
        /// The shape of the result.
        to: Vec<Dim>,
    },
    /// Inserts axes of extent 1.
    Unsqueeze {
        /// Their positions in the result.
        axes: Vec<usize>,
    },
    /// Joins tensors along an axis.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// A range of an axis.
    Slice {
        /// The axis.
        axis: usize,
        /// The first index.
        start: usize,
        /// The index after the last.
        end: usize,
    },
    /// Cuts a tensor along an axis.
    Split {
        /// The axis.
        axis: usize,
        /// The extent of each part.
        sizes: Vec<usize>,
    },
    /// `data, indices`.
    Gather {
        /// The axis that the indices select from.
        axis: usize,
    },
    /// Zeros before and after one axis.
    Pad {
        /// The axis.
        axis: usize,
        /// The number of zeros before.
        before: usize,
        /// The number of zeros after.
        after: usize,
    },
    /// `x, shape`; `to` is what `shape` will hold.
    Expand {
        /// The shape of the result.
        to: Vec<Dim>,
    },
    /// The extents of axes `start..end`, as whole numbers.
    Shape {
        /// The first axis.
        start: usize,
        /// The axis after the last.
        end: usize,
    },

    /// A loop with a body graph.
    Scan(Box<Scan>),
    /// An operator of the engine of this process.
    Native(Box<Native>),
}

/// An operator of the engine of this process, in the domain [`Native::DOMAIN`]. No exported model has one.
#[derive(Clone, Debug, PartialEq)]
pub struct Native {
    /// Its name.
    pub name: &'static str,
    /// Its attributes, whole numbers.
    pub attributes: Vec<(&'static str, Vec<i64>)>,
    /// The types of its results.
    pub results: Vec<Type>,
}

impl Native {
    /// The domain of operators that are not of the ONNX standard.
    pub const DOMAIN: &'static str = "pixelrnn";

    /// Whether a graph, or a graph in it, has such an operator.
    pub fn is_in(graph: &OnnxGraph) -> bool {
        graph.nodes().any(|(_, node)| {
            matches!(node.op, OnnxOp::Native(_)) || node.op.bodies().into_iter().any(Native::is_in)
        })
    }
}

/// A loop over axis 0 of its scanned inputs.
///
/// Inputs of the node: initial states, invariants, scanned tensors. Inputs of the body, in the same
/// order: states, invariants, one slice of each scanned tensor. Outputs of the body: new states,
/// then one slice of each stacked result. Outputs of the node: last states, stacked results.
/// An invariant that is constant, here or in a graph around this one, is encoded as a capture, any
/// other as a state that never changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// The body.
    pub body: OnnxGraph,
    /// The number of states.
    pub states: usize,
    /// The number of invariants.
    pub invariants: usize,
    /// Run from the last slice to the first (and stack results in that order, too, so that slice
    /// t of a result belongs to slice t of the inputs).
    pub reverse: bool,
}

impl Scan {
    /// How many tensors are scanned.
    pub fn scanned(&self) -> usize {
        self.body.inputs().len().saturating_sub(self.states + self.invariants)
    }

    /// How many results are stacked.
    pub fn stacked(&self) -> usize {
        self.body.outputs().len().saturating_sub(self.states)
    }
}

impl OnnxOp {
    /// A constant.
    pub fn constant(literal: Literal) -> OnnxOp {
        OnnxOp::Constant(Arc::new(literal))
    }

    /// The name in the ONNX standard; that of a [`Native`] operator in its domain.
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
