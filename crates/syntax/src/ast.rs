//! The syntax tree of one model: what the user wrote, with the source position of each part.
//!
//! Nothing here is resolved. A name in an expression may be a hyper-parameter or a keyword of a layer (`A`,
//! `zero`), and a call may name a layer that does not exist. The parser guarantees only the structure. After
//! errors, a tree may contain placeholders (the number 1 at the position of the missing part). Such a tree is
//! for editors and must not be compiled.

use pixelrnn_graph::Span;
use pixelrnn_ops::ConditionKind;

/// A name and its position.
#[derive(Clone, Debug, PartialEq)]
pub struct Ident {
    /// The name.
    pub text: String,
    /// Its position in the source.
    pub span: Span,
}

/// A whole text: one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The lines of the doc comments, as written after `///`.
    pub docs: Vec<String>,
    /// The position of `pub`, or of the whole `pub(...)`.
    pub visibility: Option<Span>,
    /// The name of the model.
    pub name: Ident,
    /// The hyper-parameters. Their names are unique.
    pub fields: Vec<Field>,
    /// The size of the image.
    pub image: Image,
    /// Inputs that the model reads but does not predict.
    pub conditions: Vec<Condition>,
    /// User-defined blocks.
    pub definitions: Vec<Definition>,
    /// The statements of the model.
    pub body: Vec<Statement>,
}

/// `condition name: kind n;`
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The name of the condition.
    pub name: Ident,
    /// The kind, with a placeholder as its number.
    pub kind: ConditionKind,
    /// The number after the kind.
    pub number: Expr,
    /// From `condition` to the number.
    pub span: Span,
}

/// `block name(parameters) { ... }`
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// The name of the block.
    pub name: Ident,
    /// The parameters. Their names are unique.
    pub parameters: Vec<Ident>,
    /// The statements of the block.
    pub body: Vec<Statement>,
    /// From `block` to the closing brace.
    pub span: Span,
}

/// A hyper-parameter: `name: usize = default`.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The lines of the doc comments.
    pub docs: Vec<String>,
    /// The name of the hyper-parameter.
    pub name: Ident,
    /// May refer to the fields before it. [`crate::defaults`] evaluates it.
    pub default: Expr,
}

/// `image height x width, colors c, levels l;`
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// The position of the whole statement.
    pub span: Span,
    /// The number of rows.
    pub height: Expr,
    /// The number of columns.
    pub width: Expr,
    /// The number of colors.
    pub colours: Expr,
    /// The number of levels of each value.
    pub levels: Expr,
}

/// A number or a map. The parser limits its depth, so recursion over it is safe.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A number.
    Int {
        /// The number.
        value: usize,
        /// Its position.
        span: Span,
    },
    /// A hyper-parameter or a map.
    Name(Ident),
    /// Arithmetic.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Its position.
        op_span: Span,
        /// The left operand.
        left: Box<Expr>,
        /// The right operand.
        right: Box<Expr>,
        /// From the first token to the last, including the parentheses of the operands.
        span: Span,
    },
    /// `name(arguments)`: a layer or block applied to the previous value.
    Call(Call),
    /// `receiver.name(arguments)` or `receiver.name`.
    Method {
        /// The value before the dot.
        receiver: Box<Expr>,
        /// The layer or block, and its arguments.
        call: Call,
    },
}

/// The four operators. `/` rounds toward zero, as in Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `+`.
    Add,
    /// `-`.
    Sub,
    /// `*`.
    Mul,
    /// `/`.
    Div,
}

/// A statement: an optional label, optional names for its values, and what it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The label, which is part of the paths of the weights.
    pub label: Option<Ident>,
    /// `name = ...` or `(name, name) = ...`.
    pub targets: Option<Targets>,
    /// What it does.
    pub kind: Kind,
}

/// The names of a statement's values.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets {
    /// One name, or the names in parentheses.
    pub names: Vec<Ident>,
    /// Whether the names are in parentheses.
    pub tuple: bool,
}

/// What a statement does.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `name;` or `name(arguments);`: a layer or block applied to the previous value.
    Layer(Call),
    /// Any other value.
    Value(Expr),
    /// `(value, value)`: the results of the block, as its last statement.
    Values(Vec<Expr>, Span),
    /// A block in braces.
    Block(Block),
}

/// `name` or `name(arguments)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The name of the layer or block.
    pub name: Ident,
    /// The arguments.
    pub args: Vec<Arg>,
    /// From the name to the closing parenthesis.
    pub span: Span,
}

