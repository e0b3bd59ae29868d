//! Type errors of operators: inputs or attributes that an operator does not accept.

use crate::graph::Value;
use crate::types::{Dim, Type};

/// Why an operator does not accept its inputs or attributes. Inputs and axes count from 0.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TypeError {
    #[error("takes {expected} inputs, got {found}")]
    Arity { expected: usize, found: usize },
    #[error("input {input} must have {expected} axes, got {found}")]
    Rank { input: usize, expected: usize, found: Type },
    #[error("axis {axis} of input {input} must be {expected}, got {found}")]
    Extent { input: usize, axis: usize, expected: Dim, found: Dim },
    #[error("axis {axis} of input {input} must have a known extent")]
    Unknown { input: usize, axis: usize },
    #[error("inputs have incompatible types {left} and {right}")]
    Unequal { left: Type, right: Type },
    #[error("input {input} must have elements of type {expected}, got {found}")]
    Element { input: usize, expected: crate::types::Elem, found: Type },
    #[error("attribute `{name}`: {reason}")]
    Attribute { name: &'static str, reason: String },
    #[error("its body: {reason}")]
    Body { reason: String },
    #[error("the size of its result overflows")]
    Overflow,
    #[error("reads {value}, which the pass has not mapped into the new graph")]
    Unmapped { value: Value },
    #[error("cannot be compiled: {reason}")]
    Internal { reason: &'static str },
}

impl TypeError {
    /// An error in one attribute.
    pub fn attribute(name: &'static str, reason: impl Into<String>) -> TypeError {
        TypeError::Attribute { name, reason: reason.into() }
    }

    /// An error in a body graph.
    pub fn body(reason: impl Into<String>) -> TypeError {
        TypeError::Body { reason: reason.into() }
    }
}
