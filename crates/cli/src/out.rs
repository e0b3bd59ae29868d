//! Where words go: the answer to standard output, everything else to standard error.

use std::io::{self, ErrorKind, IsTerminal, Write};

use serde_json::Value;

use crate::exit::Failure;

/// How the user wants to be spoken to.
#[derive(Clone, Copy, Debug)]
pub struct Out {
    /// Nothing but answers and errors.
    pub quiet: bool,
    /// Answers as JSON.
    pub json: bool,
}

impl Out {
    /// The answer of a command.
    pub fn answer(&self, text: &str, json: &Value) -> Result<(), Failure> {
        if self.json {
            // A `Value` has string keys and finite numbers, so this is what it says it is.
            self.bytes(format!("{json:#}\n").as_bytes())
        } else {
            self.bytes(format!("{}\n", text.trim_end()).as_bytes())
        }
    }

    /// As [`Out::answer`], for a command whose product is a file: `-q` leaves out the text.
    pub fn report(&self, text: &str, json: &Value) -> Result<(), Failure> {
        if self.quiet && !self.json { Ok(()) } else { self.answer(text, json) }
    }

    /// Bytes to standard output. A reader who stopped listening got what they wanted.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::Stdout(error)),
            _ => Ok(()),
        }
    }

    /// What goes on meanwhile, for who watches.
    pub fn progress(&self, text: &str) {
        if !self.quiet && io::stderr().is_terminal() {
            say(text);
        }
    }

    /// An answer to what the user did meanwhile.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }

    /// What the user should know, but need not act on.
    pub fn warn(&self, text: &str) {
        if !self.quiet {
            say(&format!("warning: {text}"));
        }
    }

    /// Why a command could not be done.
    pub fn failure(&self, failure: &Failure) {
        match failure {
            // Says `error` itself, beside the place in the text.
            Failure::Pixelrnn(pixelrnn::Error::Model { text, diagnostics }) => {
                say(&pixelrnn::render(text, diagnostics, coloured(&io::stderr())));
            }
            other => say(&format!("error: {other}")),
        }
    }

    /// Whether the answer may be in colour.
    pub fn colour(&self) -> bool {
        !self.json && coloured(&io::stdout())
    }
}

/// Whether a stream can show colour and its reader has not asked for none (no-color.org).
fn coloured(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

fn say(text: &str) {
    // Unlike `eprintln!`, this does not panic when nobody can hear it.
    let _ = writeln!(io::stderr().lock(), "{text}");
}
