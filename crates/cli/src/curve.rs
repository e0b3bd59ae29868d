//! Learning curves from the logs of runs: plots of training and validation losses, and CSV.

use std::path::Path;

use pixelrnn::files;
use pixelrnn::training::Run;
use serde_json::Value;

use crate::exit::{Failure, usage};
use crate::plot::{Axis, Format, Line, Plot, Style};

/// The columns of a CSV file, named like the fields of the log. The `event` is `validation`, or
/// `step` for the mean training loss since the previous row.
pub const COLUMNS: [&str; 9] = [
    "event",
    "step",
    "epoch",
    "nats",
    "bits_per_dim",
    "lr",
    "images_per_second",
    "seconds",
    "best",
];
/// Training losses are averaged to at most this number of points.
const POINTS: usize = 400;
/// Losses of the first steps are far above the others. The y axis ends at this quantile.
const CUT: f64 = 0.98;

/// What the x axis counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Progress {
    /// Training steps
    Step,
    /// Passes over the training images
    Epoch,
    /// Seconds of training
    Seconds,
}

/// The unit of losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Unit {
    /// Nats per image
    Nats,
    /// Bits per dimension
    Bits,
}

/// How curves are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    pub x: Progress,
    pub unit: Unit,
    /// Whether the loss has a logarithmic scale.
    pub log: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { x: Progress::Step, unit: Unit::Nats, log: false }
    }
}

/// The steps and validations in the log of a run.
#[derive(Clone, Debug, Default)]
pub struct Log {
    lines: Vec<Value>,
}

impl Log {
    /// Reads the log of a run.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn read(run: &Run) -> Result<Log, Failure> {
        let path = run.log_path();
        let text = files::read_text(&path);
        let text = text.map_err(|error| pixelrnn::Error::Io { path, doing: "read", error })?;
        Ok(Log::parse(&text))
    }

    /// Skips incomplete lines.
    fn parse(text: &str) -> Log {
        let values = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let counts = |v: &Value| matches!(v["event"].as_str(), Some("step" | "validation"));
        Log { lines: values.filter(|v| counts(v) && v["step"].is_u64()).collect() }
    }

    /// The points of all lines with this event.
    fn points(&self, event: &str, options: Options) -> Vec<(f64, f64)> {
        let x = match options.x {
            Progress::Step => "step",
            Progress::Epoch => "epoch",
            Progress::Seconds => "seconds",
        };
        let y = match options.unit {
            Unit::Nats => "nats",
            Unit::Bits => "bits_per_dim",
        };
        let of = self.lines.iter().filter(|line| line["event"] == event);
        let point = |line: &Value| line[x].as_f64().zip(line[y].as_f64());
        of.filter_map(point).filter(|p| p.1.is_finite()).collect()
    }

    /// The best validation: step, nats per image and bits per dimension.
    pub fn best(&self) -> Option<(u64, f64, Option<f64>)> {
        let validations = self.lines.iter().filter(|line| line["event"] == "validation");
        let best = validations.filter_map(|line| {
            Some((line["step"].as_u64()?, line["nats"].as_f64()?, line["bits_per_dim"].as_f64()))
        });
        best.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The number of the last step.
    pub fn last_step(&self) -> u64 {
        self.lines.iter().filter_map(|line| line["step"].as_u64()).max().unwrap_or(0)
    }

    /// Appends the log as CSV, with the fields [`COLUMNS`]. If there is a name, it is the first
    /// field (`run`).
    fn csv(&self, run: Option<&str>, text: &mut String) {
        let cell = |value: &Value| match value {
            Value::Null => String::new(),
            Value::String(text) => quoted(text),
            other => other.to_string(),
        };
        for line in &self.lines {
            let cells = COLUMNS.iter().map(|column| cell(&line[*column]));
            let row: Vec<String> = run.map(quoted).into_iter().chain(cells).collect();
            text.push_str(&row.join(","));
            text.push('\n');
        }
    }
}

/// A field of a CSV file, quoted if necessary (RFC 4180).
fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_string(),
    }
}

/// The logs of runs as one CSV file. With `named`, the first column is `run`.
pub fn csv(logs: &[(String, Log)], named: bool) -> String {
    let head: Vec<&str> = named.then_some("run").into_iter().chain(COLUMNS).collect();
    let mut text = format!("{}\n", head.join(","));
    for (name, log) in logs {
        log.csv(named.then_some(name), &mut text);
    }
    text
}

