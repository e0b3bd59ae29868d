//! Progress bars, shown only on a terminal and without `-q`.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::out::Out;

/// The interval between updates of a bar's clock.
const TICK: Duration = Duration::from_millis(200);

/// A progress bar; hidden with `-q` or if standard error is not a terminal.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar that counts up to `length`; `what` is the unit.
    pub fn counting(out: &Out, length: u64, what: &str) -> Bar {
        let bar = Bar::new(out, length);
        bar.0.set_message(what.to_string());
        // A batch may take long, so the clock runs even without progress.
        if !bar.0.is_hidden() {
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} {bar:24} {pos} of {len} {msg}  {elapsed}")
            {
                bar.0.set_style(style);
            }
            bar.0.enable_steady_tick(TICK);
        }
        bar
    }

    /// A bar whose message changes.
    pub fn new(out: &Out, length: u64) -> Bar {
        if out.quiet || !io::stderr().is_terminal() {
            return Bar(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(length);
        // The template is a constant; if it were invalid, the default style would do.
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {percent:>3}%  {msg}") {
            bar.set_style(style);
        }
        Bar(bar)
    }

    /// Sets the position.
    pub fn set(&self, done: u64) {
        self.0.set_position(done);
    }

    /// Sets the message.
    pub fn say(&self, text: String) {
        self.0.set_message(text);
    }

    /// Prints a permanent line above the bar.
    pub fn line(&self, text: &str) {
        self.0.println(text);
    }

    /// Removes the bar.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}
