//! The arguments of a layer: matches them with its parameters and evaluates them.

use std::collections::BTreeMap;

use pixelrnn_graph::{Diagnostic, Span};

use super::build::Flow;
use super::scope::{Scope, Thing};
use crate::ast::{Arg, ArgValue, Call, Expr};
use crate::evaluate::{evaluate, with_values};
use crate::layers::{Default, Kind, Layer, Parameter};
use crate::suggest::closest;

/// The largest side of a kernel. Larger values are most likely typing errors.
const MAX_KERNEL: usize = 255;
/// The largest number of features. Larger values are most likely typing errors.
const MAX_NUMBER: usize = 1 << 16;

/// The arguments of a call, by parameter.
pub struct Arguments {
    values: BTreeMap<&'static str, (Argument, Span)>,
}

/// The value of an argument.
enum Argument {
    Kernel([usize; 2]),
    Number(usize),
    /// The index of a word among those of its parameter.
    Word(usize),
    Map(Flow),
}

impl Arguments {
    /// The height and width of a kernel.
    ///
    /// # Panics
    /// If the layer has no such parameter: a bug in the layer's file, which its first test finds.
    pub fn kernel(&self, name: &str) -> [usize; 2] {
        match self.values.get(name) {
            Some((Argument::Kernel(kernel), _)) => *kernel,
            _ => unreachable!("the layer's table has a kernel `{name}`"),
        }
    }

    /// The value of a number.
    ///
    /// # Panics
    /// As [`Arguments::kernel`].
    pub fn number(&self, name: &str) -> usize {
        match self.values.get(name) {
            Some((Argument::Number(number), _)) => *number,
            _ => unreachable!("the layer's table has a number `{name}`"),
        }
    }

    /// The index of a word among those of its parameter.
    ///
    /// # Panics
    /// As [`Arguments::kernel`].
    pub fn word(&self, name: &str) -> usize {
        match self.values.get(name) {
            Some((Argument::Word(at), _)) => *at,
            _ => unreachable!("the layer's table has the words of `{name}`"),
        }
    }

    /// A map; `None` if it was not given.
    pub fn map(&self, name: &str) -> Option<&Flow> {
        match self.values.get(name) {
            Some((Argument::Map(flow), _)) => Some(flow),
            _ => None,
        }
    }

    /// The position of the argument; that of the whole call for a default.
    pub fn span(&self, name: &str) -> Span {
        self.values.get(name).map_or(Span::new(0, 0), |(_, s)| *s)
    }

