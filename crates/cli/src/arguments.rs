//! The command line: global options and the list of commands.

use std::any::TypeId;
use std::path::PathBuf;

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};

use crate::commands::Command;
use crate::out::Out;
use crate::ranks;

const AFTER: &str = "\
Exit codes: 0 success; 1 the answer is no (a leak, engines disagree, training
diverged); 2 wrong usage or bad input.

Example:
  pixelrnn quickstart";

/// Compile declarations of autoregressive image models to plain ONNX
#[derive(Debug, Parser)]
#[command(name = "pixelrnn", version, after_help = AFTER, max_term_width = 100,
          disable_help_flag = true, disable_version_flag = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub global: Global,
}

/// The heading, in help texts, of options that many commands share.
pub const COMMON: &str = "Common options";
/// The heading, in help texts, of options that choose a model and its weights.
pub const MODEL: &str = "Model and weights";

/// Options that every command accepts.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = COMMON)]
pub struct Global {
    /// Path of the ONNX Runtime library, or of its folder
    #[arg(long, global = true, value_name = "PATH", display_order = 1000)]
    pub ort_lib: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long, global = true, display_order = 1001)]
    pub json: bool,
    /// Print only the result and errors
    #[arg(short, long, global = true, display_order = 1002)]
    pub quiet: bool,
    /// Run graphs exactly as they are exported, without the fused operators for the CPU; slower
    #[arg(long, global = true, display_order = 1000)]
    pub plain: bool,
    /// Print help
    #[arg(short, long, global = true, action = ArgAction::Help, display_order = 1003)]
    help: Option<bool>,
    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version, display_order = 1004)]
    version: Option<bool>,
}

impl Arguments {
    /// The definition of the command line, for the parser and for generated documentation.
    pub fn command_line() -> clap::Command {
        with_numbers(without_idle_options(Arguments::command()))
    }

    /// Parses the arguments of this process.
    ///
    /// # Errors
    /// If the arguments are invalid, and also if help or the version was requested.
    pub fn read() -> Result<Arguments, clap::Error> {
        let matches = Arguments::command_line().try_get_matches()?;
        Arguments::from_arg_matches(&matches)
    }

    /// The output settings: quiet, text or JSON. Only rank 0 speaks.
    pub fn out(&self) -> Out {
        Out { quiet: self.global.quiet || !ranks::leads(), json: self.global.json }
    }
}

/// The commands that open ONNX Runtime, and those that compile graphs for an engine of this process.
const OPEN_ENGINES: [&str; 10] = [
    "bench",
    "compare",
    "eval",
    "gpu-report",
    "lr-find",
    "quickstart",
    "runtime",
    "sample",
    "scaling",
    "train",
];
const COMPILE_FOR_ENGINES: [&str; 9] =
    ["bench", "compare", "eval", "inspect", "lr-find", "quickstart", "sample", "scaling", "train"];

/// Hides the options that every command accepts from the help of those that have no use for them.
fn without_idle_options(command: clap::Command) -> clap::Command {
    let option = |name: &str| command.get_arguments().find(|a| a.get_id() == name).cloned();
    let options = [("ort_lib", &OPEN_ENGINES[..]), ("plain", &COMPILE_FOR_ENGINES[..])];
    let options = options.map(|(name, used)| (option(name), used));
    command.mut_subcommands(|below| {
        let name = below.get_name().to_owned();
        // An option that a command has already is not replaced by that of the program.
        let idle = options.iter().filter(|(_, used)| !used.contains(&name.as_str()));
        below.args(idle.filter_map(|(option, _)| option.clone()).map(|option| option.hide(true)))
    })
}

/// Lets every option accept a negative number as its value. Otherwise clap would report an unknown
/// flag instead of what the option expects.
fn with_numbers(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|argument| {
        if argument.is_positional() || !argument.get_action().takes_values() {
            return argument;
        }
        // clap does not recognize numbers with a signed exponent (`-1e-3`) as negative numbers.
        match argument.get_value_parser().type_id() == TypeId::of::<f64>() {
            true => argument.allow_hyphen_values(true),
            false => argument.allow_negative_numbers(true),
        }
    });
    command.mut_subcommands(with_numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the help of a command shows an option of every command.
    fn shows(command: &clap::Command, option: &str) -> bool {
        let mut arguments = command.get_arguments();
        arguments.any(|argument| argument.get_id() == option && !argument.is_hide_set())
    }

    #[test]
    fn options_are_shown_where_they_have_a_use() {
        let mut program = Arguments::command_line();
        program.build();
        for name in OPEN_ENGINES.iter().chain(&COMPILE_FOR_ENGINES) {
            assert!(program.find_subcommand(name).is_some(), "{name}");
        }
        let has =
            |command: &clap::Command, id: &str| command.get_arguments().any(|a| a.get_id() == id);
        for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
            let name = command.get_name();
            // Every command accepts both.
            assert!(has(command, "ort_lib") && has(command, "plain"), "{name}");
            assert_eq!(shows(command, "ort_lib"), OPEN_ENGINES.contains(&name), "{name}");
            assert_eq!(shows(command, "plain"), COMPILE_FOR_ENGINES.contains(&name), "{name}");
            assert!(!has(command, "engine") || shows(command, "ort_lib"), "{name}");
            assert!(command.get_subcommands().all(|c| !shows(c, "plain")), "{name}");
        }
    }
}
