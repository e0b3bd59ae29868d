//! `pixelrnn completions`: completion scripts for shells.

use clap_complete::Shell;
use serde_json::json;

use crate::arguments::{Arguments, Global};
use crate::exit::{ExitCode, Failure};
use crate::out::Out;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  pixelrnn completions bash > ~/.local/share/bash-completion/completions/pixelrnn")]
pub struct Completions {
    /// Shell
    shell: Shell,
}

impl Completions {
    /// Runs the command.
    pub fn run(&self, _: &Global, out: &Out) -> Result<ExitCode, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(
            self.shell,
            &mut Arguments::command_line(),
            "pixelrnn",
            &mut script,
        );
        let script = String::from_utf8_lossy(&script);
        let object = json!({ "shell": self.shell.to_string(), "script": script });
        out.answer(script.trim_end(), &object)?;
        Ok(ExitCode::Good)
    }
}
