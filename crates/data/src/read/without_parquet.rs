//! `parquet:FILE-or-FOLDER` in builds without the feature.

use super::Request;
use super::part::Raw;
use crate::error::{DataError, Place};

/// Says how to read it after all.
pub fn read(request: &Request) -> Result<Raw, DataError> {
    let what = "this build does not read Parquet: build with `--features parquet`, or save its \
                images as files in folders, or as arrays with numpy.savez";
    Err(DataError::Unsupported { place: Place::file(request.path), what: what.to_string() })
}
