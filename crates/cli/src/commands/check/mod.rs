//! `pixelrnn check`: causality, shapes, parameters; of a declaration or of anybody's ONNX file.

mod declared;
mod foreign;
pub mod picture;

use std::path::PathBuf;

pub use declared::report;

use pixelrnn::Causality;
use pixelrnn::internal::passes::Place;
use pixelrnn_check::cli::FileArguments;
use serde_json::{Value, json};

use crate::arguments::Global;
use crate::exit::{ExitCode, Failure, usage};
use crate::model;
use crate::out::Out;
use crate::parse::{self, At};
use crate::table::{grouped, plural};

/// Prove that no output reads what it is to predict, or show where it does
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An output may read the values before its own place: earlier rows, what is left of it in its row,
earlier colors of its pixel. Exit code 0 if that is proved, 1 if an output reads more, 2 if the model
cannot be analyzed. Earlier values that are never read are the blind spot, a property of the
architecture.

An ONNX file may come from anywhere; weights in files beside it are read. The proof holds for all
images in --range. Where it needs a condition, exit code 1 unless --assume is given. JSON places are
[row, column, color], counted from 0.

Example:
  pixelrnn check mnist-diagonal --picture context.png --at 14,14 --at 27,0")]
pub struct Check {
    /// A name of the zoo, a model file, the folder of a run, or an ONNX file
    #[arg(value_name = "MODEL|RUN|FILE.onnx")]
    target: String,
    /// Give a hyper-parameter, or the image's height, width, colours or levels, another value
    #[arg(long, value_name = "NAME=N", value_parser = parse::setting)]
    set: Vec<(String, usize)>,
    /// Draw what outputs read
    #[arg(long, value_name = "F.png")]
    picture: Option<PathBuf>,
    /// The outputs to draw and to tell about; by default a few
    #[arg(long, value_name = "Y,X[,COLOUR]", value_parser = parse::at)]
    at: Vec<At>,
    #[command(flatten)]
    about: FileArguments,
}

/// What there is to say about a model.
pub struct Report {
    pub name: String,
    /// Lines of a name and a value each.
    pub facts: Vec<(&'static str, String)>,
    pub causality: Causality,
    /// Of a multi-scale model, each scale by name.
    pub scales: Vec<(String, Causality)>,
    pub parameters: usize,
    /// From the first leaking output back to the input, if any.
    pub path: Vec<String>,
    /// The leak on the user's own lines.
    pub diagnostic: Option<String>,
}

impl Check {
    /// Runs the command.
    pub fn run(&self, _: &Global, out: &Out) -> Result<ExitCode, Failure> {
        if model::is_onnx(&self.target) {
            if !self.set.is_empty() {
                return usage("`--set` is for declarations: an ONNX file is what it is");
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
        // The last colour of a pixel may read the most.
        let last = colours - 1;
        if self.at.len() > picture::MAX_PANELS {
            return usage(format!("`--at` at most {} times", picture::MAX_PANELS));
        }
        let mut outputs = Vec::new();
        for &At { y, x, colour } in &self.at {
            let colour = colour.unwrap_or(last);
            if y >= height || x >= width || colour >= colours {
                return usage(format!(
                    "`--at {y},{x}` is outside the image of {height} x {width}, {}",
                    plural(colours, "color")
                ));
            }
            outputs.push(index(y, x, colour));
        }
        if outputs.is_empty() {
            outputs = usual(causality);
        }
        Ok(outputs)
    }
}

/// A few outputs to look at: the first that leaks, if any, the centre, and some of the rim.
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
        n => line("leaks", format!("{} of {all} read what they are to predict", grouped(n))),
    }
    if let Some(witness) = &causality.witness {
        line("witness", format!("output {} reads input {}", witness.output, witness.input));
        for hop in &report.path {
            line("", format!("<- {hop}"));
        }
    }
    line("blind spot", format!("{:.2} % of the past is never read", 100.0 * causality.blind_share));
    if chosen {
        for &output in outputs {
            line("", unseen(causality, output));
        }
    } else {
        line("", unseen(causality, typical(causality)));
    }
    text
}

/// The centre, or the next output before it that misses something, if any does.
fn typical(causality: &Causality) -> usize {
    let Causality { height, width, colours, .. } = *causality;
    let centre = (height / 2 * width + width / 2) * colours + colours - 1;
    let misses = |&output: &usize| causality.reads.count_below(output, output) < output;
    (0..=centre).rev().find(misses).unwrap_or(centre)
}

/// How many pixels are named; the rest is counted.
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
        true => format!("output {place} sees all that is before it"),
        false => format!("output {place} does not see: {}{rest}", named.join(", ")),
    }
}

/// The place of an output.
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
