//! The parser's helpers: looking at tokens, reporting errors, and recovering from them.

use pixelrnn_graph::{Diagnostic, Span};

use crate::ast::{Condition, Definition, Ident};
use crate::lexer::{Token, TokenKind, show};

/// Parsing failed, and the error has been reported, or follows from one that has been. Like rustc's
/// `ErrorGuaranteed`.
#[derive(Debug)]
pub(super) struct SyntaxErrorReported;

/// A parsed piece of syntax, or an error that has been reported.
pub(super) type Parsed<T> = Result<T, SyntaxErrorReported>;

/// Invariants: `tokens` ends with `End`, and `at` is the index of a token.
pub(super) struct Parser<'a> {
    pub text: &'a str,
    tokens: &'a [Token],
    at: usize,
    pub diagnostics: Vec<Diagnostic>,
    /// The number of open blocks.
    pub depth: usize,
    /// How many more operators and parentheses the current expression may have.
    pub budget: usize,
    /// The number of open calls, nested in each other's arguments.
    pub nesting: usize,
    /// Whether the last call was not closed, which has been reported.
    pub broken: bool,
    /// Whether the last statement of the block may be a value without `;`.
    pub tail: bool,
    /// The conditions, which are declared between the statements.
    pub conditions: Vec<Condition>,
    pub definitions: Vec<Definition>,
    /// Whether an unclosed brace has been reported. The enclosing braces are then unclosed as well, and not
    /// reported.
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

    /// The kind of the token `ahead` places after the next one.
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

    /// The position of the next token.
    pub fn span(&self) -> Span {
        self.span_at(0)
    }

    /// The position of the last consumed token.
    pub fn last(&self) -> Span {
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        last.map_or(Span::new(0, 0), |token| token.span)
    }

    pub fn excerpt(&self, span: Span) -> &'a str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// The text of the word `ahead` places after the next token; empty if that token is not a word.
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

    /// Consumes a token. Does nothing at the end.
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

    /// Consumes a name, if the next token is one.
    pub fn ident(&mut self) -> Option<Ident> {
        let text = self.word_at(0);
        if text.is_empty() {
            return None;
        }
        let ident = Ident { text: text.to_string(), span: self.span() };
        self.bump();
        Some(ident)
    }

    /// Records a diagnostic.
    pub fn report(&mut self, diagnostic: Diagnostic) -> SyntaxErrorReported {
        self.diagnostics.push(diagnostic);
        SyntaxErrorReported
    }

    /// Describes the next token, for messages.
    pub fn found(&self) -> String {
        match self.kind() {
            TokenKind::End => "the end of the text".to_string(),
            TokenKind::Doc(_) => "a doc comment".to_string(),
            _ => show(self.excerpt(self.span())),
        }
    }

    /// The position for an error about the next token. The end of the text has no characters to mark, so the
    /// token before it is marked instead.
    pub fn here(&self) -> Span {
        if *self.kind() == TokenKind::End { self.last() } else { self.span() }
    }

    /// Reports that the next token is not `what`.
    pub fn expected(&mut self, what: &str) -> SyntaxErrorReported {
        self.expected_help(what, None)
    }

    /// Like `expected`, with a suggestion.
    pub fn expected_help(&mut self, what: &str, help: Option<&str>) -> SyntaxErrorReported {
        if *self.kind() == TokenKind::Bad {
            return SyntaxErrorReported;
        }
        let message = format!("expected {what}, found {}", self.found());
        let mut diagnostic = Diagnostic::error(self.here(), message);
        // As in Python and in shells. An attribute begins with the same sign.
        let comment = self.is_punct('#') && !self.is_punct_at(1, '[');
        let help = if comment { Some("a comment begins with `//`") } else { help };
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

    /// The current position, to return to with [`Parser::rewind`].
    pub fn mark(&self) -> usize {
        self.at
    }

    pub fn rewind(&mut self, mark: usize) {
        self.at = mark.min(self.at);
    }

    /// Skips to one of `stops` outside parentheses and brackets that were opened on the way. Always stops at
    /// a brace or a `;`, since parentheses cannot contain them.
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

    /// Skips the rest of the text.
    pub fn abandon(&mut self) {
        self.at = self.tokens.len().saturating_sub(1);
        // Blocks that are open now are not unclosed, only unread.
        self.unclosed = true;
    }
}
