//! The table of distributions: how a model describes one value of an image, given the earlier ones. A new
//! distribution is one file here and one line in the table.
//!
//! A model's output holds the *parameters* of the distribution: `[N, C, H, W]` if each value has one
//! parameter without an axis of its own, else `[N, C, P, H, W]` with P parameters for each value. The role of
//! the output ([`OutputRole::Parameters`](pixelrnn_graph::OutputRole)) states the distribution; it is never
//! guessed from the rank.

use std::fmt;
use std::str::FromStr;

use pixelrnn_graph::{Array, Dim, Type, TypeError, Value};

use crate::rules::eval::{EvalError, Real};
use crate::rules::lower::{Lower, LowerError};

/// The rules of one distribution. No method has a default, so that none is forgotten.
///
/// The parameters of a whole image are `[N, C, H, W]` or `[N, C, P, H, W]`; those of one value are `[N, P]`.
pub(crate) trait Family: Copy + fmt::Debug {
    /// The name in the text form.
    const NAME: &'static str;

    /// The numbers of the distribution, levels first. The text form is the name and these numbers, separated
    /// by dots: `categorical.17`.
    fn numbers(self) -> Vec<usize>;

    /// The distribution with these numbers; `None` if they are invalid.
    fn of_numbers(numbers: &[usize]) -> Option<Self>;

    /// The distribution over `levels` levels for the layer `logits`; `None` if that layer uses another one.
    fn of_logits(levels: usize) -> Option<Self>;

    /// The number of levels L. Values are 0 to L - 1.
    fn levels(self) -> usize;

    /// How many parameters one value has.
    fn parameters(self) -> usize;

    /// Whether the parameters have their own axis in the output: `[N, C, P, H, W]`.
    fn has_axis(self) -> bool;

    /// The negative log-probability of each value of `image [N, C, H, W]`, in nats, in the shape of the
    /// image. It is infinite for a value that is not a level.
    fn nats(self, cx: &mut Lower, parameters: Value, image: Value) -> Result<Value, LowerError>;

    /// Defines [`Family::nats`] for one value, given its parameters and its level.
    fn nats_of<R: Real>(self, parameters: &[R], level: R) -> R;

    /// The derivative of [`Family::nats`] with respect to the parameters, in their shape.
    fn slope(self, cx: &mut Lower, parameters: Value, image: Value) -> Result<Value, LowerError>;

    /// Defines [`Family::slope`] for one value: one derivative for each parameter.
    fn slope_of<R: Real>(self, parameters: &[R], level: R) -> Vec<R>;

    /// Draws a level with a uniform random number by inverse transform sampling. Shapes: `parameters [N, P]`,
    /// `u [N, 1]`, result `[N, 1]`. Logits are multiplied by `factor`, the inverse temperature.
    fn draw(
        self,
        cx: &mut Lower,
        parameters: Value,
        u: Value,
        factor: f64,
    ) -> Result<Value, LowerError>;

    /// Defines [`Family::draw`] for one value.
    fn draw_one<R: Real>(self, parameters: &[R], u: R, factor: R) -> R;

    /// Samples for the generic tests.
    fn samples() -> Vec<Self>;
}

