//! The table of kinds of conditions: what a model may read without predicting it. Adding one is a file here
//! and a line in the table.
//!
//! A condition is declared as `condition NAME: KIND NUMBER;`. It is an input of every graph of the model,
//! with the role [`Condition::Given`]; layers read it as a map. Every output may read all of it, so a
//! condition cannot leak. Everything else that is known of a kind is in its file: the language, the data
//! sets, training, samplers, exported files and their documentation ask this table.

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

/// What is particular to a kind of condition. No method has a default, so that none is forgotten.
///
/// `size` is the height and width of the model's image.
pub(crate) trait Kind: Copy + fmt::Debug {
    /// The name in the language and in the text form.
    const NAME: &'static str;

    /// A declaration, for messages.
    const EXAMPLE: &'static str;

    /// The largest number that may follow the name.
    const MOST: usize;

    /// Where the values come from.
    const SOURCE: Source;

    /// The type of the input. The first axis is the batch.
    fn ty(self, size: [usize; 2]) -> Type;

    /// The map that layers read, `[N, F, H, W]` or `[N, F, 1, 1]`, of the input. A layer takes it through
    /// a `conv(1 x 1, features, bias = none)`, whose weight is `[features, F, 1, 1]` and whose result is
    /// added to the layer's pre-activation.
    ///
    /// # Errors
    /// That of the builder.
    fn map(self, graph: &mut PixelGraph, input: Value, name: &str) -> Result<Value, BuildError>;

    /// Values from outside as the input takes them: checked, and in the shape of [`Kind::ty`]. The first
    /// axis is the batch.
    ///
    /// # Errors
    /// What is wrong with them and what was expected.
    fn take(self, values: Array, size: [usize; 2]) -> Result<Array, String>;

    /// A value of the input for 32 random bits; comparisons and benchmarks use it.
    fn random(self, bits: u32) -> f32;

    /// What the input is, for documentation and messages.
    fn about(self) -> String;
}

macro_rules! conditions {
    ($($module:ident::$name:ident,)*) => {
        $(mod $module; pub use $module::$name;)*

        /// The kinds under their names in the language, for editors.
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

            /// A declaration, for messages.
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

            /// The map that layers read, `[N, F, H, W]` or `[N, F, 1, 1]`, of the input.
            ///
            /// # Errors
            /// That of the builder.
            pub fn map(
                self,
                graph: &mut PixelGraph,
                input: Value,
                name: &str,
            ) -> Result<Value, BuildError> {
                match self { $(ConditionKind::$name(kind) => kind.map(graph, input, name),)* }
            }

            /// Values from outside as the input takes them, for images of this height and width. The
            /// first axis is the batch.
            ///
            /// # Errors
            /// What is wrong with them and what was expected.
            pub fn take(self, values: Array, size: [usize; 2]) -> Result<Array, String> {
                match self { $(ConditionKind::$name(kind) => kind.take(values, size),)* }
            }

            /// A value of the input for 32 random bits.
            pub fn random(self, bits: u32) -> f32 {
                match self { $(ConditionKind::$name(kind) => kind.random(bits),)* }
            }

            /// What the input is, for documentation and messages.
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
    /// The kind of this name, with the number 1.
    pub fn named(name: &str) -> Option<ConditionKind> {
        ConditionKind::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The kind of condition that an input of this role is; `None` if it is no condition that is given.
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

/// As in a declaration: `classes 10`.
impl fmt::Display for ConditionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name(), self.number())
    }
}
