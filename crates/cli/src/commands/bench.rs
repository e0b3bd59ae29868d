//! `pixelrnn bench`: images per second by graph kind and engine.

use std::time::Instant;

use pixelrnn::compare::{Prepared, prepare};
use pixelrnn::runtime::{
    Engine, EngineError, EngineKind, Extent, Program, Stepper, Tensor, Transfers, load_parallel,
};
use pixelrnn::training::{self, CompiledStep, LEARNING_RATE, fresh_state};
use pixelrnn::{
    Array, Batch, ControlFlow, Declaration, ExportOptions, GraphKind, Optimizer, SampleOptions,
    Weights, sampling,
};
use serde_json::{Value, json};

use crate::arguments::{COMMON, Global};
use crate::engines;
use crate::exit::{ExitCode, Failure, usage};
use crate::model::{
    LoadedWeights, ModelArguments, WeightArguments, image_json, random_batch, settings_json,
};
use crate::out::Out;
use crate::parse::{self, Images};
use crate::table::{Align, Table, grouped};

/// Measure the speed of a model on each engine
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The time of a call is the median of the timed runs, after one warm-up run. A call of `train` is one
training step with RMSProp. `step` is the work for one pixel, `row` the work between two rows, both
for sampling loops outside of the graph. Load time is everything before the first call; with a
dynamic batch, tract does most of its work in the first call. A batch is split into data-parallel
shards, which share the threads: by default one per thread, of at least 4 images. On `ort-cuda`,
results stay on the GPU.

Example:
  pixelrnn bench mnist-diagonal --engine ort --batch 16 --runs 20 --threads 4")]
pub struct Bench {
    #[command(flatten)]
    model: ModelArguments,
    /// Graph kinds, comma-separated: `forward`, `nll`, `grad`, `train`, `sample`, `step`, `row`
    #[arg(long, value_name = "KINDS", value_delimiter = ',', default_value = "forward,nll",
          hide_possible_values = true,
          value_parser = parse::kind_that(|k| k.reads_images() || k.samples()))]
    graph: Vec<GraphKind>,
    /// Batch size: `N`, fixed in the file, or `dynamic[:N]`
    #[arg(long, value_name = "N|dynamic[:N]", default_value = "16", value_parser = parse::images)]
    batch: Images,
    /// Number of timed runs
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = parse::whole::<u32>(1..=1_000_000))]
    runs: u32,
    /// Shards of a batch, not for `grad`, `step`, `row` [default: automatic]
    #[arg(long, value_name = "N", value_parser = parse::some)]
    shards: Option<u16>,
    /// Recompute activations in the backward pass, in `grad` and `train`
    #[arg(long)]
    remat: bool,
    /// How recurrences are written: `scan` or `unroll`
    #[arg(long, value_name = "FORM", default_value = "scan", hide_possible_values = true,
          value_parser = parse::named::<ControlFlow>(ControlFlow::ALL.map(ControlFlow::name)))]
    control_flow: ControlFlow,
    /// Round products to TF32, on `ort-cuda`
    #[arg(long)]
    tf32: bool,
    /// Replay calls as CUDA graphs, on `ort-cuda`; needs a graph without loops
    #[arg(long)]
    cuda_graph: bool,
    /// Random seed for the images
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = parse::seed)]
    seed: u64,
    #[command(flatten)]
    weights: WeightArguments,
    /// Engines, comma-separated: `reference`, `tract`, `ort`, `ort-cuda`
    /// [default: tract and ort, as far as they work here]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = parse::engine(),
          hide_possible_values = true, help_heading = COMMON)]
    engine: Option<Vec<EngineKind>>,
    /// Threads of ONNX Runtime within an operator [default: number of cores]
    #[arg(long, value_name = "N", value_parser = parse::whole::<u16>(1..=1024),
          help_heading = COMMON)]
    threads: Option<u16>,
}

/// Times in seconds.
struct Times {
    load: f64,
    first: f64,
    median: f64,
    least: f64,
    /// What a call copied between the host and a device, where that is counted.
    moved: Option<Moved>,
}

