//! The table of the kinds of conditions. A condition is an input that a model reads but does not predict. A
//! new kind is one file here and one line in the table.
//!
//! A condition is declared as `condition NAME: KIND NUMBER;`. It is an input of every graph of the model,
//! with the role [`Condition::Given`]; layers read it as a map. Every output may read all of it, so a
//! condition cannot leak. The file of a kind holds everything else about it: the language, the data sets,
//! training, the samplers, exported files and the documentation use only this table.

use std::fmt;

use pixelrnn_graph::{Array, BuildError, Condition, Role, Type, Value};

use crate::PixelGraph;

/// Where the values of a condition come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The labels of a data set, and `--label` when sampling. A data set has one label per image, so a
    /// model can have one such condition.
    Labels,
    /// An array of a data set with the condition's name, and `--condition NAME=FILE.npy` when sampling.
    Array,
}

/// The rules of one kind of condition. No method has a default, so that none is forgotten.
///
/// `size` is the height and width of the model's image.
pub(crate) trait Kind: Copy + fmt::Debug {
    /// The name in the language and in the text form.
    const NAME: &'static str;

    /// An example of a declaration, for error messages.
    const EXAMPLE: &'static str;

    /// The largest number that may follow the name.
    const MOST: usize;

    /// Where the values come from.
    const SOURCE: Source;

    /// The type of the input. The first axis is the batch.
    fn ty(self, size: [usize; 2]) -> Type;

    /// Returns the map that layers read, `[N, F, H, W]` or `[N, F, 1, 1]`, computed from the input. A layer
    /// applies a `conv(1 x 1, features, bias = none)` with the weight `[features, F, 1, 1]` to it and adds
    /// the result to its pre-activation.
    ///
    /// # Errors
    /// [`BuildError`] if a node cannot be added to the graph.
    fn map(self, graph: &mut PixelGraph, input: Value, name: &str) -> Result<Value, BuildError>;

    /// Checks values that a user or a data set gives, and returns them in the shape of [`Kind::ty`]. The
    /// first axis is the batch.
    ///
    /// # Errors
    /// A message that says what is wrong with the values and what was expected.
    fn take(self, values: Array, size: [usize; 2]) -> Result<Array, String>;

    /// A valid value of the input, made from 32 random bits; for comparisons and benchmarks.
    fn random(self, bits: u32) -> f32;

    /// A description of the input, for documentation and error messages.
    fn about(self) -> String;
}

macro_rules! conditions {
    ($($module:ident::$name:ident,)*) => {
        $(mod $module; pub use $module::$name;)*

        /// The kinds by their names in the language, for completion in editors.
        pub mod items {
            $(pub use super::$name as $module;)*
        }

        /// The kind of a condition, with its number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ConditionKind {
            $(#[allow(missing_docs)] $name($name),)*
        }

        impl ConditionKind {
            /// Every kind, with the number 1.
            pub const ALL: &'static [ConditionKind] = &[$(ConditionKind::$name($name(1)),)*];

            /// The same kind with this number.
            #[must_use]
            pub fn with_number(self, number: usize) -> ConditionKind {
                match self { $(ConditionKind::$name(_) => ConditionKind::$name($name(number)),)* }
            }

            /// The number that follows the name in a declaration.
            pub fn number(self) -> usize {
                match self { $(ConditionKind::$name(kind) => kind.0,)* }
            }

            /// The name in the language.
            pub fn name(self) -> &'static str {
                match self { $(ConditionKind::$name(_) => <$name as Kind>::NAME,)* }
            }

            /// An example of a declaration, for error messages.
            pub fn example(self) -> &'static str {
                match self { $(ConditionKind::$name(_) => <$name as Kind>::EXAMPLE,)* }
            }

            /// The largest number that may follow the name.
            pub fn most(self) -> usize {
                match self { $(ConditionKind::$name(_) => <$name as Kind>::MOST,)* }
            }

            /// Where the values come from.
            pub fn source(self) -> Source {
                match self { $(ConditionKind::$name(_) => <$name as Kind>::SOURCE,)* }
            }

            /// The type of the input, for images of this height and width.
            pub fn ty(self, size: [usize; 2]) -> Type {
                match self { $(ConditionKind::$name(kind) => kind.ty(size),)* }
            }

            /// Returns the map that layers read, `[N, F, H, W]` or `[N, F, 1, 1]`, computed from the input.
            ///
            /// # Errors
            /// [`BuildError`] if a node cannot be added to the graph.
            pub fn map(
                self,
                graph: &mut PixelGraph,
                input: Value,
                name: &str,
            ) -> Result<Value, BuildError> {
                match self { $(ConditionKind::$name(kind) => kind.map(graph, input, name),)* }
            }

            /// Checks values that a user or a data set gives for images of this height and width, and returns
            /// them in the shape of the input. The first axis is the batch.
            ///
            /// # Errors
            /// A message that says what is wrong with the values and what was expected.
            pub fn take(self, values: Array, size: [usize; 2]) -> Result<Array, String> {
                match self { $(ConditionKind::$name(kind) => kind.take(values, size),)* }
            }

            /// A valid value of the input, made from 32 random bits.
            pub fn random(self, bits: u32) -> f32 {
                match self { $(ConditionKind::$name(kind) => kind.random(bits),)* }
            }

            /// A description of the input, for documentation and error messages.
            pub fn about(self) -> String {
                match self { $(ConditionKind::$name(kind) => kind.about(),)* }
            }
        }
    };
}

conditions! {
    classes::Classes,
    map::Map,
}

impl ConditionKind {
    /// The kind with this name, with the number 1.
    pub fn named(name: &str) -> Option<ConditionKind> {
        ConditionKind::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The kind of condition that an input with this role is; `None` for any role but [`Condition::Given`].
    pub fn of(role: Role) -> Option<ConditionKind> {
        match role {
            Role::Condition(Condition::Given { kind, size }) => {
                Some(ConditionKind::named(kind)?.with_number(size))
            }
            _ => None,
        }
    }

    /// The role of the input.
    pub fn role(self) -> Role {
        Role::Condition(Condition::Given { kind: self.name(), size: self.number() })
    }
}

/// Formats it as in a declaration: `classes 10`.
impl fmt::Display for ConditionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name(), self.number())
    }
}
