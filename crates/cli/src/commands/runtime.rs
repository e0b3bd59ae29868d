//! `pixelrnn runtime`: lists the available engines, and installs ONNX Runtime.

use pixelrnn::runtime::{State, library, survey};
use serde_json::json;

use crate::arguments::Global;
use crate::engines;
use crate::exit::{ExitCode, Failure};
use crate::out::Out;

/// List the available engines, or install ONNX Runtime
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pixelrnn runtime list")]
pub struct Runtime {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List engines, with reasons for those that do not work; downloads nothing
    #[command(after_help = "Example:\n  pixelrnn runtime list --json")]
    List,
    /// Download ONNX Runtime with Python's pip, into a cache that all projects share
    #[command(after_help = "\
Your Python environment is not changed. To use your own library instead, give its path in
ORT_DYLIB_PATH or with --ort-lib.

Example:
  pixelrnn runtime install --cuda")]
    Install {
        /// Install the build with CUDA support
        #[arg(long)]
        cuda: bool,
    },
}

impl Runtime {
    /// Runs the command.
    pub fn run(&self, global: &Global, out: &Out) -> Result<ExitCode, Failure> {
        let options = engines::options(global, None);
        match self.action {
            Action::List => {
                let mut text = String::new();
                let mut all = Vec::new();
                for status in survey(&options) {
                    let (works, what) = match &status.state {
                        Ok(State::Works(what)) => (Some(true), what.clone()),
                        Ok(State::Found(what)) => (None, what.clone()),
                        Err(error) => (Some(false), error.to_string()),
                    };
                    let word = match works {
                        Some(true) => "works",
                        Some(false) => "no",
                        None => "found",
                    };
                    // Indent the continuation lines.
                    let lines = what.replace('\n', &format!("\n{:18}", ""));
                    text.push_str(&format!("{:<10}  {word:<5} {lines}\n", status.engine));
                    all.push(
                        json!({ "engine": status.engine.name(), "works": works, "detail": what }),
                    );
                }
                out.answer(&text, &json!({ "engines": all }))?;
            }
            Action::Install { cuda } => {
                let library = library::install(&options.ort.library.with_cuda(cuda))?;
                let object = json!({
                    "path": library.path.display().to_string(),
                    "version": library.version.to_string(),
                    "cuda": library.has_cuda(),
                });
                out.report(&library.to_string(), &object)?;
            }
        }
        Ok(ExitCode::Good)
    }
}