/// What the last call of a stepper copied.
struct Moved {
    to_device: u64,
    to_host: u64,
    pinned: bool,
}

impl Bench {
    /// Runs the command.
    pub fn run(&self, global: &Global, out: &Out) -> Result<ExitCode, Failure> {
        let model = self.model.load()?;
        let LoadedWeights { weights, json: origin, .. } = self.weights.load(&self.model, &model)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.map_or(cores, usize::from);
        let mut options = engines::options(global, Some(threads));
        (options.cuda.tf32, options.cuda.graph) = (self.tf32, self.cuda_graph);
        self.check_cuda()?;
        let (shards, images) = (self.shards.map_or(1, usize::from), self.batch.count);
        if shards > images {
            return usage(format!(
                "`--shards {shards}` divides a batch of {images} images: at most {images}, or a larger \
                 `--batch`"
            ));
        }
        if self.remat && !self.graph.iter().any(|kind| kind.differentiates()) {
            return usage(
                "`--remat` applies to `--graph grad` and `train`: name one, or leave it out",
            );
        }
        let default = [EngineKind::Tract, EngineKind::Ort];
        let engines = engines::choose(self.engine.as_deref(), &default, &options, out)?;
        if engines.is_empty() {
            return usage("no engine is available: see `pixelrnn runtime list`");
        }
        let inputs = random_batch(&model, self.batch.count, self.seed)?;
        let mut table = Table::new([
            ("graph", Align::Left),
            ("engine", Align::Left),
            ("threads", Align::Right),
            ("load ms", Align::Right),
            ("first ms", Align::Right),
            ("call ms", Align::Right),
            ("images/s", Align::Right),
        ]);
        let mut results = Vec::new();
        for &kind in &self.graph {
            for engine in &engines {
                let name = engine.name();
                out.progress(&format!("running {} on {name}", kind.name()));
                let times = self.measure(&model, kind, &weights, &inputs, engine.as_ref())?;
                // Only ONNX Runtime uses several threads.
                let threads = if engine.threads() > 1 { threads } else { 1 };
                let rate = self.batch.count as f64 / times.median;
                let ms = |seconds: f64| format!("{:.2}", seconds * 1e3);
                table.row([
                    kind.name().to_string(),
                    format!("{name} {}", engines::version(name, &options)),
                    threads.to_string(),
                    ms(times.load),
                    ms(times.first),
                    ms(times.median),
                    if rate < 100.0 { format!("{rate:.2}") } else { grouped(rate as usize) },
                ]);
                results.push(json!({
                    "graph": kind.name(),
                    "engine": name,
                    "version": engines::version(name, &options),
                    "threads": threads,
                    "load_ms": times.load * 1e3,
                    "first_ms": times.first * 1e3,
                    "median_ms": times.median * 1e3,
                    "least_ms": times.least * 1e3,
                    "images_per_second": rate,
                    "moved": times.moved.map(|moved| json!({
                        "to_device": moved.to_device,
                        "to_host": moved.to_host,
                        "pinned": moved.pinned,
                    })),
                }));
            }
        }
        let text = format!(
            "{}, batch {}, median of {} runs\n{cores} cores, {}\n\n{table}",
            model.name(),
            self.batch.text(),
            self.runs,
            processor(),
        );
        out.answer(&text, &self.json(&model, origin, cores, results))?;
        Ok(ExitCode::Good)
    }

    fn json(&self, model: &Declaration, origin: Value, cores: usize, results: Vec<Value>) -> Value {
        json!({
            "model": model.name(),
            "settings": settings_json(model),
            "image": image_json(model),
            "parameters": model.parameters(),
            "weights": origin,
            "batch": self.batch.text(),
            "remat": self.remat,
            "control_flow": self.control_flow.name(),
            "tf32": self.tf32,
            "cuda_graph": self.cuda_graph,
            "runs": self.runs,
            "pixelrnn": env!("CARGO_PKG_VERSION"),
            "cores": cores,
            "processor": processor(),
            "results": results,
        })
    }

