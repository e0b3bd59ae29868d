//! Numbers, and the string and character literals that are not allowed in a model.

use super::{Lexer, TokenKind};

impl Lexer<'_> {
    /// `28`, `1_000`, and the first half of `7x7`.
    pub(super) fn number(&mut self) {
        let start = self.at;
        let digits = self.run(|c| c == '_' || c.is_ascii_digit());
        let mut after = self.rest().chars();
        if after.next() == Some('.') && after.next().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            self.run(|c| c == '_' || c.is_alphanumeric());
            return self.no_number(start, "has a fraction", "sizes are whole numbers");
        }
        if self.rest().starts_with('x') && digits != "0" {
            // `7x7`: the number ends here; the word `x` and the rest follow.
            self.integer(start, digits);
            let x = self.at;
            self.at += 1;
            return self.push(TokenKind::Word, x);
        }
        let suffix = self.run(|c| c == '_' || c.is_alphanumeric());
        if suffix.is_empty() {
            return self.integer(start, digits);
        }
        let typed = suffix
            .strip_prefix(['u', 'i'])
            .is_some_and(|bits| bits == "size" || bits.bytes().all(|digit| digit.is_ascii_digit()));
        let help = match suffix.bytes().next() {
            Some(b'x' | b'o' | b'b') if digits == "0" => {
                "numbers are written in decimal; a kernel with spaces, `height x width`".to_string()
            }
            _ if typed => format!("write `{digits}`"),
            _ => "sizes are whole numbers, written in decimal".to_string(),
        };
        self.no_number(start, "is not a valid number", &help);
    }

    fn integer(&mut self, start: usize, digits: &str) {
        let plain: String = digits.chars().filter(|&c| c != '_').collect();
        match plain.parse() {
            Ok(value) => self.push(TokenKind::Int(value), start),
            Err(_) => {
                let help = format!("at most {}", usize::MAX);
                self.no_number(start, "is too large", &help);
            }
        }
    }

    /// Reports a malformed number and continues with the number 1.
    fn no_number(&mut self, start: usize, what: &str, help: &str) {
        self.report(start, format!("{} {what}", self.shown(start)), help);
        self.push(TokenKind::Int(1), start);
    }

    /// Consumes a string literal that begins at `start`. `at` is after its prefix, if it has one.
    pub(super) fn string(&mut self, start: usize, raw: bool) {
        let end = string_end(self.rest(), raw);
        match end {
            Some((_, end)) => self.at += end,
            None => {
                self.run(|c| c != '\n');
            }
        }
        let message = format!("unexpected text {}", self.shown(start));
        let help = if end.is_some() {
            "models consist of names and whole numbers"
        } else {
            "it has no closing quote, and models consist of names and whole numbers"
        };
        self.report(start, message, help);
        self.push(TokenKind::Bad, start);
    }

    /// Consumes `'a'` or `'a` that begins at `start`. `at` is at the quote, possibly after a `b`.
    pub(super) fn quote(&mut self, start: usize) {
        self.at += 1;
        let mut after = self.rest().char_indices().skip(1);
        let first = self.peek();
        if first == Some('\\') {
            self.run(|c| c != '\'' && c != '\n');
            self.at += usize::from(self.peek() == Some('\''));
        } else if let Some((closing, '\'')) = after.next() {
            self.at += closing + 1;
        } else {
            self.run(|c| c == '_' || c.is_alphanumeric());
        }
        let message = format!("unexpected {}", self.shown(start));
        self.report(start, message, "models consist of names and whole numbers");
        self.push(TokenKind::Bad, start);
    }
}

/// The range of a string literal's content and the literal's length, both relative to its start. The literal
/// begins at its quote or, if it is raw, at its `#`s. `None` if it is not closed.
pub(super) fn string_end(literal: &str, raw: bool) -> Option<(std::ops::Range<usize>, usize)> {
    if raw {
        let hashes = literal.len() - literal.trim_start_matches('#').len();
        let content = literal.get(hashes..)?.strip_prefix('"')?;
        let closing = format!("\"{}", "#".repeat(hashes));
        let length = content.find(&closing)?;
        let begin = hashes + 1;
        return Some((begin..begin + length, begin + length + closing.len()));
    }
    let mut chars = literal.char_indices();
    chars.next();
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Some((1..i, i + 1)),
            '\\' => {
                chars.next();
            }
            _ => {}
        }
    }
    None
}

/// Resolves the escapes in the content of a string literal. Unknown escapes are kept.
pub(super) fn unescape(content: &str) -> String {
    let mut out = String::new();
    let mut chars = content.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let before = chars.as_str();
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('0') => out.push('\0'),
            Some(c @ ('\\' | '\'' | '"')) => out.push(c),
            // At the end of a line: the white space that follows is not part of the text.
            Some('\n') => chars = chars.as_str().trim_start().chars(),
            Some('x') => match chars.as_str().get(..2).and_then(code_point) {
                Some(c) => {
                    out.push(c);
                    chars = chars.as_str().get(2..).unwrap_or("").chars();
                }
                None => out.push_str("\\x"),
            },
            Some('u') => match braced(chars.as_str()) {
                Some((c, rest)) => {
                    out.push(c);
                    chars = rest.chars();
                }
                None => out.push_str("\\u"),
            },
            _ => {
                out.push('\\');
                chars = before.chars();
            }
        }
    }
    out
}

fn code_point(hex: &str) -> Option<char> {
    char::from_u32(u32::from_str_radix(hex, 16).ok()?)
}

/// The character of `{1f600}`, and the rest of the text.
fn braced(text: &str) -> Option<(char, &str)> {
    let (hex, rest) = text.strip_prefix('{')?.split_once('}')?;
    Some((code_point(hex)?, rest))
}
