//! `pixelrnn check`: causality, shapes and parameters of a declaration or of any ONNX file.

mod declared;
mod foreign;
pub mod picture;

use std::path::PathBuf;

pub use declared::report;

use pixelrnn::Causality;
use pixelrnn::internal::passes::Place;
use pixelrnn_check::cli::{At, FileArguments, at};
use serde_json::{Value, json};

use crate::arguments::Global;
use crate::exit::{ExitCode, Failure, usage};
use crate::model;
use crate::out::Out;
use crate::outputs;
use crate::parse;
use crate::table::{grouped, plural};

/// Prove that no output depends on its own pixel or a later one, or show the leak
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An output may read earlier rows, pixels to the left in its row, and earlier colors of its own pixel.
Exit code 0 if this is proved, 1 if an output reads more, 2 if the model cannot be analyzed.

The earlier values that an output reads are its receptive field, the others its blind spot. A small
receptive field grows with more layers; some architectures have a blind spot with any number.

An ONNX file may come from any tool; external weights are read, too. The proof holds for all images
in --range. If it needs conditions, the exit code is 1 unless --assume is given. Positions in JSON
are [row, column, color], counted from 0.

Example:
  pixelrnn check mnist-diagonal --picture context.png --at 14,14 --at 27,0")]
pub struct Check {
    /// Name of a model in the zoo, model file, run folder, or ONNX file
    #[arg(value_name = "MODEL|RUN|FILE.onnx")]
    target: String,
    /// Override a hyper-parameter, or the height, width, colors or levels
    #[arg(long, value_name = "NAME=N", value_parser = parse::setting)]
    set: Vec<(String, usize)>,
    /// Write a picture of the context of some outputs
    #[arg(long, value_name = "F.png")]
    picture: Option<PathBuf>,
    /// Outputs to draw and explain [default: a few]
    #[arg(long, value_name = "Y,X[,COLOR]", value_parser = at)]
    at: Vec<At>,
    #[command(flatten)]
    about: FileArguments,
}

/// The result of a check.
pub struct Report {
    pub name: String,
    /// The lines to print: name and value.
    pub facts: Vec<(&'static str, String)>,
    pub causality: Causality,
    /// The scales of a Multi-Scale model, by name.
    pub scales: Vec<(String, Causality)>,
    pub parameters: usize,
    /// The path from the first leaking output back to the input; empty if there is no leak.
    pub path: Vec<String>,
    /// A likely mistake that does not make the model leak.
    pub hint: Option<String>,
    /// The leak, shown in the source text of the model.
    pub diagnostic: Option<String>,
}

impl Check {
    /// Runs the command.
    pub fn run(&self, _: &Global, out: &Out) -> Result<ExitCode, Failure> {
        if let Some(path) = &self.picture {
            outputs::png(path)?;
            outputs::check(&[path], &[PathBuf::from(&self.target)])?;
        }
        if model::is_onnx(&self.target) {
            if !self.set.is_empty() {
                return usage("`--set` applies to declarations only: an ONNX file has no settings");
            }
            return foreign::run(&self.target, &self.about, &self.at, self.picture.as_deref(), out);
        }
        foreign::none_given(&self.about)?;
        let report = report(&self.target, &model::load(&self.target, &self.set)?, out)?;
        let outputs = self.outputs(&report.causality)?;
        let mut text = text(&report, &outputs, !self.at.is_empty());
        if let Some(path) = &self.picture {
            picture::write(&report, &outputs, path)?;
            text.push_str(&format!("\n{}: {}\n", path.display(), picture::LEGEND));
            if report.causality.colours > 1 {
                text.push_str(picture::LEGEND_OF_COLOURS);
            }
        }
        out.answer(&text, &json(&report))?;
        Ok(ExitCode::of(report.causality.causal()))
    }

