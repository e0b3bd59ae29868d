//! Floor 0 of `pixelrnn`: dataflow graphs, and what everything above says about them.
//!
//! **Purpose.** One graph type, [`Graph<O>`], generic over its operators. The pixel IR and the
//! ONNX graph are both instances of it, so both share the builder, the verifier and the printer.
//!
//! **Invariants.**
//! - This crate knows no operator: whatever it asks of one is in the trait [`Operation`].
//! - A node reads only values made before it, so a graph is acyclic and in execution order.
//! - Types are never guessed: a value's type is what its operator inferred when it was pushed, and
//!   [`verify`] infers it again.
//! - Node names are unique in their graph, and for people only. Which layer and place of the user's
//!   text a node stems from stands beside it, as a [`Site`].
//! - Inputs and outputs carry a [`Role`] and an [`OutputRole`]: nothing is told by a name or a rank.
//!
//! **Where to start.** `graph.rs` for the data, `verify.rs` for what is promised, `text.rs` for the
//! form people and tests read.

pub mod bits;
pub mod diagnostic;
pub mod graph;
pub mod role;
pub mod site;
pub mod text;
pub mod type_error;
pub mod types;
pub mod verify;

pub use bits::BitRows;
pub use diagnostic::{Diagnostic, Label, Severity, Source, Span};
pub use graph::{BuildError, Graph, Input, Node, NodeId, Operation, Origin, Output, Value};
pub use role::{Condition, Init, NoDistribution, OutputRole, Role};
pub use site::{LayerId, Site};
pub use text::{Attribute, Attributes, ReadOperation, TextError};
pub use type_error::TypeError;
pub use types::{Dim, Elem, Type};
pub use verify::{Fault, verify};

/// A dense array of real numbers, row-major by construction; what engines take and give.
pub type Array<R = f32> = ndarray::ArrayD<R>;
