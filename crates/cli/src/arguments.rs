//! The command line: global options and the list of commands.

use std::path::PathBuf;

use clap::Parser;

use crate::commands::Command;
use crate::out::Out;

const AFTER: &str = "\
Exit codes: 0 success; 1 the answer is no (a leak, engines disagree); 2 wrong usage or bad input.

Example:
  pixelrnn quickstart";

/// Compiles declarations of autoregressive image models to plain ONNX.
#[derive(Debug, Parser)]
#[command(name = "pixelrnn", version, after_help = AFTER, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub global: Global,
}

/// Options of every command.
#[derive(Clone, Debug, clap::Args)]
pub struct Global {
    /// Print the result as one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// Print only the result and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Path of the ONNX Runtime library, or of its folder
    #[arg(long, global = true, value_name = "PATH")]
    pub ort_lib: Option<PathBuf>,
    /// Train and evaluate with plain ONNX operators only, as exported models do; slower on a CPU
    #[arg(long, global = true)]
    pub plain: bool,
}

impl Arguments {
    /// The output settings: quiet, text or JSON.
    pub fn out(&self) -> Out {
        Out { quiet: self.global.quiet, json: self.global.json }
    }
}