/// The plot of runs; `None` if there are no losses yet. For a single run, training losses are gray;
/// several runs have a color each.
pub fn plot(logs: &[(String, Log)], options: Options) -> Option<Plot> {
    let mut lines = Vec::new();
    let mut losses = Vec::new();
    for (i, (name, log)) in logs.iter().enumerate() {
        let (training, validation) =
            (log.points("step", options), log.points("validation", options));
        losses.extend(training.iter().chain(&validation).copied());
        let alone = logs.len() == 1;
        // Among several runs, one without validations is shown by its training loss.
        let (style, label) = match (alone, validation.is_empty()) {
            (true, _) => (Style::Background, "training".to_string()),
            (false, true) => (Style::Solid(i), name.clone()),
            (false, false) => (Style::Pale(i), String::new()),
        };
        if !training.is_empty() {
            lines.push(Line { label, style, points: thinned(&training) });
        }
        if !validation.is_empty() {
            let label = if alone { "validation".to_string() } else { name.clone() };
            lines.push(Line { label, style: Style::Dotted(i), points: validation });
        }
    }
    // Pale lines first, so that the others are drawn over them.
    lines.sort_by_key(|line| matches!(line.style, Style::Dotted(_) | Style::Solid(_)));
    let last = losses.iter().map(|p| p.0).fold(0.0, f64::max);
    let x = match options.x {
        Progress::Step => "steps",
        Progress::Epoch => "epochs",
        Progress::Seconds => "seconds of training",
    };
    let y = match options.unit {
        Unit::Nats => "nats per image",
        Unit::Bits => "bits per dimension",
    };
    let title = match logs {
        [(name, _)] => name.clone(),
        _ => "validation loss (pale: training loss)".to_string(),
    };
    Some(Plot {
        title,
        x: Axis { label: x.to_string(), range: [0.0, last.max(1e-9)], log: false },
        y: Axis { label: y.to_string(), range: range(&losses, options.log)?, log: options.log },
        lines,
        mark: None,
    })
}

/// The range of losses that is shown, with a margin.
fn range(losses: &[(f64, f64)], log: bool) -> Option<[f64; 2]> {
    let mut all: Vec<f64> = losses.iter().map(|p| p.1).filter(|y| !log || *y > 0.0).collect();
    all.sort_by(f64::total_cmp);
    let low = *all.first()?;
    let high = all[((all.len() - 1) as f64 * CUT) as usize];
    let room = if high > low { (high - low) * 0.04 } else { low.abs().max(1.0) * 0.05 };
    Some([if log { low * 0.99 } else { low - room }, high + room])
}

/// Averages neighboring points, so that at most [`POINTS`] remain.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mean = |part: &[(f64, f64)]| {
        let n = part.len() as f64;
        (part.iter().map(|p| p.0).sum::<f64>() / n, part.iter().map(|p| p.1).sum::<f64>() / n)
    };
    points.chunks(points.len().div_ceil(POINTS).max(1)).map(mean).collect()
}

/// Draws the learning curve of a run into a file in its folder. Nothing is written if there are no
/// losses yet.
pub fn write(run: &Run, path: &Path) -> Result<(), Failure> {
    let folder = run.folder().display().to_string();
    match plot(&[(folder, Log::read(run)?)], Options::default()) {
        Some(plot) => Ok(files::write_own(path, &plot.render(Format::Png, path)?)?),
        None => Ok(()),
    }
}

/// Writes the log of a run as CSV into a file in its folder.
pub fn write_csv(run: &Run, path: &Path) -> Result<(), Failure> {
    Ok(files::write_own(path, csv(&[(String::new(), Log::read(run)?)], false).as_bytes())?)
}

/// The logs of the runs in these folders, with their names.
///
/// # Errors
/// If a folder contains no run, or a log cannot be read.
pub fn logs(folders: &[std::path::PathBuf]) -> Result<Vec<(String, Log)>, Failure> {
    let one = |folder: &std::path::PathBuf| {
        let run = Run::new(folder);
        if !run.exists() {
            return usage(format!(
                "{} is not a run folder: expected one that `pixelrnn train` wrote",
                folder.display()
            ));
        }
        Ok((folder.display().to_string(), Log::read(&run)?))
    };
    folders.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Log {
        let mut log = String::from("{\"event\":\"start\",\"step\":0}\n");
        for step in 1..2000 {
            let nats = if step == 1 { 1e6 } else { 100.0 + 50.0 / f64::from(step) };
            log += &format!("{{\"event\":\"step\",\"step\":{step},\"nats\":{nats}}}\n");
        }
        log += "{\"event\":\"validation\",\"step\":1999,\"nats\":99.5,\"best\":true}\nbroken";
        Log::parse(&log)
    }

    #[test]
    fn reads_losses_and_leaves_the_first_peak_out() {
        let log = log();
        assert_eq!((log.last_step(), log.best()), (1999, Some((1999, 99.5, None))));
        let plot = plot(&[("run".to_string(), log)], Options::default()).expect("a plot");
        let [low, high] = plot.y.range;
        assert!(low < 99.5 && low > 90.0 && high < 130.0, "{low} {high}");
        let lengths: Vec<usize> = plot.lines.iter().map(|line| line.points.len()).collect();
        assert!(lengths[0] <= POINTS && lengths[0] > POINTS / 2 && lengths[1] == 1, "{lengths:?}");
        assert!(super::plot(&[], Options::default()).is_none());
        assert!(super::plot(&[("empty".into(), Log::default())], Options::default()).is_none());
    }

    #[test]
    fn a_table_has_a_row_for_each_line() {
        let text = csv(&[("a,b".to_string(), log())], true);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2001);
        assert_eq!(lines[0], format!("run,{}", COLUMNS.join(",")));
        assert_eq!(lines[2000], "\"a,b\",validation,1999,,99.5,,,,,true");
    }
}
