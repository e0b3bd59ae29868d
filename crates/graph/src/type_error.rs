//! Type errors of operators: inputs or attributes that an operator does not accept.

use crate::graph::Value;
use crate::types::{Dim, Type};

/// Why an operator does not accept its inputs or attributes. Inputs and axes count from 0.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TypeError {
    /// The wrong number of inputs.
    #[error("takes {expected} inputs, got {found}")]
    Arity {
        /// The number that the operator takes.
        expected: usize,
        /// The number that it was given.
        found: usize,
    },
    /// An input with the wrong number of axes.
    #[error("input {input} must have {expected} axes, got {found}")]
    Rank {
        /// The position of the input.
        input: usize,
        /// The number of axes that the operator takes.
        expected: usize,
        /// The type of the input.
        found: Type,
    },
    /// An input with an axis of the wrong extent.
    #[error("axis {axis} of input {input} must be {expected}, got {found}")]
    Extent {
        /// The position of the input.
        input: usize,
        /// The axis, from 0.
        axis: usize,
        /// The extent that the operator takes.
        expected: Dim,
        /// The extent of the input.
        found: Dim,
    },
    /// An input with an axis that must have a known extent.
    #[error("axis {axis} of input {input} must have a known extent")]
    Unknown {
        /// The position of the input.
        input: usize,
        /// The axis, from 0.
        axis: usize,
    },
    /// Two inputs that must have the same type.
    #[error("inputs have incompatible types {left} and {right}")]
    Unequal {
        /// The type of the first.
        left: Type,
        /// The type of the second.
        right: Type,
    },
    /// An input with elements of the wrong kind.
    #[error("input {input} must have elements of type {expected}, got {found}")]
    Element {
        /// The position of the input.
        input: usize,
        /// The kind that the operator takes.
        expected: crate::types::Elem,
        /// The type of the input.
        found: Type,
    },
    /// An invalid attribute of the operator.
    #[error("attribute `{name}`: {reason}")]
    Attribute {
        /// The attribute.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// An invalid body of a loop.
    #[error("its body: {reason}")]
    Body {
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor with more elements than can be counted in a `usize`.
    #[error("the size of its result overflows")]
    Overflow,
    /// A rewritten node reads a value that has no counterpart in the new graph.
    #[error("reads {value}, which the pass has not mapped into the new graph")]
    Unmapped {
        /// The value in the old graph.
        value: Value,
    },
    /// A bug of the compiler.
    #[error("cannot be compiled: {reason}")]
    Internal {
        /// The assumption that does not hold.
        reason: &'static str,
    },
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
