//! Parses the model's name, its hyper-parameters, and the `image` line.

use pixelrnn_graph::{Diagnostic, Span};

use super::cursor::{Parsed, Parser, SyntaxErrorReported};
use crate::ast::{Expr, Field, Ident, Image, Model};
use crate::keywords::is_rust_keyword;
use crate::lexer::TokenKind;
use crate::suggest::closest;

/// The form of the `image` line, for error messages.
const IMAGE: &str = "write `image height x width, colors n, levels n;`";

/// The form of hyper-parameters, for error messages.
const FIELDS: &str = "hyper-parameters are written in braces: `pub Name { h: usize = 16 }`";

impl Parser<'_> {
    /// Parses the whole text.
    pub fn model(&mut self) -> Option<Model> {
        let docs = self.docs();
        let visibility = self.visibility();
        let name = self.name();
        let fields = if self.is_punct('{') { self.fields() } else { Vec::new() };
        self.eat(';');

        self.stray_docs();
        let mut image = self.first_image(name.is_ok());
        let body = self.statements(&mut image);
        let image = image.unwrap_or_else(|| no_image(self.here()));
        let name = name.ok()?;
        let conditions = std::mem::take(&mut self.conditions);
        let definitions = std::mem::take(&mut self.definitions);
        Some(Model { docs, visibility, name, fields, image, conditions, definitions, body })
    }

    /// Parses the `image` line, if it is in the right place.
    fn first_image(&mut self, named: bool) -> Option<Image> {
        let word = self.word_at(0);
        if word == "image" {
            return Some(self.image());
        }
        let misspelt =
            matches!(self.kind_at(1), TokenKind::Int(_)) && closest(word, ["image"]).is_some();
        if misspelt {
            let _ = self.expected_help("`image`", Some("write `image`"));
            return Some(self.image());
        }
        if !word.is_empty() {
            // The text continues with a layer. If `image` follows later, `body.rs` reports its place and
            // parses it.
            if named && !self.image_follows() {
                let _ = self.expected_help("the image's size", Some(IMAGE));
            }
            return None;
        }
        let end = *self.kind() == TokenKind::End;
        let what = if end { "the image's size" } else { "`{`, `;` or `image`" };
        if named {
            let help = if self.is_punct('(') { FIELDS } else { IMAGE };
            let _ = self.expected_help(what, Some(help));
        }
        // There may be other text before `image`, such as hyper-parameters in parentheses.
        let mark = self.mark();
        while *self.kind() != TokenKind::End {
            if self.word_at(0) == "image" {
                return Some(self.image());
            }
            self.bump();
        }
        self.rewind(mark);
        None
    }

    /// Parses doc comments, if there are any here.
    pub fn docs(&mut self) -> Vec<String> {
        let mut docs = Vec::new();
        while let TokenKind::Doc(doc) = self.kind() {
            docs.extend(doc.split('\n').map(|line| line.trim_end_matches('\r').to_string()));
            self.bump();
        }
        docs
    }

    /// Reports doc comments that document nothing.
    pub fn stray_docs(&mut self) {
        let start = self.span();
        if !self.docs().is_empty() {
            let span = start.to(self.last());
            self.report(
                Diagnostic::error(span, "a doc comment documents nothing here")
                    .help("write `//`: only the model and its hyper-parameters take `///`"),
            );
        }
    }

    fn visibility(&mut self) -> Option<Span> {
        let start = self.span();
        if !self.eat_word("pub") {
            return None;
        }
        if self.is_punct('(') && self.restriction().is_err() {
            self.skip_to(&[')']);
            self.eat(')');
            // rustc must not see a visibility that it would reject.
            return Some(start);
        }
        Some(start.to(self.last()))
    }

    fn restriction(&mut self) -> Parsed<()> {
        self.bump();
        if self.eat_word("in") {
            self.path_segment()?;
            // The two colons must touch; otherwise they are not a `::` to rustc.
            while self.is_punct(':')
                && self.is_punct_at(1, ':')
                && self.span().end == self.span_at(1).start
            {
                self.bump();
                self.bump();
                self.path_segment()?;
            }
        } else if !["crate", "self", "super"].into_iter().any(|word| self.eat_word(word)) {
            return Err(self.expected("`crate`, `self`, `super` or `in path`"));
        }
        self.expect(')')
    }

    fn path_segment(&mut self) -> Parsed<()> {
        let word = self.word_at(0);
        if is_rust_keyword(word) && !["crate", "self", "super"].contains(&word) {
            return Err(self.expected("a path"));
        }
        if self.ident().is_none() { Err(self.expected("a path")) } else { Ok(()) }
    }

    fn name(&mut self) -> Parsed<Ident> {
        // `struct Name`, as in Rust.
        if self.word_at(0) == "struct" && !self.word_at(1).is_empty() {
            let span = self.span();
            self.report(Diagnostic::error(span, "unexpected `struct`").help("leave it out"));
            self.bump();
        }
        let help = Some("a model begins with its name: `pub Name { h: usize = 16 }`");
        if self.word_at(0) == "image" {
            return Err(self.expected_help("the model's name", help));
        }
        match self.ident() {
            Some(name) => {
                self.not_rusts(&name, "a model")?;
                Ok(name)
            }
            None => {
                let reported = self.expected_help("the model's name", help);
                self.skip_to(&[]);
                Err(reported)
            }
        }
    }

    /// Reports a name that is a keyword of Rust. The name becomes a Rust item.
    fn not_rusts(&mut self, name: &Ident, what: &str) -> Parsed<()> {
        if !is_rust_keyword(&name.text) {
            return Ok(());
        }
        let message = format!("`{}` cannot name {what}: it is a keyword of Rust", name.text);
        Err(self.report(Diagnostic::error(name.span, message).help("choose another name")))
    }

    /// Parses `{ field, ... }`.
    fn fields(&mut self) -> Vec<Field> {
        let open = self.span();
        self.bump();
        let mut fields: Vec<Field> = Vec::new();
        loop {
            let docs = self.docs();
            if self.is_punct('}') {
                if !docs.is_empty() {
                    let help = "put it before the hyper-parameter that it documents";
                    let last = Diagnostic::error(self.last(), "this doc comment documents nothing");
                    self.report(last.help(help));
                }
                break;
            }
            match self.field(docs) {
                Ok(field) => self.add(&mut fields, field),
                Err(SyntaxErrorReported) => self.skip_field(),
            }
            if self.eat(',') || self.is_punct('}') {
                continue;
            }
            let semicolon =
                self.is_punct(';') && (self.word_at(3) == "usize" || self.is_punct_at(1, '}'));
            if self.fields_end_here() && !semicolon {
                break;
            }
            let _ = self.expected("`,` or `}`");
            if semicolon {
                self.bump();
            } else if !self.is_punct_at(1, ':') || self.word_at(0).is_empty() {
                self.skip_field();
                self.eat(',');
            }
            // Otherwise a comma is missing, and the next hyper-parameter follows directly.
            if self.fields_end_here() {
                return fields;
            }
        }
        if !self.eat('}') {
            let message = "this `{` is never closed";
            let help = "put a `}` after the last hyper-parameter";
            self.report(Diagnostic::error(open, message).help(help));
        }
        fields
    }

    /// Whether the list of fields ends here, closed or not.
    fn fields_end_here(&self) -> bool {
        let image = self.word_at(0) == "image" && !self.is_punct_at(1, ':');
        image || matches!(self.kind(), TokenKind::End | TokenKind::Punct(';' | '{'))
    }

    fn skip_field(&mut self) {
        while !self.fields_end_here() && !self.is_punct(',') && !self.is_punct('}') {
            self.bump();
        }
    }

    fn add(&mut self, fields: &mut Vec<Field>, field: Field) {
        if let Some(first) = fields.iter().find(|first| first.name.text == field.name.text) {
            let message = format!("the hyper-parameter `{}` is declared twice", field.name.text);
            let first = first.name.span;
            let twice = Diagnostic::error(field.name.span, message).also(first, "first here");
            self.report(twice.help("remove it, or give it another name"));
        } else {
            fields.push(field);
        }
    }

    /// Parses `name: usize = default`. Anything that begins with a name is a field, whatever follows.
    fn field(&mut self, docs: Vec<String>) -> Parsed<Field> {
        if self.word_at(0) == "pub" && !self.word_at(1).is_empty() {
            let span = self.span();
            let public = "unexpected `pub` before a hyper-parameter";
            self.report(Diagnostic::error(span, public).help("leave it out: all are public"));
            self.bump();
        }
        let help = "a hyper-parameter is written `name: usize = 16`";
        let name = match self.ident() {
            Some(name) => name,
            None if docs.is_empty() => {
                return Err(self.expected_help("a hyper-parameter or `}`", Some(help)));
            }
            None => return Err(self.expected_help("a hyper-parameter", Some(help))),
        };
        self.not_rusts(&name, "a hyper-parameter")?;
        let default = self.field_default(&name, help).unwrap_or_else(|SyntaxErrorReported| {
            self.skip_field();
            placeholder(name.span)
        });
        Ok(Field { docs, name, default })
    }

    fn field_default(&mut self, name: &Ident, help: &str) -> Parsed<Expr> {
        if !self.eat(':') {
            return Err(self.expected_help("`: usize`", Some(help)));
        }
        if !self.eat_word("usize") {
            let help = "hyper-parameters are whole numbers: write `usize`";
            let reported = self.expected_help("the type `usize`", Some(help));
            // `h: = 16` and `h: u32 = 16` still have their default.
            if !self.is_punct('=') {
                self.bump();
            }
            if !self.is_punct('=') {
                return Err(reported);
            }
        }
        if !self.eat('=') {
            let message = format!("the hyper-parameter `{}` has no default", name.text);
            let help = format!("write `{}: usize = 16`, say", name.text);
            if *self.kind() == TokenKind::Bad {
                return Err(SyntaxErrorReported);
            }
            return Err(self.report(Diagnostic::error(name.span, message).help(help)));
        }
        self.expr()
    }

    /// Whether an `image` line follows later, at the beginning of a statement.
    fn image_follows(&self) -> bool {
        let mut ahead = 0;
        let mut begins = true;
        loop {
            if begins && self.word_at(ahead) == "image" && !self.is_punct_at(ahead + 1, ':') {
                return true;
            }
            match self.kind_at(ahead) {
                TokenKind::End => return false,
                kind => begins = matches!(kind, TokenKind::Punct(';' | '{' | '}')),
            }
            ahead += 1;
        }
    }

    /// Parses the `image` line. A missing number is reported and becomes 1.
    pub fn image(&mut self) -> Image {
        let start = self.span();
        self.bump();
        let mut image = no_image(start);
        if self.image_sizes(&mut image).is_err() {
            self.skip_to(&[]);
        }
        image.span = start.to(self.last());
        self.eat(';');
        image
    }

    fn image_sizes(&mut self, image: &mut Image) -> Parsed<()> {
        image.height = self.expr()?;
        match self.separator() {
            Some(width) => image.width = width?,
            None => return Err(self.expected_help("`x`", Some(IMAGE))),
        }
        self.image_word("colors")?;
        image.colours = self.expr()?;
        self.image_word("levels")?;
        image.levels = self.expr()?;
        if !self.is_punct(';') {
            let starts = matches!(self.kind(), TokenKind::Word | TokenKind::End);
            let reported = if starts { self.missing_after(';') } else { self.expected("`;`") };
            // The next line has begun: there is nothing to skip.
            return if starts { Ok(()) } else { Err(reported) };
        }
        Ok(())
    }

    /// Parses `, word`.
    fn image_word(&mut self, word: &str) -> Parsed<()> {
        if !self.eat(',') {
            return Err(self.expected_help(&format!("`, {word}`"), Some(IMAGE)));
        }
        if self.eat_word(word) || (word == "colors" && self.eat_word("colours")) {
            return Ok(());
        }
        let near = closest(self.word_at(0), ["colors", "levels"]) == Some(word);
        let help = if near { format!("write `{word}`") } else { IMAGE.to_string() };
        let reported = self.expected_help(&format!("`{word}`"), Some(&help));
        if near {
            self.bump();
            return Ok(());
        }
        Err(reported)
    }
}

fn placeholder(span: Span) -> Expr {
    Expr::Int { value: 1, span }
}

fn no_image(span: Span) -> Image {
    let one = || placeholder(span);
    Image { span, height: one(), width: one(), colours: one(), levels: one() }
}
