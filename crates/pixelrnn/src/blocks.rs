//! The blocks that a declaration may open. These items exist to be read: an editor shows them on
//! hover and completes their names inside [`model!`](crate::model).
#![allow(non_camel_case_types)]

/// `repeat n { ... }`: the statements between the braces, `n` times in a row.
///
/// `n` is a number or an expression of hyper-parameters. The parameters of the `i`th repetition are
/// named with `i`: `body: repeat 2 { up: conv(...); }` has `body.0.up.weight` and
/// `body.1.up.weight`.
pub struct repeat;

/// `residual { ... }`: what enters the block is added to what leaves it.
///
/// Both must have the same number of features.
pub struct residual;

/// `collect { ... }`: what the [`skip`](crate::layers::skip) connections in the block take aside is
/// added to what leaves it.
pub struct collect;

/// `block { ... }`: a name for a group of layers, by its label.
pub struct block;
