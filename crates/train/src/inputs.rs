//! The inputs that a batch of a data set provides for a model's graphs.

use pixelrnn_data::Batch;
use pixelrnn_runtime::{Array, BatchError, BatchInputs, ConditionValues};

/// The inputs for a batch: its images, and the values of conditions.
///
/// # Errors
/// [`BatchError`] if the model reads a condition and the batch has no values for it, or invalid ones.
pub fn feeds_of<'a>(
    inputs: &'a BatchInputs,
    batch: &Batch,
) -> Result<Vec<(&'a str, Array)>, BatchError> {
    let values = ConditionValues { labels: batch.labels.as_deref(), arrays: &batch.conditions };
    inputs.feeds(batch.images.clone(), values)
}
