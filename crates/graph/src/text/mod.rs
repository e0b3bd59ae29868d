//! The text form of a graph, which can be printed and read back.
//!
//! ```text
//! graph "twice" {
//!   input %0 "x": real[N, 3]
//!   param %1 "a.weight": real[3] uniform(4)
//!   %2 = mul(%0, %1) "a/scale" @10..17 : real[N, 3]
//!   %3 = slice(%2) {axis = 1, start = 0, length = 2} "b" : real[N, 2]
//!   output "y" = %3
//! }
//! ```
//! Bodies follow their node, each after the word `body`. The types of results are printed for people; when a
//! text is read, they are compared with the inferred types. `;` begins a comment.

mod print;
mod read;

use crate::graph::{Graph, Operation};
use crate::type_error::TypeError;
use ndarray::ArrayD;

pub use read::{TextError, read};

/// The value of an attribute in the text form.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A whole number.
    Int(i64),
    /// A list of whole numbers.
    Ints(Vec<i64>),
    /// A real number.
    Real(f64),
    /// A word from a fixed set.
    Word(String),
    /// A literal tensor.
    Array(ArrayD<f32>),
}

/// Attributes in the order in which they are printed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(pub Vec<(&'static str, Attribute)>);

/// Attributes as read from a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadAttributes(pub Vec<(String, Attribute)>);

impl Attributes {
    /// No attributes.
    pub fn none() -> Attributes {
        Attributes(Vec::new())
    }

    /// Adds a whole number.
    pub fn int(mut self, name: &'static str, value: usize) -> Attributes {
        self.0.push((name, Attribute::Int(value as i64)));
        self
    }

    /// Adds a list of whole numbers.
    pub fn ints(mut self, name: &'static str, values: &[usize]) -> Attributes {
        self.0.push((name, Attribute::Ints(values.iter().map(|&v| v as i64).collect())));
        self
    }

    /// Adds a real number.
    pub fn real(mut self, name: &'static str, value: f64) -> Attributes {
        self.0.push((name, Attribute::Real(value)));
        self
    }

    /// Adds a word.
    pub fn word(mut self, name: &'static str, value: impl Into<String>) -> Attributes {
        self.0.push((name, Attribute::Word(value.into())));
        self
    }

    /// Adds a literal tensor.
    pub fn array(mut self, name: &'static str, value: ArrayD<f32>) -> Attributes {
        self.0.push((name, Attribute::Array(value)));
        self
    }
}

impl ReadAttributes {
    fn take(&self, name: &'static str) -> Result<&Attribute, TypeError> {
        let found = self.0.iter().find(|(n, _)| n == name).map(|(_, a)| a);
        found.ok_or_else(|| TypeError::attribute(name, "is missing"))
    }

    /// A whole number of at least zero.
    pub fn int(&self, name: &'static str) -> Result<usize, TypeError> {
        match self.take(name)? {
            Attribute::Int(n) => {
                usize::try_from(*n).map_err(|_| TypeError::attribute(name, "must not be negative"))
            }
            _ => Err(TypeError::attribute(name, "must be a whole number")),
        }
    }

    /// A list of whole numbers of at least zero.
    pub fn ints(&self, name: &'static str) -> Result<Vec<usize>, TypeError> {
        let wrong = || TypeError::attribute(name, "must be a list of whole numbers");
        match self.take(name)? {
            Attribute::Ints(v) => {
                v.iter().map(|&n| usize::try_from(n).map_err(|_| wrong())).collect()
            }
            _ => Err(wrong()),
        }
    }

    /// A real number.
    pub fn real(&self, name: &'static str) -> Result<f64, TypeError> {
        match self.take(name)? {
            Attribute::Real(x) => Ok(*x),
            Attribute::Int(n) => Ok(*n as f64),
            _ => Err(TypeError::attribute(name, "must be a number")),
        }
    }

    /// A word.
    pub fn word(&self, name: &'static str) -> Result<&str, TypeError> {
        match self.take(name)? {
            Attribute::Word(w) => Ok(w),
            _ => Err(TypeError::attribute(name, "must be a word")),
        }
    }

    /// A literal tensor.
    pub fn array(&self, name: &'static str) -> Result<ArrayD<f32>, TypeError> {
        match self.take(name)? {
            Attribute::Array(a) => Ok(a.clone()),
            _ => Err(TypeError::attribute(name, "must be a tensor")),
        }
    }
}

/// An operator that can be read from its text form.
pub trait ReadOperation: Operation {
    /// Builds the operator from its mnemonic, attributes and bodies.
    ///
    /// # Errors
    /// [`TypeError`] if the mnemonic is unknown, or attributes or bodies are missing or invalid.
    fn rebuild(
        mnemonic: &str,
        attributes: &ReadAttributes,
        bodies: Vec<Graph<Self>>,
    ) -> Result<Self, TypeError>;

    /// The kind of condition with this name, if these graphs can have it.
    fn condition(name: &str) -> Option<&'static str>;
}
