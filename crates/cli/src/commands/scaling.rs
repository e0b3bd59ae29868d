//! `pixelrnn scaling`: how the cost of a model grows with one of its sizes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pixelrnn::runtime::EngineKind;
use pixelrnn::{Declaration, GraphKind, files};
use serde_json::{Value, json};

use crate::arguments::{COMMON, Global};
use crate::exit::{ExitCode, Failure, usage};
use crate::model;
use crate::out::Out;
use crate::parse;
use crate::plot::{Axis, Format, Line, Plot, Style};
use crate::table::{Align, Table, grouped};

/// Measure how time grows with the size of a model
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Runs `pixelrnn bench` once per value, each time in a process of its own. NAME is a hyper-parameter,
`height` or `width`, `side` for both, or `batch`. `growth` is the p in time ~ size^p from the value
before: 1 is linear, 2 is quadratic.

Example:
  pixelrnn scaling mnist-diagonal --vary layers=1,2,4,8 --graph forward,train -o layers.svg")]
pub struct Scaling {
    /// Name of a model in the zoo (see `pixelrnn zoo`), model file, or run folder
    model: String,
    /// What to vary, and its values
    #[arg(long, value_name = "NAME=N,N,...", value_parser = vary)]
    vary: Vary,
    /// Plot to write: `.png` or `.svg`
    #[arg(short, long, value_name = "F")]
    output: Option<PathBuf>,
    /// Graph kinds, comma-separated: `forward`, `nll`, `grad`, `train`, `sample`
    #[arg(long, value_name = "KINDS", value_delimiter = ',', default_value = "forward,train",
          hide_possible_values = true,
          value_parser = parse::kind_that(|k| k.reads_images() || k == GraphKind::Sample))]
    graph: Vec<GraphKind>,
    /// Override a hyper-parameter, or the height, width, colors or levels
    #[arg(long, value_name = "NAME=N", value_parser = parse::setting)]
    set: Vec<(String, usize)>,
    /// Batch size
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = parse::some)]
    batch: u16,
    /// Number of timed runs
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = parse::whole::<u32>(1..=1_000_000))]
    runs: u32,
    /// Engine: `reference`, `tract`, `ort`, `ort-cuda`
    #[arg(long, value_name = "NAME", value_parser = parse::engine(), default_value = "ort",
          hide_possible_values = true, help_heading = COMMON)]
    engine: EngineKind,
}

/// What is varied, and its values in ascending order.
#[derive(Clone, Debug)]
struct Vary {
    name: String,
    values: Vec<usize>,
}

/// Reads `NAME=N,N,...`.
fn vary(text: &str) -> Result<Vary, String> {
    let expected = "expected NAME=N,N,..., such as layers=1,2,4";
    let (name, values) = text.split_once('=').ok_or(expected)?;
    let whole = |value: &str| value.trim().parse::<usize>().ok().filter(|&n| n > 0);
    let values: Option<Vec<usize>> = values.split(',').map(whole).collect();
    let mut values = values.ok_or(format!("{expected}, with whole numbers above 0"))?;
    values.sort_unstable();
    values.dedup();
    if name.is_empty() || values.len() < 2 {
        return Err(format!("{expected}, with at least two different values"));
    }
    Ok(Vary { name: name.to_string(), values })
}

/// The times of one value.
struct Measured {
    value: usize,
    parameters: usize,
    /// The results of `bench`, one for each graph.
    results: Vec<Value>,
}

impl Measured {
    /// Milliseconds of a call of the graph at this index.
    fn ms(&self, graph: usize) -> f64 {
        self.results[graph]["median_ms"].as_f64().unwrap_or(f64::NAN)
    }
}

impl Scaling {
    /// Runs the command.
    pub fn run(&self, global: &Global, out: &Out) -> Result<ExitCode, Failure> {
        let format = self.output.as_deref().map(Format::of).transpose()?;
        self.output.as_deref().map_or(Ok(()), files::writable)?;
        if self.vary.name == "batch" && self.vary.values.iter().any(|&n| n > usize::from(u16::MAX))
        {
            return usage(format!("invalid batch size in `--vary`: expected at most {}", u16::MAX));
        }
        // All values are checked before the first is measured.
        let models =
            self.vary.values.iter().map(|&value| model::load(&self.model, &self.settings(value)));
        let models: Vec<Declaration> = models.collect::<Result<_, _>>()?;
        let mut all = Vec::new();
        for (&value, model) in self.vary.values.iter().zip(&models) {
            out.progress(&format!("measuring {} = {value}", self.vary.name));
            let results = self.bench(value, global)?;
            all.push(Measured { value, parameters: model.parameters(), results });
        }
        let name = models[0].name();
        let mut text = format!("{name}, {}\n\n{}", self.conditions(), self.table(&all));
        if let (Some(path), Some(format)) = (&self.output, format) {
            files::write(path, &self.plot(name, &all).render(format, path)?)?;
            text.push_str(&format!("\n{}: the time by {}", path.display(), self.vary.name));
        }
        out.answer(&text, &self.json(name, &all))?;
        Ok(ExitCode::Good)
    }

    /// The settings of a model for one value.
    fn settings(&self, value: usize) -> Vec<(String, usize)> {
        let mut set = self.set.clone();
        match self.vary.name.as_str() {
            "batch" => {}
            "side" => set.extend(["height", "width"].map(|name| (name.to_string(), value))),
            name => set.push((name.to_string(), value)),
        }
        set
    }

