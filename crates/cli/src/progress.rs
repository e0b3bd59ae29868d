//! Progress bars: on a terminal, and only for who wants them.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::out::Out;

/// How often a bar shows that time goes by.
const TICK: Duration = Duration::from_millis(200);

/// A bar, or nothing where nobody looks.
pub struct Bar(ProgressBar);

impl Bar {
    /// Counts up to `length` of something.
    pub fn counting(out: &Out, length: u64, what: &str) -> Bar {
        let bar = Bar::new(out, length);
        bar.0.set_message(what.to_string());
        // A batch may take long, and says nothing meanwhile.
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

    /// With a message that changes.
    pub fn new(out: &Out, length: u64) -> Bar {
        if out.quiet || !io::stderr().is_terminal() {
            return Bar(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(length);
        // The template is ours; were it wrong, the usual bar would do.
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {percent:>3}%  {msg}") {
            bar.set_style(style);
        }
        Bar(bar)
    }

    /// So much is done.
    pub fn set(&self, done: u64) {
        self.0.set_position(done);
    }

    /// What goes on.
    pub fn say(&self, text: String) {
        self.0.set_message(text);
    }

    /// A line that stays, above the bar.
    pub fn line(&self, text: &str) {
        self.0.println(text);
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}
