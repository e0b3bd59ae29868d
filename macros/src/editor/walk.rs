//! Finds the names in the tokens of a model, and the module of names that are allowed in each place.
//!
//! This is not a parser. It examines only the tokens before a name, so it treats a text up to some place in
//! the same way, whatever follows.

use pixelrnn_syntax::ast::BlockKind;
use pixelrnn_syntax::layers::{Kind, layer};
use pixelrnn_syntax::{BLOCKS, CONDITIONS, is_rust_keyword};
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::format_ident;

use super::HOLE;
use crate::head::Head;

pub(super) use pixelrnn_syntax::layers::{Layer, Parameter};

/// Whether this word is followed by a number.
fn before_number(word: &str) -> bool {
    word == "every" || CONDITIONS.iter().any(|kind| kind.name() == word)
}

/// The largest nesting of groups. Deeper groups are ignored.
const MAX_DEPTH: usize = 128;

/// The modules with the names that are allowed in a place.
#[derive(Clone, Copy)]
pub(super) enum Module {
    /// Layers, blocks, named maps.
    Statement,
    /// Only layers.
    Layers,
    /// Hyper-parameters and named maps.
    Values,
    /// The keywords of the `image` line.
    Image,
    /// The values, and the keywords and argument names of a layer.
    Arguments(&'static Layer),
    /// The argument names of a layer.
    Names(&'static Layer),
    /// The keywords that are allowed for an argument of a layer.
    Words(&'static Layer, &'static Parameter),
}

impl Module {
    pub fn name(self) -> Ident {
        match self {
            Module::Statement => format_ident!("statement"),
            Module::Layers => format_ident!("layers"),
            Module::Values => format_ident!("values"),
            Module::Image => format_ident!("image"),
            Module::Arguments(layer) => format_ident!("arguments_of_{}", layer.name),
            Module::Names(layer) => format_ident!("names_of_{}", layer.name),
            Module::Words(layer, parameter) => {
                format_ident!("{}_of_{}", parameter.name, layer.name)
            }
        }
    }
}

/// The keywords that are allowed for `parameter`.
pub(super) fn words(parameter: &Parameter) -> &'static [&'static str] {
    match parameter.kind {
        Kind::Word(words) => words,
        _ => &[],
    }
}

/// Collects names in the order of the text.
#[derive(Default)]
pub(super) struct Walker {
    /// Each used name, and the module to look it up in.
    pub uses: Vec<(Module, Ident)>,
    /// The names that the text defines for maps and blocks.
    pub maps: Vec<Ident>,
    /// Further definitions of the same names.
    pub again: Vec<Ident>,
    depth: usize,
}

impl Walker {
    pub fn model(&mut self, head: &Head) {
        for field in &head.fields {
            let rest = flat(field.rest.clone());
            if let Some(at) = rest.iter().position(|token| is(token, '=')) {
                self.walk(&rest[at + 1..], Module::Values);
            }
        }
        self.walk(&flat(head.body.clone()), Module::Statement);
    }

    /// Reads `tokens`: statements if `home` is [`Module::Statement`], otherwise expressions. The first name
    /// of each is looked up in `home`.
    fn walk(&mut self, tokens: &[TokenTree], home: Module) {
        let mut line =
            Line { tokens, at: 0, home, expected: Some(home), begins: true, image: false };
        while let Some(token) = tokens.get(line.at) {
            line.at += 1;
            match token {
                TokenTree::Ident(ident) => self.ident(&mut line, ident),
                TokenTree::Group(group) => self.group(&mut line, group),
                TokenTree::Punct(punct) => self.punct(&mut line, punct.as_char()),
                // `7x` is a number and the separator between height and width.
                TokenTree::Literal(literal) => {
                    self.missing(&line);
                    let text = literal.to_string();
                    let separator = text.ends_with('x') && text.len() > 1;
                    line.expected = separator.then_some(Module::Values);
                    line.begins = false;
                }
            }
        }
        self.missing(&line);
    }

    fn ident(&mut self, line: &mut Line, ident: &Ident) {
        let begins = std::mem::replace(&mut line.begins, false);
        let Some(module) = line.expected.take() else {
            // The separator between height and width, or a keyword that depends on the tokens before it.
            if ident == "x" {
                line.expected = Some(Module::Values);
            } else if ident == "with" {
                self.hole(Module::Values);
            } else if !is_size(&ident.to_string()) {
                self.name(Module::Values, ident);
            }
            return;
        };
        if begins && matches!(module, Module::Statement) {
            return self.statement(line, ident);
        }
        match module {
            Module::Statement if before_number(&ident.to_string()) => {
                self.name(module, ident);
                line.expected = Some(Module::Values);
            }
            Module::Arguments(layer) if line.is(0, '=') => {
                // The user may type another argument before this one.
                self.hole(module);
                self.name(Module::Names(layer), ident);
                let mut parameters = layer.parameters.iter();
                let parameter = parameters.find(|p| ident == p.name && !words(p).is_empty());
                line.expected = Some(parameter.map_or(Module::Values, |p| Module::Words(layer, p)));
                line.at += 1;
            }
            Module::Image => {
                self.name(module, ident);
                line.expected = Some(Module::Values);
            }
            _ if line.parenthesis(0).is_some() && !matches!(module, Module::Layers) => {
                self.name(Module::Statement, ident);
            }
            _ => self.name(module, ident),
        }
    }

