//! Layer 10 of `pixelrnn`: the command line.
//!
//! **Purpose.** The `pixelrnn` program: the whole library on the command line, for users and
//! scripts. It computes only what its output needs: tables, the picture of `check`, the number of
//! multiply-adds.
//!
//! **Invariants.**
//! - The result goes to standard output, at the end and in one piece: text, or with `--json` one
//!   object. Everything else goes to standard error.
//! - Exit codes are those of [`exit::ExitCode`]; wrong arguments are 2, like any other bad input.
//! - No input makes it panic; a closed pipe (`| head`) is not an error.
//! - Colors and progress appear only on a terminal.
//! - Files are written completely or not at all.
//! - Of the ranks of an MPI job, only the first prints results and writes files.
//!
//! **Where to start.** `arguments.rs` for the options, then `commands/`: one file per command, with its
//! arguments, its help and its code.

mod arguments;
mod canvas;
mod commands;
mod conditions;
mod cost;
mod curve;
mod datasets;
mod deploy;
mod engines;
mod exit;
mod grid;
mod interrupt;
mod memory;
mod model;
#[cfg(feature = "mpi")]
mod mpi;
mod out;
mod outputs;
mod parse;
mod plot;
mod progress;
mod ranks;
mod records;
mod table;
mod tensorboard;
mod trained;
mod watch;

use arguments::Arguments;
use exit::ExitCode;
use ranks::Job;

fn main() -> std::process::ExitCode {
    // Official builds of ONNX Runtime send telemetry unless this variable is set when they start. A
    // value that the user has set is kept.
    if std::env::var_os("ORT_DISABLE_TELEMETRY").is_none() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
    }
    let job = Job::start();
    let code = run(&job);
    job.end();
    code.into()
}

fn run(job: &Job) -> ExitCode {
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(error) => {
            if ranks::leads() {
                // A closed pipe is not an error.
                let _ = error.print();
            }
            // Help and version count as success.
            return if error.use_stderr() { ExitCode::Bad } else { ExitCode::Good };
        }
    };
    let out = arguments.out();
    ranks::warn_of_strangers(&out);
    if !ranks::leads() && !ranks::divides(&arguments.command) {
        return ExitCode::Good;
    }
    commands::run(arguments, &out).unwrap_or_else(|failure| job.fail(&out, &failure))
}
