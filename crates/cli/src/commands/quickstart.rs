//! `pixelrnn quickstart`: all steps, from the declaration to the export, on a small model.

use std::path::Path;
use std::time::Instant;

use pixelrnn::compare::{Difference, compare};
use pixelrnn::runtime::EngineKind;
use pixelrnn::sampling::{self, SampleMethod, Sampling};
use pixelrnn::training::data::Split;
use pixelrnn::training::{self, Reason, Run, Schedule, Trainer, evaluate};
use pixelrnn::{Batch, ExportOptions, ExternalData, GraphKind, Optimizer, UnknownName, files};
use serde_json::json;

use super::check;
use super::compare::ENGINES;
use crate::arguments::Global;
use crate::engines;
use crate::exit::{ExitCode, Failure};
use crate::grid::Grid;
use crate::interrupt;
use crate::model::{image_text, load, random_batch};
use crate::out::Out;
use crate::parse;
use crate::records::Records;
use crate::table;
use crate::watch::Watch;

/// Declare, check, train, evaluate, sample and export a small model, in a few seconds
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Writes into the folder pixelrnn-quickstart in the current folder. The images are built in:
handwritten digits, 8 x 8 pixels. Trains with ONNX Runtime if it is available, otherwise with tract.

Example:
  pixelrnn quickstart")]
pub struct Quickstart {
    /// Number of passes over the training images
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = parse::at_least_one)]
    epochs: u64,
}

const MODEL: &str = "digits-diagonal";
const FOLDER: &str = "pixelrnn-quickstart";
const IMAGES: usize = 4;
const SAMPLES: usize = 64;

