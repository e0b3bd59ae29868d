//! What `--data` takes: a source, then options.

mod error;
mod parse;

use std::fmt;
use std::path::PathBuf;

pub use error::SpecError;

/// A data set and what to do with it, as written after `--data`.
///
/// `SOURCE[,OPTION=VALUE]...`, for example `idx:mnist,binarize=threshold,limit=1000`. It parses
/// with [`str::parse`] and prints as it was written, options in the order in which they apply.
/// A path ends at the first comma.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Where the images are.
    pub source: Source,
    /// `limit=N`: only the first N images of each split. Splits are made before, so that a limit
    /// moves no image from one split to another.
    pub limit: Option<usize>,
    /// `size=HxW`: images are made this small; each new pixel is the mean of the area it covers,
    /// rounded to the nearest level. Nothing is cropped, so other proportions distort. An image is
    /// never enlarged: pixels that follow from others would flatter the bits per dimension.
    pub size: Option<(usize, usize)>,
    /// `levels=N`: a value v of L levels becomes floor(v * N / L).
    pub levels: Option<usize>,
    /// `binarize=...`: two levels; happens after `levels`.
    pub binarize: Option<Binarize>,
}

/// Where images are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `digits`: the embedded data set, 1,797 images of 8 x 8 with 17 levels: the first 1,500 are
    /// the training images, the others the test images.
    Digits,
    /// `npz:F`: an archive of NumPy with the arrays `train`, `valid`, `test`, or some of them. A
    /// whole number `levels` beside them says how many levels the values have.
    Npz(PathBuf),
    /// `npy:F`: one array of NumPy, all of it training images.
    Npy(PathBuf),
    /// `idx:F-or-DIR`: the format of MNIST, gzipped or not. A file whose name begins with `t10k` or
    /// `test` holds test images, any other one training images.
    Idx(PathBuf),
    /// `cifar10:DIR`: the binary version, `data_batch_*.bin` and `test_batch.bin`, with as many
    /// records as there are.
    Cifar10(PathBuf),
    /// `images:DIR`: PNG and JPEG files, in all folders below, in the order of their paths. With
    /// folders `train`, `valid` (or `val`), `test` these are the splits; otherwise all is training
    /// images. Grey images among coloured ones become coloured; 16-bit ones keep their upper 8 bits;
    /// what a camera notes about its orientation is not looked at.
    Images(PathBuf),
}

impl Source {
    /// Each source's word, and how it is written.
    pub const ALL: [(&'static str, &'static str); 6] = [
        ("digits", "digits"),
        ("npz", "npz:FILE"),
        ("npy", "npy:FILE"),
        ("idx", "idx:FILE-or-FOLDER"),
        ("cifar10", "cifar10:FOLDER"),
        ("images", "images:FOLDER"),
    ];
}

/// How values become one of two levels. Data that have two levels already stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binarize {
    /// 1 where the intensity, level / (L - 1), is at least one half.
    Threshold,
    /// 1 with the probability of the intensity, drawn once.
    Sample,
    /// Training images are drawn anew for every epoch; the others once, like [`Self::Sample`], so
    /// that figures can be compared.
    Resample,
}

impl Binarize {
    /// Every way.
    pub const ALL: [Binarize; 3] = [Binarize::Threshold, Binarize::Sample, Binarize::Resample];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Binarize::Threshold => "threshold",
            Binarize::Sample => "sample",
            Binarize::Resample => "resample",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Digits => write!(f, "digits"),
            Source::Npz(path) => write!(f, "npz:{}", path.display()),
            Source::Npy(path) => write!(f, "npy:{}", path.display()),
            Source::Idx(path) => write!(f, "idx:{}", path.display()),
            Source::Cifar10(path) => write!(f, "cifar10:{}", path.display()),
            Source::Images(path) => write!(f, "images:{}", path.display()),
        }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source)?;
        if let Some(n) = self.limit {
            write!(f, ",limit={n}")?;
        }
        if let Some((height, width)) = self.size {
            write!(f, ",size={height}x{width}")?;
        }
        if let Some(n) = self.levels {
            write!(f, ",levels={n}")?;
        }
        match self.binarize {
            Some(how) => write!(f, ",binarize={}", how.name()),
            None => Ok(()),
        }
    }
}
