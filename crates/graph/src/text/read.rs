//! Reads the text form. Any text gives a graph or an error with its line; no text causes a panic.

use std::collections::BTreeMap;

use ndarray::{ArrayD, IxDyn};

use super::{Attribute, ReadAttributes, ReadOperation};
use crate::diagnostic::Span;
use crate::graph::{Graph, Value};
use crate::role::{Condition, Init, OutputRole, Role};
use crate::site::{LayerId, Site};
use crate::types::{Dim, Elem, Type};

/// The largest nesting of bodies.
const MAX_DEPTH: usize = 8;

/// Why a text is not a graph.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct TextError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong in this line.
    pub reason: String,
}

/// Reads one graph.
///
/// # Errors
/// [`TextError`] if the text does not have the documented form, refers to an unknown value, an operator does
/// not accept its inputs, or a printed type is not the inferred one.
pub fn read<O: ReadOperation>(text: &str) -> Result<Graph<O>, TextError> {
    let mut reader = Reader { text, at: 0 };
    let graph = reader.graph(0)?;
    match reader.peek() {
        None => Ok(graph),
        Some(c) => Err(reader.error(format!("expected the end of the text, found `{c}`"))),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

type Names = BTreeMap<u64, Value>;

impl<'a> Reader<'a> {
    fn error(&self, reason: impl Into<String>) -> TextError {
        let line = self.text[..self.at].bytes().filter(|&b| b == b'\n').count() + 1;
        TextError { line, reason: reason.into() }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&mut self) -> Option<char> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with(';') {
                return trimmed.chars().next();
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    fn expect(&mut self, c: char) -> Result<(), TextError> {
        if self.eat(c) {
            return Ok(());
        }
        let found = self.peek().map_or("the end".to_string(), |c| format!("`{c}`"));
        Err(self.error(format!("expected `{c}`, found {found}")))
    }

    fn run(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        self.peek();
        let rest = self.rest();
        let end = rest.find(|c| !accept(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn word(&mut self) -> Result<&'a str, TextError> {
        let word = self.run(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        if word.is_empty() { Err(self.error("expected a word")) } else { Ok(word) }
    }

    fn number<T: std::str::FromStr>(&mut self) -> Result<T, TextError> {
        let digits = self.run(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'));
        digits.parse().map_err(|_| self.error(format!("invalid number `{digits}`")))
    }

    fn string(&mut self) -> Result<String, TextError> {
        self.expect('"')?;
        let mut out = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += i + 1;
                    return Ok(out);
                }
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some('r') => out.push('\r'),
                    Some('0') => out.push('\0'),
                    Some('u') => {
                        let code: String =
                            chars.by_ref().map(|(_, c)| c).take_while(|&c| c != '}').collect();
                        let code = u32::from_str_radix(code.trim_start_matches('{'), 16).ok();
                        match code.and_then(char::from_u32) {
                            Some(c) => out.push(c),
                            None => return Err(self.error("invalid \\u escape")),
                        }
                    }
                    Some(c) => out.push(c),
                    None => break,
                },
                c => out.push(c),
            }
        }
        Err(self.error("unterminated string"))
    }

    fn name(&mut self) -> Result<u64, TextError> {
        self.expect('%')?;
        self.number()
    }

    fn value(&mut self, names: &Names) -> Result<Value, TextError> {
        let name = self.name()?;
        names
            .get(&name)
            .copied()
            .ok_or_else(|| self.error(format!("%{name} is used before it is defined")))
    }

    fn list<T>(
        &mut self,
        open: char,
        close: char,
        mut item: impl FnMut(&mut Self) -> Result<T, TextError>,
    ) -> Result<Vec<T>, TextError> {
        self.expect(open)?;
        let mut items = Vec::new();
        while !self.eat(close) {
            if !items.is_empty() {
                self.expect(',')?;
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn ty(&mut self) -> Result<Type, TextError> {
        let elem = match self.word()? {
            "real" => Elem::Real,
            "int" => Elem::Int,
            "bool" => Elem::Bool,
            "f16" => Elem::F16,
            "bf16" => Elem::Bf16,
            "int8" => Elem::Int8,
            "byte" => Elem::Byte,
            other => return Err(self.error(format!("unknown element kind `{other}`"))),
        };
        let shape = self.list('[', ']', |r| {
            if r.eat('N') {
                return Ok(Dim::N);
            }
            let n = r.run(|c| c.is_ascii_digit());
            let n = n.parse().map_err(|_| r.error(format!("invalid extent `{n}`")))?;
            Ok(if r.eat('N') { Dim::Batch(n) } else { Dim::Fixed(n) })
        })?;
        Ok(Type { elem, shape })
    }

    fn init(&mut self) -> Result<Init, TextError> {
        match self.word()? {
            "zero" => Ok(Init::Zero),
            "uniform" => {
                self.expect('(')?;
                let fan_in = self.number()?;
                self.expect(')')?;
                Ok(Init::Uniform { fan_in })
            }
            other => Err(self.error(format!("unknown initialization `{other}`"))),
        }
    }

    fn attribute(&mut self) -> Result<Attribute, TextError> {
        match self.peek() {
            Some('[') => Ok(Attribute::Ints(self.list('[', ']', |r| r.number())?)),
            Some(c) if c.is_ascii_digit() || c == '-' => {
                let start = self.at;
                let digits =
                    self.run(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'));
                if let Ok(n) = digits.parse() {
                    return Ok(Attribute::Int(n));
                }
                self.at = start;
                Ok(Attribute::Real(self.number()?))
            }
            _ => match self.word()? {
                "array" => {
                    self.expect('(')?;
                    let shape: Vec<usize> = self.list('[', ']', |r| r.number())?;
                    self.expect(',')?;
                    let data: Vec<f32> = self.list('[', ']', |r| r.number())?;
                    self.expect(')')?;
                    let array = ArrayD::from_shape_vec(IxDyn(&shape), data);
                    Ok(Attribute::Array(array.map_err(|e| self.error(e.to_string()))?))
                }
                word @ ("inf" | "NaN") => Ok(Attribute::Real(word.parse().unwrap_or(f64::NAN))),
                word => Ok(Attribute::Word(word.to_string())),
            },
        }
    }

    fn graph<O: ReadOperation>(&mut self, depth: usize) -> Result<Graph<O>, TextError> {
        if depth > MAX_DEPTH {
            return Err(self.error("bodies are nested too deep"));
        }
        if self.word()? != "graph" {
            return Err(self.error("expected `graph`"));
        }
        let mut graph = Graph::new(self.string()?);
        let mut names = Names::new();
        self.expect('{')?;
        while !self.eat('}') {
            if self.peek() == Some('%') {
                self.node(&mut graph, &mut names, depth)?;
                continue;
            }
            match self.word()? {
                "doc" => graph.doc = self.string()?,
                "layer" => {
                    let _: u32 = self.number()?;
                    let path = self.string()?;
                    graph.layer(&path);
                }
                word => match self.role::<O>(word)? {
                    Some(role) => self.input(&mut graph, &mut names, role)?,
                    None => {
                        let role = self.output_role(word)?;
                        let name = self.string()?;
                        self.expect('=')?;
                        let value = self.value(&names)?;
                        graph.output_as(name, value, role);
                    }
                },
            }
        }
        Ok(graph)
    }

    /// The role of an input, from the first word of its line; `None` if the word begins an output. The
    /// initialization of a parameter is read later, after its type.
    fn role<O: ReadOperation>(&mut self, word: &str) -> Result<Option<Role>, TextError> {
        let mut number = || -> Result<usize, TextError> {
            self.expect('(')?;
            let number = self.number()?;
            self.expect(')')?;
            Ok(number)
        };
        if let Some(kind) = O::condition(word) {
            return Ok(Some(Role::Condition(Condition::Given { kind, size: number()? })));
        }
        Ok(match word {
            "scale" => Some(Role::Condition(Condition::Scale { factor: number()? })),
            "param" => Some(Role::Parameter(Init::Zero)),
            _ => Role::from_word(word),
        })
    }

    fn output_role<D>(&mut self, word: &str) -> Result<OutputRole<D>, TextError>
    where
        D: std::str::FromStr<Err = String>,
    {
        if word != "parameters" {
            let known = OutputRole::from_word(word);
            return known.ok_or_else(|| self.error(format!("`{word}` does not begin a line")));
        }
        self.expect('(')?;
        let name = self.run(|c| c != ')');
        let distribution = name.parse().map_err(|reason: String| self.error(reason))?;
        self.expect(')')?;
        Ok(OutputRole::Parameters(distribution))
    }

    fn input<O: ReadOperation>(
        &mut self,
        graph: &mut Graph<O>,
        names: &mut Names,
        role: Role,
    ) -> Result<(), TextError> {
        let id = self.name()?;
        let name = self.string()?;
        self.expect(':')?;
        let ty = self.ty()?;
        let value = match role {
            Role::Parameter(_) => {
                let init = self.init()?;
                let layer = self.layer()?;
                graph.parameter(name, ty, init, layer)
            }
            role => graph.input(name, ty, role),
        };
        names.insert(id, value);
        Ok(())
    }

    /// Reads `of N`, if it is next.
    fn layer(&mut self) -> Result<Option<LayerId>, TextError> {
        if !self.follows("of ") {
            return Ok(None);
        }
        Ok(Some(LayerId(self.number()?)))
    }

    /// Consumes `word`, which includes the space after it, if it is next. Returns whether it did.
    fn follows(&mut self, word: &str) -> bool {
        let found = self.peek().is_some() && self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn node<O: ReadOperation>(
        &mut self,
        graph: &mut Graph<O>,
        names: &mut Names,
        depth: usize,
    ) -> Result<(), TextError> {
        let mut results = vec![self.name()?];
        while self.eat(',') {
            results.push(self.name()?);
        }
        self.expect('=')?;
        let mnemonic = self.word()?;
        let inputs = self.list('(', ')', |r| r.value(names))?;
        let mut attributes = ReadAttributes::default();
        if self.peek() == Some('{') {
            attributes.0 = self.list('{', '}', |r| {
                let name = r.word()?.to_string();
                r.expect('=')?;
                Ok((name, r.attribute()?))
            })?;
        }
        let name = self.string()?;
        let mut site = Site::NONE;
        if self.eat('@') {
            let start = self.run(|c| c.is_ascii_digit()).parse();
            self.expect('.')?;
            self.expect('.')?;
            let end = self.run(|c| c.is_ascii_digit()).parse();
            match (start, end) {
                (Ok(start), Ok(end)) => site.span = Some(Span { start, end }),
                _ => return Err(self.error("expected a span, `@start..end`")),
            }
        }
        site.layer = self.layer()?;
        site.weight = self.follows("weight ");
        let mut printed = Vec::new();
        if self.eat(':') {
            printed.push(self.ty()?);
            while self.eat(',') {
                printed.push(self.ty()?);
            }
        }
        let mut bodies = Vec::new();
        while self.follows("body ") {
            bodies.push(self.graph(depth + 1)?);
        }
        let op = O::rebuild(mnemonic, &attributes, bodies)
            .map_err(|m| self.error(format!("`{name}` ({mnemonic}) {m}")))?;
        let values = graph.push(op, &inputs, &name, site).map_err(|e| self.error(e.to_string()))?;
        if values.len() != results.len() {
            let count = values.len();
            return Err(self.error(format!("`{name}` has {count} results, not {}", results.len())));
        }
        for (port, ty) in printed.iter().enumerate() {
            match values.get(port).map(|&v| graph.ty(v)) {
                Some(inferred) if inferred == ty => {}
                Some(inferred) => {
                    return Err(self.error(format!("`{name}` is {inferred}, not {ty}")));
                }
                None => return Err(self.error(format!("`{name}` has fewer results than types"))),
            }
        }
        names.extend(results.into_iter().zip(values));
        Ok(())
    }
}
