//! The position of an error, and why a split is missing.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::dataset::Split;

/// A file, or an array in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// What in it: an array of an `.npz`, a file of an archive.
    pub member: Option<String>,
}

impl Place {
    pub(crate) fn file(path: &Path) -> Place {
        Place { path: path.to_path_buf(), member: None }
    }

    pub(crate) fn member(path: &Path, member: &str) -> Place {
        Place { path: path.to_path_buf(), member: Some(member.to_string()) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.member {
            None => write!(f, "{}", self.path.display()),
            Some(member) => write!(f, "{} ({member})", self.path.display()),
        }
    }
}

/// Why a source lacks a split.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
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
    #[error("array `{key}` is missing in {}", path.display())]
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
    /// There are no training images that it could be taken from.
    #[error(
        "the source has no validation images of its own, and no training images to take them from"
    )]
    NoTrain,
    /// The share of the training images that validates is less than one image.
    #[error(
        "{share} of {count} training images is less than one image; give a larger share with \
         `,holdout=SHARE`"
    )]
    TooFew {
        /// How many there are.
        count: usize,
        /// The share.
        share: f64,
    },
    /// No training image is to validate.
    #[error("`holdout=0` keeps all training images for training")]
    Off,
}
