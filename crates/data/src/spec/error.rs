//! Errors in a data set specification.

use super::OPTIONS;
use crate::read::FORMATS;

/// Why a text is not a valid data set specification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// The text is empty.
    #[error("missing data set: expected one of {}", sources())]
    Empty,
    /// There is no source of this name.
    #[error("unknown data source `{found}`{}; expected one of {}", meant(near), sources())]
    UnknownSource {
        /// The name in the text.
        found: String,
        /// A similar name.
        near: Option<String>,
    },
    /// A source that needs a path was given none.
    #[error("`{source_name}` needs a path: write `{usage}`")]
    NoPath {
        /// The name of the source.
        source_name: &'static str,
        /// How the source is written.
        usage: &'static str,
    },
    /// An embedded source was given a path.
    #[error("`{source_name}` is embedded and takes no path; leave out `:{found}`")]
    NeedsNoPath {
        /// The name of the source.
        source_name: &'static str,
        /// The text.
        found: String,
    },
    /// A quote that is not closed.
    #[error("unclosed quote in {found}: add a quote at the end of the path")]
    OpenQuote {
        /// The specification.
        found: String,
    },
    /// There is no option of this name.
    #[error(
        "unknown option `{found}`{}; options: {}. Put a path with a comma in quotes: \
         `npy:\"a,b.npy\"`",
        meant(near),
        options()
    )]
    UnknownOption {
        /// The name in the text.
        found: String,
        /// A similar option.
        near: Option<String>,
    },
    /// An option without a value.
    #[error("the option `{option}` needs a value: {wanted}")]
    NoValue {
        /// The name of the option.
        option: &'static str,
        /// The values that it accepts, with an example.
        wanted: &'static str,
    },
    /// An option with an invalid value.
    #[error("`{option}` cannot be `{found}`{}; {wanted}", meant(near))]
    BadValue {
        /// The name of the option.
        option: &'static str,
        /// The value in the text.
        found: String,
        /// The values that it accepts, with an example.
        wanted: &'static str,
        /// A similar value.
        near: Option<String>,
    },
    /// An option is given twice.
    #[error("the option `{option}` is given twice")]
    Twice {
        /// The name of the option.
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
