//! `pixelrnn man`: writes the manual pages.

use std::path::PathBuf;

use clap::Command;
use serde_json::json;

use crate::arguments::{Arguments, Global};
use crate::exit::{ExitCode, Failure};
use crate::out::Out;
use crate::table::plural;

/// Write a manual page for each command
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  pixelrnn man -o ~/.local/share/man/man1")]
pub struct Man {
    /// Folder to write to; created if it does not exist
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

impl Man {
    /// Runs the command.
    pub fn run(&self, _: &Global, out: &Out) -> Result<ExitCode, Failure> {
        let mut program = Arguments::command_line();
        program.build();
        let mut pages = Vec::new();
        collect(&program, "pixelrnn", &mut pages)?;
        std::fs::create_dir_all(&self.output).map_err(|e| {
            Failure::Usage(format!("cannot create the folder {}: {e}", self.output.display()))
        })?;
        for (name, page) in &pages {
            pixelrnn::files::write(&self.output.join(name), page)?;
        }
        let output = self.output.display().to_string();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        let text = format!("{output}: {}", plural(pages.len(), "manual page"));
        out.report(&text, &json!({ "output": output, "pages": names }))?;
        Ok(ExitCode::Good)
    }
}

/// Adds the pages of a command and of its subcommands, as file names and texts.
fn collect(
    command: &Command,
    name: &str,
    pages: &mut Vec<(String, Vec<u8>)>,
) -> Result<(), Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .render(&mut page)
        .map_err(|e| Failure::Usage(e.to_string()))?;
    pages.push((format!("{name}.1"), page));
    for below in command.get_subcommands().filter(|c| c.get_name() != "help") {
        collect(below, &format!("{name}-{}", below.get_name()), pages)?;
    }
    Ok(())
}
