//! `pixelrnn quickstart`: the main job on a small model.

use std::path::Path;
use std::time::Instant;

use pixelrnn::compare::{Difference, compare};
use pixelrnn::{Batch, ExportOptions, GraphKind, files, weights};
use serde_json::json;

use super::check;
use super::compare::ENGINES;
use crate::arguments::Global;
use crate::engines;
use crate::exit::{ExitCode, Failure};
use crate::model::{image_text, load, random_images};
use crate::out::Out;
use crate::table;

/// Check, export and run a small model, to see what all this is
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Writes into the folder pixelrnn-quickstart, here. Needs nothing installed; ONNX Runtime takes part if
it can be had.

Example:
  pixelrnn quickstart")]
pub struct Quickstart {}

const MODEL: &str = "digits-diagonal";
const FOLDER: &str = "pixelrnn-quickstart";
const IMAGES: usize = 4;

impl Quickstart {
    /// Runs the command.
    pub fn run(&self, global: &Global, out: &Out) -> Result<ExitCode, Failure> {
        let start = Instant::now();
        let folder = Path::new(FOLDER);
        let cannot = |error| pixelrnn::Error::Io { path: folder.into(), doing: "create", error };
        std::fs::create_dir_all(folder).map_err(cannot)?;
        let file = |name: &str| folder.join(name);

        let model = load(MODEL, &[])?;
        out.progress("proving that no output reads what it is to predict");
        let report = check::report(MODEL, &model, out)?;
        let causality = &report.causality;
        check::picture::write(&report, &check::usual(causality), &file("context.png"))?;

        out.progress("exporting");
        let fresh = model.initialise(0);
        let options = ExportOptions::with_weights(&fresh);
        let graph = model.compile(GraphKind::Forward, &options, &mut |_, _| {})?;
        let onnx = model.encode(GraphKind::Forward, &options, &graph)?;
        files::write(&file("model.onnx"), &onnx)?;
        weights::save(&fresh, &file("weights.safetensors"))?;

        let engines = engines::choose(None, &ENGINES, &engines::options(global, None), out)?;
        let names: Vec<&str> = engines.iter().map(|e| e.name()).collect();
        out.progress(&format!("running it on {}", names.join(", ")));
        let images = random_images(&model, IMAGES, 0);
        let differences =
            compare(&model, GraphKind::Forward, &fresh, Batch::Symbolic, &images, &engines)?;
        let agree = differences.iter().all(|d| d.within);
        let worst = differences.iter().map(|d: &Difference| d.relative).fold(0.0, f64::max);
        let seconds = start.elapsed().as_secs_f64();

        let text = format!(
            "\
1. declared  {MODEL}: images of {}, {} parameters
             `pixelrnn zoo {MODEL}` prints its dozen lines
2. checked   causal: none of {} outputs reads what it is to predict
             {FOLDER}/context.png shows what they do read
3. exported  {FOLDER}/model.onnx: {}, {} of standard ONNX
             {FOLDER}/weights.safetensors: its weights, fresh ones
4. compared  {} {}; largest relative difference {worst:.1e}
             {IMAGES} random images, every pair of engines

Done in {seconds:.1} s. To try next:
  pixelrnn zoo                                       # all models
  pixelrnn zoo {MODEL} > my.pixelrnn         # a declaration of your own
  pixelrnn check my.pixelrnn --picture my.png        # what it sees
  pixelrnn export my.pixelrnn --graph nll -o my.onnx
  pixelrnn bench mnist-diagonal --set layers=1       # how fast it is here
  pixelrnn runtime list                              # which engines work here
",
            image_text(&model),
            table::grouped(model.parameters()),
            causality.outputs(),
            table::bytes(onnx.len()),
            table::plural(graph.total_nodes(), "node"),
            names.join(", "),
            if agree { "agree" } else { "DISAGREE" },
        );
        let object = json!({
            "seconds": seconds,
            "run": FOLDER,
            "model": MODEL,
            "files": ["model.onnx", "weights.safetensors", "context.png"],
            "causal": causality.causal(),
            "engines": names,
            "largest_relative_difference": worst,
            "within": agree,
        });
        out.answer(&text, &object)?;
        Ok(ExitCode::of(agree))
    }
}