    /// Checks the options of `ort-cuda`.
    fn check_cuda(&self) -> Result<(), Failure> {
        let others = self.engine.iter().flatten().any(|&kind| kind != EngineKind::OrtCuda);
        for (name, set) in [("--tf32", self.tf32), ("--cuda-graph", self.cuda_graph)] {
            if set && (self.engine.is_none() || others || self.shards.is_some_and(|n| n > 1)) {
                return usage(format!(
                    "`{name}` needs `--engine ort-cuda` alone, and no `--shards`"
                ));
            }
        }
        let loose = |kind: &&GraphKind| matches!(kind, GraphKind::Step | GraphKind::Row);
        if let Some(kind) = self.graph.iter().find(loose).filter(|_| self.cuda_graph) {
            return usage(format!("`--cuda-graph` does not apply to `--graph {}`", kind.name()));
        }
        if self.cuda_graph && self.batch.batch == Batch::Symbolic {
            return usage("`--cuda-graph` needs a fixed batch: use `--batch 16`, not `dynamic`");
        }
        Ok(())
    }

    /// The number of shards of a batch.
    fn shards(&self, engine: &dyn Engine) -> usize {
        let usual = training::shards(engine, self.batch.count);
        self.shards.map_or(usual, usize::from)
    }

    fn measure(
        &self,
        model: &Declaration,
        kind: GraphKind,
        weights: &Weights,
        batch_inputs: &[(String, Array)],
        engine: &dyn Engine,
    ) -> Result<Times, Failure> {
        if kind == GraphKind::Train {
            return self.measure_step(model, weights, batch_inputs, engine);
        }
        let shards = match kind {
            GraphKind::Forward | GraphKind::Nll | GraphKind::Sample => self.shards(engine),
            _ => 1,
        };
        // The shards of a batch may differ in size.
        let batch = if shards > 1 { Batch::Symbolic } else { self.batch.batch };
        let options = match kind.samples() {
            true => sampling::options(engine, weights, batch, SampleOptions::default()),
            false => {
                let (native, remat) = (engine.native(), self.remat);
                ExportOptions { batch, native, remat, ..ExportOptions::default() }
            }
        };
        let options = ExportOptions { control_flow: self.control_flow, ..options };
        let Prepared { onnx, graph, .. } = prepare(model, kind, weights, &options)?;
        let program = Program { name: model.name(), onnx: &onnx, graph: Some(&graph) };
        let whole = shards <= 1 && !matches!(kind, GraphKind::Step | GraphKind::Row);
        // On a GPU, results stay in its memory, as they do in the frameworks that it is compared with.
        if engine.name() == EngineKind::OrtCuda.name() && whole {
            let inputs = self.inputs(model, kind, &[], batch_inputs);
            let start = Instant::now();
            let mut stepper = engine.load_stepper(&program, &[])?;
            stepper.set_state(&[])?;
            let load = start.elapsed().as_secs_f64();
            return self.stepped(load, &mut *stepper, &views(&inputs));
        }
        let start = Instant::now();
        let mut session = load_parallel(engine, &program, shards)?;
        let load = start.elapsed().as_secs_f64();
        let inputs = self.inputs(model, kind, session.inputs(), batch_inputs);
        let inputs = views(&inputs);
        self.times(load, &mut || session.run(&inputs).map(drop))
    }

    /// The inputs of a call; `signature` is that of the session.
    fn inputs(
        &self,
        model: &Declaration,
        kind: GraphKind,
        signature: &[Tensor],
        batch_inputs: &[(String, Array)],
    ) -> Vec<(String, Array)> {
        let count = self.batch.count;
        match kind {
            GraphKind::Sample => {
                let numbers = sampling::uniform(model, count, self.seed).into_iter();
                let named = model.scales().iter().zip(numbers);
                let named = named.map(|(scale, u)| (format!("{}uniform", scale.prefix()), u));
                named.chain(batch_inputs[1..].iter().cloned()).collect()
            }
            // The time of a call does not depend on the values of its state.
            GraphKind::Step | GraphKind::Row => {
                let zeros = |t: &Tensor| (t.name.clone(), Array::zeros(shape(t, count)));
                signature.iter().map(zeros).collect()
            }
            _ => batch_inputs.to_vec(),
        }
    }

