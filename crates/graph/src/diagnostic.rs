//! Positions in the user's text, and diagnostics about them. Other crates render them.

use std::fmt;
use std::sync::Arc;

/// A range of bytes in one [`Source`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    /// The span of the bytes `start..end`; offsets past 4 GiB are clamped.
    pub fn new(start: usize, end: usize) -> Span {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span { start: clamp(start), end: clamp(end.max(start)) }
    }

    /// The smallest span that covers both.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A text that spans point into: a model file, or the body of a macro call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file, as the user named it.
    pub name: String,
    /// The whole text.
    pub text: Arc<str>,
    /// The number of lines of `name` before `text`: 0 for a model file.
    pub line_offset: usize,
}

impl Source {
    /// A text that is a whole file.
    pub fn new(name: impl Into<String>, text: impl Into<Arc<str>>) -> Source {
        Source { name: name.into(), text: text.into(), line_offset: 0 }
    }

    /// Line and column (both from 1, columns in characters) of a byte offset.
    pub fn position(&self, offset: u32) -> (usize, usize) {
        let mut end = (offset as usize).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line = before.bytes().filter(|&b| b == b'\n').count();
        let column = before.chars().rev().take_while(|&c| c != '\n').count();
        (self.line_offset + line + 1, column + 1)
    }

    /// The text of a span; empty if the span is outside the text.
    pub fn excerpt(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// `file:line:column` of a span's start.
    pub fn locate(&self, span: Span) -> String {
        let (line, column) = self.position(span.start);
        format!("{}:{line}:{column}", self.name)
    }

    /// Like [`Source::locate`], but without the folders of the file's path, so that the result can be given
    /// to others without telling anything about this machine.
    pub fn locate_by_name(&self, span: Span) -> String {
        let located = self.locate(span);
        let folders = self.name.rfind(['/', '\\']).map_or(0, |slash| slash + 1);
        located[folders..].to_string()
    }
}

/// The severity of a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something that may be unintended.
    Warning,
    /// Something that must be changed.
    Error,
}

/// A remark on a place in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place to underline.
    pub span: Span,
    /// The remark.
    pub text: String,
}

/// A message for the user: what is wrong, where, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How serious it is.
    pub severity: Severity,
    /// One sentence, no full stop.
    pub message: String,
    /// The place at fault, and a short remark on it (may be empty).
    pub primary: Label,
    /// Other places that explain it.
    pub secondary: Vec<Label>,
    /// What would be right.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at `span`.
    pub fn error(span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            message: message.into(),
            primary: Label { span, text: String::new() },
            secondary: Vec::new(),
            help: None,
        }
    }

    /// Adds a remark on the place at fault.
    pub fn remark(mut self, text: impl Into<String>) -> Diagnostic {
        self.primary.text = text.into();
        self
    }

    /// Adds a remark on another place.
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.secondary.push(Label { span, text: text.into() });
        self
    }

    /// Adds a suggestion.
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help = Some(text.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.primary.text.is_empty() {
            write!(f, ": {}", self.primary.text)?;
        }
        if let Some(help) = &self.help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}
