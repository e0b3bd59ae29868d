//! The table of distributions: what a model says of one value of an image, given the earlier ones.
//! Adding one is a file here and a line in the table.
//!
//! A model's output holds the *parameters* of the distribution: `[N, C, H, W]` if one number decides,
//! else `[N, C, P, H, W]` with P numbers for each value. Which distribution they belong to is the role
//! of the output ([`OutputRole::Parameters`](pixelrnn_graph::OutputRole)); nothing is told by the rank.

mod bernoulli;
mod categorical;

use std::fmt;
use std::str::FromStr;

use pixelrnn_graph::{Array, BuildError, Dim, Misfit, Type, Value};

use crate::rules::adjoint::Adjoint;
use crate::rules::eval::{EvalError, Real};
use crate::rules::lower::{Lower, LowerError};

pub use bernoulli::Bernoulli;
pub use categorical::Categorical;
pub(crate) use categorical::chosen;

/// What is particular to a distribution. No method has a default, so that none is forgotten.
///
/// Where parameters of a whole image are meant they are `[N, C, H, W]` or `[N, C, P, H, W]`; of one
/// value, `[N, P]`.
pub(crate) trait Family: Copy + fmt::Debug {
    /// The name in the text form.
    const NAME: &'static str;

    /// The distribution of so many levels that a layer of plain logits stands for, if it is this one.
    fn of_logits(levels: usize) -> Option<Self>;

    /// The number of levels: values are 0 to one less.
    fn levels(self) -> usize;

    /// How many parameters one value has.
    fn parameters(self) -> usize;

    /// Whether the parameters have an axis of their own in the output.
    fn has_axis(self) -> bool;

    /// Minus the log-probability of each value of `image [N, C, H, W]`, in nats, of the same shape.
    /// Infinite for what is not a level.
    fn nats(self, cx: &mut Lower, parameters: Value, image: Value) -> Result<Value, LowerError>;

    /// The definition of [`Family::nats`] for one value: its parameters and its level.
    fn nats_of<R: Real>(self, parameters: &[R], level: R) -> R;

    /// The slope of [`Family::nats`] in the parameters, of their shape.
    fn slope(self, cx: &mut Adjoint, parameters: Value, image: Value) -> Result<Value, BuildError>;

    /// The level that a uniform number draws, by inverse cumulative distribution: `parameters [N, P]`,
    /// `u [N, 1]`, the result `[N, 1]`. Logits are multiplied by `factor`, one over the temperature.
    fn draw(
        self,
        cx: &mut Lower,
        parameters: Value,
        u: Value,
        factor: f64,
    ) -> Result<Value, LowerError>;

    /// The definition of [`Family::draw`] for one value.
    fn draw_one<R: Real>(self, parameters: &[R], u: R, factor: R) -> R;

    /// Cases for the generic tests.
    fn samples() -> Vec<Self>;
}

