//! Parses expressions: arithmetic, kernel sizes, and layers applied to values.

use pixelrnn_graph::{Diagnostic, Span};

use super::cursor::{Parsed, Parser};
use crate::ast::{ArgValue, BinaryOp, Call, Expr, Ident};
use crate::lexer::TokenKind;

/// The largest number of operators, calls and parentheses in one expression. With [`MAX_NESTING`], it bounds
/// the recursion here and the depth of the tree, and so every recursion over the tree.
const MAX_PARTS: usize = 64;

/// The largest nesting of calls in the arguments of calls.
const MAX_NESTING: usize = 8;

impl Parser<'_> {
    /// Parses `a + b * (c - 1)`.
    pub fn expr(&mut self) -> Parsed<Expr> {
        let outer = std::mem::replace(&mut self.budget, MAX_PARTS);
        let expr = self.binary(0);
        self.budget = outer;
        expr
    }

    /// Parses the rest of an expression whose first operand is a name that has been consumed.
    pub fn expr_from(&mut self, name: Ident) -> Parsed<Expr> {
        self.budget = MAX_PARTS;
        let start = name.span;
        let first = self.named(name)?;
        let first = self.methods(first)?;
        let product = self.operators(first, start, 1)?;
        self.operators(product, start, 0)
    }

    /// Parses `expr`, or `expr x expr`: a kernel, height by width.
    pub fn value(&mut self) -> Parsed<ArgValue> {
        let first = self.expr()?;
        match self.separator() {
            Some(width) => Ok(ArgValue::Kernel { height: first, width: width? }),
            None => Ok(ArgValue::Expr(first)),
        }
    }

    /// Parses the `x` between height and width, and what follows it; `None` if there is no `x` here.
    pub fn separator(&mut self) -> Option<Parsed<Expr>> {
        let word = self.word_at(0);
        let tail = word.strip_prefix('x')?;
        if tail.is_empty() {
            self.bump();
            return Some(self.expr());
        }
        // `h x7`, where only the separator is allowed: the lexer reads `x7` as one token, but it means two.
        let span = self.span();
        let value = tail.parse().ok()?;
        self.bump();
        Some(Ok(Expr::Int { value, span: Span { start: span.start + 1, end: span.end } }))
    }

    /// Parses one level of precedence: 0 for sums, 1 for products, 2 for their operands.
    fn binary(&mut self, level: usize) -> Parsed<Expr> {
        if level > 1 {
            let operand = self.operand()?;
            return self.methods(operand);
        }
        let start = self.span();
        let left = self.binary(level + 1)?;
        self.operators(left, start, level)
    }

    /// Parses the operators of a level with their right operands. The first operand begins at `start`.
    fn operators(&mut self, mut left: Expr, start: Span, level: usize) -> Parsed<Expr> {
        let operators: &[(char, BinaryOp)] = match level {
            0 => &[('+', BinaryOp::Add), ('-', BinaryOp::Sub)],
            _ => &[('*', BinaryOp::Mul), ('/', BinaryOp::Div)],
        };
        while let Some(&(_, op)) = operators.iter().find(|(c, _)| self.is_punct(*c)) {
            self.spend()?;
            let op_span = self.span();
            self.bump();
            let right = self.binary(level + 1)?;
            // Computed from tokens, since the spans of the operands do not include their parentheses.
            let span = start.to(self.last());
            let (boxed, right) = (Box::new(left), Box::new(right));
            left = Expr::Binary { op, op_span, left: boxed, right, span };
        }
        Ok(left)
    }

    /// Parses `.name` and `.name(arguments)` after an operand.
    fn methods(&mut self, mut receiver: Expr) -> Parsed<Expr> {
        while self.is_punct('.') {
            self.spend()?;
            self.bump();
            let Some(name) = self.ident() else {
                let help = "a layer of a value is written `value.name(arguments)`";
                return Err(self.expected_help("the name of a layer", Some(help)));
            };
            let call = self.call(name)?;
            receiver = Expr::Method { receiver: Box::new(receiver), call };
        }
        Ok(receiver)
    }

    /// Parses the rest of a name, or of a call.
    fn named(&mut self, name: Ident) -> Parsed<Expr> {
        match self.is_punct('(') {
            true => self.call(name).map(Expr::Call),
            false => Ok(Expr::Name(name)),
        }
    }

    /// Parses the arguments of a layer or block, if there are any.
    pub fn call(&mut self, name: Ident) -> Parsed<Call> {
        let mut args = Vec::new();
        let mut span = name.span;
        if self.is_punct('(') {
            let open = self.span();
            if self.nesting == MAX_NESTING {
                let message = format!("calls nested more than {MAX_NESTING} deep");
                let help = "give the inner value a name: `name = ...;`";
                let reported = self.report(Diagnostic::error(open, message).help(help));
                self.abandon();
                return Err(reported);
            }
            self.nesting += 1;
            self.bump();
            self.broken |= !self.args(open, &mut args);
            self.nesting -= 1;
            span = span.to(self.last());
        }
        Ok(Call { name, args, span })
    }

    fn operand(&mut self) -> Parsed<Expr> {
        let span = self.span();
        match *self.kind() {
            TokenKind::Int(value) => {
                self.bump();
                Ok(Expr::Int { value, span })
            }
            TokenKind::Word => {
                let text = self.excerpt(span).to_string();
                self.bump();
                self.named(Ident { text, span })
            }
            TokenKind::Punct('(') => {
                self.spend()?;
                self.bump();
                let inside = self.binary(0)?;
                if !self.eat(')') {
                    let help = self.is_punct(',').then_some(
                        "a kernel is written `height x width`, without parentheses: `7 x 7`",
                    );
                    return Err(self.expected_help("`)`", help));
                }
                Ok(inside)
            }
            TokenKind::Punct('[') => {
                let help = "a kernel is written `height x width`, such as `7 x 7`";
                Err(self.expected_help("a number or a name", Some(help)))
            }
            TokenKind::Punct('-') => {
                Err(self.expected_help("a number or a name", Some("numbers are not negative here")))
            }
            _ => Err(self.expected("a number or a name")),
        }
    }

    fn spend(&mut self) -> Parsed<()> {
        match self.budget.checked_sub(1) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => Err(self.report(Diagnostic::error(
                self.span(),
                format!("an expression of more than {MAX_PARTS} operators and parentheses"),
            ))),
        }
    }
}
