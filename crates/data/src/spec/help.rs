//! The help text for data set specifications, from the tables of formats and options.

use super::OPTIONS;
use crate::read::FORMATS;

/// The column at which descriptions start, and the length of a line.
const INDENT: usize = 32;
const WIDTH: usize = 98;

/// The help text: all sources and all options.
pub fn help() -> String {
    let mut text =
        "SPEC is SOURCE[,OPTION=VALUE]..., as in `idx:mnist,binarize=threshold`. A path with a\n\
                    comma is written in quotes; `~` is the home folder.\n\nSources:\n"
            .to_string();
    for format in &FORMATS {
        entry(&mut text, format.usage, format.about);
    }
    text.push_str("\nOptions, in the order in which they apply:\n");
    for option in &OPTIONS {
        entry(&mut text, &format!("{}={}", option.word, option.values), option.about);
    }
    text
}

/// Appends an entry: the usage on the left, its description aligned on the right.
fn entry(text: &mut String, usage: &str, about: &str) {
    let mut line = format!("  {usage}");
    if line.len() + 2 > INDENT {
        text.push_str(&format!("{line}\n"));
        line.clear();
    }
    line = format!("{line:<INDENT$}");
    for word in about.split(' ') {
        if line.len() + word.len() > WIDTH {
            text.push_str(&format!("{}\n", line.trim_end()));
            line = " ".repeat(INDENT);
        }
        line.push_str(word);
        line.push(' ');
    }
    text.push_str(&format!("{}\n", line.trim_end()));
}