/// One argument. Named arguments come last.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// The name, if it was given.
    pub name: Option<Ident>,
    /// The value.
    pub value: ArgValue,
}

/// The value of an argument.
#[derive(Clone, Debug, PartialEq)]
pub enum ArgValue {
    /// A number, or a keyword of the layer such as `A`.
    Expr(Expr),
    /// `height x width`.
    Kernel {
        /// Rows.
        height: Expr,
        /// Columns.
        width: Expr,
    },
}

/// `keyword { ... }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The keyword.
    pub keyword: Ident,
    /// Which block the keyword opens.
    pub kind: BlockKind,
    /// The number of repeats, or the distance of a scale's pixels.
    pub count: Option<Expr>,
    /// `repeat n with (name, name)`: the values that are carried from one repeat to the next.
    pub with: Vec<Ident>,
    /// The statements in braces.
    pub body: Vec<Statement>,
    /// From the keyword to the closing brace.
    pub span: Span,
}

/// The keywords that open a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// `repeat n { ... }`: the statements n times.
    Repeat,
    /// `residual { ... }`: the input is added to the result.
    Residual,
    /// `collect { ... }`: sums skip connections.
    Collect,
    /// `block { ... }`: only groups statements.
    Plain,
    /// `scale name: every n { ... }`; the name is the statement's label.
    Scale,
}

impl Expr {
    /// The position of the whole expression.
    pub fn span(&self) -> Span {
        match self {
            Expr::Int { span, .. } | Expr::Binary { span, .. } => *span,
            Expr::Name(name) => name.span,
            Expr::Call(call) => call.span,
            Expr::Method { receiver, call } => receiver.span().to(call.span),
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
            Expr::Call(call) => call.names(visit),
            Expr::Method { receiver, call } => {
                receiver.names(visit);
                call.names(visit);
            }
        }
    }

    /// Calls `visit` on every call of a layer or block in the expression, left to right.
    pub fn calls<'a>(&'a self, visit: &mut dyn FnMut(&'a Call)) {
        match self {
            Expr::Int { .. } | Expr::Name(_) => {}
            Expr::Binary { left, right, .. } => {
                left.calls(visit);
                right.calls(visit);
            }
            Expr::Call(call) => call.calls(visit),
            Expr::Method { receiver, call } => {
                receiver.calls(visit);
                call.calls(visit);
            }
        }
    }
}

impl Call {
    /// Calls `visit` on every name in the arguments, left to right.
    pub fn names<'a>(&'a self, visit: &mut dyn FnMut(&'a Ident)) {
        self.args.iter().flat_map(|arg| arg.value.exprs()).for_each(|expr| expr.names(visit));
    }

    /// Calls `visit` on this call, then on those in its arguments.
    pub fn calls<'a>(&'a self, visit: &mut dyn FnMut(&'a Call)) {
        visit(self);
        self.args.iter().flat_map(|arg| arg.value.exprs()).for_each(|expr| expr.calls(visit));
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
    /// The position of the layer, value or block, without label and names.
    pub fn kind_span(&self) -> Span {
        match &self.kind {
            Kind::Layer(call) => call.span,
            Kind::Value(expr) => expr.span(),
            Kind::Values(_, span) => *span,
            Kind::Block(block) => block.span,
        }
    }

    /// The position from the label, if there is one, to the end of the layer or block, without the `;`.
    pub fn span(&self) -> Span {
        let kind = self.kind_span();
        let target = self.targets.as_ref().and_then(|targets| targets.names.first());
        let first = self.label.as_ref().or(target);
        first.map_or(kind, |first| first.span.to(kind))
    }
}

impl Arg {
    /// The position from the name, if there is one, to the end of the value.
    pub fn span(&self) -> Span {
        let value = self.value.span();
        self.name.as_ref().map_or(value, |name| name.span.to(value))
    }
}

impl ArgValue {
    /// The position of the whole value.
    pub fn span(&self) -> Span {
        match self {
            ArgValue::Expr(expr) => expr.span(),
            ArgValue::Kernel { height, width } => height.span().to(width.span()),
        }
    }

    /// The expressions in it, in source order.
    pub fn exprs(&self) -> Vec<&Expr> {
        match self {
            ArgValue::Expr(expr) => vec![expr],
            ArgValue::Kernel { height, width } => vec![height, width],
        }
    }
}
