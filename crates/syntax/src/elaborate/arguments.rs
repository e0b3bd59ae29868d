//! Arguments of a layer, matched with its parameters and evaluated.

use std::collections::BTreeMap;

use pixelrnn_graph::{Diagnostic, Span};

use crate::ast::{Arg, ArgValue, Call, Expr};
use crate::evaluate::{evaluate, with_values};
use crate::layers::{Kind, Layer, Parameter};
use crate::suggest::closest;

/// Extents of kernels beyond this are a slip of the pen.
const MAX_KERNEL: usize = 255;
/// Features beyond this are a slip of the pen.
const MAX_NUMBER: usize = 1 << 16;

/// What the user gave, by parameter: two numbers for a kernel, one for the rest.
pub struct Arguments {
    values: BTreeMap<&'static str, ([usize; 2], Span)>,
}

impl Arguments {
    /// A kernel's height and width.
    pub fn kernel(&self, name: &str) -> [usize; 2] {
        self.values.get(name).map_or([1, 1], |(v, _)| *v)
    }

    /// A number.
    pub fn number(&self, name: &str) -> usize {
        self.kernel(name)[0]
    }

    /// The position of a word among those of its parameter.
    pub fn word(&self, name: &str) -> usize {
        self.kernel(name)[0]
    }

    /// Where the user gave it.
    pub fn span(&self, name: &str) -> Span {
        self.values.get(name).map_or(Span::new(0, 0), |(_, s)| *s)
    }

    /// Matches a call with its layer; `None` if anything was wrong.
    pub(super) fn read(
        layer: &'static Layer,
        call: &Call,
        scope: &[(&str, usize)],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Arguments> {
        let before = diagnostics.len();
        let mut given: BTreeMap<&'static str, &Arg> = BTreeMap::new();
        let positional: Vec<&'static Parameter> = layer.parameters.iter().collect();
        for (i, arg) in call.args.iter().enumerate() {
            let parameter = match &arg.name {
                None => positional.get(i).copied(),
                Some(name) => layer.parameters.iter().find(|p| p.name == name.text),
            };
            let Some(parameter) = parameter else {
                diagnostics.push(surplus(layer, call, arg));
                continue;
            };
            if let Some(first) = given.insert(parameter.name, arg) {
                let twice = format!("`{}` is given twice", parameter.name);
                let twice = Diagnostic::error(arg.span(), twice).also(first.span(), "first here");
                diagnostics.push(twice.help("remove one of them"));
            }
        }
        let mut values = BTreeMap::new();
        for parameter in layer.parameters {
            let value = match (given.get(parameter.name), parameter.default) {
                (Some(arg), _) => value(layer, parameter, &arg.value, scope, diagnostics)
                    .map(|v| (v, arg.value.span())),
                (None, Some(default)) => Some(([default, default], call.span)),
                (None, None) => {
                    if diagnostics.len() == before {
                        let missing = format!("`{}` lacks its `{}`", layer.name, parameter.name);
                        diagnostics.push(
                            Diagnostic::error(call.span, missing)
                                .help(format!("write `{}`", layer.usage)),
                        );
                    }
                    None
                }
            };
            if let Some(value) = value {
                values.insert(parameter.name, value);
            }
        }
        (diagnostics.len() == before).then_some(Arguments { values })
    }
}

fn surplus(layer: &Layer, call: &Call, arg: &Arg) -> Diagnostic {
    match &arg.name {
        Some(name) => {
            let wrong = format!("`{}` has no argument `{}`", layer.name, name.text);
            let wrong = Diagnostic::error(name.span, wrong);
            match closest(&name.text, layer.parameters.iter().map(|p| p.name)) {
                Some(near) => wrong.help(format!("did you mean `{near}`?")),
                None => wrong.help(format!("write `{}`", layer.usage)),
            }
        }
        None => {
            let takes = match layer.parameters.len() {
                0 => "no arguments".to_string(),
                1 => format!("1 argument, not {}", call.args.len()),
                n => format!("{n} arguments, not {}", call.args.len()),
            };
            let wrong = format!("`{}` takes {takes}", layer.name);
            Diagnostic::error(arg.span(), wrong).help(format!("write `{}`", layer.usage))
        }
    }
}

fn value(
    layer: &Layer,
    parameter: &Parameter,
    given: &ArgValue,
    scope: &[(&str, usize)],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<[usize; 2]> {
    let mut number = |expr: &Expr, most: usize, odd: bool| {
        let result = number(parameter.name, expr, most, odd, scope);
        result.map_err(|diagnostic| diagnostics.push(diagnostic)).ok()
    };
    match (parameter.kind, given) {
        (Kind::Kernel, ArgValue::Kernel { height, width }) => {
            let height = number(height, MAX_KERNEL, true);
            let width = number(width, MAX_KERNEL, true);
            return Some([height?, width?]);
        }
        (Kind::Number, ArgValue::Expr(expr)) => {
            return number(expr, MAX_NUMBER, false).map(|n| [n, n]);
        }
        (Kind::Odd, ArgValue::Expr(expr)) => {
            return number(expr, MAX_KERNEL, true).map(|n| [n, n]);
        }
        (Kind::Word(words), ArgValue::Expr(Expr::Name(word))) => {
            if let Some(i) = words.iter().position(|w| *w == word.text) {
                return Some([i, i]);
            }
        }
        _ => {}
    }
    diagnostics.push(misfit(layer, parameter, given));
    None
}

/// A number from 1 to `most`.
fn number(
    name: &str,
    expr: &Expr,
    most: usize,
    odd: bool,
    scope: &[(&str, usize)],
) -> Result<usize, Diagnostic> {
    let n = evaluate(expr, scope)?;
    if n < 1 || n > most {
        let wrong = Diagnostic::error(expr.span(), format!("`{name}` cannot be {n}"));
        return Err(with_values(wrong, expr, scope).help(format!("it is 1 to {most}")));
    }
    if odd && n % 2 == 0 {
        let wrong = Diagnostic::error(expr.span(), format!("`{name}` must be odd, not {n}"))
            .remark("only an odd kernel has a centre");
        return Err(wrong.help(format!("write {} or {}", n - 1, n + 1)));
    }
    Ok(n)
}

/// An argument of the wrong kind.
fn misfit(layer: &Layer, parameter: &Parameter, given: &ArgValue) -> Diagnostic {
    let expected = match parameter.kind {
        Kind::Kernel => "height x width".to_string(),
        Kind::Number | Kind::Odd => "one number".to_string(),
        Kind::Word(words) => words.join(" or "),
    };
    let found = match given {
        ArgValue::Kernel { .. } => "a kernel".to_string(),
        ArgValue::Expr(Expr::Name(name)) => format!("`{}`", name.text),
        ArgValue::Expr(Expr::Int { value, .. }) => value.to_string(),
        ArgValue::Expr(Expr::Binary { .. }) => "a number".to_string(),
    };
    let message = format!("`{}` is {expected}, not {found}", parameter.name);
    let near = match (parameter.kind, given) {
        (Kind::Kernel, ArgValue::Expr(Expr::Int { value, .. })) => {
            Some(format!("write `{value} x {value}`"))
        }
        (Kind::Word(words), ArgValue::Expr(Expr::Name(word))) => {
            closest(&word.text, words.iter().copied()).map(|near| format!("write `{near}`"))
        }
        _ => None,
    };
    let help = near.unwrap_or_else(|| format!("write `{}`", layer.usage));
    Diagnostic::error(given.span(), message).help(help)
}
