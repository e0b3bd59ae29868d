//! All tests of this crate in one binary. They read files that they write themselves.

#[path = "all/archives.rs"]
mod archives;
#[path = "all/arrays.rs"]
mod arrays;
#[path = "all/batches.rs"]
mod batches;
#[path = "all/conditions.rs"]
mod conditions;
#[path = "all/damage.rs"]
mod damage;
#[path = "all/digits.rs"]
mod digits;
#[path = "all/folders.rs"]
mod folders;
#[path = "all/geometry.rs"]
mod geometry;
#[path = "all/labels.rs"]
mod labels;
#[path = "all/memory.rs"]
mod memory;
#[path = "all/numpy.rs"]
mod numpy;
#[path = "all/options.rs"]
mod options;
#[cfg(feature = "parquet")]
#[path = "all/parquet.rs"]
mod parquet;
#[path = "all/photos.rs"]
mod photos;
#[path = "all/pictures.rs"]
mod pictures;
#[path = "all/spec.rs"]
mod spec;
#[path = "all/tables.rs"]
mod tables;
#[path = "all/write/mod.rs"]
mod write;

use std::path::Path;

use pixelrnn_data::{DataError, Dataset, Spec, Split};

/// Loads a data set with seed 0.
fn load(text: &str) -> Result<Dataset, DataError> {
    text.parse::<Spec>().unwrap_or_else(|e| panic!("{text}: {e}")).load(0)
}

/// A specification: `source:path`, followed by options.
fn spec(source: &str, path: &Path, options: &str) -> String {
    format!("{source}:{}{options}", path.display())
}

/// The error of a specification that must not load.
fn complaint(text: &str) -> String {
    match load(text) {
        Ok(_) => panic!("{text} loads"),
        Err(error) => error.to_string(),
    }
}

/// Asserts that a text contains all of these words.
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
}

fn pixels(data: &Dataset, split: Split) -> Vec<u8> {
    let images = data.images(split).and_then(|images| images.pixels());
    images.unwrap_or_else(|e| panic!("{e}"))
}
