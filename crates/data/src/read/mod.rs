//! Reads sources into raw images: one file and one row of [`FORMATS`] per format.

mod arrays;
mod cifar;
mod digits;
mod files;
mod idx;
mod images;
mod input;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(not(feature = "parquet"))]
mod without_parquet;
#[cfg(not(feature = "parquet"))]
use without_parquet as parquet;
mod part;
mod table;

use std::fmt;
use std::path::Path;

pub use arrays::numbers;
pub use part::{Part, Picture, REACH, Raw};

use crate::error::DataError;
use crate::spec::Spec;

/// What a reader is asked to read.
pub struct Request<'a> {
    /// The file or folder.
    pub path: &'a Path,
    /// The specification. Readers use the options `array`, `labels`, `conditions` and `range`.
    pub spec: &'a Spec,
}

/// A data format.
pub struct Format {
    /// The name of the format, before the colon.
    pub word: &'static str,
    /// How it is written together with a path.
    pub usage: &'static str,
    /// A one-line description for the help text.
    pub about: &'static str,
    /// The endings of its file names, in lower case and without `.gz`.
    pub endings: &'static [&'static str],
    /// The reader options that it supports.
    pub takes: &'static [&'static str],
    pub(crate) read: fn(&Request) -> Result<Raw, DataError>,
}

/// All formats.
pub static FORMATS: [Format; 10] = [
    Format {
        word: "digits",
        usage: "digits",
        about: "embedded: 1,797 images of 8 x 8, 17 levels, 10 classes",
        endings: &[],
        takes: &[],
        read: digits::read,
    },
    Format {
        word: "npz",
        usage: "npz:FILE-or-FOLDER",
        about: "NumPy arrays by name: train, x_test, val_images, ...; y_train, train_labels, ... are classes",
        endings: &[".npz"],
        takes: &["array", "labels", "conditions", "range"],
        read: arrays::npz,
    },
    Format {
        word: "npy",
        usage: "npy:FILE",
        about: "one NumPy array [N, H, W], [N, H, W, C] or [N, C, H, W], all training images",
        endings: &[".npy"],
        takes: &["labels", "range"],
        read: arrays::npy,
    },
    Format {
        word: "idx",
        usage: "idx:FILE-or-FOLDER",
        about: "MNIST, Fashion-MNIST, EMNIST: files, their folder, or the .zip or .tar.gz of it",
        endings: &["-ubyte", ".idx"],
        takes: &["array"],
        read: idx::read,
    },
    Format {
        word: "cifar10",
        usage: "cifar10:FOLDER-or-ARCHIVE",
        about: "CIFAR-10, binary version: the folder or cifar-10-binary.tar.gz",
        endings: &["cifar-10-binary.tar"],
        takes: &[],
        read: cifar::ten,
    },
    Format {
        word: "cifar100",
        usage: "cifar100:FOLDER-or-ARCHIVE",
        about: "CIFAR-100, binary version: the folder or cifar-100-binary.tar.gz",
        endings: &["cifar-100-binary.tar"],
        takes: &[],
        read: cifar::hundred,
    },
    Format {
        word: "csv",
        usage: "csv:FILE-or-FOLDER",
        about: "one image per line, numbers separated by commas or spaces; an extra first number is the label",
        endings: &[".csv"],
        takes: &["range"],
        read: table::csv,
    },
    Format {
        word: "amat",
        usage: "amat:FILE-or-FOLDER",
        about: "the .amat format of binarized MNIST, which is published as *_train.amat, *_valid.amat, ...",
        endings: &[".amat"],
        takes: &["range"],
        read: table::amat,
    },
    Format {
        word: "parquet",
        usage: "parquet:FILE-or-FOLDER",
        about: "Hugging Face's image data sets (in builds with the feature `parquet`)",
        endings: &[".parquet"],
        takes: &["array", "labels"],
        read: parquet::read,
    },
    Format {
        word: "images",
        usage: "images:FOLDER-or-ARCHIVE",
        about: "PNG, JPEG, WebP, BMP, TIFF, GIF; folders train, val, test are splits, those below are classes",
        endings: &[],
        takes: &[],
        read: images::read,
    },
];

impl Format {
    /// Whether it needs a path.
    pub fn has_path(&self) -> bool {
        self.usage.contains(':')
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Format) -> bool {
        self.word == other.word
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word)
    }
}
