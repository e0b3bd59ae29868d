//! `check` for ONNX files. The text output is the same as that of `pixelrnn-check`.

use std::path::Path;

use pixelrnn::Causality;
use pixelrnn::internal::graph::BitRows;
use pixelrnn_check::cli::{Answer, At, FileArguments, answer};
use pixelrnn_check::{Position, Report as FileReport};

use super::{Report, picture};
use crate::exit::{ExitCode, Failure, usage};
use crate::out::Out;

/// Maximal number of values of an image for which a picture is drawn: it needs one bit per pair of
/// values.
const DRAWN: usize = 1 << 15;

/// Rejects flags for ONNX files if a declared model is checked.
pub fn none_given(arguments: &FileArguments) -> Result<(), Failure> {
    match arguments.first_given() {
        Some(flag) => usage(format!(
            "`{flag}` applies to ONNX files only: use `--set` to change a declaration"
        )),
        None => Ok(()),
    }
}

/// Analyzes a file. The exit code says whether it is causal.
pub fn run(
    file: &str,
    arguments: &FileArguments,
    at: &[At],
    drawing: Option<&Path>,
    out: &Out,
) -> Result<ExitCode, Failure> {
    let mut answer = answer(file, arguments)
        .map_err(|error| Failure::Foreign { path: Path::new(file).to_path_buf(), error })?;
    let chosen = outputs(&answer.report, at)?;
    answer.explain(&chosen);
    let report = &answer.report;
    let explained = if chosen.is_empty() { vec![answer.typical()] } else { chosen.clone() };
    let mut text = answer.text(&explained);
    if let Some(path) = drawing {
        let drawn = drawable(file, &answer)?;
        let panels = match chosen.is_empty() {
            true => super::usual(&drawn.causality),
            // A panel shows the context of the pixel's last color.
            false if report.whole_pixels => {
                chosen.iter().map(|o| (o + 1) * report.colours - 1).collect()
            }
            false => chosen,
        };
        picture::write(&drawn, &panels, path)?;
        text.push_str(&format!("\n{}: {}\n", path.display(), picture::LEGEND));
        if report.colours > 1 {
            text.push_str(picture::LEGEND_OF_COLOURS);
        }
    }
    out.answer(&text, &answer.json())?;
    Ok(ExitCode::of(answer.yes))
}

/// The outputs that the user chose.
fn outputs(report: &FileReport, at: &[At]) -> Result<Vec<usize>, Failure> {
    if at.len() > picture::MAX_PANELS {
        return usage(format!("`--at` may be given at most {} times", picture::MAX_PANELS));
    }
    let one = |at: &At| {
        if let Some(message) = at.outside([report.height, report.width, report.colours]) {
            return usage(message);
        }
        let &At { row, column, colour } = at;
        // The last color of a pixel has the largest allowed context.
        let colour = colour.unwrap_or(report.colours - 1);
        Ok(report.output_at(Position { colour, row, column }))
    };
    at.iter().map(one).collect()
}

/// Converts the report to the form that is needed for the picture.
fn drawable(file: &str, answer: &Answer) -> Result<Report, Failure> {
    let report = &answer.report;
    let n = report.values();
    if n > DRAWN {
        return usage(format!(
            "cannot draw an image of {n} values: `--picture` supports at most {DRAWN}"
        ));
    }
    let mut reads = BitRows::new(n, n);
    for row in 0..n {
        let output = if report.whole_pixels { row / report.colours } else { row };
        // The output of a sampler may depend on the random number at its own position.
        let counted = |&value: &usize| !(report.own_place && value == row);
        for run in report.reads(output) {
            run.filter(counted).for_each(|value| reads.set(row, value));
        }
    }
    let mut causality = Causality::judge(report.height, report.width, report.colours, reads);
    causality.leaking_outputs = report.leaking_outputs;
    causality.blind_share = report.blind_share;
    Ok(Report {
        name: file.to_string(),
        facts: Vec::new(),
        causality,
        parameters: report.parameters,
        path: answer.path.clone(),
        hint: None,
        diagnostic: None,
        scales: Vec::new(),
    })
}
