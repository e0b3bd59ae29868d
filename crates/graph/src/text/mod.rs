//! The text form of a graph: printed for people and tests, and read back.
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
//! Bodies follow their node, each introduced by the word `body`. Types of results are printed for
//! the reader and checked, not trusted, when read. `;` begins a comment.

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
    /// One of a few words.
    Word(String),
    /// A literal tensor.
    Array(ArrayD<f32>),
}

/// Attributes in the order they are printed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(pub Vec<(&'static str, Attribute)>);

/// Attributes as they were read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadAttributes(pub Vec<(String, Attribute)>);

impl Attributes {
    /// No attributes.
    pub fn none() -> Attributes {
        Attributes(Vec::new())
    }

    /// With a whole number.
    pub fn int(mut self, name: &'static str, value: usize) -> Attributes {
        self.0.push((name, Attribute::Int(value as i64)));
        self
    }

    /// With a list of whole numbers.
    pub fn ints(mut self, name: &'static str, values: &[usize]) -> Attributes {
        self.0.push((name, Attribute::Ints(values.iter().map(|&v| v as i64).collect())));
        self
    }

    /// With a real number.
    pub fn real(mut self, name: &'static str, value: f64) -> Attributes {
        self.0.push((name, Attribute::Real(value)));
        self
    }

    /// With a word.
    pub fn word(mut self, name: &'static str, value: impl Into<String>) -> Attributes {
        self.0.push((name, Attribute::Word(value.into())));
        self
    }

    /// With a literal tensor.
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

    /// A whole number that is not negative.
    pub fn int(&self, name: &'static str) -> Result<usize, TypeError> {
        match self.take(name)? {
            Attribute::Int(n) => {
                usize::try_from(*n).map_err(|_| TypeError::attribute(name, "must not be negative"))
            }
            _ => Err(TypeError::attribute(name, "must be a whole number")),
        }
    }

    /// A list of whole numbers, none negative.
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

/// An operator whose text form reads back.
pub trait ReadOperation: Operation {
    /// The operator that `mnemonic`, `attributes` and `bodies` describe.
    ///
    /// # Errors
    /// An unknown mnemonic, or attributes or bodies that are missing or wrong.
    fn rebuild(
        mnemonic: &str,
        attributes: &ReadAttributes,
        bodies: Vec<Graph<Self>>,
    ) -> Result<Self, TypeError>;

    /// The kind of condition of this name, if graphs of these operators may have one.
    fn condition(name: &str) -> Option<&'static str>;
}
