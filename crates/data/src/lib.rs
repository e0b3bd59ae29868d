//! Floor 7 of `pixelrnn`, beside the engines: data sets of images, and the batches that models are trained on.
//!
//! **Purpose.** From what a user writes after `--data` to arrays that a model takes: a [`Spec`] is
//! parsed from text, [`Spec::load`] reads it into a [`Dataset`], and [`Dataset::shuffled`] and
//! [`Dataset::sequential`] hand out batches.
//!
//! **Invariants.**
//! - A file is never trusted: its length is compared with what its header declares before anything
//!   is allocated, every value is checked against the levels, and what is wrong becomes a
//!   [`DataError`] that names the file. No input can make this crate panic.
//! - Images lie as `u8` levels, [N, H, W, C]; batches are `f32` levels, [n, C, H, W].
//! - What is random depends on the seed given to [`Spec::load`], the epoch and the image alone, so
//!   any batch can be had without those before it, and on every machine it is the same.
//! - Test images are test images: no split of a source ever moves into another, and no option
//!   changes the order. [`Split::Valid`] of a source without validation images is the last tenth of
//!   its training images; see [`Dataset::hold_out`].
//!
//! **Where to start.** `spec/mod.rs` for the language, `load.rs` for the order in which options
//! apply, `read/mod.rs` for the table of formats, `batches.rs` for what training sees.
//!
//! The embedded digits are *Optical Recognition of Handwritten Digits* by E. Alpaydin and
//! C. Kaynak, licensed CC BY 4.0; `src/digits.md` says more.

mod batches;
mod dataset;
mod error;
mod load;
mod random;
mod read;
mod shape;
mod spec;
mod suggest;
mod transform;

pub use batches::{Batch, Position, Sequential, Shuffled};
pub use dataset::{Dataset, Images, Split};
pub use error::{Absence, DataError, Place};
pub use shape::Shape;
pub use spec::{Binarize, Source, Spec, SpecError};
