//! The operators, each with its abstract semantics.

mod arrange;
mod control;
mod conv;
mod einsum;
mod elementwise;
mod index;
mod numbers;
mod pool;
mod product;
mod reduce;
mod scatter;
mod shape;
mod slide;

pub(super) use product::Weights;

use super::call::Operator;
use super::error::Unsupported;
use super::machine::{bodies, label};
use pixelrnn_onnx::proto::NodeProto;

/// The operator of a node, if it is known.
pub(super) fn find(node: &NodeProto) -> Option<Operator> {
    match node.domain() {
        "" | "ai.onnx" => by_name(node.op_type()),
        _ => None,
    }
}

/// Whether an operator gives each element on from one place of each input: what passes through it
/// is of less interest in a path.
pub(super) fn passes(op_type: &str) -> bool {
    let found = by_name(op_type);
    let same = |a: Operator| found.is_some_and(|b| std::ptr::fn_addr_eq(a, b));
    numbers::unary(op_type).is_some()
        || numbers::binary(op_type).is_some()
        || same(shape::reshape)
        || same(arrange::transpose)
        || same(elementwise::identity)
        || same(elementwise::batch_normalization)
        || same(elementwise::choose)
        || matches!(op_type, "Unsqueeze" | "Squeeze" | "Flatten" | "Expand" | "Dropout")
}

/// Operators among the nodes, and in their bodies, that are not known: each once, in order.
pub(super) fn unsupported<'m>(nodes: impl Iterator<Item = &'m NodeProto>) -> Vec<Unsupported> {
    let mut found: Vec<Unsupported> = Vec::new();
    collect(nodes, &mut found);
    found
}

fn collect<'m>(nodes: impl Iterator<Item = &'m NodeProto>, found: &mut Vec<Unsupported>) {
    for node in nodes {
        if find(node).is_none() {
            let op_type = match node.domain() {
                "" => node.op_type().to_string(),
                domain => format!("{domain}.{}", node.op_type()),
            };
            match found.iter_mut().find(|u| u.op_type == op_type) {
                Some(known) => known.count += 1,
                None => found.push(Unsupported { node: label(node), op_type, count: 1 }),
            }
        }
        for body in bodies(node) {
            collect(body.node.iter(), found);
        }
    }
}

fn by_name(op_type: &str) -> Option<Operator> {
    if numbers::unary(op_type).is_some() {
        return Some(elementwise::unary);
    }
    if numbers::binary(op_type).is_some() {
        return Some(elementwise::variadic);
    }
    Some(match op_type {
        "Identity" => elementwise::identity,
        "Dropout" => elementwise::dropout,
        "Cast" | "CastLike" => elementwise::cast,
        "Clip" => elementwise::clip,
        "Where" => elementwise::choose,
        "Mean" => elementwise::mean,
        "BatchNormalization" => elementwise::batch_normalization,

        "Constant" => shape::constant,
        "ConstantOfShape" => shape::constant_of_shape,
        "Shape" => shape::shape,
        "Size" => shape::size,
        "Range" => shape::range,
        "EyeLike" => shape::eye_like,
        "RandomNormalLike" | "RandomUniformLike" => shape::random_like,
        "Reshape" => shape::reshape,
        "Flatten" => shape::flatten,
        "Squeeze" => shape::squeeze,
        "Unsqueeze" => shape::unsqueeze,
        "Expand" => shape::expand,

        "Transpose" => arrange::transpose,
        "Concat" => arrange::concat,
        "Split" => arrange::split,
        "Slice" => arrange::slice,
        "Pad" => arrange::pad,
        "Tile" => arrange::tile,
        "Trilu" => arrange::trilu,
        "DepthToSpace" => arrange::depth_to_space,
        "SpaceToDepth" => arrange::space_to_depth,

        "Gather" => index::gather,
        "GatherElements" => index::gather_elements,
        "GatherND" => index::gather_nd,
        "OneHot" => index::one_hot,
        "NonZero" => index::non_zero,
        "ScatterElements" | "Scatter" => scatter::scatter_elements,
        "ScatterND" => scatter::scatter_nd,

        "MatMul" => product::matmul,
        "Gemm" => product::gemm,
        "Einsum" => einsum::einsum,
        "Conv" => conv::conv,
        "ConvTranspose" => conv::conv_transpose,

        "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceProd" | "ReduceL1"
        | "ReduceL2" | "ReduceLogSum" | "ReduceLogSumExp" | "ReduceSumSquare" => reduce::reduce,
        "ArgMax" | "ArgMin" => reduce::arg,
        "TopK" => reduce::top_k,
        "Softmax" | "LogSoftmax" | "Hardmax" => reduce::softmax,
        "CumSum" => reduce::cum_sum,
        "LayerNormalization" | "RMSNormalization" => reduce::layer_normalization,
        "GroupNormalization" => reduce::group_normalization,
        "InstanceNormalization" => reduce::instance_normalization,
        "LpNormalization" => reduce::lp_normalization,
        "MeanVarianceNormalization" => reduce::mean_variance_normalization,
        "MaxPool" | "AveragePool" | "LpPool" => pool::pool,
        "GlobalMaxPool" | "GlobalAveragePool" | "GlobalLpPool" => pool::global,

        "If" => control::branch,
        "Loop" => control::repeat,
        "Scan" => control::scan,
        _ => return None,
    })
}
