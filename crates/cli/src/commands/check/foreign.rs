//! The report on any ONNX file. `pixelrnn-check` writes its text.

use std::path::Path;

use pixelrnn::Causality;
use pixelrnn::internal::graph::BitRows;
use pixelrnn_check::cli::{Answer, At, FileArguments, answer};
use pixelrnn_check::{Position, Report as FileReport};

use super::{Report, picture};
use crate::exit::{ExitCode, Failure, usage};
use crate::out::Out;

/// The most values an image may have to be drawn: the picture needs one bit per pair.
const DRAWN: usize = 1 << 15;

/// Rejects the flags for ONNX files when a declaration is checked.
pub fn none_given(arguments: &FileArguments) -> Result<(), Failure> {
    match arguments.first_given() {
        Some(flag) => usage(format!(
            "`{flag}` applies to ONNX files only: use `--set` to change a declaration"
        )),
        None => Ok(()),
    }
}

/// Analyzes a file, and says whether it is causal.
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
            // A panel shows what the last color of a pixel reads.
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
        // The last color of a pixel may read the most.
        let colour = colour.unwrap_or(report.colours - 1);
        Ok(report.output_at(Position { colour, row, column }))
    };
    at.iter().map(one).collect()
}

/// The report in the form that the picture needs.
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
        // A sampler's output may read the random number at its own place.
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
        diagnostic: None,
        scales: Vec::new(),
    })
}
