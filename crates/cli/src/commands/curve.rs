//! `pixelrnn curve`: plots the learning curves of runs.

use std::path::PathBuf;

use pixelrnn::files;
use serde_json::{Value, json};

use crate::arguments::Global;
use crate::curve::{self, Log, Options, Progress, Unit};
use crate::exit::{ExitCode, Failure, usage};
use crate::out::Out;
use crate::plot::Format;
use crate::table::{Align, Table, grouped};

/// Draw the learning curves of runs on one plot
#[derive(Debug, clap::Args)]
#[command(after_help = "\
One run: the training loss in gray, the validation loss in blue. Several runs: one color each, the
training loss pale. The first steps may be above the plot. A .csv file has one row per line of the
logs.

Example:
  pixelrnn curve my-run tuned -o curves.svg --unit bits")]
pub struct Curve {
    /// Run folders
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// File to write: `.png`, `.svg` or `.csv`
    #[arg(short, long, value_name = "F")]
    output: PathBuf,
    /// Use a logarithmic scale for the loss
    #[arg(long)]
    log: bool,
    /// What the x axis counts
    #[arg(
        long,
        value_name = "WHAT",
        value_enum,
        default_value = "step",
        hide_possible_values = true,
        help = "What the x axis counts: `step`, `epoch` or `seconds`"
    )]
    x: Progress,
    /// Unit of the loss
    #[arg(
        long,
        value_name = "UNIT",
        value_enum,
        default_value = "nats",
        hide_possible_values = true,
        help = "Unit of the loss: `nats` per image or `bits` per dimension"
    )]
    unit: Unit,
}

impl Curve {
    /// Runs the command.
    pub fn run(&self, _: &Global, out: &Out) -> Result<ExitCode, Failure> {
        let table = self.output.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        if table && (self.log || self.x != Progress::Step || self.unit != Unit::Nats) {
            return usage("`--log`, `--x` and `--unit` apply to plots, not to a .csv file");
        }
        let format = if table { None } else { Some(self.format()?) };
        let logs = curve::logs(&self.runs)?;
        let bytes = match format {
            None => curve::csv(&logs, true).into_bytes(),
            Some(format) => {
                let options = Options { x: self.x, unit: self.unit, log: self.log };
                let Some(plot) = curve::plot(&logs, options) else {
                    return usage(
                        "there is nothing to draw: the logs of these runs have no losses yet",
                    );
                };
                plot.render(format, &self.output)?
            }
        };
        files::write(&self.output, &bytes)?;
        let path = self.output.display().to_string();
        let text = format!("{}{path}\n", summary(&logs));
        let runs: Vec<Value> = logs.iter().map(row).collect();
        out.report(&text, &json!({ "output": path, "runs": runs }))?;
        Ok(ExitCode::Good)
    }

    fn format(&self) -> Result<Format, Failure> {
        let wrong = format!("{}: the name must end in .png, .svg or .csv", self.output.display());
        Format::of(&self.output).map_err(|_| Failure::Usage(wrong))
    }
}

fn summary(logs: &[(String, Log)]) -> String {
    let mut table = Table::new([
        ("run", Align::Left),
        ("steps", Align::Right),
        ("best validation", Align::Right),
        ("bits/dim", Align::Right),
        ("after step", Align::Right),
    ]);
    let count = |n: u64| grouped(usize::try_from(n).unwrap_or(usize::MAX));
    for (name, log) in logs {
        let best = log.best();
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_string());
        table.row([
            name.clone(),
            count(log.last_step()),
            or_dash(best.map(|b| format!("{:.3} nats", b.1))),
            or_dash(best.and_then(|b| b.2).map(|bits| format!("{bits:.4}"))),
            or_dash(best.map(|b| count(b.0))),
        ]);
    }
    table.to_string()
}

fn row((name, log): &(String, Log)) -> Value {
    let best = log.best().map(
        |(step, nats, bits)| json!({ "step": step, "nats_per_image": nats, "bits_per_dim": bits }),
    );
    json!({ "run": name, "step": log.last_step(), "best": best })
}
