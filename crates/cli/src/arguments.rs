//! What can be said on the command line.

use std::path::PathBuf;

use clap::Parser;

use crate::commands::Command;
use crate::out::Out;

const AFTER: &str = "\
Exit codes: 0 done and good; 1 done and the answer is no (a leak, engines disagree); 2 wrong usage \
or bad input.

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

/// What every command takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Global {
    /// Print the answer as one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing but the answer and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// ONNX Runtime's shared library, or the folder that holds it
    #[arg(long, global = true, value_name = "PATH")]
    pub ort_lib: Option<PathBuf>,
}

impl Arguments {
    /// How the user wants to be spoken to.
    pub fn out(&self) -> Out {
        Out { quiet: self.global.quiet, json: self.global.json }
    }
}