macro_rules! distributions {
    ($($module:ident::$name:ident,)*) => {
        $(mod $module; pub use $module::$name;)*

        /// The distribution of one value of an image.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Distribution {
            $(#[allow(missing_docs)] $name($name),)*
        }

        impl Distribution {
            /// The distribution over `levels` levels that the layer `logits` parameterizes.
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

            /// The number of levels L. Values are 0 to L - 1.
            pub fn levels(self) -> usize {
                match self { $(Distribution::$name(d) => d.levels(),)* }
            }

            /// How many parameters one value has.
            pub fn parameters(self) -> usize {
                match self { $(Distribution::$name(d) => d.parameters(),)* }
            }

            /// Whether the parameters have their own axis in the output: `[N, C, P, H, W]`.
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
                cx: &mut Lower,
                parameters: Value,
                image: Value,
            ) -> Result<Value, LowerError> {
                match self { $(Distribution::$name(d) => d.slope(cx, parameters, image),)* }
            }

            pub(crate) fn slope_of<R: Real>(self, parameters: &[R], level: R) -> Vec<R> {
                match self { $(Distribution::$name(d) => d.slope_of(parameters, level),)* }
            }

            fn numbers(self) -> Vec<usize> {
                match self { $(Distribution::$name(d) => d.numbers(),)* }
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

            fn named(name: &str, numbers: &[usize]) -> Option<Distribution> {
                $(if name == <$name as Family>::NAME {
                    return <$name as Family>::of_numbers(numbers).map(Distribution::$name);
                })*
                None
            }
        }

        $(impl From<$name> for Distribution {
            fn from(family: $name) -> Distribution {
                Distribution::$name(family)
            }
        })*
    };
}

distributions! {
    bernoulli::Bernoulli,
    categorical::Categorical,
    logistic_mixture::LogisticMixture,
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.numbers().iter().try_for_each(|n| write!(f, ".{n}"))
    }
}

impl FromStr for Distribution {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('.');
        let name = parts.next().unwrap_or_default();
        let numbers: Result<Vec<usize>, _> = parts.map(str::parse).collect();
        let known = numbers.ok().and_then(|numbers| Distribution::named(name, &numbers));
        known.ok_or_else(|| format!("`{text}` is not a distribution, such as `categorical.17`"))
    }
}

impl Distribution {
    /// The shape of the parameters for an image `[N, C, H, W]`.
    pub fn shape(self, image: &Type) -> Vec<Dim> {
        let mut shape = image.shape.clone();
        if self.has_axis() {
            shape.insert(2, Dim::Fixed(self.parameters()));
        }
        shape
    }

    /// Checks that the types of parameters and image fit.
    pub(crate) fn check(self, parameters: &Type, image: &Type) -> Result<(), TypeError> {
        let fits = image.rank() == 4 && parameters.shape == self.shape(image);
        if fits {
            return Ok(());
        }
        Err(TypeError::Unequal { left: parameters.clone(), right: image.clone() })
    }

    /// The index of a parameter of the value at `[n, c, y, x]`.
    pub(crate) fn place(self, [n, c, y, x]: [usize; 4], parameter: usize) -> Vec<usize> {
        if self.has_axis() { vec![n, c, parameter, y, x] } else { vec![n, c, y, x] }
    }

    /// Calls `visit` with the index of each value of an image, its parameters and its level.
    pub(crate) fn each_value<R: Real>(
        self,
        parameters: &Array<R>,
        image: &Array<R>,
        mut visit: impl FnMut([usize; 4], &[R], R),
    ) -> Result<(), EvalError> {
        let mut own = vec![R::of(0.0); self.parameters()];
        for (i, &level) in image.indexed_iter() {
            let i = [i[0], i[1], i[2], i[3]];
            for (p, own) in own.iter_mut().enumerate() {
                let value = parameters.get(self.place(i, p).as_slice());
                *own = *value.ok_or_else(|| EvalError::Array("parameters are missing".into()))?;
            }
            visit(i, &own, level);
        }
        Ok(())
    }

    /// Defines the likelihood: nats per image, `[N]`.
    pub(crate) fn nats_per_image<R: Real>(
        self,
        parameters: &Array<R>,
        image: &Array<R>,
    ) -> Result<Array<R>, EvalError> {
        let &[n, _, _, _] = image.shape() else {
            return Err(EvalError::Array("an image has four axes".into()));
        };
        let mut nats = Array::<R>::from_elem(vec![n], R::of(0.0));
        self.each_value(parameters, image, |i, own, level| {
            nats[[i[0]].as_slice()] += self.nats_of(own, level);
        })?;
        Ok(nats)
    }
}
