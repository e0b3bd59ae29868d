//! `pixelrnn export`: writes a model as plain ONNX.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Instant;

use pixelrnn::internal::onnx::{MODEL_LIMIT, OnnxGraph, constant_bytes};
use pixelrnn::{
    Batch, ControlFlow, Declaration, ExportOptions, ExternalData, GraphKind, Optimizer,
    SampleOptions, Written, files, weights,
};
use serde_json::json;

use crate::arguments::{Global, MODEL};
use crate::deploy::{Deploy, check_folder, write_repository};
use crate::exit::{ExitCode, Failure, usage};
use crate::model::{LoadedWeights, ModelArguments, WeightArguments};
use crate::out::Out;
use crate::outputs;
use crate::parse;
use crate::table;

/// The heading, in the help text, of options on the form of the file.
const ONNX: &str = "Form of the file";

/// Export a model as ONNX, with standard operators only
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Graphs:
  forward  images to logits
  nll      images to nats per image
  grad     a batch and weights to the loss and gradients
  train    one training step: a batch, weights and optimizer state to new ones
  update   the optimizer's part of a training step, from given gradients
  sample   random numbers to images
  step     the sampling loop in two parts: the work for one pixel,
  row      and the work between two rows

`--dtype f16` computes in f16, the loss in f32; bf16 and int8 are storage types of the weights, and
computation stays in f32. `--control-flow unroll` is for tools without loops. The repository of
`--triton` has the models `sampler` and `nll`, with images as `nchw` by default.

Example:
  pixelrnn export mnist-diagonal --graph nll --batch 16 -o nll.onnx")]
pub struct Export {
    #[command(flatten)]
    model: ModelArguments,
    /// File to write; `-` for standard output
    #[arg(short, long, value_name = "F.onnx", required_unless_present = "triton")]
    output: Option<PathBuf>,
    /// Graph to export, see below
    #[arg(long, value_name = "KIND", default_value = "forward", value_parser = parse::kind(),
          hide_possible_values = true)]
    graph: GraphKind,
    /// Batch size: a number, or `dynamic`
    #[arg(long, value_name = "N|dynamic", default_value = "dynamic", value_parser = parse::batch)]
    batch: Batch,
    /// Recompute activations in the backward pass, for `grad` and `train`: less memory, more time
    #[arg(long)]
    remat: bool,
    /// Temperature, for `sample` and `step` [default: 1]
    #[arg(long, value_name = "T", value_parser = parse::positive)]
    temperature: Option<f64>,
    /// Add the inputs `given` and `mask` for completion, for `sample` and `step`
    #[arg(long)]
    complete: bool,
    #[arg(long, value_name = "RULE", value_parser = parse::optimizer(), hide_possible_values = true,
          help = parse::rules_for(" of `train` and `update`"))]
    optimizer: Option<Optimizer>,
    #[command(flatten)]
    weights: WeightArguments,
    /// Make the weights inputs of the graph
    #[arg(long, help_heading = MODEL)]
    weights_as_inputs: bool,
    /// Also save the weights to a file
    #[arg(long, value_name = "F", help_heading = MODEL)]
    write_weights: Option<PathBuf>,
    /// ONNX opset version, 17 to 22
    #[arg(long, value_name = "N", default_value_t = 18,
          value_parser = parse::whole::<u32>(17..=22), help_heading = ONNX)]
    opset: u32,
    /// How to write recurrences: `scan` (a loop) or `unroll`
    #[arg(long, value_name = "HOW", default_value = "scan", hide_possible_values = true,
          help_heading = ONNX)]
    control_flow: Control,
    /// Skip the simplification passes
    #[arg(long, help_heading = ONNX)]
    no_simplify: bool,
    /// Write the weights to a second file, F.onnx.data; always done over 2 GiB
    #[arg(long, help_heading = ONNX)]
    external_data: bool,
    #[command(flatten)]
    deploy: Deploy,
}

