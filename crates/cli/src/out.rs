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
            // A `Value` has only string keys and finite numbers, so this is always valid JSON.
            self.bytes(format!("{json:#}\n").as_bytes())
        } else {
            let text = printable(text, self.colour());
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
                let colour = coloured(&io::stderr());
                write(&printable(&pixelrnn::render(text, diagnostics, colour), colour));
            }
            other => say(&format!("error: {other}")),
        }
    }

    /// Prints which rank of an MPI job the next message is from.
    #[cfg(feature = "mpi")]
    pub fn rank(&self, name: &str) {
        say(&format!("{name}:"));
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

/// Escapes control characters, which names in files, models and runs may contain and a terminal
/// would interpret. Escape sequences for colors are kept if `colour` is set.
fn printable(text: &str, colour: bool) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let style = if colour { style(rest) } else { 0 };
        let length = style.max(c.len_utf8());
        match style == 0 && c.is_control() && !matches!(c, '\n' | '\t') {
            true => safe.extend(c.escape_default()),
            false => safe.push_str(&rest[..length]),
        }
        rest = &rest[length..];
    }
    safe
}

/// The length of an escape sequence for a color at the beginning of a text; 0 if there is none.
fn style(text: &str) -> usize {
    let Some(numbers) = text.strip_prefix("\u{1b}[") else { return 0 };
    let end = numbers.find(|c: char| !c.is_ascii_digit() && c != ';');
    match end {
        Some(end) if numbers[end..].starts_with('m') => 2 + end + 1,
        _ => 0,
    }
}

fn say(text: &str) {
    write(&printable(text, false));
}

fn write(text: &str) {
    // Unlike `eprintln!`, this does not panic if standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn a_terminal_sees_colors_and_nothing_else() {
        let text = "a\u{1b}[31mred\u{1b}[0m\u{1b}[2J\u{9b}b\tc\nd\r";
        let plain = r"a\u{1b}[31mred\u{1b}[0m\u{1b}[2J\u{9b}b";
        assert_eq!(printable(text, false), format!("{plain}\tc\nd\\r"));
        let colored = printable(text, true);
        assert!(colored.starts_with("a\u{1b}[31mred\u{1b}[0m\\u{1b}[2J"), "{colored}");
    }
}
