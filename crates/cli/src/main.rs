//! Floor 10 of `pixelrnn`: the command line.
//!
//! **Purpose.** The `pixelrnn` binary: everything below, for people and scripts. It computes nothing
//! itself but what only a reader needs: tables, the picture of `check`, the count of multiply-adds.
//!
//! **Invariants.**
//! - The answer goes to standard output, at the end and in one piece: text, or with `--json` one
//!   object. Everything else goes to standard error.
//! - Exit codes are those of [`exit::ExitCode`]; wrong arguments are 2, as any other bad input.
//! - No text that a user can hand in makes it panic; a reader who stops listening (`| head`) is no
//!   fault.
//! - No colour and no progress where the output is not a terminal.
//! - Files appear whole or not at all.
//!
//! **Where to start.** `arguments.rs` for what can be said, then `commands/`: one file for each
//! command, which holds its arguments, its help and what it does.

mod arguments;
mod canvas;
mod commands;
mod cost;
mod curve;
mod datasets;
mod deploy;
mod engines;
mod exit;
mod interrupt;
mod model;
mod out;
mod parse;
mod progress;
mod table;

use clap::Parser;

use arguments::Arguments;
use exit::ExitCode;

fn main() -> std::process::ExitCode {
    // Official builds of ONNX Runtime send telemetry unless this is set when they start. Who has
    // set it is left alone.
    if std::env::var_os("ORT_DISABLE_TELEMETRY").is_none() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are what was asked for. A reader who is gone does not matter.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::Bad } else { ExitCode::Good }.into();
        }
    };
    let out = arguments.out();
    let code = commands::run(arguments, &out).unwrap_or_else(|failure| {
        out.failure(&failure);
        ExitCode::Bad
    });
    code.into()
}
