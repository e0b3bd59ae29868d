//! The tests of this crate, in one binary.

#[path = "all/engines.rs"]
mod engines;
#[path = "all/library.rs"]
mod library;
#[path = "all/models.rs"]
mod models;
