//! Floor 7 of `pixelrnn`, beside the engines: data sets of images, and the batches that models are trained on.
//!
//! **Purpose.** From what a user writes after `--data` to arrays that a model takes: a [`Spec`] is
//! parsed from text, [`Spec::load`] reads it into a [`Dataset`], and [`Dataset::shuffled`] and
//! [`Dataset::sequential`] hand out batches.
//!
//! **Invariants.**
//! - A file is never trusted: its length is compared with what its header declares before anything
//!   is allocated, every value is checked against the levels, and what is wrong becomes a
//!   [`DataError`] that names the file and what mends it. No input can make this crate panic.
//!   Pipes and devices are not opened.
//! - Images are `u8` levels, [N, H, W, C]; batches are `f32` levels, [n, C, H, W], with the class of
//!   each image where the source has labels.
//! - Memory is bounded: [`Spec::load`] reads every image once, one after the other, and keeps at most
//!   [`MEMORY`] bytes of them. What is more stays in its file, if it lies there as it is used (an
//!   uncompressed array, no option that changes sizes), or goes to a temporary file, which the
//!   system removes. Labels and an index take 12 bytes per image. A `limit` reads what it keeps; of a
//!   compressed array it chooses within the first 256 MiB, and a warning says so.
//! - The fingerprint by which a run knows its data is taken in that one pass. Of images that stay in
//!   their file it is noted, by the file's path, length and time of change, so that a run that is
//!   resumed begins at once; see `remember.rs`. Other data are read once when a run is resumed.
//! - What is random depends on the seed given to [`Spec::load`], the epoch and the image alone, so
//!   any batch can be had without those before it, and on every machine it is the same. Which images
//!   validate and which a limit keeps depends on a seed of its own; see `select.rs`.
//! - Test images are test images: no split of a source ever moves into another, and no option
//!   changes the order. [`Split::Valid`] of a source without validation images is a tenth of its
//!   training images; see [`Dataset::hold_out`].
//!
//! **Where to start.** `spec/options.rs` for the language, `read/mod.rs` for the table of formats,
//! `read/part.rs` for what a reader hands over, `load.rs` for what becomes of it, `batches.rs` for
//! what training sees. A new format is a file in `read/` and a line of its table.
//!
//! The embedded digits are *Optical Recognition of Handwritten Digits* by E. Alpaydin and
//! C. Kaynak, licensed CC BY 4.0; `src/digits.md` says more.

mod batches;
mod bytes;
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
pub use read::{FORMATS, Format};
pub use shape::Shape;
pub use spec::{Binarize, Fit, OPTIONS, Shuffle, Source, Spec, SpecError, SpecOption, help};
