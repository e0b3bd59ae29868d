//! The commands, one file each.

mod bench;
mod check;
mod compare;
mod data;
mod eval;
mod export;
mod inspect;
mod quickstart;
mod runtime;
mod sample;
mod train;
mod zoo;

use crate::arguments::Arguments;
use crate::exit::{ExitCode, Failure};
use crate::out::Out;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Declare, check, train, evaluate, sample and export a small model, in about a minute
    Quickstart(quickstart::Quickstart),
    /// List the models, or print the declaration of one
    Zoo(zoo::Zoo),
    /// Prove that no output reads what it is to predict, or show where it does
    Check(check::Check),
    /// Show the graph of a model, and what it costs
    Inspect(inspect::Inspect),
    /// Write a model as plain ONNX
    Export(export::Export),
    /// Run a model on several engines and compare the numbers
    Compare(compare::Compare),
    /// Show what a data set is understood as
    Data(data::Data),
    /// Train a model
    Train(Box<train::Train>),
    /// Measure how well a model predicts images
    Eval(eval::Eval),
    /// Draw images from a model
    Sample(sample::Sample),
    /// Measure how fast the engines run a model
    Bench(bench::Bench),
    /// Say which engines work here, or fetch ONNX Runtime
    Runtime(runtime::Runtime),
}

/// Runs a command.
pub fn run(arguments: Arguments, out: &Out) -> Result<ExitCode, Failure> {
    let global = &arguments.global;
    match arguments.command {
        Command::Quickstart(command) => command.run(global, out),
        Command::Zoo(command) => command.run(out),
        Command::Check(command) => command.run(out),
        Command::Inspect(command) => command.run(out),
        Command::Export(command) => command.run(out),
        Command::Compare(command) => command.run(global, out),
        Command::Data(command) => command.run(out),
        Command::Train(command) => command.run(global, out),
        Command::Eval(command) => command.run(global, out),
        Command::Sample(command) => command.run(global, out),
        Command::Bench(command) => command.run(global, out),
        Command::Runtime(command) => command.run(global, out),
    }
}