    /// Matches the arguments of a call with the layer's parameters; `None` after an error. `maps` contains
    /// the arguments that are maps, by parameter; `None` for one with an error.
    pub(super) fn read(
        layer: &'static Layer,
        call: &Call,
        scope: &Scope,
        mut maps: BTreeMap<&'static str, Option<Flow>>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Arguments> {
        let before = diagnostics.len();
        let given = match_parameters(layer, call, scope, diagnostics);
        let mut values = BTreeMap::new();
        let mut failed = false;
        for parameter in layer.parameters {
            let value = match (given.get(parameter.name), parameter.default) {
                (Some(arg), _) if parameter.is_map() => match maps.remove(parameter.name) {
                    Some(Some(flow)) => Some((Argument::Map(flow), arg.value.span())),
                    Some(None) => {
                        failed = true;
                        None
                    }
                    None => {
                        diagnostics.push(wrong_kind(layer, parameter, &arg.value));
                        None
                    }
                },
                (Some(arg), _) => value(layer, parameter, &arg.value, scope, diagnostics)
                    .map(|v| (v, arg.value.span())),
                (None, Default::Number(n)) => Some((Argument::Number(n), call.span)),
                (None, Default::Word(at)) => Some((Argument::Word(at), call.span)),
                (None, Default::Nothing) => None,
                (None, Default::Required) => {
                    if diagnostics.len() == before {
                        let missing = format!(
                            "`{}` is missing its argument `{}`",
                            layer.name, parameter.name
                        );
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
        (diagnostics.len() == before && !failed).then_some(Arguments { values })
    }
}

/// The argument for each parameter.
fn match_parameters<'c>(
    layer: &'static Layer,
    call: &'c Call,
    scope: &Scope,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<&'static str, &'c Arg> {
    let mut given: BTreeMap<&'static str, &Arg> = BTreeMap::new();
    // Maps must be given by name.
    let positional: Vec<&Parameter> = layer.parameters.iter().filter(|p| !p.is_map()).collect();
    for (i, arg) in call.args.iter().enumerate() {
        let parameter = match &arg.name {
            None => positional.get(i).copied(),
            Some(name) => layer.parameters.iter().find(|p| p.name == name.text),
        };
        let Some(parameter) = parameter else {
            diagnostics.push(surplus(layer, call, arg, scope));
            continue;
        };
        if let Some(first) = given.insert(parameter.name, arg) {
            let twice = format!("`{}` is given twice", parameter.name);
            let twice = Diagnostic::error(arg.span(), twice).also(first.span(), "first here");
            diagnostics.push(twice.help("remove one of them"));
        }
    }
    given
}

fn surplus(layer: &Layer, call: &Call, arg: &Arg, scope: &Scope) -> Diagnostic {
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
            // As in a framework where layers are functions.
            let is_map = |name: &str| matches!(scope.find(name), Some(Thing::Map(_)));
            let help = match &arg.value {
                ArgValue::Expr(Expr::Name(map))
                    if layer.parameters.is_empty() && is_map(&map.text) =>
                {
                    format!("write `{}.{}()` for this layer of `{0}`", map.text, layer.name)
                }
                _ => format!("write `{}`", layer.usage),
            };
            Diagnostic::error(arg.span(), wrong).help(help)
        }
    }
}

fn value(
    layer: &Layer,
    parameter: &Parameter,
    given: &ArgValue,
    scope: &Scope,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Argument> {
    let numbers = scope.numbers();
    let mut number = |expr: &Expr, most: usize, odd: bool| {
        let result = number(parameter.name, expr, most, odd, &numbers);
        result.map_err(|diagnostic| diagnostics.push(diagnostic)).ok()
    };
    let known = match given {
        ArgValue::Expr(Expr::Name(name)) => scope.find(&name.text),
        _ => None,
    };
    match (parameter.kind, given, known) {
        (Kind::Kernel { odd }, ArgValue::Kernel { height, width }, _) => {
            let height = number(height, MAX_KERNEL, odd);
            let width = number(width, MAX_KERNEL, odd);
            return Some(Argument::Kernel([height?, width?]));
        }
        (Kind::Kernel { odd }, _, Some(Thing::Kernel([height, width]))) => {
            let span = given.span();
            let whole = |value: usize| Expr::Int { value, span };
            let height = number(&whole(*height), MAX_KERNEL, odd);
            let width = number(&whole(*width), MAX_KERNEL, odd);
            return Some(Argument::Kernel([height?, width?]));
        }
        (Kind::Number, ArgValue::Expr(expr), _) => {
            return number(expr, MAX_NUMBER, false).map(Argument::Number);
        }
        (Kind::Odd, ArgValue::Expr(expr), _) => {
            return number(expr, MAX_KERNEL, true).map(Argument::Number);
        }
        (Kind::Word(words), ArgValue::Expr(Expr::Name(word)), known) => {
            let word = match known {
                Some(Thing::Word(word)) => word,
                _ => &word.text,
            };
            if let Some(at) = words.iter().position(|w| w == word) {
                return Some(Argument::Word(at));
            }
        }
        _ => {}
    }
    diagnostics.push(wrong_kind(layer, parameter, given));
    None
}

/// Evaluates a number from 1 to `most`.
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
        return Err(with_values(wrong, expr, scope).help(format!("expected 1 to {most}")));
    }
    if odd && n % 2 == 0 {
        let wrong = Diagnostic::error(expr.span(), format!("`{name}` must be odd, not {n}"))
            .remark("an even kernel has no center");
        return Err(wrong.help(format!("write {} or {}", n - 1, n + 1)));
    }
    Ok(n)
}

/// The error for an argument of the wrong kind.
fn wrong_kind(layer: &Layer, parameter: &Parameter, given: &ArgValue) -> Diagnostic {
    let expected = match parameter.kind {
        Kind::Kernel { .. } => "height x width".to_string(),
        Kind::Map => "a map".to_string(),
        Kind::Number | Kind::Odd => "one number".to_string(),
        Kind::Word(words) => words.join(" or "),
    };
    let found = match given {
        ArgValue::Kernel { .. } => "a kernel".to_string(),
        ArgValue::Expr(Expr::Name(name)) => format!("`{}`", name.text),
        ArgValue::Expr(Expr::Int { value, .. }) => value.to_string(),
        ArgValue::Expr(Expr::Binary { .. }) => "a number".to_string(),
        ArgValue::Expr(Expr::Call(_) | Expr::Method { .. }) => "a map".to_string(),
    };
    let message = format!("`{}` is {expected}, not {found}", parameter.name);
    let near = match (parameter.kind, given) {
        (Kind::Kernel { .. }, ArgValue::Expr(Expr::Int { value, .. })) => {
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
