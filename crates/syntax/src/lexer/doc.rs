//! Comments, doc comments, and `#[doc = "..."]`, which is how a macro sees a doc comment.

use super::literal::{string_end, unescape};
use super::{Lexer, TokenKind};

const OUTER: &str = "put `///` lines right before the model's name or a hyper-parameter";

const ATTRIBUTES: &str = "a model file takes doc comments only; in the macro `model!`, put attributes \
    before the model or a hyper-parameter";

impl Lexer<'_> {
    pub(super) fn line_comment(&mut self) {
        let start = self.at;
        let comment = self.run(|c| c != '\n').trim_end_matches('\r');
        self.at = start + comment.len();
        if comment.starts_with("//!") {
            self.report(start, "a `//!` comment documents nothing here", OUTER);
        } else if let Some(doc) = comment.strip_prefix("///").filter(|doc| !doc.starts_with('/')) {
            self.push(TokenKind::Doc(doc.to_string()), start);
        }
    }

    /// Consumes `/* ... */`, which may be nested.
    pub(super) fn block_comment(&mut self) {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    break;
                }
            } else if let Some(c) = rest.chars().next() {
                self.at += c.len_utf8();
            } else {
                // Only the opening is underlined: the rest of the text is not at fault.
                self.at = start + 2;
                self.report(start, "this comment is never closed", "put `*/` at its end");
                self.at = self.text.len();
                return;
            }
        }
        let comment = self.text.get(start..self.at).unwrap_or("");
        let inside = comment.get(3..comment.len().saturating_sub(2)).unwrap_or("");
        if comment.starts_with("/*!") {
            self.report(start, "a `/*!` comment documents nothing here", OUTER);
        } else if comment.starts_with("/**") && !inside.is_empty() && !inside.starts_with('*') {
            self.push(TokenKind::Doc(inside.to_string()), start);
        }
    }

    /// Consumes `#[doc = "..."]`. Other attributes are reported and skipped.
    pub(super) fn attribute(&mut self) {
        let start = self.at;
        if let Some((doc, length)) = doc_attribute(self.rest()) {
            self.at += length;
            return self.push(TokenKind::Doc(doc), start);
        }
        let rest = self.rest();
        let open = rest.trim_start_matches(['#', '!', ' ']);
        let closed = open.starts_with('[').then(|| brackets(open)).flatten();
        let Some(length) = closed else {
            self.at += 1;
            return self.push(TokenKind::Punct('#'), start);
        };
        self.at += rest.len() - open.len() + length;
        let message = format!("unexpected attribute {}", self.shown(start));
        self.report(start, message, ATTRIBUTES);
    }
}

/// The text of `#[doc = "..."]` at the start of `text`, and the attribute's length.
fn doc_attribute(text: &str) -> Option<(String, usize)> {
    let mut rest = text;
    for part in ["#", "[", "doc", "="] {
        rest = rest.trim_start().strip_prefix(part)?;
    }
    rest = rest.trim_start();
    let raw = rest.starts_with('r');
    let literal = rest.strip_prefix('r').unwrap_or(rest);
    let quoted = if raw { literal.trim_start_matches('#') } else { literal };
    if !quoted.starts_with('"') {
        return None;
    }
    let (content, end) = string_end(literal, raw)?;
    let content = literal.get(content)?;
    let rest = literal.get(end..)?.trim_start().strip_prefix(']')?;
    let doc = if raw { content.to_string() } else { unescape(content) };
    Some((doc, text.len() - rest.len()))
}

/// The length of the bracketed text at the start of `text`; `None` if it is not closed within a limit. The
/// limit prevents quadratic time for many open brackets.
fn brackets(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (i, c) in text.char_indices().take(1000) {
        match c {
            '[' => depth += 1,
            ']' if depth == 1 => return Some(i + 1),
            ']' => depth -= 1,
            _ => {}
        }
    }
    None
}
