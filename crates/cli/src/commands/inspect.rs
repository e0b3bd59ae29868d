//! `pixelrnn inspect`: prints the graph of a model after any pass, and its costs.

use std::borrow::Cow;

use pixelrnn::internal::graph::{Operation, Type};
use pixelrnn::internal::passes::Job;
use pixelrnn::internal::passes::pipeline::passes;
use pixelrnn::internal::syntax::closest;
use pixelrnn::{Declaration, ExportOptions, GraphKind, Weights};
use serde_json::json;

use super::export::Control;
use crate::arguments::Global;
use crate::cost::{Cost, cost};
use crate::exit::{ExitCode, Failure, usage};
use crate::memory::{Memory, step_memory};
use crate::model::{ModelArguments, image_json, image_text, settings_json};
use crate::out::Out;
use crate::parse;
use crate::table::{Align, Table, bytes, grouped};

/// Print the graph of a model and its costs
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --stage and --dump-after: prints the declared graph, then the layers with their costs per
image. Multiply-adds are those of matrix products and convolutions in the exported graph. --stage
expanded has recurrences as loops, lowered is the ONNX graph.

Example:
  pixelrnn inspect digits-row-lstm --dump-after expand")]
pub struct Inspect {
    #[command(flatten)]
    model: ModelArguments,
    /// Print only the graph as `declared`, `expanded` or `lowered`
    #[arg(long, value_name = "STAGE", conflicts_with = "dump_after", hide_possible_values = true)]
    stage: Option<Stage>,
    /// Print only the graph after this pass (`list` prints all names)
    #[arg(long, value_name = "PASS")]
    dump_after: Option<String>,
    /// Graph to print: a kind of `pixelrnn export --help`
    #[arg(long, value_name = "KIND", default_value = "forward", value_parser = parse::kind(),
          hide_possible_values = true)]
    graph: GraphKind,
    /// How to write recurrences: `scan` (a loop) or `unroll`
    #[arg(long, value_name = "HOW", default_value = "scan", hide_possible_values = true)]
    control_flow: Control,
    /// Keep the weights as inputs
    #[arg(long)]
    weights_as_inputs: bool,
    /// Recompute activations in the backward pass instead of storing them, for `grad` and `train`
    #[arg(long)]
    remat: bool,
    /// Also predict the memory of a training step on ONNX Runtime with this number of images, in one
    /// shard; for `--graph train`
    #[arg(long, value_name = "N", value_parser = parse::some)]
    batch: Option<u16>,
    /// Skip the simplification passes
    #[arg(long)]
    no_simplify: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Stage {
    /// As declared
    Declared,
    /// With recurrences as loops
    Expanded,
    /// As exported to ONNX
    Lowered,
}

impl Inspect {
    /// Runs the command.
    pub fn run(&self, global: &Global, out: &Out) -> Result<ExitCode, Failure> {
        if self.batch.is_some() && self.graph != GraphKind::Train {
            return usage(format!(
                "`--batch` predicts the memory of a training step, and applies to `--graph train`, not to \
                 `{}`",
                self.graph
            ));
        }
        if self.remat && !matches!(self.graph, GraphKind::Grad | GraphKind::Train) {
            return usage(format!(
                "`--remat` changes the backward pass, and applies to `--graph grad` and `--graph train`, not \
                 to `{}`",
                self.graph
            ));
        }
        if self.dump_after.as_deref() == Some("list") {
            let names: Vec<_> =
                passes().map(|p| json!({ "pass": p.name, "about": p.about })).collect();
            out.answer(&list(), &json!({ "passes": names }))?;
            return Ok(ExitCode::Good);
        }
        // Before the model is loaded: an error for an invalid name lists the passes.
        if let Some(pass) = &self.dump_after {
            self.known(pass)?;
        }
        let model = self.model.load()?;
        let (title, ir) = match (&self.dump_after, self.stage) {
            (Some(pass), _) => (pass.as_str(), self.dump(&model, Some(pass))?),
            (None, Some(Stage::Expanded)) => ("expanded", self.dump(&model, Some("expand"))?),
            (None, Some(Stage::Lowered)) => ("lowered", self.dump(&model, None)?),
            (None, Some(Stage::Declared) | None) => {
                ("declared", model.graph_of(self.graph)?.to_string())
            }
        };
        // Costs do not depend on the values of the weights.
        let graph = model.compile(self.graph, &self.options(None), &mut |_, _| {})?;
        let cost = cost(&graph);
        let step = match self.batch {
            None => None,
            Some(n) => {
                // The graph that `train` runs, which contains operators of the engine.
                let options = ExportOptions { native: !global.plain, ..self.options(None) };
                let trained = model.compile(self.graph, &options, &mut |_, _| {})?;
                Some((n, step_memory(&trained, usize::from(n))))
            }
        };
        let layers = layers(&model, &cost);
        let text = match (&self.dump_after, self.stage) {
            (None, None) => {
                let step = step.map(|(n, memory)| step_text(n, memory)).unwrap_or_default();
                format!("{ir}\n{}{step}", sizes(&model, &cost, &layers))
            }
            _ => ir.clone(),
        };
        let rows: Vec<_> = layers
            .iter()
            .map(|l| {
                json!({
                    "path": l.path, "operator": l.operator, "shape": l.shape,
                    "parameters": l.parameters, "multiply_adds": l.multiply_adds,
                })
            })
            .collect();
        let object = json!({
            "model": model.name(),
            "settings": settings_json(&model),
            "image": image_json(&model),
            "graph": self.graph.name(),
            "parameters": model.parameters(),
            "weight_bytes": 4 * model.parameters(),
            "multiply_adds": cost.multiply_adds,
            "peak_bytes": cost.peak_bytes,
            "step_memory": step.map(|(batch, memory)| json!({
                "batch": batch, "bytes": memory.total(), "values": memory.values,
                "state": memory.state, "base": memory.base,
            })),
            "nodes": graph.total_nodes(),
            "layers": rows,
            "stage": title,
            "ir": ir,
        });
        out.answer(&text, &object)?;
        Ok(ExitCode::Good)
    }

