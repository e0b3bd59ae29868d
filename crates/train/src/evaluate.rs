//! The figure that is reported: the mean negative log-likelihood of a split.

use pixelrnn_data::{Dataset, Shape, Split};
use pixelrnn_graph::Array;
use pixelrnn_passes::Weights;
use pixelrnn_runtime::Session;

use crate::{BatchInputs, TrainError};

/// What a model makes of images it is not trained on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Mean over all images.
    pub nats_per_image: f64,
    /// That, over ln 2 times the values of an image.
    pub bits_per_dim: f64,
    /// How many images.
    pub images: usize,
}

/// Nats per image as bits per dimension.
pub fn bits_per_dim(nats: f64, shape: Shape) -> f64 {
    nats / (std::f64::consts::LN_2 * shape.values() as f64)
}

/// Evaluates a session of the graph `nll` on a whole split. `inputs`: what it takes from the data;
/// `weights`: what it takes beside that, none where they are constants. `observe` is told how many images are done.
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
        true
    };
    let figures = evaluate_while(session, inputs, weights, data, split, batch, go_on)?;
    // It always goes on.
    let nats = figures.map_or(f64::NAN, |figures| figures.nats_per_image);
    let figures = figures.filter(|_| nats.is_finite());
    figures.ok_or(TrainError::NoFigure { split: split.name(), nats })
}

/// As [`evaluate`]; gives nothing if `go_on` says no, which is asked after each batch with the
/// number of images done.
pub(crate) fn evaluate_while(
    session: &mut dyn Session,
    from_data: &BatchInputs,
    weights: &Weights,
    data: &Dataset,
    split: Split,
    batch: usize,
    mut go_on: impl FnMut(usize) -> bool,
) -> Result<Option<Figures>, TrainError> {
    let (mut sum, mut images) = (0.0f64, 0usize);
    for batch in data.sequential(split, batch)? {
        let batch = batch?;
        let feeds = from_data.feeds(batch.images.clone(), batch.labels.as_deref())?;
        let mut inputs: Vec<(&str, &Array)> = feeds.iter().map(|(name, a)| (*name, a)).collect();
        inputs.extend(weights.iter().map(|(name, array)| (name.as_str(), array)));
        let results = session.run(&inputs)?;
        // Image by image: the last batch may be smaller, and its images weigh the same.
        sum += results.iter().flat_map(|(_, nll)| nll).map(|&x| f64::from(x)).sum::<f64>();
        images += batch.indices.len();
        if !go_on(images) {
            return Ok(None);
        }
    }
    let nats_per_image = sum / images as f64;
    let bits_per_dim = bits_per_dim(nats_per_image, data.shape());
    Ok(Some(Figures { nats_per_image, bits_per_dim, images }))
}
