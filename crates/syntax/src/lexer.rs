//! Splits a text into tokens.
//!
//! **Invariants.**
//! - Any text gives tokens, the last of which is [`TokenKind::End`]. Spans are on character boundaries and in
//!   increasing order.
//! - Text that cannot be part of a model is reported here, once, and replaced: a malformed number by the
//!   number 1, everything else by [`TokenKind::Bad`]. The parser reports nothing about a `Bad` token, so one
//!   mistake gives one message.
//! - `7x7` gives the three tokens `7 x 7`, although rustc reads it as one.
//!
//! Literals are in `lexer/literal.rs`, comments and attributes in `lexer/doc.rs`.

use pixelrnn_graph::{Diagnostic, Span};

mod doc;
mod literal;

/// A token and its position.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub kind: TokenKind,
    pub span: Span,
}

/// The kind of a token. Its text is the text of its span.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind {
    /// A name or a keyword.
    Word,
    Int(usize),
    /// A doc comment, or `#[doc = "..."]`, with its text.
    Doc(String),
    /// A single ASCII punctuation character.
    Punct(char),
    /// Text that has been reported as an error.
    Bad,
    End,
}

/// Splits `text` into tokens.
pub(crate) fn lex(text: &str) -> (Vec<Token>, Vec<Diagnostic>) {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new(), diagnostics: Vec::new() };
    while let Some(c) = lexer.peek() {
        lexer.token(c);
    }
    lexer.push(TokenKind::End, text.len());
    (lexer.tokens, lexer.diagnostics)
}

/// Invariant: `at` is a character boundary of `text`.
struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Consumes the characters that satisfy `accept`, and returns them.
    fn run(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !accept(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or("")
    }

    /// Adds a token from `start` to the current position.
    fn push(&mut self, kind: TokenKind, start: usize) {
        self.tokens.push(Token { kind, span: Span::new(start, self.at) });
    }

    /// Reports an error at the text from `start` to the current position.
    fn report(&mut self, start: usize, message: impl Into<String>, help: impl Into<String>) {
        let span = Span::new(start, self.at);
        self.diagnostics.push(Diagnostic::error(span, message).help(help));
    }

    /// The text from `start` to the current position, formatted for a message.
    fn shown(&self, start: usize) -> String {
        show(self.text.get(start..self.at).unwrap_or(""))
    }

    /// Consumes one token, or a run of white space, that begins with `c`.
    fn token(&mut self, c: char) {
        let start = self.at;
        match c {
            // A byte order mark, which some editors write.
            '\u{feff}' if start == 0 => self.at += c.len_utf8(),
            _ if c.is_whitespace() => {
                self.run(char::is_whitespace);
            }
            '/' if self.rest().starts_with("//") => self.line_comment(),
            '/' if self.rest().starts_with("/*") => self.block_comment(),
            '#' => self.attribute(),
            '"' => self.string(start, false),
            '\'' => self.quote(start),
            '0'..='9' => self.number(),
            _ if c == '_' || c.is_alphanumeric() => self.word(),
            _ if c.is_ascii_graphic() => {
                self.at += 1;
                self.push(TokenKind::Punct(c), start);
            }
            _ => self.strange(),
        }
    }

    fn word(&mut self) {
        let start = self.at;
        let word = self.run(|c| c == '_' || c.is_alphanumeric());
        let next = self.peek();
        let raw = matches!(word, "r" | "br" | "cr");
        if (next == Some('"') && (raw || matches!(word, "b" | "c")))
            || (raw && next == Some('#') && self.rest().trim_start_matches('#').starts_with('"'))
        {
            return self.string(start, raw);
        }
        if word == "b" && next == Some('\'') {
            return self.quote(start);
        }
        let mut after = self.rest().chars();
        if word == "r"
            && after.next() == Some('#')
            && after.next().is_some_and(|c| c == '_' || c.is_ascii_alphabetic())
        {
            self.at += 1;
            let name = self.at;
            let word = self.run(|c| c == '_' || c.is_alphanumeric());
            self.report(
                start,
                format!("raw identifier {}", self.shown(start)),
                format!("write `{word}`: names need no `r#` here"),
            );
            // The name is kept without its prefix, so that no further errors follow.
            let kind = if word.is_ascii() { TokenKind::Word } else { TokenKind::Bad };
            return self.push(kind, name);
        }
        if word == "_" {
            self.push(TokenKind::Punct('_'), start);
        } else if word.is_ascii() {
            self.push(TokenKind::Word, start);
        } else {
            self.report(
                start,
                format!("{} is not a name", self.shown(start)),
                "names consist of ASCII letters, digits and `_`",
            );
            self.push(TokenKind::Bad, start);
        }
    }

    /// Consumes a run of characters that have no meaning here, such as `×`.
    fn strange(&mut self) {
        let start = self.at;
        let run = self.run(|c| {
            !c.is_whitespace() && !c.is_alphanumeric() && c != '_' && !c.is_ascii_graphic()
        });
        let help = if run == "×" {
            "write the letter: `height x width`"
        } else {
            "outside of comments, models are written in ASCII"
        };
        self.report(start, format!("unexpected character {}", self.shown(start)), help);
        self.push(TokenKind::Bad, start);
    }
}

/// `text` in backquotes, shortened, with control characters made visible.
pub(crate) fn show(text: &str) -> String {
    const MOST: usize = 32;
    let mut out = String::from("`");
    for (i, c) in text.chars().enumerate() {
        if i == MOST {
            out.push('…');
            break;
        }
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out.push('`');
    out
}