    fn options<'a>(&self, weights: Option<&'a Weights>) -> ExportOptions<'a> {
        ExportOptions {
            control_flow: self.control_flow.into(),
            remat: self.remat,
            simplify: !self.no_simplify,
            weights,
            ..ExportOptions::default()
        }
    }

    /// The text of the graph after a pass, or after the last one.
    fn dump(&self, model: &Declaration, pass: Option<&str>) -> Result<String, Failure> {
        let fresh = model.initialize(0);
        let options = self.options((!self.weights_as_inputs).then_some(&fresh));
        let mut text = String::new();
        let graph = model.compile(self.graph, &options, &mut |name, graph| {
            // A pass may run several times, since each scale of a model is compiled separately.
            if pass == Some(name) {
                text.push_str(&graph.to_string());
            }
        })?;
        Ok(if pass.is_none() { graph.to_string() } else { text })
    }

    /// Checks that the pass exists and runs with these options.
    fn known(&self, name: &str) -> Result<(), Failure> {
        let mut job = Job::new(&[], self.graph);
        job.control_flow = self.control_flow.into();
        job.remat = self.remat;
        job.simplify = !self.no_simplify;
        job.weights = (!self.weights_as_inputs).then(|| Cow::Owned(Weights::new()));
        let mut found = passes().filter(|p| p.name == name).peekable();
        if found.peek().is_none() {
            let near = match closest(name, passes().map(|p| p.name)) {
                Some(near) => format!("; did you mean `{near}`?"),
                None => ".".to_string(),
            };
            return usage(format!(
                "unknown pass `{name}`{near} The passes are, in order:\n{}",
                list()
            ));
        }
        if found.any(|pass| (pass.when)(&job)) {
            return Ok(());
        }
        usage(format!("pass `{name}` does not run for `--graph {}` with these options", self.graph))
    }
}

/// The passes in order, a line each.
fn list() -> String {
    let width = passes().map(|p| p.name.len()).max().unwrap_or(0);
    let mut lines: Vec<String> =
        passes().map(|p| format!("  {:<width$} {}", p.name, p.about)).collect();
    lines.dedup();
    lines.join("\n")
}

/// A layer of the declaration.
struct Layer {
    path: String,
    operator: &'static str,
    shape: String,
    parameters: usize,
    multiply_adds: u64,
}

fn layers(model: &Declaration, cost: &Cost) -> Vec<Layer> {
    let mut layers: Vec<Layer> = Vec::new();
    for scale in model.scales() {
        let graph = &scale.graph;
        for (id, node) in graph.nodes() {
            let Some(path) = graph.layer_of(id) else { continue };
            let shape = node.outputs.first().map_or(String::new(), |&v| shape(graph.ty(v)));
            match layers.last_mut().filter(|l| l.path == path) {
                // The result of a layer is that of its last node.
                Some(last) => (last.operator, last.shape) = (node.op.mnemonic(), shape),
                None => layers.push(Layer {
                    path: path.to_string(),
                    operator: node.op.mnemonic(),
                    shape,
                    parameters: 0,
                    multiply_adds: cost.by_layer.get(path).copied().unwrap_or(0),
                }),
            }
        }
        for (input, _) in graph.parameters() {
            let path = input.layer.map_or("", |layer| graph.layer_path(layer));
            if let Some(layer) = layers.iter_mut().find(|layer| layer.path == path) {
                layer.parameters += graph.ty(input.value).size();
            }
        }
    }
    // A pass may merge several layers of the same kind into one.
    let known: Vec<String> = layers.iter().map(|l| l.path.clone()).collect();
    let joint = cost.by_layer.iter().filter(|(path, _)| !known.contains(path));
    layers.extend(joint.map(|(path, &multiply_adds)| Layer {
        path: path.clone(),
        operator: "together",
        shape: String::new(),
        parameters: 0,
        multiply_adds,
    }));
    layers
}

fn step_text(batch: u16, memory: Memory) -> String {
    let text = |n: u64| bytes(usize::try_from(n).unwrap_or(usize::MAX));
    format!(
        "{} memory of a training step with {batch} images on ONNX Runtime: {} values, {} parameters and \
         states with their copies, {} program and engine\n",
        text(memory.total()),
        text(memory.values),
        text(memory.state),
        text(memory.base),
    )
}

fn shape(ty: &Type) -> String {
    let extents: Vec<String> = ty.shape.iter().map(ToString::to_string).collect();
    extents.join(" x ")
}

fn sizes(model: &Declaration, cost: &Cost, layers: &[Layer]) -> String {
    let mut table = Table::new([
        ("layer", Align::Left),
        ("operator", Align::Left),
        ("shape", Align::Left),
        ("parameters", Align::Right),
        ("multiply-adds", Align::Right),
    ]);
    for l in layers {
        table.row([
            l.path.clone(),
            l.operator.to_string(),
            l.shape.clone(),
            grouped(l.parameters),
            grouped(l.multiply_adds as usize),
        ]);
    }
    format!(
        "{table}\n{} on images of {}\n\
         {} parameters, {} as f32\n\
         {} multiply-adds per image\n\
         {} peak memory of values per image, if each value is freed after its last use\n",
        model.name(),
        image_text(model),
        grouped(model.parameters()),
        bytes(4 * model.parameters()),
        grouped(cost.multiply_adds as usize),
        bytes(cost.peak_bytes as usize),
    )
}
