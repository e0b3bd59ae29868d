//! `parquet:FILE-or-FOLDER` in builds without the feature `parquet`.

use super::Request;
use super::part::Raw;
use crate::error::{DataError, Place};

/// Returns an error that says how to read such files.
pub fn read(request: &Request) -> Result<Raw, DataError> {
    let what = "this build does not read Parquet: build with `--features parquet`, or save its \
                images as files in folders, or as arrays with numpy.savez";
    Err(DataError::Unsupported { place: Place::file(request.path), what: what.to_string() })
}