    /// Handles the first name of a statement.
    fn statement(&mut self, line: &mut Line, ident: &Ident) {
        if line.is(0, ':') {
            // A label.
            line.at += 1;
            line.expected = Some(Module::Statement);
            line.begins = true;
            return;
        }
        if line.is(0, '=') {
            line.at += 1;
            line.expected = Some(Module::Statement);
            return self.map(ident);
        }
        self.name(Module::Statement, ident);
        if let Some(TokenTree::Ident(second)) = line.tokens.get(line.at) {
            if line.is(1, ':') {
                // `word name: ...`
                self.map(second);
                line.at += 2;
                line.expected = Some(Module::Statement);
                return;
            }
            if let Some(parameters) = line.parenthesis(1).filter(|_| ident == "block") {
                self.map(second);
                self.maps(parameters);
                line.at += 2;
                return;
            }
        }
        line.image = ident == "image" && !line.is(0, '.');
        let counted =
            |(word, kind): &(&str, BlockKind)| ident == word && *kind == BlockKind::Repeat;
        if line.image || BLOCKS.iter().any(counted) {
            line.expected = Some(Module::Values);
        }
    }

    fn group(&mut self, line: &mut Line, group: &Group) {
        let begins = std::mem::replace(&mut line.begins, false);
        if self.depth == MAX_DEPTH {
            return;
        }
        self.depth += 1;
        let inside = flat(group.stream());
        match group.delimiter() {
            Delimiter::Brace => {
                if !begins {
                    self.missing(line);
                }
                self.walk(&inside, Module::Statement);
                line.begin();
            }
            Delimiter::Parenthesis if begins && line.is(0, '=') => {
                self.maps(group);
                line.at += 1;
                line.expected = Some(Module::Statement);
            }
            Delimiter::Parenthesis => {
                let before = line.at.checked_sub(2).and_then(|at| line.tokens.get(at));
                let module = match (line.expected, before) {
                    (None, Some(TokenTree::Ident(name))) => {
                        layer(&name.to_string()).map_or(Module::Values, Module::Arguments)
                    }
                    (Some(expected), _) => expected,
                    _ => Module::Values,
                };
                if let Some(module) = line.expected {
                    // The name of a called layer or block.
                    let called =
                        if matches!(module, Module::Layers) { module } else { Module::Statement };
                    self.hole(called);
                }
                // There are no statements inside parentheses.
                let module =
                    if matches!(module, Module::Statement) { Module::Values } else { module };
                self.walk(&inside, module);
                line.expected = None;
            }
            // An attribute.
            _ => line.begins = begins,
        }
        self.depth -= 1;
    }

    fn punct(&mut self, line: &mut Line, c: char) {
        match c {
            ';' => {
                self.missing(line);
                line.begin();
            }
            ',' => {
                self.missing(line);
                line.expected = Some(if line.image { Module::Image } else { line.home });
            }
            // The arrow before the results of a block.
            '-' if line.is(0, '>') => line.at += 1,
            '+' | '-' | '*' | '/' | '=' | ':' => {
                self.missing(line);
                line.begins = false;
                line.expected = Some(Module::Values);
            }
            '.' => {
                self.missing(line);
                line.begins = false;
                line.expected = Some(Module::Layers);
            }
            _ => {}
        }
    }

    /// Records that a name is missing here, if one is expected.
    fn missing(&mut self, line: &Line) {
        if let Some(module) = line.expected {
            self.hole(module);
        }
    }

    /// Records a place where a name could be typed.
    fn hole(&mut self, module: Module) {
        self.uses.push((module, Ident::new(HOLE, Span::call_site())));
    }

    /// Records the use of a name.
    fn name(&mut self, module: Module, ident: &Ident) {
        let text = ident.to_string();
        if possible(&text) {
            self.uses.push((module, ident.clone()));
        } else {
            self.hole(module);
        }
    }

    /// Records the definition of a name for a map.
    fn map(&mut self, ident: &Ident) {
        let text = ident.to_string();
        if !possible(&text) {
            return;
        }
        let again = self.maps.iter().any(|map| *map == text);
        if again { &mut self.again } else { &mut self.maps }.push(ident.clone());
    }

    fn maps(&mut self, group: &Group) {
        for token in flat(group.stream()) {
            if let TokenTree::Ident(ident) = token {
                self.map(&ident);
            }
        }
    }
}

/// The tokens between two braces or parentheses, and the state of the walk.
struct Line<'a> {
    tokens: &'a [TokenTree],
    /// The index of the next token.
    at: usize,
    home: Module,
    /// The module of the name that is expected next; `None` after a name or number.
    expected: Option<Module>,
    /// Whether a statement begins here.
    begins: bool,
    /// Whether this is the `image` line.
    image: bool,
}

impl<'a> Line<'a> {
    /// Begins a statement or argument.
    fn begin(&mut self) {
        self.expected = Some(self.home);
        self.begins = true;
        self.image = false;
    }

    /// Whether the token `ahead` places after the next one is the punctuation character `c`.
    fn is(&self, ahead: usize, c: char) -> bool {
        self.tokens.get(self.at + ahead).is_some_and(|token| is(token, c))
    }

    fn parenthesis(&self, ahead: usize) -> Option<&'a Group> {
        match self.tokens.get(self.at + ahead) {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
                Some(group)
            }
            _ => None,
        }
    }
}

/// Whether `name` can be the last part of a path.
fn possible(name: &str) -> bool {
    !is_rust_keyword(name) && name != "_" && !name.starts_with('$')
}

fn is(token: &TokenTree, c: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == c)
}

/// Whether this is `x7`, the second part of a kernel's size.
fn is_size(text: &str) -> bool {
    let size = text.strip_prefix('x').unwrap_or("");
    !size.is_empty() && size.bytes().all(|b| b.is_ascii_digit())
}

/// The tokens of `stream`, with those of `macro_rules!` variables inserted in their place.
fn flat(stream: TokenStream) -> Vec<TokenTree> {
    let mut tokens = Vec::new();
    for token in stream {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                tokens.extend(flat(group.stream()));
            }
            token => tokens.push(token),
        }
    }
    tokens
}
