//! Model repositories for NVIDIA Triton and KServe: the models `sampler` and `nll`, each with its
//! `config.pbtxt` and version 1.
//!
//! The batch is an ordinary axis (`max_batch_size: 0`), so that the configuration matches the model exactly.
//! A dynamic batch size is -1. By default, both models use the layout `[N, C, H, W]`, so that `nll` accepts
//! the output of `sampler`.

use std::fmt::Write as _;
use std::path::PathBuf;

use pixelrnn_graph::{Elem, Type};
use pixelrnn_onnx::OnnxGraph;
use pixelrnn_passes::{GraphKind, ImageLayout};

use crate::{Declaration, Error, ExportOptions};

/// The models of a repository: name and graph kind.
pub const MODELS: [(&str, GraphKind); 2] =
    [("sampler", GraphKind::Sample), ("nll", GraphKind::Nll)];

/// The files of a repository: relative path and contents.
///
/// # Errors
/// As [`Declaration::export`].
pub fn repository(
    model: &Declaration,
    options: &ExportOptions,
) -> Result<Vec<(PathBuf, Vec<u8>)>, Error> {
    let mut options = options.clone();
    options.images.layout.get_or_insert(ImageLayout::Nchw);
    let mut files = Vec::new();
    for (name, kind) in MODELS {
        let graph = model.compile(kind, &options, &mut |_, _| {})?;
        let folder = PathBuf::from(name);
        files.push((folder.join("config.pbtxt"), config(name, &graph).into_bytes()));
        files.push((folder.join("1").join("model.onnx"), model.encode(kind, &options, &graph)?));
    }
    Ok(files)
}

/// The configuration of a model.
fn config(name: &str, graph: &OnnxGraph) -> String {
    let mut text = format!(
        "# {}\nname: \"{name}\"\nbackend: \"onnxruntime\"\n\
         # The batch is the first of the dims.\nmax_batch_size: 0\n",
        graph.name
    );
    let mut list = |what: &str, tensors: &[(&str, &Type)]| {
        for (name, ty) in tensors {
            let dims: Vec<String> =
                ty.shape.iter().map(|d| d.fixed().map_or("-1".into(), |n| n.to_string())).collect();
            let (data_type, dims) = (data_type(ty.elem), dims.join(", "));
            let _ = write!(
                text,
                "{what} [\n  {{\n    name: \"{name}\"\n    data_type: {data_type}\n    \
                 dims: [ {dims} ]\n  }}\n]\n"
            );
        }
    };
    let inputs = graph.inputs().iter().map(|i| (i.name.as_str(), graph.ty(i.value)));
    list("input", &inputs.collect::<Vec<_>>());
    let outputs = graph.outputs().iter().map(|o| (o.name.as_str(), graph.ty(o.value)));
    list("output", &outputs.collect::<Vec<_>>());
    text
}

fn data_type(elem: Elem) -> &'static str {
    match elem {
        Elem::Real => "TYPE_FP32",
        Elem::Int => "TYPE_INT64",
        Elem::Bool => "TYPE_BOOL",
        Elem::F16 => "TYPE_FP16",
        Elem::Bf16 => "TYPE_BF16",
        Elem::Int8 => "TYPE_INT8",
        Elem::Byte => "TYPE_UINT8",
    }
}
