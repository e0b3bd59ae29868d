//! Why an operator refuses its inputs or its attributes.

use crate::graph::Value;
use crate::types::{Dim, Type};

/// An operator's complaint, with the numbers that decide it. Inputs and axes count from 0.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Misfit {
    #[error("takes {expected} inputs, got {found}")]
    Arity { expected: usize, found: usize },
    #[error("input {input} must have {expected} axes, got {found}")]
    Rank { input: usize, expected: usize, found: Type },
    #[error("axis {axis} of input {input} must be {expected}, got {found}")]
    Extent { input: usize, axis: usize, expected: Dim, found: Dim },
    #[error("axis {axis} of input {input} must have a known extent")]
    Unknown { input: usize, axis: usize },
    #[error("inputs of types {left} and {right} do not fit together")]
    Unequal { left: Type, right: Type },
    #[error("input {input} must hold {expected} elements, got {found}")]
    Element { input: usize, expected: crate::types::Elem, found: Type },
    #[error("attribute `{name}`: {reason}")]
    Attribute { name: &'static str, reason: String },
    #[error("its body: {reason}")]
    Body { reason: String },
    #[error("the size of its result overflows")]
    Overflow,
    #[error("reads {value}, for which the pass has made nothing in the new graph")]
    Unmapped { value: Value },
    #[error("cannot be compiled: {reason}")]
    Internal { reason: &'static str },
}

impl Misfit {
    /// A complaint about one attribute.
    pub fn attribute(name: &'static str, reason: impl Into<String>) -> Misfit {
        Misfit::Attribute { name, reason: reason.into() }
    }

    /// A complaint about a body graph.
    pub fn body(reason: impl Into<String>) -> Misfit {
        Misfit::Body { reason: reason.into() }
    }
}