macro_rules! distributions {
    ($($name:ident,)*) => {
        /// The distribution of one value of an image.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Distribution {
            $(#[allow(missing_docs)] $name($name),)*
        }

        impl Distribution {
            /// The distribution of so many levels that plain logits stand for.
            pub fn of_logits(levels: usize) -> Option<Distribution> {
                $(if let Some(d) = <$name as Family>::of_logits(levels) {
                    return Some(Distribution::$name(d));
                })*
                None
            }

            /// The name, without its numbers.
            pub fn name(self) -> &'static str {
                match self { $(Distribution::$name(_) => <$name as Family>::NAME,)* }
            }

            /// The number of levels: values are 0 to one less.
            pub fn levels(self) -> usize {
                match self { $(Distribution::$name(d) => d.levels(),)* }
            }

            /// How many parameters one value has.
            pub fn parameters(self) -> usize {
                match self { $(Distribution::$name(d) => d.parameters(),)* }
            }

            /// Whether the parameters have an axis of their own in the output.
            pub fn has_axis(self) -> bool {
                match self { $(Distribution::$name(d) => d.has_axis(),)* }
            }

            pub(crate) fn nats(
                self,
                cx: &mut Lower,
                parameters: Value,
                image: Value,
            ) -> Result<Value, LowerError> {
                match self { $(Distribution::$name(d) => d.nats(cx, parameters, image),)* }
            }

            fn nats_of<R: Real>(self, parameters: &[R], level: R) -> R {
                match self { $(Distribution::$name(d) => d.nats_of(parameters, level),)* }
            }

            pub(crate) fn slope(
                self,
                cx: &mut Adjoint,
                parameters: Value,
                image: Value,
            ) -> Result<Value, BuildError> {
                match self { $(Distribution::$name(d) => d.slope(cx, parameters, image),)* }
            }

            pub(crate) fn draw(
                self,
                cx: &mut Lower,
                parameters: Value,
                u: Value,
                factor: f64,
            ) -> Result<Value, LowerError> {
                match self { $(Distribution::$name(d) => d.draw(cx, parameters, u, factor),)* }
            }

            pub(crate) fn draw_one<R: Real>(self, parameters: &[R], u: R, factor: R) -> R {
                match self { $(Distribution::$name(d) => d.draw_one(parameters, u, factor),)* }
            }

            /// One or more of every distribution, for the generic tests.
            pub fn samples() -> Vec<Distribution> {
                let mut all = Vec::new();
                $(all.extend(<$name as Family>::samples().into_iter().map(Distribution::$name));)*
                all
            }

            fn named(name: &str, levels: usize) -> Option<Distribution> {
                $(if name == <$name as Family>::NAME {
                    return <$name as Family>::of_logits(levels).map(Distribution::$name);
                })*
                None
            }
        }
    };
}

distributions! {
    Bernoulli,
    Categorical,
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.name(), self.levels())
    }
}

impl FromStr for Distribution {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = text
            .split_once('.')
            .and_then(|(name, levels)| Distribution::named(name, levels.parse().ok()?));
        known.ok_or_else(|| format!("`{text}` is not a distribution, such as `categorical.17`"))
    }
}

impl Distribution {
    /// The shape of the parameters of an image `[N, C, H, W]`.
    pub fn shape(self, image: &Type) -> Vec<Dim> {
        let mut shape = image.shape.clone();
        if self.has_axis() {
            shape.insert(2, Dim::Fixed(self.parameters()));
        }
        shape
    }

    /// Checks the types of parameters and image.
    pub(crate) fn check(self, parameters: &Type, image: &Type) -> Result<(), Misfit> {
        let fits = image.rank() == 4 && parameters.shape == self.shape(image);
        if fits {
            return Ok(());
        }
        Err(Misfit::Unequal { left: parameters.clone(), right: image.clone() })
    }

    /// The definition of the likelihood: nats per image, `[N]`.
    pub(crate) fn nats_per_image<R: Real>(
        self,
        parameters: &Array<R>,
        image: &Array<R>,
    ) -> Result<Array<R>, EvalError> {
        let &[n, _, _, _] = image.shape() else {
            return Err(EvalError::Array("an image has four axes".into()));
        };
        let mut nats = Array::<R>::from_elem(vec![n], R::of(0.0));
        let mut own = vec![R::of(0.0); self.parameters()];
        for (i, &level) in image.indexed_iter() {
            for (p, own) in own.iter_mut().enumerate() {
                let wide = [i[0], i[1], p, i[2], i[3]];
                let plain = [i[0], i[1], i[2], i[3]];
                let at = if self.has_axis() { &wide[..] } else { &plain[..] };
                let value = parameters.get(at);
                *own = *value.ok_or_else(|| EvalError::Array("parameters are missing".into()))?;
            }
            nats[[i[0]].as_slice()] += self.nats_of(&own, level);
        }
        Ok(nats)
    }
}
