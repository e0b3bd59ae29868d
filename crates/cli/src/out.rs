//! Output: the result goes to standard output, everything else to standard error.

use std::io::{self, ErrorKind, IsTerminal, Write};

use serde_json::Value;

use crate::exit::Failure;

/// The output settings.
#[derive(Clone, Copy, Debug)]
pub struct Out {
    /// Print only results and errors.
    pub quiet: bool,
    /// Print results as JSON.
    pub json: bool,
}

impl Out {
    /// Prints the result of a command.
    pub fn answer(&self, text: &str, json: &Value) -> Result<(), Failure> {
        if self.json {
            // A `Value` has string keys and finite numbers, so this is valid JSON.
            self.bytes(format!("{json:#}\n").as_bytes())
        } else {
            self.bytes(format!("{}\n", text.trim_end()).as_bytes())
        }
    }

    /// Like [`Out::answer`], for commands that write a file: with `-q` the text is left out.
    pub fn report(&self, text: &str, json: &Value) -> Result<(), Failure> {
        if self.quiet && !self.json { Ok(()) } else { self.answer(text, json) }
    }

    /// Writes bytes to standard output. A closed pipe is not an error.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::Stdout(error)),
            _ => Ok(()),
        }
    }

    /// Prints a progress message, on a terminal only.
    pub fn progress(&self, text: &str) {
        if !self.quiet && io::stderr().is_terminal() {
            say(text);
        }
    }

    /// Prints a note.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }

    /// Prints a warning.
    pub fn warn(&self, text: &str) {
        if !self.quiet {
            say(&format!("warning: {text}"));
        }
    }

    /// Prints the error of a failed command.
    pub fn failure(&self, failure: &Failure) {
        match failure {
            // The rendered diagnostics already begin with `error`.
            Failure::Pixelrnn(pixelrnn::Error::Model { text, diagnostics }) => {
                say(&pixelrnn::render(text, diagnostics, coloured(&io::stderr())));
            }
            other => say(&format!("error: {other}")),
        }
    }

    /// Whether the result may be colored.
    pub fn colour(&self) -> bool {
        !self.json && coloured(&io::stdout())
    }
}

/// Whether a stream supports color and NO_COLOR is not set (no-color.org).
fn coloured(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

fn say(text: &str) {
    // Unlike `eprintln!`, this does not panic if standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}
