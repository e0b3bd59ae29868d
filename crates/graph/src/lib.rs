//! Layer 0 of `pixelrnn`: typed dataflow graphs.
//!
//! **Purpose.** One graph type, [`Graph<O>`], generic over its operators. The pixel IR and the
//! ONNX graph are both instances of it, so both share the builder, the verifier and the printer.
//!
//! **Invariants.**
//! - This crate contains no operators: their interface is the trait [`Operation`].
//! - A node reads only values computed before it, so a graph is acyclic and in execution order.
//! - The type of a value is the type that its operator inferred when the node was added, and [`verify()`]
//!   infers it again.
//! - Node names are unique in their graph, and for display only. The layer and the source position of a
//!   node are recorded in its [`Site`].
//! - Inputs and outputs have a [`Role`] and an [`OutputRole`]: names and ranks have no meaning.
//!
//! **Where to start.** `graph.rs` for the data structure, `verify.rs` for its guarantees, `text/` for the
//! text format of dumps and tests.

#![deny(missing_docs)]

pub mod bits;
pub mod diagnostic;
pub mod graph;
mod names;
pub mod role;
pub mod site;
pub mod text;
pub mod type_error;
pub mod types;
pub mod verify;

/// The crate of [`Array`], in the version of this crate.
pub use ndarray;

pub use bits::BitRows;
pub use diagnostic::{Diagnostic, Label, Severity, Source, Span};
pub use graph::{BuildError, Graph, Input, Node, NodeId, Operation, Origin, Output, Value};
pub use names::UnknownName;
pub use role::{Condition, Init, NoDistribution, OutputRole, Role};
pub use site::{LayerId, Site};
pub use text::{Attribute, Attributes, ReadOperation, TextError};
pub use type_error::TypeError;
pub use types::{Dim, Elem, Type};
pub use verify::{Fault, verify};

/// A dense, row-major array of real numbers. Engines take and return these.
pub type Array<R = f32> = ndarray::ArrayD<R>;