    /// Runs `bench` for one value, and returns its results.
    fn bench(&self, value: usize, global: &Global) -> Result<Vec<Value>, Failure> {
        let program = std::env::current_exe()
            .map_err(|error| Failure::Usage(format!("cannot find this program: {error}")))?;
        let batch = if self.vary.name == "batch" { value } else { usize::from(self.batch) };
        let kinds: Vec<&str> = self.graph.iter().map(|kind| kind.name()).collect();
        let mut command = Command::new(program);
        command.args(["bench", &self.model, "--json", "--quiet", "--engine", self.engine.name()]);
        command.args(["--graph", &kinds.join(","), "--batch", &batch.to_string()]);
        command.args(["--runs", &self.runs.to_string()]);
        for (name, value) in self.settings(value) {
            command.arg("--set").arg(format!("{name}={value}"));
        }
        if let Some(library) = &global.ort_lib {
            command.arg("--ort-lib").arg(library);
        }
        if global.plain {
            command.arg("--plain");
        }
        let of = format!("{} = {value}", self.vary.name);
        let done = command.stdin(Stdio::null()).output();
        let done =
            done.map_err(|error| Failure::Usage(format!("{of}: cannot run `bench`: {error}")))?;
        let answer: Option<Value> = serde_json::from_slice(&done.stdout).ok();
        match answer.as_ref().and_then(|answer| answer["results"].as_array()) {
            Some(results) if done.status.success() && results.len() == self.graph.len() => {
                Ok(results.clone())
            }
            _ => {
                let error = String::from_utf8_lossy(&done.stderr);
                let error = error.trim().trim_start_matches("error: ");
                usage(format!("{of}: `bench` failed: {error}"))
            }
        }
    }

    /// What stays the same.
    fn conditions(&self) -> String {
        let batch = match self.vary.name.as_str() {
            "batch" => String::new(),
            _ => format!("batch {}, ", self.batch),
        };
        format!("{batch}engine {}, median of {} runs", self.engine.name(), self.runs)
    }

    fn table(&self, all: &[Measured]) -> Table {
        let mut table = Table::new([
            ("graph", Align::Left),
            (&self.vary.name, Align::Right),
            ("parameters", Align::Right),
            ("call ms", Align::Right),
            ("growth", Align::Right),
        ]);
        for (i, kind) in self.graph.iter().enumerate() {
            for (k, measured) in all.iter().enumerate() {
                let growth = k.checked_sub(1).map(|before| growth(&all[before], measured, i));
                table.row([
                    kind.name().to_string(),
                    measured.value.to_string(),
                    grouped(measured.parameters),
                    format!("{:.2}", measured.ms(i)),
                    growth.map_or("-".to_string(), |growth| format!("{growth:.2}")),
                ]);
            }
        }
        table
    }

    fn plot(&self, model: &str, all: &[Measured]) -> Plot {
        let line = |(i, kind): (usize, &GraphKind)| Line {
            label: kind.name().to_string(),
            style: Style::Dotted(i),
            points: all.iter().map(|m| (m.value as f64, m.ms(i))).collect(),
        };
        let lines: Vec<Line> = self.graph.iter().enumerate().map(line).collect();
        let times = lines.iter().flat_map(|line| line.points.iter().map(|point| point.1));
        let low = times.clone().fold(f64::INFINITY, f64::min);
        let high = times.fold(0.0, f64::max);
        let ends = [all[0].value, all[all.len() - 1].value].map(|value| value as f64);
        Plot {
            title: format!("{model}: {}", self.conditions()),
            x: Axis {
                label: self.vary.name.clone(),
                range: [ends[0] * 0.93, ends[1] * 1.07],
                log: true,
            },
            y: Axis {
                label: "milliseconds per call".to_string(),
                range: [(low * 0.7).max(1e-3), (high * 1.8).max(2e-3)],
                log: true,
            },
            lines,
            mark: None,
        }
    }

    fn json(&self, model: &str, all: &[Measured]) -> Value {
        let one = |m: &Measured| json!({ "value": m.value, "parameters": m.parameters, "results": m.results });
        let path = |path: &PathBuf| Path::new(path).display().to_string();
        json!({
            "model": model,
            "vary": self.vary.name,
            "batch": (self.vary.name != "batch").then_some(self.batch),
            "engine": self.engine.name(),
            "runs": self.runs,
            "values": all.iter().map(one).collect::<Vec<_>>(),
            "output": self.output.as_ref().map(path),
        })
    }
}

/// The exponent of the size by which the time of a graph grew from one value to the next.
fn growth(before: &Measured, after: &Measured, graph: usize) -> f64 {
    (after.ms(graph) / before.ms(graph)).ln() / (after.value as f64 / before.value as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_sorted_and_checked() {
        assert_eq!(vary("h=16,4, 8,4").map(|v| v.values), Ok(vec![4, 8, 16]));
        for wrong in ["h", "h=", "h=4", "h=4,4", "=1,2", "h=1,x", "h=0,1", "h=1,-2"] {
            assert!(vary(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn growth_is_an_exponent() {
        let of = |value, ms: f64| Measured {
            value,
            parameters: 0,
            results: vec![json!({ "median_ms": ms })],
        };
        assert!((growth(&of(2, 3.0), &of(8, 48.0), 0) - 2.0).abs() < 1e-9);
    }
}
