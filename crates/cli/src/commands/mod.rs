//! The table of commands, one file each.

use crate::arguments::Arguments;
use crate::exit::{ExitCode, Failure};
use crate::out::Out;

macro_rules! commands {
    ($($module:ident::$name:ident,)*) => {
        $(mod $module;)*

        /// The command to run. The help of a command is the documentation of its arguments.
        #[derive(Debug, clap::Subcommand)]
        pub enum Command {
            $(#[allow(missing_docs)] $name(Box<$module::$name>),)*
        }

        /// Runs a command.
        pub fn run(arguments: Arguments, out: &Out) -> Result<ExitCode, Failure> {
            match arguments.command {
                $(Command::$name(command) => command.run(&arguments.global, out),)*
            }
        }
    };
}

commands! {
    quickstart::Quickstart,
    zoo::Zoo,
    layers::Layers,
    check::Check,
    inspect::Inspect,
    export::Export,
    compare::Compare,
    data::Data,
    train::Train,
    curve::Curve,
    lr_find::LrFind,
    eval::Eval,
    sample::Sample,
    bench::Bench,
    scaling::Scaling,
    gpu_report::GpuReport,
    runtime::Runtime,
    completions::Completions,
    man::Man,
    web::Web,
}
