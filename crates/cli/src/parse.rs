//! Parsers of structured arguments.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use pixelrnn::runtime::EngineKind;
use pixelrnn::training::data::{Spec, SpecError, Split};
use pixelrnn::{Batch, GraphKind, Optimizer, RULES, UnknownName};

/// The largest batch size; a larger one is probably a typing error.
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

/// Parses `N` or `dynamic`.
pub fn batch(text: &str) -> Result<Batch, String> {
    match text {
        "dynamic" => Ok(Batch::Symbolic),
        n => count(n).map(Batch::Fixed).map_err(|e| format!("{e}, or `dynamic`")),
    }
}

/// Parses `N`, `dynamic` or `dynamic:N`.
pub fn images(text: &str) -> Result<Images, String> {
    match text.strip_prefix("dynamic:") {
        Some(n) => Ok(Images { batch: Batch::Symbolic, count: count(n)? }),
        None => Ok(match batch(text)? {
            batch @ Batch::Fixed(count) => Images { batch, count },
            batch @ Batch::Symbolic => Images { batch, count: 2 },
        }),
    }
}

/// Parses `NAME=NUMBER`.
pub fn setting(text: &str) -> Result<(String, usize), String> {
    let (name, number) = text.split_once('=').ok_or("expected NAME=NUMBER, e.g. `h=32`")?;
    let (name, number) = (name.trim(), number.trim());
    if name.is_empty() {
        return Err("expected NAME=NUMBER, e.g. `h=32`".to_string());
    }
    let number = number.parse().map_err(|_| format!("`{number}` is not a whole number"))?;
    Ok((name.to_string(), number))
}

/// Parses `NAME=FILE`, the values of a condition.
pub fn condition(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.trim().is_empty() && !file.is_empty() => {
            Ok((name.trim().to_string(), PathBuf::from(file)))
        }
        _ => Err("expected NAME=FILE, e.g. `edges=edges.npy`".to_string()),
    }
}

/// Parses the name of a graph kind.
pub fn kind() -> impl TypedValueParser<Value = GraphKind> {
    kind_that(|_| true)
}

/// Parses the name of a graph kind that `suits` accepts.
pub fn kind_that(suits: fn(GraphKind) -> bool) -> impl TypedValueParser<Value = GraphKind> {
    let names = GraphKind::ALL.into_iter().filter(move |&k| suits(k)).map(GraphKind::name);
    named(names)
}

/// Parses the name of a graph kind whose results can be compared between engines.
pub fn comparable(text: &str) -> Result<GraphKind, String> {
    let kind = GraphKind::ALL.into_iter().find(|kind| kind.name() == text);
    let suits = GraphKind::ALL.into_iter().filter(|kind| kind.reads_images());
    let names = suits.map(|kind| format!("`{}`", kind.name())).collect::<Vec<_>>().join(", ");
    match kind {
        Some(kind) if kind.reads_images() => Ok(kind),
        Some(kind) if kind.draws() => Err(format!(
            "it draws images, where rounding can change a pixel and with it all later ones: compare \
             `forward`, which has the same logits. Expected {names}"
        )),
        Some(_) => Err(format!("it reads no images. Expected {names}")),
        None => Err(format!("expected {names}")),
    }
}

/// Parses the name of an update rule. Returns the optimizer with its default settings.
pub fn optimizer() -> impl TypedValueParser<Value = Optimizer> {
    let names = RULES.iter().map(|rule| PossibleValue::new(rule.name).help(rule.about));
    PossibleValuesParser::new(names).try_map(|name| name.parse())
}

/// The help text of `--optimizer`, which lists the rules.
pub fn rules() -> String {
    rules_for("")
}

/// The same help text for a part of the graph kinds.
pub fn rules_for(kinds: &str) -> String {
    let names: Vec<String> = RULES.iter().map(|rule| format!("`{}`", rule.name)).collect();
    format!("Update rule{kinds}: {} [default: {}]", names.join(", "), Optimizer::RMSPROP.rule.name)
}

/// The default learning rate of each rule, for help texts.
pub fn learning_rates() -> String {
    let rates = RULES.iter().map(|r| format!("{:e} ({})", r.usual_rate, r.name));
    format!("Default learning rates: {}.", rates.collect::<Vec<_>>().join(", "))
}

/// Parses a data set specification.
pub fn spec(text: &str) -> Result<Spec, String> {
    text.parse().map_err(|e: SpecError| e.to_string())
}

/// Parses the name of a split.
pub fn split() -> impl TypedValueParser<Value = Split> {
    named(Split::ALL.map(Split::name))
}

/// Parses an integer within a range.
pub fn whole<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let number = text.trim().parse().ok().filter(|n| range.contains(n));
        number.and_then(|n| T::try_from(n).ok()).ok_or_else(|| match *range.end() {
            u64::MAX => format!("expected a whole number, at least {}", range.start()),
            end => format!("expected a whole number from {} to {end}", range.start()),
        })
    }
}

/// Parses an integer of at least 1.
pub fn at_least_one(text: &str) -> Result<u64, String> {
    whole(1..=u64::MAX)(text)
}

/// Parses a number of images, shards or the like: 1 to 65535.
pub fn some(text: &str) -> Result<u16, String> {
    whole(1..=u64::from(u16::MAX))(text)
}

/// Parses a random seed.
pub fn seed(text: &str) -> Result<u64, String> {
    whole(0..=u64::MAX)(text)
}

/// Parses a positive number.
pub fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x > 0.0 && x.is_finite() => Ok(x),
        _ => Err("expected a positive number".to_string()),
    }
}

/// Parses the decay of a moving average: above 0 and below 1.
pub fn decay(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x > 0.0 && x < 1.0 => Ok(x),
        _ => Err("expected a number above 0 and below 1".to_string()),
    }
}

/// Parses the name of an engine.
pub fn engine() -> impl TypedValueParser<Value = EngineKind> {
    named(EngineKind::ALL.map(EngineKind::name))
}

/// Parses one of these names.
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
    fn whole_numbers_name_their_range() {
        assert_eq!(some("16"), Ok(16));
        assert_eq!(seed("0"), Ok(0));
        for wrong in ["0", "-1", "1.5", "65536", "x", ""] {
            assert_eq!(some(wrong), Err("expected a whole number from 1 to 65535".to_string()));
        }
        assert_eq!(at_least_one("-1"), Err("expected a whole number, at least 1".to_string()));
        assert_eq!(
            whole::<u32>(17..=22)("23"),
            Err("expected a whole number from 17 to 22".into())
        );
    }

    #[test]
    fn settings() {
        assert_eq!(setting("h = 3"), Ok(("h".to_string(), 3)));
        for wrong in ["h", "=3", "h=", "h=-1", "h=1.5"] {
            assert!(setting(wrong).is_err(), "{wrong}");
        }
    }
}