/// The values of `--control-flow`, see [`ControlFlow`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Control {
    Scan,
    Unroll,
}

impl From<Control> for ControlFlow {
    fn from(control: Control) -> ControlFlow {
        match control {
            Control::Scan => ControlFlow::Scan,
            Control::Unroll => ControlFlow::Unroll,
        }
    }
}

impl Export {
    /// Runs the command.
    pub fn run(&self, _: &Global, out: &Out) -> Result<ExitCode, Failure> {
        let target = self.output.clone().unwrap_or_default();
        let piped = target == Path::new("-");
        self.sensible(piped, out)?;
        let start = Instant::now();
        let model = self.model.load()?;
        model.prove()?;
        let loaded = self.weights.load(&self.model, &model)?;
        // Constant weights would be useless in graphs that compute gradients or training steps.
        let as_inputs = self.weights_as_inputs || self.graph.trains();
        let untrained = (!as_inputs).then(|| loaded.warning(&self.model)).flatten();
        let LoadedWeights { weights: loaded, json: origin, .. } = loaded;
        let options = ExportOptions {
            batch: self.batch,
            opset: self.opset,
            control_flow: self.control_flow.into(),
            simplify: !self.no_simplify,
            portable: true,
            native: false,
            sample: SampleOptions { temperature: self.temperature(), complete: self.complete },
            optimizer: self.optimizer.unwrap_or(Optimizer::RMSPROP),
            remat: self.remat,
            dtype: self.deploy.dtype(),
            images: self.deploy.images(),
            ..ExportOptions::default()
        };
        if as_inputs {
            // Nothing that follows checks whether the weights fit the model.
            model.check_weights(&loaded)?;
        }
        if let Some(folder) = &self.deploy.triton {
            if let Some(path) = &self.write_weights {
                weights::save(&loaded, path)?;
            }
            untrained.iter().for_each(|text| out.warn(text));
            let options = ExportOptions { weights: Some(&loaded), ..options };
            return write_repository(folder, &model, &options, out);
        }
        let (graph, kept) = match (as_inputs, &self.write_weights) {
            (false, None) => {
                (model.compile_owned(self.graph, &options, loaded, &mut |_, _| {})?, None)
            }
            _ => {
                let weights = (!as_inputs).then_some(&loaded);
                let options = ExportOptions { weights, ..options.clone() };
                (model.compile(self.graph, &options, &mut |_, _| {})?, Some(loaded))
            }
        };
        let written = self.write(&target, &model, &options, &graph, out)?;
        if self.external_data && written.external.is_none() {
            out.warn("no tensor is large enough for a second file: all weights are in the model");
        }
        if let Some(untrained) = untrained {
            out.warn(&untrained);
        }
        drop(graph);
        if let (Some(path), Some(weights)) = (&self.write_weights, &kept) {
            weights::save(weights, path)?;
        }
        let seconds = start.elapsed().as_secs_f64();
        let output = target.display().to_string();
        let mut text = format!(
            "{output}: {}, {}, opset {}, {} in {seconds:.2} s",
            table::bytes(written.bytes),
            table::plural(written.nodes, "node"),
            self.opset,
            self.graph.name(),
        );
        if let Some((path, bytes)) = &written.external {
            let bytes = table::bytes(usize::try_from(*bytes).unwrap_or(usize::MAX));
            text.push_str(&format!(
                "\n{}: {bytes}, the weights; keep both files in one folder",
                path.display()
            ));
        }
        if let Some(path) = &self.write_weights {
            text.push_str(&format!("\n{}: the weights", path.display()));
        }
        if piped {
            out.progress(&text);
            return Ok(ExitCode::Good);
        }
        let object = json!({
            "output": output,
            "graph": self.graph.name(),
            "opset": self.opset,
            "bytes": written.bytes,
            "external_data": written.external.as_ref().map(|(path, bytes)| {
                json!({ "file": path.display().to_string(), "bytes": bytes })
            }),
            "nodes": written.nodes,
            "parameters": model.parameters(),
            "weights": if self.weights_as_inputs { json!(null) } else { origin },
            "seconds": seconds,
        });
        out.report(&text, &object)?;
        Ok(ExitCode::Good)
    }

