//! What can be wrong with data.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::dataset::Split;
use crate::shape::Shape;

/// A file, or an array in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The array in it.
    pub member: Option<String>,
}

impl Place {
    pub(crate) fn file(path: &Path) -> Place {
        Place { path: path.to_path_buf(), member: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.member {
            None => write!(f, "{}", self.path.display()),
            Some(member) => write!(f, "{} (array `{member}`)", self.path.display()),
        }
    }
}

/// Why a source lacks a split.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Absence {
    /// No file holds it.
    #[error("{} is missing in {}", wanted, folder.display())]
    File {
        /// Where it was looked for.
        folder: PathBuf,
        /// Its name or names.
        wanted: &'static str,
    },
    /// The archive has no such array.
    #[error("there is no array `{key}` in {}", path.display())]
    Key {
        /// The archive.
        path: PathBuf,
        /// The array.
        key: &'static str,
    },
    /// The source is one file that holds another split.
    #[error("all of {} is `{}`", path.display(), holds.name())]
    Single {
        /// The file or folder.
        path: PathBuf,
        /// What it holds.
        holds: Split,
    },
    /// There are no training images whose last tenth it could be.
    #[error(
        "the source has no validation images of its own, and no training images to take them from"
    )]
    NoTrain,
    /// A tenth of the training images is less than one image.
    #[error("it would be the last tenth of the training images, of which there are only {count}")]
    TooFew {
        /// How many there are.
        count: usize,
    },
}

/// Why data cannot be read, or not be used as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The system refuses.
    #[error("cannot read {place}: {error}")]
    Io {
        /// Where.
        place: Place,
        /// The system's words.
        error: io::Error,
    },
    /// The file is of another kind.
    #[error("{place} is not {expected}: it begins with the bytes {}", hex(found))]
    Magic {
        /// Where.
        place: Place,
        /// The kind it should be of.
        expected: &'static str,
        /// Its first bytes.
        found: Vec<u8>,
    },
    /// The file is of the right kind, but its own description of itself makes no sense.
    #[error("{place} is damaged: {what}")]
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
        what: &'static str,
    },
    /// Compressed data do not decompress.
    #[error("{place} is damaged: its compressed data are cut short or wrong ({error})")]
    Compressed {
        /// Where.
        place: Place,
        /// The decompressor's words.
        error: io::Error,
    },
    /// The file ends before what it declares.
    #[error("{place} is cut short: it declares {expected} bytes here and holds {found}")]
    Truncated {
        /// Where.
        place: Place,
        /// Bytes that were declared.
        expected: u64,
        /// Bytes that were found.
        found: u64,
    },
    /// The file goes on after what it declares.
    #[error("{place} is damaged: it goes on after the {expected} bytes that it declares")]
    Trailing {
        /// Where.
        place: Place,
        /// Bytes that were declared.
        expected: u64,
    },
    /// The header declares more than a file of this length can hold.
    #[error("{place} is damaged: it declares {declared} bytes, and can hold {room} at the most")]
    Oversized {
        /// Where.
        place: Place,
        /// Bytes that were declared.
        declared: u128,
        /// Bytes that a file of its length can decompress to.
        room: u64,
    },
    /// The elements of an array are not bytes.
    #[error(
        "{place} holds elements of type `{found}`; images are whole numbers from 0 in u8: save them \
         with `.astype('uint8')`"
    )]
    Elements {
        /// Where.
        place: Place,
        /// The type as NumPy writes it.
        found: String,
    },
    /// An array that is not a list of images.
    #[error(
        "{place} has the shape {found:?}; images are [N, H, W] or [N, H, W, C] with C from 1 to 4 \
         and nothing empty"
    )]
    Extents {
        /// Where.
        place: Place,
        /// Its shape.
        found: Vec<u64>,
    },
    /// An archive without any of the three arrays.
    #[error(
        "{} has none of the arrays `train`, `valid`, `test`; it has {}", path.display(), list(found)
    )]
    NoKeys {
        /// The archive.
        path: PathBuf,
        /// What it has.
        found: Vec<String>,
    },
    /// A value that the levels do not allow.
    #[error("{place}: image {image} holds the value {value}; {levels} levels are 0 to {}", levels - 1)]
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
        "{place} holds {found} labels for {images} images: expected one label per image, in the \
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
    #[error("there is no image {index} among {count}")]
    NoImage {
        /// The image, counted from 0.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// A picture that its decoder refuses.
    #[error("{place} is a damaged {kind}: {reason}")]
    Picture {
        /// Where.
        place: Place,
        /// `PNG` or `JPEG`.
        kind: &'static str,
        /// The decoder's words.
        reason: String,
    },
    /// A folder without the files that the source is made of.
    #[error("{} holds no {wanted}", folder.display())]
    NoFiles {
        /// The folder.
        folder: PathBuf,
        /// What was looked for.
        wanted: &'static str,
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
        "there is no step {step} in an epoch of {steps}: was the run begun with another batch size \
         or other data?"
    )]
    Position {
        /// The step, counted from 0.
        step: usize,
        /// The steps of an epoch.
        steps: usize,
    },
}

fn remedy(found: &Shape, expected: &Shape) -> &'static str {
    match found.colours == expected.colours {
        true => "all images must agree, or be made so with `,size=HxW`",
        false => "the colours of all images must agree",
    }
}

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
    if bytes.is_empty() { "none at all".to_string() } else { bytes.join(" ") }
}

fn list(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut shown: Vec<String> = names.iter().take(SHOWN).map(|n| format!("`{n}`")).collect();
    match names.len() {
        0 => return "no array at all".to_string(),
        n if n > SHOWN => shown.push(format!("and {} more", n - SHOWN)),
        _ => {}
    }
    shown.join(", ")
}

fn splits(present: &[Split]) -> String {
    present.iter().map(|s| format!("`{}`", s.name())).collect::<Vec<_>>().join(", ")
}