impl Quickstart {
    /// Runs the command.
    pub fn run(&self, global: &Global, out: &Out) -> Result<ExitCode, Failure> {
        let start = Instant::now();
        let folder = Path::new(FOLDER);
        let cannot = |error| pixelrnn::Error::Io { path: folder.into(), doing: "create", error };
        std::fs::create_dir_all(folder).map_err(cannot)?;
        let file = |name: &str| folder.join(name);

        let model = load(MODEL, &[])?;
        out.progress("proving that no output reads its own pixel or a later one");
        let report = check::report(MODEL, &model, out)?;
        let causality = &report.causality;
        check::picture::write(&report, &check::usual(causality), &file("context.png"))?;

        let engines = engines::choose(None, &ENGINES, &engines::options(global, None), out)?;
        let names: Vec<&str> = engines.iter().map(|e| e.name()).collect();
        // The last engine is the fastest.
        let Some(engine) = engines.last() else {
            return crate::exit::usage("no engine is available: see `pixelrnn runtime list`");
        };

        let epochs = table::plural(usize::try_from(self.epochs).unwrap_or(usize::MAX), "epoch");
        out.progress(&format!("training on {}, {}", engine.name(), epochs));
        let run = Run::new(folder.join("run"));
        if run.exists() {
            let cannot =
                |error| pixelrnn::Error::Io { path: run.folder().into(), doing: "replace", error };
            std::fs::remove_dir_all(run.folder()).map_err(cannot)?;
        }
        let kind: EngineKind =
            engine.name().parse().map_err(|e: UnknownName| Failure::Usage(e.to_string()))?;
        let prepared = Trainer::new(run.folder())
            .model(&model)
            .data("digits")
            .optimizer(Optimizer::ADAM)
            .learning_rate(0.006)
            .schedule(Schedule::cosine(0.02))
            .ema(0.99)
            .epochs(self.epochs)
            .engine_with(kind, engines::options(global, None))
            .prepare()?;
        let data = prepared.data();
        let mut watch = Watch::new(out, data.shape(), &run, &Records::default());
        let begun = Instant::now();
        let outcome = watch.train(&prepared, &interrupt::flag(out))?;
        if outcome.reason == Reason::Stopped {
            return crate::exit::usage(format!(
                "stopped; continue the training with `pixelrnn train --resume --out {}`",
                run.folder().display()
            ));
        }
        let trained = begun.elapsed().as_secs_f64();

        out.progress("evaluating on the test images");
        let (weights, _) = training::weights_of(&run, &model)?;
        let figures = evaluate(&model, &weights, data, Split::Test, 64, &**engine, &mut |_| {})?;

        out.progress("sampling");
        let uniform = sampling::uniform(&model, SAMPLES, 0);
        let request = Sampling {
            method: SampleMethod::Cached,
            temperature: 1.0,
            uniform: &uniform,
            given: None,
            labels: None,
            conditions: &[],
        };
        let drawn = sampling::draw(&model, &weights, &**engine, &request, &mut |_| {})?;
        let picture = file("samples.png");
        files::write(&picture, &Grid::square(&drawn, model.image().levels).png(&picture)?)?;

        out.progress("exporting the model and its sampler");
        let options = ExportOptions::with_weights(&weights);
        let graph = model.compile(GraphKind::Forward, &options, &mut |_, _| {})?;
        let (path, external) = (file("model.onnx"), ExternalData::default());
        let written = model.write(GraphKind::Forward, &options, &graph, &path, external)?;
        files::write(&file("sample.onnx"), &model.export(GraphKind::Sample, &options)?)?;

        out.progress(&format!("comparing engines: {}", names.join(", ")));
        let inputs = random_batch(&model, IMAGES, 0)?;
        let differences =
            compare(&model, GraphKind::Forward, &weights, Batch::Symbolic, &inputs, &engines)?;
        let agree = differences.iter().all(|d| d.within);
        let worst = differences.iter().map(|d: &Difference| d.relative).fold(0.0, f64::max);
        let seconds = start.elapsed().as_secs_f64();

        let text = format!(
            "\
1. declared  {MODEL}: images of {}, {} parameters
             `pixelrnn zoo {MODEL}` prints its dozen lines
2. checked   causal: none of the {} outputs reads its own pixel or a later one
             {FOLDER}/context.png shows what each of them reads
3. trained   {epochs}, {} in {trained:.0} s on {}
             {FOLDER}/run: weights, checkpoint, log, curve
4. evaluated {:.4} bits/dim, {:.2} nats per image, on {} test images
             a model without context reaches 2.37 bits/dim
5. sampled   {FOLDER}/samples.png: {SAMPLES} images
6. exported  {FOLDER}/model.onnx: {}, {} of standard ONNX
             {FOLDER}/sample.onnx: the sampler, from uniform random numbers to images
7. compared  {} {}; largest relative difference {worst:.1e}
             {IMAGES} random images, every pair of engines

Done in {seconds:.1} s. To try next:
  pixelrnn zoo                                       # all models
  pixelrnn zoo {MODEL} > my.pixelrnn         # a copy to change
  pixelrnn check my.pixelrnn --picture my.png        # what each output reads
  pixelrnn train my.pixelrnn --data digits --minutes 1 --out my-run
  pixelrnn sample {FOLDER}/run --complete digits --keep-rows 4 -n 6 -o completed.png
  pixelrnn export my-run --graph nll -o my.onnx
  pixelrnn bench mnist-diagonal --set layers=1       # speed on this machine
  pixelrnn runtime list                              # which engines work here
",
            image_text(&model),
            table::grouped(model.parameters()),
            causality.outputs(),
            table::plural(usize::try_from(outcome.progress.step).unwrap_or(usize::MAX), "step"),
            engine.name(),
            figures.bits_per_dim,
            figures.nats_per_image,
            figures.images,
            table::bytes(written.bytes),
            table::plural(written.nodes, "node"),
            names.join(", "),
            if agree { "agree" } else { "DISAGREE" },
        );
        let object = json!({
            "seconds": seconds,
            "run": run.folder().display().to_string(),
            "folder": FOLDER,
            "bits_per_dim": figures.bits_per_dim,
            "nats_per_image": figures.nats_per_image,
            "training_seconds": trained,
            "model": MODEL,
            "files": ["model.onnx", "sample.onnx", "samples.png", "context.png"],
            "causal": causality.causal(),
            "engines": names,
            "largest_relative_difference": worst,
            "within": agree,
        });
        out.answer(&text, &object)?;
        Ok(ExitCode::of(agree))
    }
}
