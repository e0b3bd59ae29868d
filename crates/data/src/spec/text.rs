//! Commas, quotes and `~` in the text of a data set.

use std::path::{Path, PathBuf};

/// Splits at commas that do not stand in quotes. A quote opens at the beginning of a value, after
/// `:` or `=`, and a doubled one inside stands for itself. Returns the parts with their quotes;
/// `None` if a quote is not closed.
pub fn split(text: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    let mut before = None;
    for letter in text.chars() {
        match quote {
            None if letter == ',' => {
                parts.push(String::new());
                before = None;
                continue;
            }
            None if matches!(letter, '"' | '\'') && matches!(before, Some(':' | '=')) => {
                quote = Some(letter);
            }
            Some(open) if letter == open => quote = None,
            // The second of two quotes opens again.
            None if matches!(letter, '"' | '\'') && before == Some(letter) => quote = Some(letter),
            _ => {}
        }
        if !letter.is_whitespace() || quote.is_some() {
            before = Some(letter);
        }
        parts.last_mut()?.push(letter);
    }
    quote.is_none().then_some(parts)
}

/// A value without the quotes around it.
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

/// A value as it is to be written: in quotes where it would not be read back without.
pub fn quoted(text: &str) -> String {
    let plain = !text.contains(',') && text.trim() == text && !text.starts_with(['"', '\'']);
    match plain {
        true => text.to_string(),
        false => format!("\"{}\"", text.replace('"', "\"\"")),
    }
}

/// A path in the home folder, if it begins with `~/` or is `~`.
pub fn expand_home(path: &Path) -> Option<PathBuf> {
    let rest = path.strip_prefix("~").ok()?;
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty())?;
    Some(home.join(rest))
}
