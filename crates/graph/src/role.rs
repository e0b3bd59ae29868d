//! The roles of inputs and outputs of a graph. Passes and engines rely on roles, never on names or ranks.

use std::fmt;
use std::str::FromStr;

/// The initialization of a parameter. See the module `init` of `pixelrnn-passes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// All zeros.
    Zero,
    /// Uniform in `±1/sqrt(fan_in)`, where `fan_in` counts only the taps that the mask leaves.
    Uniform {
        /// The number of values that one output reads.
        fan_in: usize,
    },
}

/// A condition: an input that the model does not predict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A condition that is given with the images. Its kind, which this crate does not know, is written as a
    /// word and a number, as in `classes(10)`. See
    /// [`ReadOperation::condition`](crate::ReadOperation::condition).
    Given {
        /// The name of the kind.
        kind: &'static str,
        /// The number after the kind.
        size: usize,
    },
    /// Every `factor`-th pixel of every `factor`-th row of the image, `[N, C, H, W]` levels.
    Scale {
        /// The distance between the pixels that are kept.
        factor: usize,
    },
}

/// The role of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An input of a loop body, or of a graph that is not a model.
    Local,
    /// The images whose values are predicted: levels, `[N, C, H, W]`.
    Image,
    /// A condition.
    Condition(Condition),
    /// Uniform random numbers in [0, 1).
    Uniform,
    /// Given levels, used where the input of role [`Role::Kept`] is 1.
    Given,
    /// 1 where the given level is kept, 0 where one is sampled.
    Kept,
    /// A weight, named by its dotted path.
    Parameter(Init),
    /// State carried between calls: of an optimizer, or of a sampling loop outside of the graph.
    State,
    /// The learning rate.
    Rate,
    /// The gradient of a parameter.
    Gradient,
}

/// The role of an output. `D` is the type of distributions, which this crate does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputRole<D> {
    /// An output of a loop body, or of a graph that is not a model.
    Local,
    /// The parameters of the distribution of every value of the image.
    Parameters(D),
    /// The negative log-likelihood of each image, in nats.
    Likelihood,
    /// The mean negative log-likelihood of the batch.
    Loss,
    /// The gradient of the loss with respect to a parameter.
    Gradient,
    /// The value of a carried input for the next call.
    Next,
    /// Images, as levels.
    Image,
}

/// The type of distributions for graphs that have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDistribution {}

impl fmt::Display for NoDistribution {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl FromStr for NoDistribution {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Err(format!("no distribution is called `{text}` here"))
    }
}

/// The words of the text form for roles without parameters.
const ROLES: [(&str, Role); 8] = [
    ("input", Role::Local),
    ("image", Role::Image),
    ("uniform", Role::Uniform),
    ("given", Role::Given),
    ("kept", Role::Kept),
    ("state", Role::State),
    ("rate", Role::Rate),
    ("gradient", Role::Gradient),
];

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::Condition(Condition::Given { kind, size }) => write!(f, "{kind}({size})"),
            Role::Condition(Condition::Scale { factor }) => write!(f, "scale({factor})"),
            Role::Parameter(_) => f.write_str("param"),
            plain => {
                let word = ROLES.iter().find(|(_, role)| role == plain).map(|(word, _)| *word);
                f.write_str(word.unwrap_or("input"))
            }
        }
    }
}

impl Role {
    /// The role for a word of the text form; only roles without parameters.
    pub(crate) fn from_word(word: &str) -> Option<Role> {
        ROLES.iter().find(|(known, _)| *known == word).map(|&(_, role)| role)
    }
}

impl<D: fmt::Display> fmt::Display for OutputRole<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OutputRole::Local => f.write_str("output"),
            OutputRole::Parameters(distribution) => write!(f, "parameters({distribution})"),
            OutputRole::Likelihood => f.write_str("likelihood"),
            OutputRole::Loss => f.write_str("loss"),
            OutputRole::Gradient => f.write_str("gradient_of"),
            OutputRole::Next => f.write_str("next"),
            OutputRole::Image => f.write_str("drawn"),
        }
    }
}

impl<D> OutputRole<D> {
    /// The role for a word of the text form; only roles without parameters.
    pub(crate) fn from_word(word: &str) -> Option<OutputRole<D>> {
        Some(match word {
            "output" => OutputRole::Local,
            "likelihood" => OutputRole::Likelihood,
            "loss" => OutputRole::Loss,
            "gradient_of" => OutputRole::Gradient,
            "next" => OutputRole::Next,
            "drawn" => OutputRole::Image,
            _ => return None,
        })
    }

    /// Converts the role for a graph with another type of distributions. The role of a distribution's
    /// parameters becomes [`OutputRole::Local`].
    pub fn without_distribution<E>(self) -> OutputRole<E> {
        match self {
            OutputRole::Local | OutputRole::Parameters(_) => OutputRole::Local,
            OutputRole::Likelihood => OutputRole::Likelihood,
            OutputRole::Loss => OutputRole::Loss,
            OutputRole::Gradient => OutputRole::Gradient,
            OutputRole::Next => OutputRole::Next,
            OutputRole::Image => OutputRole::Image,
        }
    }
}
