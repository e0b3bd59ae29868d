//! Errors in the text of a data set.

use super::OPTIONS;
use crate::read::FORMATS;

/// Why a text does not name a data set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// The text is empty.
    #[error("missing data set: expected one of {}", sources())]
    Empty,
    /// No source has this name.
    #[error("unknown data source `{found}`{}; expected one of {}", meant(near), sources())]
    UnknownSource {
        /// What was written.
        found: String,
        /// What was probably meant.
        near: Option<String>,
    },
    /// A source that reads files was given none.
    #[error("`{source_name}` needs a path: write `{usage}`")]
    NoPath {
        /// The source.
        source_name: &'static str,
        /// How it is written.
        usage: &'static str,
    },
    /// An embedded source needs no path.
    #[error("`{source_name}` is embedded and takes no path; leave out `:{found}`")]
    NeedsNoPath {
        /// The source.
        source_name: &'static str,
        /// What was written.
        found: String,
    },
    /// A quote that does not end.
    #[error("unclosed quote in {found}: add a quote at the end of the path")]
    OpenQuote {
        /// What was written.
        found: String,
    },
    /// No option has this name.
    #[error(
        "unknown option `{found}`{}; options: {}. Put a path with a comma in quotes: \
         `npy:\"a,b.npy\"`",
        meant(near),
        options()
    )]
    UnknownOption {
        /// What was written.
        found: String,
        /// What was probably meant.
        near: Option<String>,
    },
    /// An option without a value.
    #[error("the option `{option}` needs a value: {wanted}")]
    NoValue {
        /// The option.
        option: &'static str,
        /// What it takes, with an example.
        wanted: &'static str,
    },
    /// A value that its option does not take.
    #[error("`{option}` cannot be `{found}`{}; {wanted}", meant(near))]
    BadValue {
        /// The option.
        option: &'static str,
        /// What was written.
        found: String,
        /// What it takes, with an example.
        wanted: &'static str,
        /// What was probably meant.
        near: Option<String>,
    },
    /// An option is given twice.
    #[error("the option `{option}` is given twice")]
    Twice {
        /// The option.
        option: &'static str,
    },
}

fn sources() -> String {
    FORMATS.iter().map(|format| format!("`{}`", format.usage)).collect::<Vec<_>>().join(", ")
}

fn options() -> String {
    OPTIONS.iter().map(|o| format!("{}={}", o.word, o.values)).collect::<Vec<_>>().join(", ")
}

fn meant(near: &Option<String>) -> String {
    near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}
