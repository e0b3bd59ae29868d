//! What `--data` takes: a source, then options.

mod error;
mod help;
mod options;
mod parse;
mod text;

use std::fmt;
use std::path::PathBuf;

pub use error::SpecError;
pub use help::help;
pub use options::{OPTIONS, SpecOption};
use text::quoted;

use crate::read::Format;

/// A data set and what to do with it, as written after `--data`.
///
/// `SOURCE[,OPTION=VALUE]...`, for example `idx:mnist,binarize=threshold,limit=1000`. It parses
/// with [`str::parse`] and prints as it was written, options in the order in which they apply,
/// which is that of [`OPTIONS`]. A path ends at the first comma, unless it is written in quotes.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Where the images are.
    pub source: Source,
    /// `array=NAME`: which of several arrays or sets.
    pub array: Option<String>,
    /// `labels=NAME`: the array, or for `npy` the file, that holds the classes.
    pub labels: Option<String>,
    /// `range=LOW:HIGH`: the value that becomes level 0, and the one that becomes level 255.
    pub range: Option<(f64, f64)>,
    /// `holdout=SHARE`: how many of the training images validate, where the source has no
    /// validation images; a tenth by default.
    pub holdout: Option<f64>,
    /// `shuffle=N|off`: how validation images and a limit are chosen; seed 0 by default.
    pub shuffle: Option<Shuffle>,
    /// `limit=N`: only N images of each split. Splits are made before, so that a limit moves no
    /// image from one split to another.
    pub limit: Option<usize>,
    /// `crop=HxW`: the middle of each image.
    pub crop: Option<(usize, usize)>,
    /// `fit=crop|pad|squash`: how an image of other proportions gets the size.
    pub fit: Option<Fit>,
    /// `size=HxW`: images are made this small; each new pixel is the mean of the area it covers,
    /// rounded to the nearest level. An image is never enlarged: pixels that follow from others
    /// would flatter the bits per dimension.
    pub size: Option<(usize, usize)>,
    /// `colours=1|3`: grayscale, or red, green and blue.
    pub colours: Option<usize>,
    /// `levels=N`: a value v of L levels becomes floor(v * N / L).
    pub levels: Option<usize>,
    /// `binarize=...`: two levels; happens after `levels`.
    pub binarize: Option<Binarize>,
}

impl Spec {
    /// A source without any option.
    pub fn new(source: Source) -> Spec {
        Spec {
            source,
            array: None,
            labels: None,
            range: None,
            holdout: None,
            shuffle: None,
            limit: None,
            crop: None,
            fit: None,
            size: None,
            colours: None,
            levels: None,
            binarize: None,
        }
    }
}

/// Where images are: a format, and a path unless they are embedded.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// How they are read; one of [`FORMATS`](crate::FORMATS).
    pub format: &'static Format,
    /// The path as it was written.
    pub path: Option<PathBuf>,
}

impl Source {
    /// The path to open: `~` at its beginning is the home folder.
    pub fn location(&self) -> PathBuf {
        let written = self.path.clone().unwrap_or_default();
        text::expand_home(&written).unwrap_or(written)
    }
}

/// How validation images and the images of a limit are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shuffle {
    /// At random, with this seed, evenly over the order of the data, and in equal shares of every
    /// class where there are labels.
    Seed(u64),
    /// In the order of the data: the last ones validate, a limit keeps the first ones.
    Off,
}

/// How an image of other proportions than `size` gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Cut off what is too much on two opposite sides, equally.
    Crop,
    /// Add black on two opposite sides, equally.
    Pad,
    /// Change the proportions.
    Squash,
}

impl Fit {
    /// Every way, by its name.
    pub const ALL: [(&'static str, Fit); 3] =
        [("crop", Fit::Crop), ("pad", Fit::Pad), ("squash", Fit::Squash)];
}

/// How values become one of two levels. Data that have two levels already stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binarize {
    /// 1 where the intensity, level / (L - 1), is at least one half.
    Threshold,
    /// 1 with the probability of the intensity, drawn once.
    Sample,
    /// Training images are resampled every epoch; the others are sampled once, like [`Self::Sample`],
    /// so that results are comparable.
    Resample,
}

impl Binarize {
    /// Every way, by its name.
    pub const ALL: [(&'static str, Binarize); 3] = [
        ("threshold", Binarize::Threshold),
        ("sample", Binarize::Sample),
        ("resample", Binarize::Resample),
    ];
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.format.word)?;
        match &self.path {
            Some(path) => write!(f, ":{}", quoted(&path.to_string_lossy())),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source)?;
        for option in &OPTIONS {
            if let Some(value) = (option.show)(self) {
                write!(f, ",{}={}", option.word, quoted(&value))?;
            }
        }
        Ok(())
    }
}
