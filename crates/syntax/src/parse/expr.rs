//! Arithmetic, and the kernel sizes made of two of them.

use pixelrnn_graph::{Diagnostic, Span};

use super::cursor::{Parsed, Parser};
use crate::ast::{ArgValue, BinaryOp, Expr, Ident};
use crate::lexer::TokenKind;

/// Operators and parentheses in one expression. It bounds the recursion here and the depth of the
/// tree, hence every recursion over it.
const MAX_PARTS: usize = 64;

impl Parser<'_> {
    /// `a + b * (c - 1)`.
    pub fn expr(&mut self) -> Parsed<Expr> {
        self.budget = MAX_PARTS;
        self.binary(0)
    }

    /// `expr`, or `expr x expr`: a kernel, height by width.
    pub fn value(&mut self) -> Parsed<ArgValue> {
        let first = self.expr()?;
        match self.separator() {
            Some(width) => Ok(ArgValue::Kernel { height: first, width: width? }),
            None => Ok(ArgValue::Expr(first)),
        }
    }

    /// The `x` between height and width, and what follows it; `None` if there is no `x` here.
    pub fn separator(&mut self) -> Option<Parsed<Expr>> {
        let word = self.word_at(0);
        let tail = word.strip_prefix('x')?;
        if tail.is_empty() {
            self.bump();
            return Some(self.expr());
        }
        // `h x7`, where nothing but the separator can stand: to us two tokens, to the lexer one.
        let span = self.span();
        let value = tail.parse().ok()?;
        self.bump();
        Some(Ok(Expr::Int { value, span: Span { start: span.start + 1, end: span.end } }))
    }

    /// Level 0 is sums, 1 products, 2 their operands.
    fn binary(&mut self, level: usize) -> Parsed<Expr> {
        let operators: &[(char, BinaryOp)] = match level {
            0 => &[('+', BinaryOp::Add), ('-', BinaryOp::Sub)],
            1 => &[('*', BinaryOp::Mul), ('/', BinaryOp::Div)],
            _ => return self.operand(),
        };
        let start = self.span();
        let mut left = self.binary(level + 1)?;
        while let Some(&(_, op)) = operators.iter().find(|(c, _)| self.is_punct(*c)) {
            self.spend()?;
            let op_span = self.span();
            self.bump();
            let right = self.binary(level + 1)?;
            // By tokens, not by the spans of the operands: those leave out their parentheses.
            let span = start.to(self.last());
            let (boxed, right) = (Box::new(left), Box::new(right));
            left = Expr::Binary { op, op_span, left: boxed, right, span };
        }
        Ok(left)
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
                Ok(Expr::Name(Ident { text, span }))
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
