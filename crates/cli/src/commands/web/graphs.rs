//! The graphs that a page uses: `step`, with the temperature as an input, and `row`.

use pixelrnn::internal::graph::{BuildError, Dim, Role, Type};
use pixelrnn::internal::onnx::{Literal, OnnxGraph, OnnxOp};
use pixelrnn::internal::passes::rewrite::Rewrite;
use pixelrnn::{Declaration, ExportOptions, GraphKind, SampleOptions, Weights};
use serde_json::{Value, json};

use crate::exit::{Failure, usage};

/// The name of the input by which logits are multiplied; its shape is `[1]`.
pub const FACTOR: &str = "inverse_temperature";

/// A graph in the form that a page needs.
pub struct PageGraph {
    /// The ONNX file.
    pub bytes: Vec<u8>,
    /// The names, element types and shapes of the inputs and outputs.
    pub ports: Value,
}

/// The graph that samples one pixel. At temperature 1, it computes the same as `export --graph
/// step`.
///
/// # Errors
/// If the model cannot be sampled pixel by pixel, or the weights do not fit the model.
pub fn step(model: &Declaration, weights: &Weights) -> Result<PageGraph, Failure> {
    // For any temperature except 1, the compiler multiplies the logits by a constant. The constant
    // 1/3 probably occurs nowhere else in the graph.
    let tempered = options(weights, 3.0);
    let graph = model.compile(GraphKind::Step, &tempered, &mut |_, _| {})?;
    let factor = (1.0 / 3.0_f64) as f32;
    let Some(graph) = with_factor(&graph, factor).map_err(|e| Failure::Usage(e.to_string()))?
    else {
        return usage("the compiled step graph does not scale its logits: a fault of this program");
    };
    encode(model, GraphKind::Step, &options(weights, 1.0), &graph)
}

/// The graph that runs between two rows.
///
/// # Errors
/// Those of [`step`].
pub fn row(model: &Declaration, weights: &Weights) -> Result<PageGraph, Failure> {
    let options = options(weights, 1.0);
    let graph = model.compile(GraphKind::Row, &options, &mut |_, _| {})?;
    encode(model, GraphKind::Row, &options, &graph)
}

fn options(weights: &Weights, temperature: f64) -> ExportOptions<'_> {
    let sample = SampleOptions { temperature, complete: true };
    ExportOptions { sample, ..ExportOptions::with_weights(weights) }
}

fn encode(
    model: &Declaration,
    kind: GraphKind,
    options: &ExportOptions,
    graph: &OnnxGraph,
) -> Result<PageGraph, Failure> {
    let bytes = model.encode(kind, options, graph)?;
    let inputs = graph.inputs().iter().map(|i| port(&i.name, graph.ty(i.value)));
    let outputs = graph.outputs().iter().map(|o| port(&o.name, graph.ty(o.value)));
    let ports =
        json!({ "inputs": inputs.collect::<Vec<_>>(), "outputs": outputs.collect::<Vec<_>>() });
    Ok(PageGraph { bytes, ports })
}

/// The description of an input or output. A dynamic batch is null.
fn port(name: &str, ty: &Type) -> Value {
    let shape: Vec<Option<usize>> = ty.shape.iter().map(|dim| dim.fixed()).collect();
    json!({ "name": name, "shape": shape })
}

/// Replaces the constant by which the logits are multiplied by an input. Returns `None` if there is
/// no such constant.
fn with_factor(graph: &OnnxGraph, factor: f32) -> Result<Option<OnnxGraph>, BuildError> {
    let is_factor = |op: &OnnxOp| match op {
        OnnxOp::Constant(literal) => {
            matches!(&**literal, Literal::Real(x) if x.len() == 1 && x.iter().all(|&x| x == factor))
        }
        _ => false,
    };
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    let one = Type::real([Dim::Fixed(1)]);
    let input = rewrite.new.input(FACTOR, one, Role::Local);
    let mut found = false;
    for (id, node) in graph.nodes() {
        let tempers = node.op == OnnxOp::Mul
            && node.name.starts_with("draw/")
            && node.name.ends_with("/tempered")
            && graph.maker(node.inputs[1]).is_some_and(|maker| is_factor(&maker.op));
        if !tempers {
            rewrite.node(id)?;
            continue;
        }
        found = true;
        let logits = rewrite.value(node.inputs[0])?;
        let made = rewrite.new.push(OnnxOp::Mul, &[logits, input], &node.name, graph.site(id))?;
        rewrite.set(node.outputs[0], made[0]);
    }
    let graph = rewrite.finish()?;
    Ok(if found { Some(without_dead_nodes(&graph)?) } else { None })
}

/// Removes constants that no node reads.
fn without_dead_nodes(graph: &OnnxGraph) -> Result<OnnxGraph, BuildError> {
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    for ((id, _), live) in graph.nodes().zip(graph.live_nodes()) {
        if live {
            rewrite.node(id)?;
        }
    }
    rewrite.finish()
}
