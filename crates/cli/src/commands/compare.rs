//! `pixelrnn compare`: compares the results of several engines.

use pixelrnn::GraphKind;
use pixelrnn::compare::{Difference, TOLERANCE, compare};
use pixelrnn::runtime::EngineKind;
use serde_json::json;

use crate::arguments::{COMMON, Global};
use crate::engines;
use crate::exit::{ExitCode, Failure, usage};
use crate::model::{ModelArguments, WeightArguments, random_batch};
use crate::out::Out;
use crate::parse::{self, Images};
use crate::table::{Align, Table};

/// The engines to compare by default.
pub const ENGINES: [EngineKind; 3] = [EngineKind::Reference, EngineKind::Tract, EngineKind::Ort];

/// Run a model on several engines and compare the numbers
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Two engines agree if no value differs by more than 1e-5 + 1e-4 times the largest magnitude in the
output. The engine `reference` interprets the declaration, not the ONNX file, in double precision.
Exit code 1 if any two engines disagree.

Example:
  pixelrnn compare mnist-diagonal --engine tract,ort --graph nll --batch 4")]
pub struct Compare {
    #[command(flatten)]
    model: ModelArguments,
    /// Graph to compare: `forward`, `nll`, `grad` or `train`
    #[arg(long, value_name = "KIND", default_value = "forward", hide_possible_values = true,
          value_parser = parse::comparable)]
    graph: GraphKind,
    /// Batch size: `N`, fixed in the file, or `dynamic[:N]`
    #[arg(long, value_name = "N|dynamic[:N]", default_value = "dynamic:2",
          value_parser = parse::images)]
    batch: Images,
    /// Random seed for the images
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = parse::seed)]
    seed: u64,
    #[command(flatten)]
    weights: WeightArguments,
    /// Engines, comma-separated: `reference`, `tract`, `ort`, `ort-cuda`
    /// [default: the first three, as far as they work here]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = parse::engine(),
          hide_possible_values = true, help_heading = COMMON)]
    engine: Option<Vec<EngineKind>>,
}

impl Compare {
    /// Runs the command.
    pub fn run(&self, global: &Global, out: &Out) -> Result<ExitCode, Failure> {
        let model = self.model.load()?;
        let weights = self.weights.load(&self.model, &model)?.weights;
        let options = engines::options(global, None);
        let engines = engines::choose(self.engine.as_deref(), &ENGINES, &options, out)?;
        let names: Vec<&str> = engines.iter().map(|e| e.name()).collect();
        if names.len() < 2 {
            return usage(format!(
                "expected at least two engines to compare, found {}",
                names[..].first().map_or("none".to_string(), |one| format!("only `{one}`"))
            ));
        }
        let inputs = random_batch(&model, self.batch.count, self.seed)?;
        out.progress(&format!("running {} on {}", model.name(), names.join(", ")));
        let differences =
            compare(&model, self.graph, &weights, self.batch.batch, &inputs, &engines)?;
        let within = differences.iter().all(|d| d.within);
        let verdict = if within { "agree" } else { "DISAGREE" };
        let text = format!(
            "{} ({}), batch {}: {} {verdict}\n\n{}",
            model.name(),
            self.graph.name(),
            self.batch.text(),
            names.join(", "),
            table(&differences),
        );
        let rows: Vec<_> = differences.iter().map(row).collect();
        let object = json!({
            "model": model.name(),
            "graph": self.graph.name(),
            "batch": self.batch.text(),
            "engines": names,
            "tolerance": { "absolute": TOLERANCE.absolute, "relative": TOLERANCE.relative },
            "differences": rows,
            "within": within,
        });
        out.answer(&text, &object)?;
        Ok(ExitCode::of(within))
    }
}

fn table(differences: &[Difference]) -> Table {
    let mut table = Table::new([
        ("output", Align::Left),
        ("engines", Align::Left),
        ("absolute", Align::Right),
        ("relative", Align::Right),
        ("within tolerance", Align::Left),
    ]);
    for d in differences {
        table.row([
            d.output.clone(),
            d.engines.join(" - "),
            format!("{:.1e}", d.absolute),
            format!("{:.1e}", d.relative),
            if d.within { "yes" } else { "NO" }.to_string(),
        ]);
    }
    table
}

/// A difference that is not finite (different shapes, or NaN) is null in JSON.
fn row(d: &Difference) -> serde_json::Value {
    json!({
        "output": d.output,
        "engines": d.engines,
        "absolute": d.absolute,
        "relative": d.relative,
        "within": d.within,
    })
}
