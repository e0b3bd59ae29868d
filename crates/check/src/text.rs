//! Escapes names from files before they are printed.

use std::fmt::Write;

/// Maximal number of characters of a name that are shown.
const SHOWN: usize = 80;

/// A name with control characters, bidirectional marks and invisible characters escaped. A long
/// name is shortened in the middle.
pub fn shown(name: &str) -> String {
    let count = name.chars().take(4 * SHOWN).count();
    if count <= SHOWN {
        return escaped(name.chars());
    }
    let head = escaped(name.chars().take(SHOWN / 2));
    let tail: Vec<char> = name.chars().rev().take(SHOWN / 2 - 3).collect();
    format!("{head}...{}", escaped(tail.into_iter().rev()))
}

fn escaped(chars: impl Iterator<Item = char>) -> String {
    let mut out = String::new();
    for c in chars {
        let invisible = matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}');
        if c.is_control() || invisible || c == '`' {
            // Writing to a string cannot fail.
            let _ = write!(out, "{}", c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// A list of names in backticks; a long list is shortened.
pub fn listed<'n>(names: impl IntoIterator<Item = &'n String>) -> String {
    let all: Vec<&String> = names.into_iter().collect();
    let mut text: Vec<String> = all.iter().take(12).map(|n| format!("`{}`", shown(n))).collect();
    if all.len() > 12 {
        text.push(format!("and {} more", all.len() - 12));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(shown("x\n\u{202e}y`"), "x\\u{a}\\u{202e}y\\u{60}");
        assert_eq!(shown("/layers.0/Conv"), "/layers.0/Conv");
        let long = shown(&"n".repeat(100_000));
        assert_eq!(long.chars().count(), SHOWN);
    }
}
