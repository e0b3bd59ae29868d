//! Errors from reading data.

mod kinds;
mod place;
mod words;

use std::io;
use std::path::PathBuf;

use crate::dataset::Split;
use crate::shape::Shape;
pub use place::{Absence, Place};
use words::{list, no_keys, remedy, reshape, splits, takers};

/// Why data cannot be read, or cannot be used with the given options.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system reported an error.
    #[error("cannot read {place}: {error}")]
    Io {
        /// The file.
        place: Place,
        /// The error of the operating system.
        #[source]
        error: io::Error,
    },
    /// The file has another format.
    #[error("{place} is not {expected}: {}", kinds::what(found))]
    Magic {
        /// The file.
        place: Place,
        /// The format that was expected.
        expected: &'static str,
        /// The first bytes of the file.
        found: Vec<u8>,
    },
    /// The file has the right format, but its header is inconsistent.
    #[error("{place} is damaged ({what}): download it again, or remove it")]
    Damaged {
        /// The file.
        place: Place,
        /// What is wrong.
        what: &'static str,
    },
    /// The file is valid, but uses a feature that is not supported.
    #[error("{place} cannot be used: {what}")]
    Unsupported {
        /// The file.
        place: Place,
        /// The feature, and what to do about it.
        what: String,
    },
    /// Compressed data cannot be decompressed.
    #[error(
        "{place} is damaged: its compressed data are truncated or invalid ({error}); download it again"
    )]
    Compressed {
        /// The file.
        place: Place,
        /// The error of the decompressor.
        #[source]
        error: io::Error,
    },
    /// The file is shorter than its header declares.
    #[error("{place} is truncated: expected {expected} bytes, found {found}: download it again")]
    Truncated {
        /// The file.
        place: Place,
        /// The number of bytes that the header declares.
        expected: u64,
        /// The number of bytes in the file.
        found: u64,
    },
    /// The file is longer than its header declares.
    #[error(
        "{place} is damaged: it continues after the expected {expected} bytes; download it again"
    )]
    Trailing {
        /// The file.
        place: Place,
        /// The number of bytes that the header declares.
        expected: u64,
    },
    /// The header declares more bytes than a file of this length can contain.
    #[error(
        "{place} is damaged: it declares {declared} bytes, but can contain at most {room}; download it again"
    )]
    Oversized {
        /// The file.
        place: Place,
        /// The number of bytes that the header declares.
        declared: u128,
        /// The largest number of bytes that the file can contain after decompression.
        room: u64,
    },
    /// The elements of an array are not levels.
    #[error("{place} holds values of type `{found}`, {advice}")]
    Elements {
        /// The array.
        place: Place,
        /// The element type, as NumPy writes it.
        found: String,
        /// What the values look like, and how to convert them.
        advice: String,
    },
    /// A value is outside of the range in the option `range`.
    #[error(
        "{place} contains the value {value}, outside of `range={low}:{high}`: give the actual range"
    )]
    OutsideRange {
        /// The file.
        place: Place,
        /// The value.
        value: f64,
        /// The lower end of the range.
        low: f64,
        /// The upper end of the range.
        high: f64,
    },
    /// The shape of an array is not that of a list of images.
    #[error(
        "{place} has the shape {found:?}; expected [N, H, W], [N, H, W, C] or [N, C, H, W] with C from 1 \
         to 4 and no empty axis{}",
        reshape(found)
    )]
    Extents {
        /// The array.
        place: Place,
        /// Its shape.
        found: Vec<u64>,
    },
    /// An archive in which no array can be chosen as the images.
    #[error("{}", no_keys(path, wanted, found, example))]
    NoKeys {
        /// The archive.
        path: PathBuf,
        /// The name of the array that was requested.
        wanted: Option<String>,
        /// The names of the arrays in the archive.
        found: Vec<String>,
        /// The name of an array that could be images.
        example: Option<String>,
    },
    /// An archive without the requested array of labels.
    #[error("{} has no array `{wanted}` for labels; it has {}", path.display(), list(found))]
    NoLabels {
        /// The archive.
        path: PathBuf,
        /// The name of the array that was requested.
        wanted: String,
        /// The names of the arrays in the archive.
        found: Vec<String>,
    },
    /// An archive without an array for a condition.
    #[error(
        "{} has no array for the condition `{wanted}`: expected `train_{wanted}`, `test_{wanted}` or \
         `{wanted}`, with a row for each image; it has {}", path.display(), list(found)
    )]
    NoCondition {
        /// The archive.
        path: PathBuf,
        /// The name of the condition.
        wanted: String,
        /// The names of the arrays in the archive.
        found: Vec<String>,
    },
    /// A folder with several data sets.
    #[error(
        "{} contains several sets: {}; choose one with `,array={}`",
        folder.display(), list(found), found.first().map_or("", String::as_str)
    )]
    Sets {
        /// The folder or archive.
        folder: PathBuf,
        /// The names of the data sets.
        found: Vec<String>,
    },
    /// The pickled Python version of CIFAR, which is not supported.
    #[error(
        "{} is the pickled Python version of {name}: download the binary version, {archive}", folder.display()
    )]
    PythonVersion {
        /// The folder or archive.
        folder: PathBuf,
        /// The name of the data set.
        name: &'static str,
        /// The archive to download instead.
        archive: &'static str,
    },
    /// A Parquet file that cannot be read.
    #[error("{place} cannot be read as Parquet: {reason}")]
    Parquet {
        /// The file.
        place: Place,
        /// The error of the Parquet reader.
        reason: String,
    },
    /// A table without a required column.
    #[error(
        "{} has no column {wanted}; it has {}; name others with `,array=NAME` and `,labels=NAME`",
        path.display(), list(found)
    )]
    Columns {
        /// The file.
        path: PathBuf,
        /// The column that was looked for.
        wanted: String,
        /// The columns of the table.
        found: Vec<String>,
    },
    /// The path is not a file.
    #[error("{place} is {found}: expected a file")]
    NotAFile {
        /// The path.
        place: Place,
        /// What the path is instead.
        found: &'static str,
    },
    /// A line of a table is invalid.
    #[error("{place}, line {line}: {what}")]
    Line {
        /// The file.
        place: Place,
        /// The number of the line, counted from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// An option that the format does not support.
    #[error(
        "`{option}` does not apply to `{format}`: leave it out (it applies to {})",
        takers(option)
    )]
    NotForFormat {
        /// The name of the option.
        option: &'static str,
        /// The name of the format.
        format: &'static str,
    },
    /// The option `fit` without `size`.
    #[error("`fit` needs a size: add `,size=HxW`, or use `,crop=HxW`")]
    FitWithoutSize,
    /// The option `crop` with a size larger than an image.
    #[error(
        "{place} is {from}, smaller than `crop={}x{}`: use a smaller crop",
        to.0, to.1
    )]
    CropsNothing {
        /// The image.
        place: Place,
        /// The size of the image.
        from: Shape,
        /// The requested size: height, width.
        to: (usize, usize),
    },
    /// The number of channels cannot be converted.
    #[error(
        "cannot convert {from} channels to {to} in {place}: only conversions between 1 and 3 are supported"
    )]
    Colours {
        /// The image.
        place: Place,
        /// Its number of channels.
        from: usize,
        /// The requested number of channels.
        to: usize,
    },
    /// A value that is not below the number of levels.
    #[error("{place}: image {image} contains the value {value}, expected 0 to {} for {levels} levels", levels - 1)]
    Value {
        /// The image.
        place: Place,
        /// The index of the image, counted from 0.
        image: usize,
        /// The value.
        value: u8,
        /// The number of levels.
        levels: usize,
    },
    /// Images of different sizes in one data set.
    #[error("{place} is {found}, but {first} is {expected}; {}", remedy(found, expected))]
    Sizes {
        /// The first image that differs.
        place: Place,
        /// Its size.
        found: Shape,
        /// The first image of the data set.
        first: Place,
        /// The size of the first image.
        expected: Shape,
    },
    /// The number of labels differs from the number of images.
    #[error(
        "{place} contains {found} labels for {images} images: expected one label per image, in the \
         same order"
    )]
    LabelCount {
        /// The array or file of labels.
        place: Place,
        /// The number of labels.
        found: usize,
        /// The number of images.
        images: usize,
    },
    /// The split has no image with this index.
    #[error("invalid image {index}: expected 0 to {}", count.saturating_sub(1))]
    NoImage {
        /// The index, counted from 0.
        index: usize,
        /// The number of images.
        count: usize,
    },
    /// A picture that cannot be decoded.
    #[error("{place} is a damaged {kind}: {reason}; replace it, or leave it out")]
    Picture {
        /// The picture.
        place: Place,
        /// `PNG` or `JPEG`.
        kind: &'static str,
        /// The error of the decoder.
        reason: String,
    },
    /// A folder that contains none of the expected files.
    #[error("{} contains no {wanted}", folder.display())]
    NoFiles {
        /// The folder.
        folder: PathBuf,
        /// The files that were looked for.
        wanted: String,
    },
    /// A class has another name than those that are expected.
    #[error("the class `{class}` is unknown to the model, which was trained on {}", list(names))]
    ClassName {
        /// The class of the images.
        class: String,
        /// The expected names.
        names: Vec<String>,
    },
    /// The source does not have this split.
    #[error("{name} has no `{}` images: {absence}; its splits: {}", split.name(), splits(present))]
    NoSplit {
        /// The specification of the data set.
        name: String,
        /// The split.
        split: Split,
        /// The reason.
        absence: Absence,
        /// The splits that exist.
        present: Vec<Split>,
    },
    /// The option `size` would enlarge an image.
    #[error(
        "{place} is {from}, and `size={}x{}` would enlarge it: `size` only makes images smaller",
        to.0, to.1
    )]
    Enlarges {
        /// The image.
        place: Place,
        /// The size of the image.
        from: Shape,
        /// The requested size: height, width.
        to: (usize, usize),
    },
    /// A batch size of 0.
    #[error("a batch must hold at least one image")]
    EmptyBatch,
    /// A position beyond the end of an epoch, for this data set and batch size.
    #[error(
        "invalid step {step} in an epoch of {steps} steps: was the run started with another batch size \
         or other data?"
    )]
    Position {
        /// The step, counted from 0.
        step: usize,
        /// The number of steps in an epoch.
        steps: usize,
    },
}
