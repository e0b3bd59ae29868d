//! Evaluation: the mean negative log-likelihood of a split.

use pixelrnn_data::{Dataset, Shape, Split};
use pixelrnn_graph::Array;
use pixelrnn_passes::Weights;
use pixelrnn_runtime::{BatchInputs, Session};

use crate::{TrainError, feeds_of};

/// The result of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Figures {
    /// The mean negative log-likelihood of an image in nats.
    pub nats_per_image: f64,
    /// Nats per image / (ln 2 * values per image).
    pub bits_per_dim: f64,
    /// The number of images.
    pub images: usize,
}

/// Converts nats per image to bits per dimension.
pub fn bits_per_dim(nats: f64, shape: Shape) -> f64 {
    nats / (std::f64::consts::LN_2 * shape.values() as f64)
}

/// Evaluates a session of the graph `nll` on a whole split. `inputs` are the inputs that come from the data,
/// `weights` the other inputs (none if weights are constants). Calls `observe` with the number of images done
/// so far.
///
/// # Errors
/// The data have no such split, the engine fails, or the result is not finite.
pub fn evaluate(
    session: &mut dyn Session,
    inputs: &BatchInputs,
    weights: &Weights,
    data: &Dataset,
    split: Split,
    batch: usize,
    observe: &mut dyn FnMut(usize),
) -> Result<Figures, TrainError> {
    let go_on = |images| {
        observe(images);
        Ok(true)
    };
    let figures = evaluate_while(session, inputs, weights, data, split, batch, go_on)?;
    // Always `Some`, since `go_on` always returns true.
    let nats = figures.map_or(f64::NAN, |figures| figures.nats_per_image);
    let figures = figures.filter(|_| nats.is_finite());
    figures.ok_or(TrainError::NoFigure { split: split.name(), nats })
}

/// Like [`evaluate`]. Calls `go_on` with the number of images done after each batch, and returns `None`
/// if it returns false.
pub(crate) fn evaluate_while(
    session: &mut dyn Session,
    from_data: &BatchInputs,
    weights: &Weights,
    data: &Dataset,
    split: Split,
    batch: usize,
    mut go_on: impl FnMut(usize) -> Result<bool, TrainError>,
) -> Result<Option<Figures>, TrainError> {
    let (mut sum, mut images) = (0.0f64, 0usize);
    for batch in data.sequential(split, batch)? {
        let batch = batch?;
        let feeds = feeds_of(from_data, &batch)?;
        let mut inputs: Vec<(&str, &Array)> = feeds.iter().map(|(name, a)| (*name, a)).collect();
        inputs.extend(weights.iter().map(|(name, array)| (name.as_str(), array)));
        let results = session.run(&inputs)?;
        // Summed over images, not batches: the last batch may be smaller, but its images have the same
        // weight.
        sum += results.iter().flat_map(|(_, nll)| nll).map(|&x| f64::from(x)).sum::<f64>();
        images += batch.indices.len();
        if !go_on(images)? {
            return Ok(None);
        }
    }
    let nats_per_image = sum / images as f64;
    let bits_per_dim = bits_per_dim(nats_per_image, data.shape());
    Ok(Some(Figures { nats_per_image, bits_per_dim, images }))
}
