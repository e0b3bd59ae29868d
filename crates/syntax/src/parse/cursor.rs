//! Looking at tokens, reporting, and finding the way back after an error.

use pixelrnn_graph::{Diagnostic, Span};

use crate::ast::{Condition, Definition, Ident};
use crate::lexer::{Token, TokenKind, show};

/// The mark of a failure that has been reported (or that follows from one that has).
#[derive(Debug)]
pub(super) struct SyntaxErrorReported;

/// A piece of syntax, or an error that the user has been told.
pub(super) type Parsed<T> = Result<T, SyntaxErrorReported>;

/// Invariants: `tokens` ends with `End`, and `at` is the index of a token.
pub(super) struct Parser<'a> {
    pub text: &'a str,
    tokens: &'a [Token],
    at: usize,
    pub diagnostics: Vec<Diagnostic>,
    /// Blocks that are open here.
    pub depth: usize,
    /// Operators and parentheses that the expression at hand may still have.
    pub budget: usize,
    /// Calls that are open here, one in the arguments of the other.
    pub nesting: usize,
    /// Whether the last call was left unclosed, which has been reported.
    pub broken: bool,
    /// Whether the last statement of the block may be a value without `;`.
    pub tail: bool,
    /// What stands beside the statements.
    pub conditions: Vec<Condition>,
    pub definitions: Vec<Definition>,
    /// Whether an unclosed brace has been reported: the braces around it are unclosed as well.
    pub unclosed: bool,
}

impl<'a> Parser<'a> {
    pub fn new(text: &'a str, tokens: &'a [Token]) -> Parser<'a> {
        let diagnostics = Vec::new();
        Parser {
            text,
            tokens,
            at: 0,
            diagnostics,
            depth: 0,
            budget: 0,
            nesting: 0,
            broken: false,
            tail: false,
            conditions: Vec::new(),
            definitions: Vec::new(),
            unclosed: false,
        }
    }

    /// The kind of the token `ahead` of the next one.
    pub fn kind_at(&self, ahead: usize) -> &'a TokenKind {
        self.tokens.get(self.at + ahead).map_or(&TokenKind::End, |token| &token.kind)
    }

    /// The kind of the next token.
    pub fn kind(&self) -> &'a TokenKind {
        self.kind_at(0)
    }

    pub fn span_at(&self, ahead: usize) -> Span {
        let end = Span::new(self.text.len(), self.text.len());
        self.tokens.get(self.at + ahead).map_or(end, |token| token.span)
    }

    /// The place of the next token.
    pub fn span(&self) -> Span {
        self.span_at(0)
    }

    /// The place of the token that was taken last.
    pub fn last(&self) -> Span {
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        last.map_or(Span::new(0, 0), |token| token.span)
    }

    pub fn excerpt(&self, span: Span) -> &'a str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// The word `ahead` of the next token; empty if that token is not a word.
    pub fn word_at(&self, ahead: usize) -> &'a str {
        match self.kind_at(ahead) {
            TokenKind::Word => self.excerpt(self.span_at(ahead)),
            _ => "",
        }
    }

    pub fn is_punct_at(&self, ahead: usize, c: char) -> bool {
        *self.kind_at(ahead) == TokenKind::Punct(c)
    }

    pub fn is_punct(&self, c: char) -> bool {
        self.is_punct_at(0, c)
    }

    /// Takes a token; at the end, nothing.
    pub fn bump(&mut self) {
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
    }

    pub fn eat(&mut self, c: char) -> bool {
        let found = self.is_punct(c);
        if found {
            self.bump();
        }
        found
    }

    pub fn eat_word(&mut self, word: &str) -> bool {
        let found = self.word_at(0) == word;
        if found {
            self.bump();
        }
        found
    }

    /// Takes a name, if the next token is one.
    pub fn ident(&mut self) -> Option<Ident> {
        let text = self.word_at(0);
        if text.is_empty() {
            return None;
        }
        let ident = Ident { text: text.to_string(), span: self.span() };
        self.bump();
        Some(ident)
    }

    /// Adds to what the user is told.
    pub fn report(&mut self, diagnostic: Diagnostic) -> SyntaxErrorReported {
        self.diagnostics.push(diagnostic);
        SyntaxErrorReported
    }

    /// The next token, in words.
    pub fn found(&self) -> String {
        match self.kind() {
            TokenKind::End => "the end of the text".to_string(),
            TokenKind::Doc(_) => "a doc comment".to_string(),
            _ => show(self.excerpt(self.span())),
        }
    }

    /// Where to complain about the next token: the end of the text has no place to underline, so
    /// the token before it stands in.
    pub fn here(&self) -> Span {
        if *self.kind() == TokenKind::End { self.last() } else { self.span() }
    }

    /// Reports that the next token is not `what`.
    pub fn expected(&mut self, what: &str) -> SyntaxErrorReported {
        self.expected_help(what, None)
    }

    /// The same, saying what would be right.
    pub fn expected_help(&mut self, what: &str, help: Option<&str>) -> SyntaxErrorReported {
        if *self.kind() == TokenKind::Bad {
            return SyntaxErrorReported;
        }
        let message = format!("expected {what}, found {}", self.found());
        let mut diagnostic = Diagnostic::error(self.here(), message);
        diagnostic.help = help.map(str::to_string);
        self.report(diagnostic)
    }

    /// Reports that `c` is missing after the last token.
    pub fn missing_after(&mut self, c: char) -> SyntaxErrorReported {
        if *self.kind() == TokenKind::Bad {
            return SyntaxErrorReported;
        }
        let after = show(self.excerpt(self.last()));
        let message = format!("expected `{c}` after {after}, found {}", self.found());
        self.report(Diagnostic::error(self.last(), message).help(format!("put a `{c}` here")))
    }

    pub fn expect(&mut self, c: char) -> Parsed<()> {
        if self.eat(c) { Ok(()) } else { Err(self.expected(&format!("`{c}`"))) }
    }

    /// Where the parser is, to come back to with [`Parser::rewind`].
    pub fn mark(&self) -> usize {
        self.at
    }

    pub fn rewind(&mut self, mark: usize) {
        self.at = mark.min(self.at);
    }

    /// Steps forward to one of `stops`, outside of parentheses and brackets opened on the way. A
    /// brace or a `;` always stops: no parenthesis reaches over one.
    pub fn skip_to(&mut self, stops: &[char]) {
        let mut open = 0_usize;
        loop {
            match *self.kind() {
                TokenKind::End | TokenKind::Punct('{' | '}' | ';') => return,
                TokenKind::Punct(c) if open == 0 && stops.contains(&c) => return,
                TokenKind::Punct('(' | '[') => open += 1,
                TokenKind::Punct(')' | ']') => open = open.saturating_sub(1),
                _ => {}
            }
            self.bump();
        }
    }

    /// Gives up on the rest of the text.
    pub fn abandon(&mut self) {
        self.at = self.tokens.len().saturating_sub(1);
        // What is open now is not unclosed, only unread.
        self.unclosed = true;
    }
}
