//! Statements: layers, their arguments, and blocks.

use pixelrnn_graph::{Diagnostic, Span};

use super::MAX_DEPTH;
use super::cursor::{Parsed, Parser, Reported};
use crate::ast::{Arg, ArgValue, Block, BlockKind, Call, Expr, Ident, Image, Kind, Statement};
use crate::keywords::{BLOCKS, block_kind};
use crate::lexer::{TokenKind, show};
use crate::suggest::closest;

/// Tokens looked at to tell a block from a layer.
const MAX_HEAD: usize = 64;

const BLOCK_FORMS: &str =
    "the blocks are `repeat n { ... }`, `residual { ... }`, `collect { ... }` and `block { ... }`";

impl Parser<'_> {
    /// Statements up to the `}` that closes the block they are in, or to the end of the text.
    pub fn statements(&mut self, image: &mut Option<Image>) -> Vec<Statement> {
        let mut body = Vec::new();
        loop {
            self.stray_docs();
            match *self.kind() {
                TokenKind::End => return body,
                TokenKind::Punct('}') if self.depth > 0 => return body,
                TokenKind::Punct('}') => {
                    let stray = Diagnostic::error(self.span(), "this `}` closes nothing");
                    self.report(stray.help("remove it"));
                    self.bump();
                }
                TokenKind::Punct(';') => {
                    let empty = Diagnostic::error(self.span(), "nothing stands before this `;`");
                    self.report(empty.help("remove it"));
                    self.bump();
                }
                _ if self.word_at(0) == "image" && !self.is_punct_at(1, ':') => {
                    self.late_image(image);
                }
                _ if self.word_at(0) == "pub" && !self.is_punct_at(1, ':') => {
                    let second = Diagnostic::error(self.span(), "a second model begins here");
                    self.report(second.help("one text holds one model"));
                    self.abandon();
                }
                _ => {
                    if let Ok(statement) = self.statement(image) {
                        body.push(statement);
                    } else {
                        self.recover(image);
                    }
                }
            }
        }
    }

    /// `image` anywhere but first. If there was none yet, this is the one.
    fn late_image(&mut self, image: &mut Option<Image>) {
        let span = self.span();
        let late = match image {
            Some(first) => {
                Diagnostic::error(span, "`image` stands twice").also(first.span, "first here")
            }
            None => Diagnostic::error(span, "`image` must come first, before the layers"),
        };
        self.report(late.help("`image` stands once, right after the model's name"));
        let late = self.image();
        image.get_or_insert(late);
    }

    /// After an error in a statement: to the beginning of the next one.
    fn recover(&mut self, image: &mut Option<Image>) {
        self.skip_to(&[]);
        if self.is_punct('{') {
            // Read on inside, so that its errors are found and its `}` is matched.
            let _ = self.braces(image);
        } else {
            self.eat(';');
        }
    }

    fn statement(&mut self, image: &mut Option<Image>) -> Parsed<Statement> {
        let labelled = self.is_punct_at(1, ':');
        let label = if labelled { self.ident() } else { None };
        if label.is_some() {
            self.bump();
        }
        while label.is_some() && self.is_punct_at(1, ':') && !self.word_at(0).is_empty() {
            let message = format!("{} is a second label", self.found());
            let second = Diagnostic::error(self.span(), message);
            self.report(second.help("a statement has one label"));
            self.bump();
            self.bump();
        }
        let kind = self.kind_of_statement(label.is_some(), image)?;
        Ok(Statement { label, kind })
    }

    fn kind_of_statement(&mut self, labelled: bool, image: &mut Option<Image>) -> Parsed<Kind> {
        let after = if labelled { " after the label" } else { "" };
        if self.is_punct('{') {
            return Err(self.expected_help(&format!("a layer{after}"), Some(BLOCK_FORMS)));
        }
        let Some(name) = self.ident() else {
            let help = "a layer is written `name;` or `name(arguments);`";
            let reported = self.expected_help(&format!("a layer{after}"), Some(help));
            if !matches!(self.kind(), TokenKind::Punct(';' | '}')) {
                self.bump();
            }
            return Err(reported);
        };
        match block_kind(&name.text) {
            Some(kind) => self.block(name, kind, image).map(Kind::Block),
            None if self.block_follows() => self.unknown_block(name, image).map(Kind::Block),
            None => self.call(name).map(Kind::Layer),
        }
    }

    /// Whether what comes next, up to a `{`, looks like the rest of a block's head.
    fn block_follows(&self) -> bool {
        // No head of a block is longer; without a bound, a text of a thousand words in a row would be
        // read a thousand times.
        for ahead in 0..MAX_HEAD {
            let stops = match self.kind_at(ahead) {
                TokenKind::Punct('{') => return true,
                TokenKind::Punct(c) => matches!(c, ';' | ':' | '}' | '=' | ','),
                TokenKind::Word => block_kind(self.word_at(ahead)).is_some(),
                TokenKind::Int(_) => false,
                TokenKind::Doc(_) | TokenKind::Bad | TokenKind::End => true,
            };
            if stops {
                return false;
            }
        }
        false
    }

    /// A misspelt keyword, or a layer that is given a block.
    fn unknown_block(&mut self, name: Ident, image: &mut Option<Image>) -> Parsed<Block> {
        let unknown = Diagnostic::error(name.span, format!("`{}` is no block", name.text));
        let near = closest(&name.text, BLOCKS.map(|(keyword, _)| keyword));
        let kind = near.and_then(block_kind);
        self.report(match near {
            Some(near) => unknown.help(format!("did you mean `{near}`?")),
            None => unknown.help(BLOCK_FORMS),
        });
        if kind != Some(BlockKind::Repeat) {
            self.skip_to(&[]);
        }
        self.block(name, kind.unwrap_or(BlockKind::Plain), image)
    }

    fn block(
        &mut self,
        keyword: Ident,
        kind: BlockKind,
        image: &mut Option<Image>,
    ) -> Parsed<Block> {
        let count = (kind == BlockKind::Repeat).then(|| self.count(&keyword));
        if !self.is_punct('{') && !matches!(count, Some(None)) {
            let after = if count.is_some() { "the count" } else { &show(&keyword.text) };
            let _ = self.expected_help(&format!("`{{` after {after}"), Some(BLOCK_FORMS));
        }
        if !self.is_punct('{') && self.word_at(0).is_empty() {
            self.skip_to(&[]);
            if !self.is_punct('{') {
                return Err(Reported);
            }
        }
        let (body, close) = self.braces(image)?;
        let span = keyword.span.to(close);
        let count = count.map(|count| count.unwrap_or(Expr::Int { value: 1, span: keyword.span }));
        Ok(Block { keyword, kind, count, body, span })
    }

    /// How often to repeat; `None` if that has been reported to be missing.
    fn count(&mut self, keyword: &Ident) -> Option<Expr> {
        if self.is_punct('{') {
            let message = format!("`{}` does not say how often", keyword.text);
            let help = "write `repeat 3 { ... }`, or the name of a hyper-parameter for 3";
            self.report(Diagnostic::error(keyword.span, message).help(help));
            return None;
        }
        self.expr().ok()
    }

    /// `{ statement* }`, and the place of the `}`. That the `{` is missing has been reported.
    fn braces(&mut self, image: &mut Option<Image>) -> Parsed<(Vec<Statement>, Span)> {
        let open = self.span();
        if self.depth == MAX_DEPTH {
            let message = format!("blocks nested more than {MAX_DEPTH} deep");
            let reported = self.report(Diagnostic::error(open, message));
            self.abandon();
            return Err(reported);
        }
        let opened = self.eat('{');
        self.depth += 1;
        let body = self.statements(image);
        self.depth -= 1;
        if !self.eat('}') && opened && !self.unclosed {
            let message = "this `{` is never closed";
            self.report(Diagnostic::error(open, message).help("put a `}` at the block's end"));
            self.unclosed = true;
        }
        Ok((body, self.last()))
    }

    /// The rest of a layer. Once its name is read it is a layer, so that an editor can complete it.
    fn call(&mut self, name: Ident) -> Parsed<Call> {
        let mut args = Vec::new();
        let mut span = name.span;
        let mut closed = true;
        if self.is_punct('(') {
            let open = self.span();
            self.bump();
            closed = self.args(open, &mut args);
            span = span.to(self.last());
        }
        if !self.eat(';') && closed {
            // What can begin a statement, or end a block, says that only the `;` was forgotten.
            let starts = matches!(
                self.kind(),
                TokenKind::Word | TokenKind::End | TokenKind::Doc(_) | TokenKind::Punct('}')
            );
            let _ = self.missing_after(';');
            if !starts {
                self.skip_to(&[]);
                self.eat(';');
            }
        }
        Ok(Call { name, args, span })
    }

    /// `arg, ... )`. Returns whether the `)` was there.
    fn args(&mut self, open: Span, args: &mut Vec<Arg>) -> bool {
        loop {
            if self.eat(')') {
                return true;
            }
            let mark = self.mark();
            let arg = self.arg();
            let told = arg.is_err();
            match arg {
                Ok(arg) => self.add_arg(args, arg),
                Err(Reported) => {
                    // From its beginning, so that its own parentheses are seen to open and close.
                    self.rewind(mark);
                    self.skip_to(&[',', ')']);
                }
            }
            if self.eat(',') || self.is_punct(')') {
                continue;
            }
            // A label, or a sign that no argument has: the next statement, or its end.
            let label = !self.word_at(0).is_empty() && self.is_punct_at(1, ':');
            if label || matches!(self.kind(), TokenKind::End | TokenKind::Punct(';' | '{' | '}')) {
                if !told {
                    let unclosed = Diagnostic::error(open, "this `(` is never closed");
                    self.report(unclosed.help("put a `)` after the last argument"));
                }
                return false;
            }
            let _ = self.expected("`,` or `)`");
            // A forgotten comma: the next argument goes on at once.
            if !matches!(self.kind(), TokenKind::Word | TokenKind::Int(_)) {
                self.skip_to(&[',', ')']);
                self.eat(',');
            }
        }
    }

    fn add_arg(&mut self, args: &mut Vec<Arg>, arg: Arg) {
        if let Some(name) = &arg.name {
            let same = |other: &&Arg| other.name.as_ref().is_some_and(|n| n.text == name.text);
            if let Some(first) = args.iter().find(same) {
                let message = format!("the argument `{}` is given twice", name.text);
                let twice = Diagnostic::error(name.span, message);
                self.report(twice.also(first.span(), "first here").help("remove one of them"));
                return;
            }
        } else if let Some(named) = args.last().filter(|arg| arg.name.is_some()) {
            let value = show(self.excerpt(arg.span()));
            let message = format!("{value} stands after a named argument");
            let late = Diagnostic::error(arg.span(), message).also(named.span(), "named here");
            self.report(late.help("give it its name, or put it before the named ones"));
        }
        args.push(arg);
    }

    fn arg(&mut self) -> Parsed<Arg> {
        let name = if self.is_punct_at(1, '=') { self.ident() } else { None };
        if name.is_some() {
            self.bump();
        } else if self.is_punct_at(1, ':') && !self.word_at(0).is_empty() {
            let span = self.span();
            let word = self.word_at(0);
            let message = format!("expected `=` after `{word}`, found `:`");
            self.report(
                Diagnostic::error(span, message)
                    .help(format!("a named argument is written `{word} = value`")),
            );
            let name = self.ident();
            self.bump();
            return Ok(Arg { name, value: self.value()? });
        }
        let value: ArgValue = self.value()?;
        Ok(Arg { name, value })
    }
}
