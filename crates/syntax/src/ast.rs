//! The syntax tree of one model: what the user wrote, with the place of every piece.
//!
//! Nothing here is resolved. A name in an expression may be a hyper-parameter or a word of some
//! layer's own (`A`, `zero`); a call may name a layer that does not exist. The parser promises the
//! shape only. When it has reported errors, a tree may hold placeholders (the number 1 at the place
//! of what is missing): such a tree serves an editor, and is not to be compiled.

use pixelrnn_graph::Span;

/// A name and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Ident {
    pub text: String,
    pub span: Span,
}

/// A whole text: one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The lines of the doc comments, as written after `///`.
    pub docs: Vec<String>,
    /// The place of `pub`, or of the whole `pub(...)`.
    pub visibility: Option<Span>,
    pub name: Ident,
    /// The hyper-parameters; no two have one name.
    pub fields: Vec<Field>,
    pub image: Image,
    pub body: Vec<Statement>,
}

/// A hyper-parameter: `name: usize = default`.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub docs: Vec<String>,
    pub name: Ident,
    /// May name the fields before it; [`crate::defaults`] gives the numbers.
    pub default: Expr,
}

/// `image height x width, colours c, levels l;`
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    pub span: Span,
    pub height: Expr,
    pub width: Expr,
    pub colours: Expr,
    pub levels: Expr,
}

/// Integer arithmetic. Its depth is bounded by the parser, so recursion over it is safe.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Int {
        value: usize,
        span: Span,
    },
    Name(Ident),
    Binary {
        op: BinaryOp,
        op_span: Span,
        left: Box<Expr>,
        right: Box<Expr>,
        /// From the first token to the last, parentheses of the operands included.
        span: Span,
    },
}

/// The four operators; `/` rounds towards zero, as in Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
}

/// One line of a body: an optional label, and a layer or a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    pub label: Option<Ident>,
    pub kind: Kind,
}

/// What a statement does.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Layer(Call),
    Block(Block),
}

/// `name` or `name(arguments)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub name: Ident,
    pub args: Vec<Arg>,
    /// From the name to the closing parenthesis.
    pub span: Span,
}

/// One argument; the named ones come last.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    pub name: Option<Ident>,
    pub value: ArgValue,
}

/// The value of an argument.
#[derive(Clone, Debug, PartialEq)]
pub enum ArgValue {
    /// A number, or a word of the layer's own such as `A`.
    Expr(Expr),
    /// `height x width`.
    Kernel { height: Expr, width: Expr },
}

/// `keyword { ... }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    pub keyword: Ident,
    pub kind: BlockKind,
    /// The number of repeats: there for [`BlockKind::Repeat`] and nothing else.
    pub count: Option<Expr>,
    pub body: Vec<Statement>,
    /// From the keyword to the closing brace.
    pub span: Span,
}

/// The keywords that open a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    Repeat,
    Residual,
    Collect,
    Plain,
}

impl Expr {
    /// The place of the whole expression.
    pub fn span(&self) -> Span {
        match self {
            Expr::Int { span, .. } | Expr::Binary { span, .. } => *span,
            Expr::Name(name) => name.span,
        }
    }

    /// Calls `visit` on every name in the expression, left to right.
    pub fn names<'a>(&'a self, visit: &mut dyn FnMut(&'a Ident)) {
        match self {
            Expr::Int { .. } => {}
            Expr::Name(name) => visit(name),
            Expr::Binary { left, right, .. } => {
                left.names(visit);
                right.names(visit);
            }
        }
    }
}

impl BinaryOp {
    /// The operator as written.
    pub fn symbol(self) -> char {
        match self {
            BinaryOp::Add => '+',
            BinaryOp::Sub => '-',
            BinaryOp::Mul => '*',
            BinaryOp::Div => '/',
        }
    }
}

impl Statement {
    /// From the label, if there is one, to the end of the layer or block (without the `;`).
    pub fn span(&self) -> Span {
        let kind = match &self.kind {
            Kind::Layer(call) => call.span,
            Kind::Block(block) => block.span,
        };
        self.label.as_ref().map_or(kind, |label| label.span.to(kind))
    }
}

impl Arg {
    /// From the name, if there is one, to the end of the value.
    pub fn span(&self) -> Span {
        let value = self.value.span();
        self.name.as_ref().map_or(value, |name| name.span.to(value))
    }
}

impl ArgValue {
    /// The place of the whole value.
    pub fn span(&self) -> Span {
        match self {
            ArgValue::Expr(expr) => expr.span(),
            ArgValue::Kernel { height, width } => height.span().to(width.span()),
        }
    }

    /// The expressions in it, in the order written.
    pub fn exprs(&self) -> Vec<&Expr> {
        match self {
            ArgValue::Expr(expr) => vec![expr],
            ArgValue::Kernel { height, width } => vec![height, width],
        }
    }
}
