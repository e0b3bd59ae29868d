//! The graphs of a page: `step`, with the temperature as an input, and `row`.

use std::sync::Arc;

use pixelrnn::internal::graph::{BuildError, Dim, Role, Type};
use pixelrnn::internal::onnx::{Literal, OnnxGraph, OnnxOp};
use pixelrnn::internal::passes::rewrite::Rewrite;
use pixelrnn::{Declaration, ExportOptions, GraphKind, SampleOptions, Weights};
use serde_json::{Value, json};

use crate::exit::{Failure, usage};

/// What logits are multiplied by: an input of shape `[1]`.
pub const FACTOR: &str = "inverse_temperature";

/// A graph as a page needs it.
pub struct PageGraph {
    /// The ONNX file.
    pub bytes: Vec<u8>,
    /// Names of inputs and outputs, with their element types and shapes.
    pub ports: Value,
}

/// The graph that draws a pixel. With the temperature 1, its numbers are those of `export --graph step`.
///
/// # Errors
/// A model that cannot be sampled pixel by pixel, or weights that do not fit.
pub fn step(model: &Declaration, weights: &Weights) -> Result<PageGraph, Failure> {
    // Any temperature but 1 makes the compiler multiply the logits by a constant; by one that nothing
    // else in the graph is likely to share.
    let tempered = options(weights, 3.0);
    let graph = model.compile(GraphKind::Step, &tempered, &mut |_, _| {})?;
    let factor = (1.0 / 3.0_f64) as f32;
    let Some(graph) = with_factor(&graph, factor).map_err(|e| Failure::Usage(e.to_string()))?
    else {
        return usage("the compiled step graph does not scale its logits: a fault of this program");
    };
    encode(model, GraphKind::Step, &options(weights, 1.0), &graph)
}

/// The graph between two rows.
///
/// # Errors
/// As [`step`].
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

/// A tensor, the open batch as null.
fn port(name: &str, ty: &Type) -> Value {
    let shape: Vec<Option<usize>> = ty.shape.iter().map(|dim| dim.fixed()).collect();
    json!({ "name": name, "shape": shape })
}

/// The same graph with an input in place of the constant that logits are multiplied by; `None` if
/// there is no such constant.
fn with_factor(graph: &OnnxGraph, factor: f32) -> Result<Option<OnnxGraph>, BuildError> {
    let constant = OnnxOp::Constant(Arc::new(Literal::scalar(factor)));
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    let one = Type::real([Dim::Fixed(1)]);
    let input = rewrite.new.input(FACTOR, one, Role::Local);
    let mut found = false;
    for (id, node) in graph.nodes() {
        let tempers = node.op == OnnxOp::Mul
            && node.name.starts_with("draw/")
            && node.name.ends_with("/tempered")
            && graph.maker(node.inputs[1]).is_some_and(|maker| maker.op == constant);
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

/// The same graph without the constants that nothing reads any more.
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