    /// Times a training step like that of `train`: RMSProp, with the state kept in the engine.
    fn measure_step(
        &self,
        model: &Declaration,
        weights: &Weights,
        batch_inputs: &[(String, Array)],
        engine: &dyn Engine,
    ) -> Result<Times, Failure> {
        let rate = Array::from_elem(vec![1], 1e-3);
        let shards = self.shards(engine);
        let state = fresh_state(weights, &Optimizer::RMSPROP);
        let options = ExportOptions {
            remat: self.remat,
            control_flow: self.control_flow,
            // As in `train`, unless a graph is captured, which has one size.
            batch: if self.cuda_graph { self.batch.batch } else { Batch::Symbolic },
            optimizer: Optimizer::RMSPROP,
            ..ExportOptions::default()
        };
        let compiled = CompiledStep::with_options(model, &options, shards, engine)?;
        let start = Instant::now();
        let mut stepper = compiled.step().start(engine, &state)?;
        let load = start.elapsed().as_secs_f64();
        let mut feeds = views(batch_inputs);
        feeds.push((LEARNING_RATE, &rate));
        self.stepped(load, &mut *stepper, &feeds)
    }

    /// Times the steps of a stepper, which keeps results on its device if it has one.
    fn stepped(
        &self,
        load: f64,
        stepper: &mut dyn Stepper,
        feeds: &[(&str, &Array)],
    ) -> Result<Times, Failure> {
        let mut moved = [stepper.transfers(); 2];
        let times = self.times(load, &mut || {
            let done = stepper.advance(feeds).map(drop);
            moved = [moved[1], stepper.transfers()];
            done
        })?;
        let counted = moved[1] != Transfers::default();
        let moved = counted.then(|| Moved {
            to_device: moved[1].to_device - moved[0].to_device,
            to_host: moved[1].to_host - moved[0].to_host,
            pinned: moved[1].pinned,
        });
        Ok(Times { moved, ..times })
    }

    fn times(
        &self,
        load: f64,
        call: &mut dyn FnMut() -> Result<(), EngineError>,
    ) -> Result<Times, Failure> {
        let mut call = || -> Result<f64, Failure> {
            let start = Instant::now();
            call()?;
            Ok(start.elapsed().as_secs_f64())
        };
        let first = call()?;
        let mut runs = (0..self.runs).map(|_| call()).collect::<Result<Vec<f64>, _>>()?;
        runs.sort_by(f64::total_cmp);
        let least = runs.first().copied().unwrap_or(first);
        Ok(Times { load, first, median: median(&runs).unwrap_or(first), least, moved: None })
    }
}

/// Named arrays, borrowed.
fn views(arrays: &[(String, Array)]) -> Vec<(&str, &Array)> {
    arrays.iter().map(|(name, array)| (name.as_str(), array)).collect()
}

/// The shape of an input for a batch of `count` images.
fn shape(tensor: &Tensor, count: usize) -> Vec<usize> {
    let extent = |e: &Extent| if let Extent::Fixed(n) = e { *n } else { count };
    tensor.shape.iter().flatten().map(extent).collect()
}

/// The median of sorted numbers.
fn median(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    match sorted.len() % 2 {
        0 => Some((upper + sorted[sorted.len() / 2 - 1]) / 2.0),
        _ => Some(upper),
    }
}

/// The processor's name if the system reports it, otherwise its architecture.
fn processor() -> String {
    let kind = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    match name {
        Some((_, name)) => format!("{}, {kind}", name.trim()),
        None => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[1.0]), Some(1.0));
        assert_eq!(median(&[1.0, 2.0]), Some(1.5));
        assert_eq!(median(&[1.0, 2.0, 9.0]), Some(2.0));
    }
}
