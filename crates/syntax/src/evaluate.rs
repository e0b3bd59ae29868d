//! The arithmetic of the language: checked arithmetic on whole numbers.

use pixelrnn_graph::{Diagnostic, Span};

use crate::ast::{BinaryOp, Expr, Model};
use crate::suggest::closest;

/// Evaluates `expr` to a number. `scope` contains the values of names.
///
/// # Errors
/// A diagnostic for a name that is not in `scope`, a division by zero, or a result that does not fit in a
/// `usize`. It marks the part at fault and contains the numbers.
pub fn evaluate(expr: &Expr, scope: &[(&str, usize)]) -> Result<usize, Diagnostic> {
    match expr {
        Expr::Int { value, .. } => Ok(*value),
        Expr::Name(name) => match scope.iter().find(|(known, _)| *known == name.text) {
            Some(&(_, value)) => Ok(value),
            None => Err(unknown(&name.text, name.span, scope)),
        },
        Expr::Call(call) | Expr::Method { call, .. } => {
            let wrong = format!("`{}` returns a map, expected a number", call.name.text);
            Err(Diagnostic::error(expr.span(), wrong).help("expected a number"))
        }
        Expr::Binary { op, left, right, span, .. } => {
            let (a, b) = (evaluate(left, scope)?, evaluate(right, scope)?);
            let result = match op {
                BinaryOp::Add => a.checked_add(b),
                BinaryOp::Sub => a.checked_sub(b),
                BinaryOp::Mul => a.checked_mul(b),
                BinaryOp::Div => a.checked_div(b),
            };
            result.ok_or_else(|| {
                let wrong = match op {
                    BinaryOp::Sub => "is negative",
                    BinaryOp::Div => "divides by zero",
                    BinaryOp::Add | BinaryOp::Mul => "is too large",
                };
                let sum = format!("{a} {} {b}", op.symbol());
                let help = match op {
                    BinaryOp::Sub => "sizes are whole numbers, 0 or larger".to_string(),
                    BinaryOp::Div => "divide by 1 or more".to_string(),
                    BinaryOp::Add | BinaryOp::Mul => format!("numbers go up to {}", usize::MAX),
                };
                let wrong = Diagnostic::error(*span, format!("`{sum}` {wrong}"));
                with_values(wrong, expr, scope).help(help)
            })
        }
    }
}

/// Evaluates the defaults of all fields, in order. A default may refer to the fields before it. If one cannot
/// be evaluated, an error is returned with the results, and its value is 1.
pub fn defaults(model: &Model) -> (Vec<usize>, Vec<Diagnostic>) {
    let mut scope: Vec<(&str, usize)> = Vec::new();
    let mut diagnostics = Vec::new();
    for field in &model.fields {
        let value = evaluate(&field.default, &scope).unwrap_or_else(|mut diagnostic| {
            let name = |ident: &str| model.fields.iter().any(|field| field.name.text == ident);
            field.default.names(&mut |used| {
                if used.span == diagnostic.primary.span && name(&used.text) {
                    diagnostic.message = format!("`{}` is not known yet", used.text);
                    let help = "a default may use only the hyper-parameters before it";
                    diagnostic.help = Some(help.into());
                }
            });
            diagnostics.push(diagnostic);
            1
        });
        scope.push((&field.name.text, value));
    }
    (scope.into_iter().map(|(_, value)| value).collect(), diagnostics)
}

/// Adds the values of the names in an expression to an error about its value.
pub(crate) fn with_values(wrong: Diagnostic, expr: &Expr, scope: &[(&str, usize)]) -> Diagnostic {
    let mut said: Vec<String> = Vec::new();
    expr.names(&mut |name| {
        if let Some((_, value)) = scope.iter().find(|(known, _)| *known == name.text) {
            let value = format!("`{}` is {value}", name.text);
            if !said.contains(&value) {
                said.push(value);
            }
        }
    });
    if said.is_empty() { wrong } else { wrong.remark(said.join(", ")) }
}

fn unknown(name: &str, span: Span, scope: &[(&str, usize)]) -> Diagnostic {
    let unknown = Diagnostic::error(span, format!("unknown hyper-parameter `{name}`"));
    let known: Vec<&str> = scope.iter().map(|&(name, _)| name).collect();
    match closest(name, known.iter().copied()) {
        Some(near) => unknown.help(format!("did you mean `{near}`?")),
        None if known.is_empty() => unknown.help("expected a number"),
        None => unknown.help(format!("the hyper-parameters are: {}", known.join(", "))),
    }
}
