//! The operators, each with its abstract semantics.

mod arrange;
mod attention;
mod control;
mod conv;
mod einsum;
mod elementwise;
mod index;
mod linear;
mod lines;
mod norm;
mod opaque;
mod pool;
mod product;
mod quantize;
mod recurrent;
mod reduce;
mod resize;
mod scatter;
mod sequence;
mod shape;
mod slide;
mod softmax;
mod table;

pub(crate) use elementwise::map;
pub(crate) use product::Weights;
pub use table::{Exactness, OperatorRow, TABLE};

use pixelrnn_onnx::proto::NodeProto;

use crate::call::Operator;
use crate::error::Unsupported;
use crate::machine::{bodies, label};
use crate::valid::canonical;

/// The operator of a node, if it is supported.
pub(crate) fn find(node: &NodeProto) -> Option<Operator> {
    canonical(node.domain()).is_empty().then(|| table::find(node.op_type())).flatten()
}

/// Whether each element of the result depends on one element of each input only. Such nodes are of
/// less interest in a path.
pub(crate) fn passes(op_type: &str) -> bool {
    crate::unary::unary(op_type, &|_, x| f64::from(x)).is_some()
        || crate::binary::binary(op_type).is_some()
        || matches!(
            op_type,
            "Reshape"
                | "Transpose"
                | "Identity"
                | "BatchNormalization"
                | "Where"
                | "Cast"
                | "Unsqueeze"
                | "Squeeze"
                | "Flatten"
                | "Expand"
                | "Dropout"
                | "Clip"
                | "Mod"
        )
}

/// The operators of the nodes and their bodies that are not supported, each once, in order of
/// appearance.
pub(crate) fn unsupported<'m>(nodes: impl Iterator<Item = &'m NodeProto>) -> Vec<Unsupported> {
    let mut found: Vec<Unsupported> = Vec::new();
    collect(nodes, &mut found);
    found
}

fn collect<'m>(nodes: impl Iterator<Item = &'m NodeProto>, found: &mut Vec<Unsupported>) {
    for node in nodes {
        if find(node).is_none() {
            let op_type = match canonical(node.domain()) {
                "" => node.op_type().to_string(),
                domain => format!("{domain}.{}", node.op_type()),
            };
            match found.iter_mut().find(|u| u.op_type == op_type) {
                Some(known) => known.count += 1,
                None => {
                    let advice = advice(node).to_string();
                    found.push(Unsupported { node: label(node), op_type, count: 1, advice });
                }
            }
        }
        for body in bodies(node) {
            collect(body.node.iter(), found);
        }
    }
}

fn advice(node: &NodeProto) -> &'static str {
    match (canonical(node.domain()), node.op_type()) {
        ("com.microsoft" | "com.microsoft.nchwc", _) => {
            "made by ONNX Runtime's optimizer; check the model before it is optimized"
        }
        ("", "NonMaxSuppression" | "Unique") => {
            "the shape of its result depends on values; choose an output before it with `--output`"
        }
        (
            "",
            "ImageDecoder" | "StringConcat" | "StringNormalizer" | "StringSplit" | "RegexFullMatch"
            | "TfIdfVectorizer",
        ) => "strings are not modeled; choose an output that does not need them with `--output`",
        ("", "STFT") => "spectrograms are not modeled; choose an output before it with `--output`",
        ("", _) => "not an operator of the known operator sets; check the spelling and the version",
        _ => "not a standard operator; give it as a model-local function, or export without it",
    }
}
