//! Layer 7 of `pixelrnn`, next to the engines: data sets of images, and batches for training.
//!
//! **Purpose.** From the text after `--data` to the input arrays of a model: a [`Spec`] is parsed from
//! text, [`Spec::load`] reads it into a [`Dataset`], and [`Dataset::shuffled`] and
//! [`Dataset::sequential`] return batches.
//!
//! **Invariants.**
//! - Files are not trusted. The length of a file is compared with its header before any allocation,
//!   and every value is checked against the levels. An error is a [`DataError`] that names the file
//!   and says how to fix the problem. No input makes this crate panic. Pipes and devices are not
//!   opened.
//! - Images are `u8` levels in [N, H, W, C]. Batches are `f32` levels in [n, C, H, W], with the
//!   class of each image if the source has labels.
//! - Memory is bounded. [`Spec::load`] reads every image once, in order, and keeps at most
//!   [`MEMORY`] bytes of images. Further images stay in their file if it stores them as they are
//!   used (an uncompressed array, no option that changes sizes); otherwise they go to a temporary
//!   file, which the system removes. The same limit applies to each condition. Labels and an index
//!   take 12 bytes per image. With a `limit`, only the images that it keeps are read; in a
//!   compressed array it chooses among the first 256 MiB, with a warning.
//! - The same pass computes the fingerprint by which a run recognizes its data. For images that
//!   stay in their file it is cached, by path, length and modification time, so that a resumed run
//!   starts immediately; see `remember.rs`. Other data are read again when a run is resumed.
//! - Randomness depends only on the seed given to [`Spec::load`], the epoch and the image. So any
//!   batch can be computed without the previous ones, and is the same on every machine. The choice
//!   of validation images and of the images of a limit has its own seed; see `select.rs`.
//! - Splits are never mixed, and no option changes the order. [`Split::Valid`] of a source without
//!   validation images is a tenth of its training images; see [`Dataset::hold_out`].
//!
//! **Where to start.** `spec/options.rs` for the language, `read/mod.rs` for the table of formats,
//! `read/part.rs` for the result of a reader, `load.rs` for its processing, `batches.rs` for batches.
//! A new format is a file in `read/` and a line of its table.
//!
//! The embedded digits are *Optical Recognition of Handwritten Digits* by E. Alpaydin and
//! C. Kaynak, licensed CC BY 4.0; see `src/digits.md`.

#![deny(missing_docs)]

mod batches;
mod bytes;
mod conditions;
mod count;
mod dataset;
mod error;
mod hex;
mod load;
mod loader;
mod random;
mod read;
mod remember;
mod select;
mod shape;
mod spec;
mod suggest;
mod survey;
mod transform;

pub use batches::{Batch, Position, Sequential, Shuffled};
pub use dataset::{Dataset, Images, Split};
pub use error::{Absence, DataError, Place};
pub use load::MEMORY;
pub use read::numbers;
pub use read::{FORMATS, Format};
pub use shape::Shape;
pub use spec::{Binarize, Fit, OPTIONS, Shuffle, Source, Spec, SpecError, SpecOption, help};
