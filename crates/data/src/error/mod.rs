//! Errors of reading data.

mod kinds;
mod place;
mod words;

use std::io;
use std::path::PathBuf;

use crate::dataset::Split;
use crate::shape::Shape;
pub use place::{Absence, Place};
use words::{list, no_keys, remedy, reshape, splits, takers};

/// Why data cannot be read, or cannot be used with these options.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// An error of the file system.
    #[error("cannot read {place}: {error}")]
    Io {
        /// Where.
        place: Place,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
    /// The file is of another kind.
    #[error("{place} is not {expected}: {}", kinds::what(found))]
    Magic {
        /// Where.
        place: Place,
        /// The kind it should be of.
        expected: &'static str,
        /// Its first bytes.
        found: Vec<u8>,
    },
    /// The file is of the right kind, but its own description of itself makes no sense.
    #[error("{place} is damaged ({what}): download it again, or remove it")]
    Damaged {
        /// Where.
        place: Place,
        /// What is wrong.
        what: &'static str,
    },
    /// The file is in order but uses what is not supported here.
    #[error("{place} cannot be used: {what}")]
    Unsupported {
        /// Where.
        place: Place,
        /// What, and what to do about it.
        what: String,
    },
    /// Compressed data do not decompress.
    #[error(
        "{place} is damaged: its compressed data are truncated or invalid ({error}); download it again"
    )]
    Compressed {
        /// Where.
        place: Place,
        /// The decompressor's words.
        #[source]
        error: io::Error,
    },
    /// The file ends before what it declares.
    #[error("{place} is truncated: expected {expected} bytes, found {found}: download it again")]
    Truncated {
        /// Where.
        place: Place,
        /// Bytes that were declared.
        expected: u64,
        /// Bytes that were found.
        found: u64,
    },
    /// The file goes on after what it declares.
    #[error(
        "{place} is damaged: it continues after the expected {expected} bytes; download it again"
    )]
    Trailing {
        /// Where.
        place: Place,
        /// Bytes that were declared.
        expected: u64,
    },
    /// The header declares more than a file of this length can hold.
    #[error(
        "{place} is damaged: it declares {declared} bytes, but can contain at most {room}; download it again"
    )]
    Oversized {
        /// Where.
        place: Place,
        /// Bytes that were declared.
        declared: u128,
        /// Bytes that a file of its length can decompress to.
        room: u64,
    },
    /// The elements of an array are not levels.
    #[error("{place} holds values of type `{found}`, {advice}")]
    Elements {
        /// Where.
        place: Place,
        /// The type as NumPy writes it.
        found: String,
        /// What the values are, and what mends them.
        advice: String,
    },
    /// A value outside of the range that was given.
    #[error(
        "{place} contains the value {value}, outside of `range={low}:{high}`: give the actual range"
    )]
    OutsideRange {
        /// Where.
        place: Place,
        /// The value.
        value: f64,
        /// The least value of the range.
        low: f64,
        /// The highest value of the range.
        high: f64,
    },
    /// An array that is not a list of images.
    #[error(
        "{place} has the shape {found:?}; expected [N, H, W], [N, H, W, C] or [N, C, H, W] with C from 1 \
         to 4 and no empty axis{}",
        reshape(found)
    )]
    Extents {
        /// Where.
        place: Place,
        /// Its shape.
        found: Vec<u64>,
    },
    /// An archive without an array that can be chosen.
    #[error("{}", no_keys(path, wanted, found, example))]
    NoKeys {
        /// The archive.
        path: PathBuf,
        /// The array that was asked for.
        wanted: Option<String>,
        /// What it has.
        found: Vec<String>,
        /// One that could be images.
        example: Option<String>,
    },
    /// An archive without the labels that were asked for.
    #[error("{} has no array `{wanted}` for labels; it has {}", path.display(), list(found))]
    NoLabels {
        /// The archive.
        path: PathBuf,
        /// The array that was asked for.
        wanted: String,
        /// What it has.
        found: Vec<String>,
    },
    /// An archive without the array of a condition.
    #[error(
        "{} has no array for the condition `{wanted}`: expected `train_{wanted}`, `test_{wanted}` or \
         `{wanted}`, with a row for each image; it has {}", path.display(), list(found)
    )]
    NoCondition {
        /// The archive.
        path: PathBuf,
        /// The condition.
        wanted: String,
        /// What it has.
        found: Vec<String>,
    },
    /// Several sets of images in one folder.
    #[error(
        "{} contains several sets: {}; choose one with `,array={}`",
        folder.display(), list(found), found.first().map_or("", String::as_str)
    )]
    Sets {
        /// The folder or archive.
        folder: PathBuf,
        /// The sets.
        found: Vec<String>,
    },
    /// The version of CIFAR for Python.
    #[error(
        "{} is the pickled Python version of {name}: download the binary version, {archive}", folder.display()
    )]
    PythonVersion {
        /// The folder or archive.
        folder: PathBuf,
        /// The data set.
        name: &'static str,
        /// What to download.
        archive: &'static str,
    },
    /// A Parquet file that cannot be read.
    #[error("{place} cannot be read as Parquet: {reason}")]
    Parquet {
        /// Where.
        place: Place,
        /// The reader's words.
        reason: String,
    },
    /// A table without a column that is needed.
    #[error(
        "{} has no column {wanted}; it has {}; name others with `,array=NAME` and `,labels=NAME`",
        path.display(), list(found)
    )]
    Columns {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        wanted: String,
        /// What it has.
        found: Vec<String>,
    },
    /// The path is not a file.
    #[error("{place} is {found}: expected a file")]
    NotAFile {
        /// Where.
        place: Place,
        /// What it is.
        found: &'static str,
    },
    /// A line of a table.
    #[error("{place}, line {line}: {what}")]
    Line {
        /// Where.
        place: Place,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// An option that does not apply to the format.
    #[error(
        "`{option}` does not apply to `{format}`: leave it out (it applies to {})",
        takers(option)
    )]
    NotForFormat {
        /// The option.
        option: &'static str,
        /// The format.
        format: &'static str,
    },
    /// `fit` without `size`.
    #[error("`fit` needs a size: add `,size=HxW`, or use `,crop=HxW`")]
    FitWithoutSize,
    /// `crop` of more than there is.
    #[error(
        "{place} is {from}, smaller than `crop={}x{}`: use a smaller crop",
        to.0, to.1
    )]
    CropsNothing {
        /// Where.
        place: Place,
        /// What it is.
        from: Shape,
        /// What was asked for: height, width.
        to: (usize, usize),
    },
    /// Colors that cannot become others.
    #[error(
        "cannot convert {from} channels to {to} in {place}: only conversions between 1 and 3 are supported"
    )]
    Colours {
        /// Where.
        place: Place,
        /// Its channels.
        from: usize,
        /// What was asked for.
        to: usize,
    },
    /// A value that the levels do not allow.
    #[error("{place}: image {image} contains the value {value}, expected 0 to {} for {levels} levels", levels - 1)]
    Value {
        /// Where.
        place: Place,
        /// The image, counted from 0.
        image: usize,
        /// The value.
        value: u8,
        /// How many levels there are.
        levels: usize,
    },
    /// Two sizes of image in one data set.
    #[error("{place} is {found}, but {first} is {expected}; {}", remedy(found, expected))]
    Sizes {
        /// The one that differs.
        place: Place,
        /// Its size.
        found: Shape,
        /// The first one.
        first: Place,
        /// The size of the first one.
        expected: Shape,
    },
    /// Labels that do not belong to the images beside them.
    #[error(
        "{place} contains {found} labels for {images} images: expected one label per image, in the \
         same order"
    )]
    LabelCount {
        /// Where the labels are.
        place: Place,
        /// How many labels.
        found: usize,
        /// How many images.
        images: usize,
    },
    /// An image that the split does not have.
    #[error("invalid image {index}: expected 0 to {}", count.saturating_sub(1))]
    NoImage {
        /// The image, counted from 0.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// A picture that cannot be decoded.
    #[error("{place} is a damaged {kind}: {reason}; replace it, or leave it out")]
    Picture {
        /// Where.
        place: Place,
        /// `PNG` or `JPEG`.
        kind: &'static str,
        /// The decoder's words.
        reason: String,
    },
    /// A folder without the files that the source is made of.
    #[error("{} contains no {wanted}", folder.display())]
    NoFiles {
        /// The folder.
        folder: PathBuf,
        /// What was looked for.
        wanted: String,
    },
    /// The source has no such split.
    #[error("{name} has no `{}` images: {absence}; it has {}", split.name(), splits(present))]
    NoSplit {
        /// The data set.
        name: String,
        /// The split.
        split: Split,
        /// Why.
        absence: Absence,
        /// Those it has.
        present: Vec<Split>,
    },
    /// `size` would make images larger.
    #[error(
        "{place} is {from}, and `size={}x{}` would enlarge it: `size` only makes images smaller",
        to.0, to.1
    )]
    Enlarges {
        /// Where.
        place: Place,
        /// What it is.
        from: Shape,
        /// What was asked for: height, width.
        to: (usize, usize),
    },
    /// A batch of no images.
    #[error("a batch must hold at least one image")]
    EmptyBatch,
    /// A position that this data set does not have with this batch size.
    #[error(
        "invalid step {step} in an epoch of {steps} steps: was the run started with another batch size \
         or other data?"
    )]
    Position {
        /// The step, counted from 0.
        step: usize,
        /// The steps of an epoch.
        steps: usize,
    },
}
