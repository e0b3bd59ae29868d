//! `pixelrnn-check FILE.onnx`: is this image model autoregressive?

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use pixelrnn_check::Position;
use pixelrnn_check::cli::{At, FileArguments, answer, at, failure};

/// Prove that no output of an ONNX image model depends on its own pixel or a later one, or show the leak
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "\
An output may read earlier rows, pixels to the left in its row, and earlier colors of its own pixel.
Exit code 0 if this is proved, 1 if an output reads more or the proof needs conditions (see --assume),
2 if the file cannot be analyzed.

Example:
  pixelrnn-check model.onnx --range 0:1 --at 14,14"
)]
struct Arguments {
    /// An ONNX file
    #[arg(value_name = "FILE.onnx")]
    file: String,
    /// Outputs to explain: which earlier pixels they never read
    #[arg(long, value_name = "ROW,COLUMN[,COLOR]", value_parser = at)]
    at: Vec<At>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    about: FileArguments,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut answer = match answer(&arguments.file, &arguments.about) {
        Ok(answer) => answer,
        Err(error) => {
            eprintln!("error: {}", failure(&arguments.file, &error));
            return ExitCode::from(2);
        }
    };
    let r = &answer.report;
    let mut outputs = Vec::new();
    for at in &arguments.at {
        if let Some(message) = at.outside([r.height, r.width, r.colours]) {
            eprintln!("error: {message}");
            return ExitCode::from(2);
        }
        let &At { row, column, colour } = at;
        let colour = colour.unwrap_or(r.colours - 1);
        outputs.push(r.output_at(Position { colour, row, column }));
    }
    answer.explain(&outputs);
    if outputs.is_empty() {
        outputs.push(answer.typical());
    }
    let text =
        if arguments.json { format!("{:#}\n", answer.json()) } else { answer.text(&outputs) };
    // A closed pipe is not an error.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::from(u8::from(!answer.yes))
}