    /// The outputs to draw, as indices.
    fn outputs(&self, causality: &Causality) -> Result<Vec<usize>, Failure> {
        let Causality { height, width, colours, .. } = *causality;
        let index = |y: usize, x: usize, colour: usize| (y * width + x) * colours + colour;
        // The last color of a pixel has the largest allowed context.
        let last = colours - 1;
        if self.at.len() > picture::MAX_PANELS {
            return usage(format!("`--at` may be given at most {} times", picture::MAX_PANELS));
        }
        let mut outputs = Vec::new();
        for at in &self.at {
            if let Some(message) = at.outside([height, width, colours]) {
                return usage(message);
            }
            let &At { row, column, colour } = at;
            outputs.push(index(row, column, colour.unwrap_or(last)));
        }
        if outputs.is_empty() {
            outputs = usual(causality);
        }
        Ok(outputs)
    }
}

/// The outputs that are drawn by default: the first one that leaks, if any, the center, and some at
/// the border.
pub fn usual(causality: &Causality) -> Vec<usize> {
    let Causality { height, width, colours, .. } = *causality;
    let index = |y: usize, x: usize, colour: usize| (y * width + x) * colours + colour;
    let (bottom, right) = (height - 1, width - 1);
    let leak = causality.witness.as_ref().map(|w| index(w.output.y, w.output.x, w.output.colour));
    let rim = [(0, right), (height / 2, 0), (height / 2, width / 2), (height / 2, right)];
    let rim = rim.into_iter().chain([(bottom, 0), (bottom, right)]);
    let mut outputs = Vec::new();
    for output in leak.into_iter().chain(rim.map(|(y, x)| index(y, x, colours - 1))) {
        if !outputs.contains(&output) && outputs.len() < picture::USUAL_PANELS {
            outputs.push(output);
        }
    }
    outputs
}

fn text(report: &Report, outputs: &[usize], chosen: bool) -> String {
    let causality = &report.causality;
    let mut text = String::new();
    if let Some(diagnostic) = &report.diagnostic {
        text.push_str(&format!("{diagnostic}\n\n"));
    }
    let verdict = if causality.causal() { "causal" } else { "NOT CAUSAL" };
    text.push_str(&format!("{}: {verdict}\n", report.name));
    let mut line = |name: &str, value: String| {
        text.push_str(&format!("  {name:<12}{value}\n"));
    };
    for (name, value) in &report.facts {
        line(name, value.clone());
    }
    line("parameters", grouped(report.parameters));
    let all = plural(causality.outputs(), "output");
    match causality.leaking_outputs {
        0 => line("leaks", format!("none: {all}, each reads earlier values only")),
        n => line("leaks", format!("{} of {all} read their own value or a later one", grouped(n))),
    }
    if let Some(witness) = &causality.witness {
        line("witness", format!("output {} reads input {}", witness.output, witness.input));
        for hop in &report.path {
            line("", format!("<- {hop}"));
        }
    }
    line(
        "blind spot",
        format!(
            "{:.2} % of earlier values are outside of the receptive field",
            100.0 * causality.blind_share
        ),
    );
    if chosen {
        for &output in outputs {
            line("", unseen(causality, output));
        }
    } else {
        line("", unseen(causality, typical(causality)));
    }
    if let Some(hint) = &report.hint {
        line("hint", hint.clone());
    }
    text
}

/// The output at the center, or the nearest one before it that has a blind spot.
fn typical(causality: &Causality) -> usize {
    let Causality { height, width, colours, .. } = *causality;
    let centre = (height / 2 * width + width / 2) * colours + colours - 1;
    let misses = |&output: &usize| causality.reads.count_below(output, output) < output;
    (0..=centre).rev().find(misses).unwrap_or(centre)
}

/// Maximal number of pixels that are listed by position; the rest is counted.
const NAMED: usize = 4;

fn unseen(causality: &Causality, output: usize) -> String {
    let mut pixels: Vec<((usize, usize), Vec<usize>)> = Vec::new();
    for p in causality.unseen(output) {
        match pixels.last_mut().filter(|(pixel, _)| *pixel == (p.y, p.x)) {
            Some((_, colours)) => colours.push(p.colour),
            None => pixels.push(((p.y, p.x), vec![p.colour])),
        }
    }
    let name = |((y, x), colours): &((usize, usize), Vec<usize>)| match colours.as_slice() {
        all if all.len() == causality.colours => format!("({y}, {x})"),
        some => format!("({y}, {x}) color {some:?}"),
    };
    let named: Vec<String> = pixels.iter().take(NAMED).map(name).collect();
    let rest = match pixels.len().saturating_sub(NAMED) {
        0 => String::new(),
        n => format!(" and {}", plural(n, "more pixel")),
    };
    let place = place(causality, output);
    match named.is_empty() {
        true => format!("output {place} reads every earlier value"),
        false => format!("output {place} never reads: {}{rest}", named.join(", ")),
    }
}

/// The position of an output.
pub fn place(causality: &Causality, output: usize) -> Place {
    let pixel = output / causality.colours;
    Place {
        y: pixel / causality.width,
        x: pixel % causality.width,
        colour: output % causality.colours,
    }
}

fn json(report: &Report) -> Value {
    let causality = &report.causality;
    let place = |p: Place| json!([p.y, p.x, p.colour]);
    let witness = causality.witness.as_ref().map(
        |w| json!({ "output": place(w.output), "input": place(w.input), "path": report.path }),
    );
    let mut object = json!({
        "causal": causality.causal(),
        "outputs": causality.outputs(),
        "leaking_outputs": causality.leaking_outputs,
        "witness": witness,
        "blind_share": causality.blind_share,
        "parameters": report.parameters,
        "hint": report.hint,
    });
    if !report.scales.is_empty() {
        let scale = |(name, c): &(String, Causality)| {
            json!({
                "name": name, "causal": c.causal(), "outputs": c.outputs(),
                "leaking_outputs": c.leaking_outputs, "blind_share": c.blind_share,
            })
        };
        object["scales"] = report.scales.iter().map(scale).collect();
    }
    object
}
