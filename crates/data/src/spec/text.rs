//! Commas, quotes and `~` in data set specifications.

use std::path::{Path, PathBuf};

/// Splits a text at commas outside of quotes. A quote can open at the start of a value, that is,
/// after the first `:` of the source or the first `=` of an option. Inside, a doubled quote stands
/// for one. Returns the parts with their quotes; `None` if a quote is not closed.
pub fn split(text: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    // Whether a value starts here.
    let mut begins = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let separator = if parts.len() == 1 { ':' } else { '=' };
        let part = parts.last_mut()?;
        match quote {
            None if letter == ',' => {
                parts.push(String::new());
                begins = false;
                continue;
            }
            None if begins && matches!(letter, '"' | '\'') => quote = Some(letter),
            Some(open) if letter == open => match letters.next_if_eq(&open) {
                Some(_) => part.push(open),
                None => quote = None,
            },
            _ => {}
        }
        let first = letter == separator && !part.contains(separator);
        begins = first || (begins && letter.is_whitespace());
        part.push(letter);
    }
    quote.is_none().then_some(parts)
}

/// A value without quotes around it.
pub fn unquoted(text: &str) -> String {
    let text = text.trim();
    for quote in ['"', '\''] {
        let inside = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
        if let Some(inside) = inside {
            return inside.replace(&format!("{quote}{quote}"), &quote.to_string());
        }
    }
    text.to_string()
}

/// A value as it must be written: in quotes if it could not be parsed otherwise.
pub fn quoted(text: &str) -> String {
    let plain = !text.contains(',') && text.trim() == text && !text.starts_with(['"', '\'']);
    match plain {
        true => text.to_string(),
        false => format!("\"{}\"", text.replace('"', "\"\"")),
    }
}

/// Replaces a leading `~` by the home folder; `None` if the path does not start with `~/` and is
/// not `~`.
pub fn expand_home(path: &Path) -> Option<PathBuf> {
    let rest = path.strip_prefix("~").ok()?;
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty())?;
    Some(home.join(rest))
}
