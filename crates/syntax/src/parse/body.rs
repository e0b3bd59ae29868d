//! Parses statements: layers, their arguments, and blocks.

use pixelrnn_graph::{Diagnostic, Span};
use pixelrnn_ops::ConditionKind;

use super::MAX_DEPTH;
use super::cursor::{Parsed, Parser, SyntaxErrorReported};
use crate::ast::{
    Arg, ArgValue, Block, BlockKind, Call, Condition, Definition, Expr, Ident, Image, Kind,
    Statement, Targets,
};
use crate::keywords::{BLOCKS, block_kind};
use crate::lexer::{TokenKind, show};
use crate::suggest::closest;

/// The number of tokens that are examined to tell a block from a layer.
const MAX_HEAD: usize = 64;

const BLOCK_FORMS: &str = "the blocks are `repeat n { ... }`, `residual { ... }`, `collect { ... }`, `block { ... }`, \
     `block name(parameters) { ... }` and `scale name: every n { ... }`";

const SCALE: &str = "a scale is written `scale name: every 2 { ... }`";

impl Parser<'_> {
    /// Parses statements up to the `}` that closes their block, or up to the end of the text.
    pub fn statements(&mut self, image: &mut Option<Image>) -> Vec<Statement> {
        let mut body = Vec::new();
        loop {
            self.stray_docs();
            match *self.kind() {
                TokenKind::End => return body,
                TokenKind::Punct('}') if self.depth > 0 => return body,
                TokenKind::Punct('}') => {
                    let stray = Diagnostic::error(self.span(), "unmatched `}`");
                    self.report(stray.help("remove it"));
                    self.bump();
                }
                TokenKind::Punct(';') => {
                    let empty = Diagnostic::error(self.span(), "empty statement");
                    self.report(empty.help("remove it"));
                    self.bump();
                }
                _ if self.word_at(0) == "image"
                    && ![':', '.'].iter().any(|c| self.is_punct_at(1, *c)) =>
                {
                    self.late_image(image);
                }
                _ if self.names_item("condition") => self.condition(),
                _ if self.word_at(0) == "block" && !self.word_at(1).is_empty() => {
                    self.definition(image);
                }
                _ if self.word_at(0) == "pub" && !self.is_punct_at(1, ':') => {
                    let second = Diagnostic::error(self.span(), "a second model begins here");
                    self.report(second.help("a model file contains exactly one model"));
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

    /// Parses and reports an `image` line that is not in the first place. It is used if there was none
    /// before.
    fn late_image(&mut self, image: &mut Option<Image>) {
        let span = self.span();
        let late = match image {
            Some(first) => {
                Diagnostic::error(span, "`image` is declared twice").also(first.span, "first here")
            }
            None => Diagnostic::error(span, "`image` must come first, before the layers"),
        };
        self.report(late.help("write `image` once, right after the model's name"));
        let late = self.image();
        image.get_or_insert(late);
    }

    /// Recovers from an error in a statement: skips to the next statement.
    fn recover(&mut self, image: &mut Option<Image>) {
        self.skip_to(&[]);
        if self.is_punct('{') {
            // Parses the block, so that errors in it are found and its `}` is matched.
            let _ = self.braces(image);
        } else {
            self.eat(';');
        }
    }

    fn statement(&mut self, image: &mut Option<Image>) -> Parsed<Statement> {
        if self.names_item("scale") {
            return self.scale(image);
        }
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
        let targets = self.targets();
        let kind = self.kind_of_statement(label.is_some(), targets.is_some(), image)?;
        Ok(Statement { label, targets, kind })
    }

    /// Parses `name =` or `(name, ...) =`.
    fn targets(&mut self) -> Option<Targets> {
        if self.is_punct_at(1, '=') && !self.word_at(0).is_empty() {
            let names = self.ident().into_iter().collect();
            self.bump();
            return Some(Targets { names, tuple: false });
        }
        if !self.is_punct('(') {
            return None;
        }
        // Names and commas, up to a closing parenthesis followed by `=`.
        let mut ahead = 1;
        while !self.word_at(ahead).is_empty() || self.is_punct_at(ahead, ',') {
            ahead += 1;
        }
        if !(self.is_punct_at(ahead, ')') && self.is_punct_at(ahead + 1, '=')) {
            return None;
        }
        self.bump();
        let mut names = Vec::new();
        if self.is_punct(')') {
            let _ = self.expected("a name");
        }
        while !self.is_punct(')') {
            match self.ident() {
                Some(name) => names.push(name),
                None => drop(self.expected_help("a name", Some("write `(a, b) = ...`"))),
            }
            if !self.eat(',') && !self.is_punct(')') {
                let _ = self.expected("`,` or `)`");
            }
        }
        self.eat(')');
        self.bump();
        Some(Targets { names, tuple: true })
    }

    fn kind_of_statement(
        &mut self,
        labelled: bool,
        named: bool,
        image: &mut Option<Image>,
    ) -> Parsed<Kind> {
        let after = if labelled { " after the label" } else { "" };
        if self.is_punct('{') {
            return Err(self.expected_help(&format!("a layer{after}"), Some(BLOCK_FORMS)));
        }
        if self.is_punct('(') {
            return self.parenthesized();
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
            Some(BlockKind::Scale) if self.is_punct('{') || !self.word_at(0).is_empty() => {
                let wrong = Diagnostic::error(name.span, "this scale has no name");
                self.report(wrong.help(SCALE));
                return Err(SyntaxErrorReported);
            }
            Some(kind) if kind != BlockKind::Scale => {
                return self.block(name, kind, image).map(Kind::Block);
            }
            _ if self.block_follows() => return self.unknown_block(name, image).map(Kind::Block),
            _ => {}
        }
        self.broken = false;
        let expr = self.expr_from(name)?;
        self.end_of_statement(true);
        Ok(match expr {
            Expr::Name(name) if !named => {
                Kind::Layer(Call { span: name.span, name, args: Vec::new() })
            }
            Expr::Call(call) if !named => Kind::Layer(call),
            expr => Kind::Value(expr),
        })
    }

    /// Parses `(value, value)`, or a value that begins with a parenthesis.
    fn parenthesized(&mut self) -> Parsed<Kind> {
        let (mark, open) = (self.mark(), self.span());
        self.broken = false;
        self.bump();
        let first = self.expr()?;
        if !self.is_punct(',') {
            self.rewind(mark);
            let expr = self.expr()?;
            self.end_of_statement(true);
            return Ok(Kind::Value(expr));
        }
        let mut values = vec![first];
        while self.eat(',') {
            if self.is_punct(')') {
                break;
            }
            values.push(self.expr()?);
        }
        self.expect(')')?;
        let span = open.to(self.last());
        if !self.is_punct('}') {
            self.end_of_statement(false);
        }
        Ok(Kind::Values(values, span))
    }

    /// Parses the `;` after a statement. A value at the end of a block may have none.
    fn end_of_statement(&mut self, value: bool) {
        if self.eat(';') || self.broken {
            return;
        }
        if value && self.tail && self.is_punct('}') {
            return;
        }
        // If the next token can begin a statement or end a block, only the `;` is missing.
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

    /// Whether an item begins here: `word name :`.
    fn names_item(&self, word: &str) -> bool {
        self.word_at(0) == word && !self.word_at(1).is_empty() && self.is_punct_at(2, ':')
    }

    /// Parses `condition name: kind n;`
    fn condition(&mut self) {
        let start = self.span();
        if self.depth > 0 {
            let inside = Diagnostic::error(start, "a condition is not allowed inside a block");
            self.report(inside.help("write it before the layers, right after `image`"));
        }
        self.bump();
        let name = self.ident();
        self.bump();
        let Some(kind) = ConditionKind::named(self.word_at(0)) else {
            let quoted = |text: &str| format!("`{text}`");
            let all = ConditionKind::ALL.iter();
            let kinds: Vec<String> = all.clone().map(|kind| quoted(kind.name())).collect();
            let forms: Vec<String> = all.map(|kind| quoted(kind.example())).collect();
            let form = format!("write {}", forms.join(" or "));
            let _ = self.expected_help(&kinds.join(" or "), Some(&form));
            self.skip_to(&[]);
            self.eat(';');
            return;
        };
        self.bump();
        if let (Some(name), Ok(number)) = (name, self.expr()) {
            let span = start.to(self.last());
            let twice = self.conditions.iter().find(|other| other.name.text == name.text);
            if let Some(first) = twice {
                let message = format!("the condition `{}` is declared twice", name.text);
                let twice =
                    Diagnostic::error(name.span, message).also(first.name.span, "first here");
                self.report(twice.help("remove one of them"));
            } else {
                self.conditions.push(Condition { name, kind, number, span });
            }
        } else {
            self.skip_to(&[]);
        }
        self.broken = false;
        self.end_of_statement(false);
    }

    /// Parses `scale name: every n { ... }`
    fn scale(&mut self, image: &mut Option<Image>) -> Parsed<Statement> {
        let Some(keyword) = self.ident() else { return Err(SyntaxErrorReported) };
        let label = self.ident();
        self.bump();
        if !self.eat_word("every") {
            let reported = self.expected_help("`every`", Some(SCALE));
            return Err(reported);
        }
        if self.is_punct('{') {
            let message = "missing `every N` in this scale";
            return Err(self.report(Diagnostic::error(keyword.span, message).help(SCALE)));
        }
        let count = Some(self.expr()?);
        if !self.is_punct('{') {
            return Err(self.expected_help("`{`", Some(SCALE)));
        }
        let tail = std::mem::replace(&mut self.tail, false);
        let inside = self.braces(image);
        self.tail = tail;
        let (body, close) = inside?;
        let span = keyword.span.to(close);
        let kind = BlockKind::Scale;
        let block = Block { keyword, kind, count, with: Vec::new(), body, span };
        Ok(Statement { label, targets: None, kind: Kind::Block(block) })
    }

    /// Parses `block name(parameters) { ... }`
    fn definition(&mut self, image: &mut Option<Image>) {
        let start = self.span();
        if self.depth > 0 {
            let inside = Diagnostic::error(start, "a block cannot be defined inside a block");
            self.report(inside.help("define it before the layers, right after `image`"));
        }
        self.bump();
        let Some(name) = self.ident() else { return };
        let parameters = match self.parameters(&name) {
            Ok(parameters) => parameters,
            Err(SyntaxErrorReported) => {
                self.recover(image);
                return;
            }
        };
        if !self.is_punct('{') {
            let help = "a block is defined as `block name(parameters) { ... }`";
            let _ = self.expected_help("`{`", Some(help));
            self.recover(image);
            return;
        }
        let tail = std::mem::replace(&mut self.tail, true);
        let inside = self.braces(image);
        self.tail = tail;
        let Ok((body, close)) = inside else { return };
        let span = start.to(close);
        if let Some(first) = self.definitions.iter().find(|other| other.name.text == name.text) {
            let message = format!("the block `{}` is defined twice", name.text);
            let twice = Diagnostic::error(name.span, message).also(first.name.span, "first here");
            self.report(twice.help("give one of them another name"));
            return;
        }
        self.definitions.push(Definition { name, parameters, body, span });
    }

    /// Parses `(name, ...)`
    fn parameters(&mut self, block: &Ident) -> Parsed<Vec<Ident>> {
        if !self.is_punct('(') {
            let help = format!("write `block {}(x, features) {{ ... }}`", block.text);
            return Err(self.expected_help("`(` and the block's parameters", Some(&help)));
        }
        self.bump();
        let mut names: Vec<Ident> = Vec::new();
        while !self.eat(')') {
            let Some(name) = self.ident() else {
                let help = "a parameter is a name for a map, a number or a word";
                return Err(self.expected_help("a parameter or `)`", Some(help)));
            };
            if let Some(first) = names.iter().find(|other| other.text == name.text) {
                let message = format!("the parameter `{}` is declared twice", name.text);
                let twice = Diagnostic::error(name.span, message).also(first.span, "first here");
                self.report(twice.help("give one of them another name"));
            }
            names.push(name);
            if !self.eat(',') && !self.is_punct(')') {
                return Err(self.expected("`,` or `)`"));
            }
        }
        Ok(names)
    }

    /// Parses `with (name, ...)` after the count of a repeat.
    fn with(&mut self) -> Vec<Ident> {
        if self.word_at(0) != "with" {
            return Vec::new();
        }
        self.bump();
        let mut names = Vec::new();
        if !self.eat('(') {
            let help = "write `repeat n with (v, x) { ...; (v, x) }`";
            let _ = self.expected_help("`(`", Some(help));
            return names;
        }
        let mut wanted = "a name";
        while let Some(name) = self.ident() {
            names.push(name);
            wanted = if self.eat(',') { "a name or `)`" } else { "`,` or `)`" };
            if wanted == "`,` or `)`" {
                break;
            }
        }
        if names.is_empty() || !self.eat(')') {
            let _ = self.expected(wanted);
            self.skip_to(&[')']);
            self.eat(')');
        }
        names
    }

    /// Whether the following tokens, up to a `{`, look like the rest of a block's head.
    fn block_follows(&self) -> bool {
        // The head of a block is shorter than this. Without the limit, a text of many words in a row would
        // take quadratic time.
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

    /// Reports and parses a block with an unknown keyword: a misspelled one, or a layer.
    fn unknown_block(&mut self, name: Ident, image: &mut Option<Image>) -> Parsed<Block> {
        let unknown = Diagnostic::error(name.span, format!("unknown block `{}`", name.text));
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
        let with = if count.is_some() { self.with() } else { Vec::new() };
        if !self.is_punct('{') && !matches!(count, Some(None)) {
            let after = if count.is_some() { "the count" } else { &show(&keyword.text) };
            let _ = self.expected_help(&format!("`{{` after {after}"), Some(BLOCK_FORMS));
        }
        if !self.is_punct('{') && self.word_at(0).is_empty() {
            self.skip_to(&[]);
            if !self.is_punct('{') {
                return Err(SyntaxErrorReported);
            }
        }
        let tail = std::mem::replace(&mut self.tail, !with.is_empty());
        let inside = self.braces(image);
        self.tail = tail;
        let (body, close) = inside?;
        let span = keyword.span.to(close);
        let count = count.map(|count| count.unwrap_or(Expr::Int { value: 1, span: keyword.span }));
        Ok(Block { keyword, kind, count, with, body, span })
    }

    /// Parses the number of repeats. Reports an error and returns `None` if it is missing.
    fn count(&mut self, keyword: &Ident) -> Option<Expr> {
        if self.is_punct('{') {
            let message = format!("missing repeat count after `{}`", keyword.text);
            let help = "write `repeat 3 { ... }`, or the name of a hyper-parameter for 3";
            self.report(Diagnostic::error(keyword.span, message).help(help));
            return None;
        }
        self.expr().ok()
    }

    /// Parses `{ statement* }`. Returns also the position of the `}`. A missing `{` has been reported before.
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

    /// Parses `arg, ... )`. Returns whether the `)` was found.
    pub fn args(&mut self, open: Span, args: &mut Vec<Arg>) -> bool {
        loop {
            if self.eat(')') {
                return true;
            }
            let mark = self.mark();
            let arg = self.arg();
            let reported = arg.is_err();
            match arg {
                Ok(arg) => self.add_arg(args, arg),
                Err(SyntaxErrorReported) => {
                    // Skips from the beginning of the argument, so that its own parentheses are matched.
                    self.rewind(mark);
                    self.skip_to(&[',', ')']);
                }
            }
            if self.eat(',') || self.is_punct(')') {
                continue;
            }
            // A label, or a token that cannot be in an argument: the statement ends here, or the next one
            // begins.
            let label = !self.word_at(0).is_empty() && self.is_punct_at(1, ':');
            if label || matches!(self.kind(), TokenKind::End | TokenKind::Punct(';' | '{' | '}')) {
                if !reported {
                    let unclosed = Diagnostic::error(open, "this `(` is never closed");
                    self.report(unclosed.help("put a `)` after the last argument"));
                }
                return false;
            }
            let _ = self.expected("`,` or `)`");
            // A missing comma: the next argument follows directly.
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
            let message = format!("positional argument {value} after a named argument");
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
