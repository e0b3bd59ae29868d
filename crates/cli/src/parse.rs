//! Parsers of structured arguments.

use std::str::FromStr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use pixelrnn::runtime::EngineKind;
use pixelrnn::training::data::{Spec, SpecError, Split};
use pixelrnn::{Batch, GraphKind, Optimizer, RULES, UnknownName};

/// The largest batch size; a larger one is most likely a typing error.
const MAX_BATCH: usize = 1 << 16;

/// The batch size of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Images {
    /// The batch size in the exported model.
    pub batch: Batch,
    /// The number of images per call in this command.
    pub count: usize,
}

impl Images {
    /// `N` or `dynamic:N`.
    pub fn text(&self) -> String {
        match self.batch {
            Batch::Fixed(n) => n.to_string(),
            Batch::Symbolic => format!("dynamic:{}", self.count),
        }
    }
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=MAX_BATCH).contains(&n) => Ok(n),
        _ => Err(format!("expected a number from 1 to {MAX_BATCH}")),
    }
}

/// `N` or `dynamic`.
pub fn batch(text: &str) -> Result<Batch, String> {
    match text {
        "dynamic" => Ok(Batch::Symbolic),
        n => count(n).map(Batch::Fixed).map_err(|e| format!("{e}, or `dynamic`")),
    }
}

/// `N`, `dynamic` or `dynamic:N`.
pub fn images(text: &str) -> Result<Images, String> {
    match text.strip_prefix("dynamic:") {
        Some(n) => Ok(Images { batch: Batch::Symbolic, count: count(n)? }),
        None => Ok(match batch(text)? {
            batch @ Batch::Fixed(count) => Images { batch, count },
            batch @ Batch::Symbolic => Images { batch, count: 2 },
        }),
    }
}

/// `NAME=NUMBER`.
pub fn setting(text: &str) -> Result<(String, usize), String> {
    let (name, number) = text.split_once('=').ok_or("expected NAME=NUMBER, e.g. `h=32`")?;
    let (name, number) = (name.trim(), number.trim());
    if name.is_empty() {
        return Err("expected NAME=NUMBER, e.g. `h=32`".to_string());
    }
    let number = number.parse().map_err(|_| format!("`{number}` is not a whole number"))?;
    Ok((name.to_string(), number))
}

/// An output of a model: row, column, and optionally color.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    pub y: usize,
    pub x: usize,
    pub colour: Option<usize>,
}

/// `Y,X` or `Y,X,COLOR`.
pub fn at(text: &str) -> Result<At, String> {
    let numbers: Option<Vec<usize>> = text.split(',').map(|n| n.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[y, x]) => Ok(At { y, x, colour: None }),
        Some(&[y, x, colour]) => Ok(At { y, x, colour: Some(colour) }),
        _ => Err("expected ROW,COLUMN or ROW,COLUMN,COLOR, counted from 0".to_string()),
    }
}

/// The name of a graph kind.
pub fn kind() -> impl TypedValueParser<Value = GraphKind> {
    kind_that(|_| true)
}

/// The name of a graph kind that `suits` accepts.
pub fn kind_that(suits: fn(GraphKind) -> bool) -> impl TypedValueParser<Value = GraphKind> {
    let names = GraphKind::ALL.into_iter().filter(move |&k| suits(k)).map(GraphKind::name);
    named(names)
}

/// The name of an update rule; the optimizer with its defaults.
pub fn optimizer() -> impl TypedValueParser<Value = Optimizer> {
    let names = RULES.iter().map(|rule| PossibleValue::new(rule.name).help(rule.about));
    PossibleValuesParser::new(names).try_map(|name| name.parse())
}

/// The help text of the learning rate, with the default of each rule.
pub fn learning_rates() -> String {
    let rates: Vec<_> =
        RULES.iter().map(|r| format!("{:e} for {}", r.usual_rate, r.name)).collect();
    format!("Learning rate [default: {}]", rates.join(", "))
}

/// A data set.
pub fn spec(text: &str) -> Result<Spec, String> {
    text.parse().map_err(|e: SpecError| e.to_string())
}

/// A split.
pub fn split() -> impl TypedValueParser<Value = Split> {
    named(Split::ALL.map(Split::name))
}

/// A positive real number.
pub fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x > 0.0 && x.is_finite() => Ok(x),
        _ => Err("expected a positive number".to_string()),
    }
}

/// The decay of a moving average.
pub fn decay(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x > 0.0 && x < 1.0 => Ok(x),
        _ => Err("expected a number between 0 and 1".to_string()),
    }
}

/// The name of an engine.
pub fn engine() -> impl TypedValueParser<Value = EngineKind> {
    named(EngineKind::ALL.map(EngineKind::name))
}

/// One of these names of a kind.
pub fn named<T>(names: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = UnknownName> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches() {
        assert_eq!(batch("16"), Ok(Batch::Fixed(16)));
        assert_eq!(batch("dynamic"), Ok(Batch::Symbolic));
        assert_eq!(images("dynamic:3"), Ok(Images { batch: Batch::Symbolic, count: 3 }));
        assert_eq!(images("3").map(|i| i.text()), Ok("3".to_string()));
        for wrong in ["", "0", "-1", "dynamic:", "dynamic:0", "many", "99999999999999999999"] {
            assert!(images(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn settings_and_places() {
        assert_eq!(setting("h = 3"), Ok(("h".to_string(), 3)));
        assert_eq!(at("1,2,0"), Ok(At { y: 1, x: 2, colour: Some(0) }));
        for wrong in ["h", "=3", "h=", "h=-1", "h=1.5"] {
            assert!(setting(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "1", "1,", "a,b", "1,2,3,4", "-1,0"] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }
}
