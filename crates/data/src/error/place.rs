//! Where an error is, and why a split is missing.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::dataset::Split;

/// A file, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The part of the file: an array of an `.npz`, or a file in an archive.
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
    /// No file contains it.
    #[error("{} is missing in {}", wanted, folder.display())]
    File {
        /// The folder that was searched.
        folder: PathBuf,
        /// The name or names of the file.
        wanted: &'static str,
    },
    /// The archive has no array of this name.
    #[error("array `{key}` is missing in {}", path.display())]
    Key {
        /// The archive.
        path: PathBuf,
        /// The name of the array.
        key: &'static str,
    },
    /// The source is a single file, which contains another split.
    #[error("all of {} is `{}`", path.display(), holds.name())]
    Single {
        /// The file or folder.
        path: PathBuf,
        /// The split that it contains.
        holds: Split,
    },
    /// There are no training images from which it could be taken.
    #[error(
        "the source has no validation images of its own, and no training images to take them from"
    )]
    NoTrain,
    /// The requested share of the training images is less than one image.
    #[error(
        "{share} of {count} training images is less than one image; give a larger share with \
         `,holdout=SHARE`"
    )]
    TooFew {
        /// The number of training images.
        count: usize,
        /// The share.
        share: f64,
    },
    /// The option `holdout=0`: no training image is used for validation.
    #[error("`holdout=0` keeps all training images for training")]
    Off,
}
