//! The data set specification after `--data`: a source, then options.

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

/// A data set specification, as given with `--data`: `SOURCE[,OPTION=VALUE]...`, for example
/// `idx:mnist,binarize=threshold,limit=1000`.
///
/// It is parsed with [`str::parse`]. Printing it gives the same text, with the options in the order
/// in which they apply, which is that of [`OPTIONS`]. A path ends at the first comma, unless it is
/// in quotes.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// The source of the images.
    pub source: Source,
    /// `array=NAME`: which of several arrays or sets to read.
    pub array: Option<String>,
    /// `labels=NAME`: the array (for `npy`, the file) with the classes.
    pub labels: Option<String>,
    /// `conditions=NAME+NAME`: the arrays that a model is conditioned on, in `npz`.
    pub conditions: Option<Vec<String>>,
    /// `range=LOW:HIGH`: the value that becomes level 0, and the one that becomes level 255.
    pub range: Option<(f64, f64)>,
    /// `holdout=SHARE`: share of training images to use for validation if the source has no validation
    /// images; 0.1 by default.
    pub holdout: Option<f64>,
    /// `shuffle=N|off`: seed for choosing validation images and those of a limit; 0 by default.
    pub shuffle: Option<Shuffle>,
    /// `limit=N`: keep N images of each split. It applies after splitting, so no image moves to
    /// another split.
    pub limit: Option<usize>,
    /// `crop=HxW`: crop the center of each image.
    pub crop: Option<(usize, usize)>,
    /// `fit=crop|pad|squash`: how an image of other proportions is brought to `size`.
    pub fit: Option<Fit>,
    /// `size=HxW`: the size to which images are reduced. Each new pixel is the mean of the area
    /// that it covers, rounded to the nearest level. Images are never enlarged: interpolated pixels
    /// are easy to predict, so the bits per dimension would be too low.
    pub size: Option<(usize, usize)>,
    /// `colours=1|3`: grayscale, or red, green and blue.
    pub colours: Option<usize>,
    /// `levels=N`: a value v of L levels becomes floor(v * N / L).
    pub levels: Option<usize>,
    /// `binarize=...`: reduce to two levels, after `levels`.
    pub binarize: Option<Binarize>,
}

impl Spec {
    /// A specification without options.
    pub fn new(source: Source) -> Spec {
        Spec {
            source,
            array: None,
            labels: None,
            conditions: None,
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

/// A source of images: a format, and a path unless the images are embedded.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The format, one of [`FORMATS`](crate::FORMATS).
    pub format: &'static Format,
    /// The path as it was written.
    pub path: Option<PathBuf>,
}

impl Source {
    /// The path to open, in which a leading `~` is replaced by the home folder.
    pub fn location(&self) -> PathBuf {
        let written = self.path.clone().unwrap_or_default();
        text::expand_home(&written).unwrap_or(written)
    }
}

/// How validation images and the images of a limit are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shuffle {
    /// At random with this seed, evenly over the order of the data, stratified by class if there are labels.
    Seed(u64),
    /// In the order of the data: the last images for validation, the first images for a limit.
    Off,
}

/// How an image whose proportions differ from `size` is brought to this size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fit {
    /// Crop two opposite sides equally.
    Crop,
    /// Pad two opposite sides equally with black.
    Pad,
    /// Distort the image.
    Squash,
}

impl Fit {
    /// All variants, by name.
    pub const ALL: [(&'static str, Fit); 3] =
        [("crop", Fit::Crop), ("pad", Fit::Pad), ("squash", Fit::Squash)];
}

/// The reduction to two levels. Data with two levels do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Binarize {
    /// 1 if the intensity, level / (L - 1) for L levels, is at least one half.
    Threshold,
    /// 1 with a probability equal to the intensity, sampled once.
    Sample,
    /// Training images are sampled again every epoch. The others are sampled once, like
    /// [`Self::Sample`], so that results are comparable.
    Resample,
}

impl Binarize {
    /// All variants, by name.
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
