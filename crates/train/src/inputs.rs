//! What a model's graphs are given for a batch of a data set.

use pixelrnn_data::Batch;
use pixelrnn_runtime::{Array, BatchError, BatchInputs, ConditionValues};

/// The inputs for a batch: its images, and the values of conditions.
///
/// # Errors
/// The model reads a condition, and the batch has no values of it, or they do not suit it.
pub fn feeds_of<'a>(
    inputs: &'a BatchInputs,
    batch: &Batch,
) -> Result<Vec<(&'a str, Array)>, BatchError> {
    let values = ConditionValues { labels: batch.labels.as_deref(), arrays: &batch.conditions };
    inputs.feeds(batch.images.clone(), values)
}