    /// Writes the model to a file or to standard output.
    fn write(
        &self,
        target: &Path,
        model: &Declaration,
        options: &ExportOptions,
        graph: &OnnxGraph,
        out: &Out,
    ) -> Result<Written, Failure> {
        if target == Path::new("-") {
            if constant_bytes(graph) > MODEL_LIMIT {
                return usage(
                    "weights over 2 GiB need a second file, which cannot go to standard output: give \
                     `-o F.onnx`",
                );
            }
            let (bytes, written) = model.encode_counted(self.graph, options, graph)?;
            out.bytes(&bytes)?;
            return Ok(written);
        }
        let external = match self.external_data {
            true => ExternalData::Always,
            false => ExternalData::default(),
        };
        Ok(model.write(self.graph, options, graph, target, external)?)
    }

    fn temperature(&self) -> f64 {
        self.temperature.unwrap_or(1.0)
    }

    /// Rejects combinations of options that contradict each other.
    fn sensible(&self, piped: bool, out: &Out) -> Result<(), Failure> {
        if piped && out.json {
            return usage("`--json` cannot be combined with `-o -`: both write to standard output");
        }
        if piped && io::stdout().is_terminal() {
            return usage("refusing to write a binary file to a terminal: give `-o FILE`");
        }
        let triton = self.deploy.triton.as_deref();
        triton.map_or(Ok(()), check_folder)?;
        if triton.is_some() && self.weights_as_inputs {
            return usage(
                "`--triton` writes models with their weights: leave out `--weights-as-inputs`",
            );
        }
        if piped && self.external_data {
            return usage(
                "`--external-data` writes a second file, which cannot go to standard output: give \
                 `-o F.onnx`",
            );
        }
        if triton.is_some() && self.external_data {
            return usage(
                "`--triton` writes the weights into the models: leave out `--external-data`",
            );
        }
        let draws = self.graph.draws() || triton.is_some();
        if (self.complete || self.temperature() != 1.0) && !draws {
            let graph = self.graph.name();
            return usage(format!(
                "`--complete` and `--temperature` apply to `--graph sample` and `step`, not to `{graph}`"
            ));
        }
        if self.remat && (!self.graph.differentiates() || triton.is_some()) {
            let graph = self.graph.name();
            return usage(format!(
                "`--remat` applies to `--graph grad` and `train`, not to `{graph}`: leave it out"
            ));
        }
        let updates = matches!(self.graph, GraphKind::Train | GraphKind::Update);
        if let (Some(optimizer), false) = (&self.optimizer, updates && triton.is_none()) {
            return usage(format!(
                "`--optimizer {}` has no effect on `--graph {}`: it applies to `train` and `update`",
                optimizer.rule.name,
                self.graph.name()
            ));
        }
        let data = self.output.as_ref().filter(|_| !piped).map(|path| {
            let mut name = path.clone().into_os_string();
            name.push(".data");
            PathBuf::from(name)
        });
        let outputs = [self.output.as_ref().filter(|_| !piped), self.write_weights.as_ref()];
        let outputs = outputs.into_iter().chain([data.as_ref()]).flatten();
        let outputs: Vec<&Path> = outputs.map(PathBuf::as_path).collect();
        let inputs = self.model.files().into_iter().chain(self.weights.weights.clone());
        outputs::check(&outputs, &inputs.collect::<Vec<_>>())?;
        if let Some(path) = &self.write_weights {
            files::writable(path)?;
        }
        if self.weights_as_inputs && self.weights.weights.is_some() && self.write_weights.is_none()
        {
            return usage(
                "`--weights` has no effect with `--weights-as-inputs`: leave one of them out",
            );
        }
        Ok(())
    }
}
