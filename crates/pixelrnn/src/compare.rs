//! Comparison of the results of several engines.

use std::borrow::Cow;

use pixelrnn_ops::{Batch, PixelGraph};
use pixelrnn_passes::{LEARNING_RATE, Weights, bind, fresh_state};
use pixelrnn_runtime::{BatchInputs, ConditionValues, Engine, Program};

use crate::{Array, Declaration, Error, ExportOptions, GraphKind};

/// The tolerance between two engines: `absolute + relative * scale`, where the scale is the largest
/// magnitude in the output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// The absolute part.
    pub absolute: f64,
    /// The part relative to the scale.
    pub relative: f64,
}

/// The tolerance for f32 engines on the CPU, and on CUDA without TF32.
pub const TOLERANCE: Tolerance = Tolerance { absolute: 1e-5, relative: 1e-4 };

/// The difference of one output between two engines.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// The name of the output.
    pub output: String,
    /// The names of the two engines.
    pub engines: [String; 2],
    /// The largest absolute difference.
    pub absolute: f64,
    /// The largest absolute difference, divided by the largest magnitude in the output.
    pub relative: f64,
    /// Whether the engines agree within [`TOLERANCE`].
    pub within: bool,
}

/// Compares two arrays. Different shapes and NaN never agree.
pub fn difference(a: &Array, b: &Array, tolerance: Tolerance) -> (f64, f64, bool) {
    if a.shape() != b.shape() {
        return (f64::INFINITY, f64::INFINITY, false);
    }
    let mut worst = 0.0f64;
    let mut scale = 0.0f64;
    for (&x, &y) in a.iter().zip(b.iter()) {
        let (x, y) = (f64::from(x), f64::from(y));
        let d = (x - y).abs();
        if !d.is_finite() {
            return (f64::INFINITY, f64::INFINITY, false);
        }
        worst = worst.max(d);
        scale = scale.max(x.abs()).max(y.abs());
    }
    let relative = if scale > 0.0 { worst / scale } else { 0.0 };
    (worst, relative, worst <= tolerance.absolute + tolerance.relative * scale)
}

/// The named inputs of a batch: images, and labels for a class-conditional model.
///
/// # Errors
/// The model is class-conditional and the labels are missing or out of range.
pub fn batch_inputs(
    model: &Declaration,
    images: Array,
    labels: Option<&[u32]>,
) -> Result<Vec<(String, Array)>, Error> {
    batch_inputs_with(model, images, ConditionValues { labels, arrays: &[] })
}

/// The named inputs of a batch: images, and the values of all conditions.
///
/// # Errors
/// Values of a condition are missing or invalid.
pub fn batch_inputs_with(
    model: &Declaration,
    images: Array,
    values: ConditionValues,
) -> Result<Vec<(String, Array)>, Error> {
    let mut inputs = BatchInputs::of(model.graph())?;
    // Includes conditions that only a smaller scale reads.
    inputs.conditions = model.conditions().to_vec();
    let feeds = inputs.feeds(images, values)?;
    Ok(feeds.into_iter().map(|(name, array)| (name.to_string(), array)).collect())
}

/// A compiled graph of a model, with its inputs other than images.
pub struct Prepared {
    /// The encoded model.
    pub onnx: Vec<u8>,
    /// The graph that it was compiled from.
    pub graph: PixelGraph,
    /// The other inputs: none if weights are constants. For [`GraphKind::Train`]: parameters, initial
    /// optimizer states and a learning rate.
    pub feeds: Vec<(String, Array)>,
}

/// Compiles a graph of a model with these weights and options. The weights become constants, unless the graph
/// trains them.
///
/// # Errors
/// The graph cannot be compiled, or the weights do not fit.
pub fn prepare(
    model: &Declaration,
    kind: GraphKind,
    weights: &Weights,
    options: &ExportOptions,
) -> Result<Prepared, Error> {
    let trains = kind == GraphKind::Train;
    let options = ExportOptions { weights: (!trains).then_some(weights), ..options.clone() };
    let (graph, onnx) = model.compile_both(kind, &options, &mut |_, _| {})?;
    let onnx = model.encode(kind, &options, &onnx)?;
    let part = model.part(&graph, Cow::Borrowed(weights))?;
    let bound = bind(&graph, &part).map_err(pixelrnn_passes::PassError::from)?;
    if !trains {
        return Ok(Prepared { onnx, graph: bound, feeds: Vec::new() });
    }
    let mut feeds: Vec<(String, Array)> =
        fresh_state(weights, &options.optimizer).into_iter().collect();
    feeds.push((LEARNING_RATE.to_string(), Array::from_elem(vec![1], 1e-3)));
    Ok(Prepared { onnx, graph, feeds })
}

/// Runs one graph of a model on every engine with the same inputs (its images and conditions; see
/// [`batch_inputs`]), and compares every pair.
///
/// # Errors
/// The graph cannot be compiled, or an engine fails.
pub fn compare(
    model: &Declaration,
    kind: GraphKind,
    weights: &Weights,
    batch: Batch,
    inputs: &[(String, Array)],
    engines: &[Box<dyn Engine>],
) -> Result<Vec<Difference>, Error> {
    let Prepared { onnx, graph, feeds } =
        prepare(model, kind, weights, &ExportOptions { batch, ..ExportOptions::default() })?;
    let program = Program { name: model.name(), onnx: &onnx, graph: Some(&graph) };
    let inputs: Vec<(&str, &Array)> =
        inputs.iter().chain(&feeds).map(|(name, array)| (name.as_str(), array)).collect();
    let mut results = Vec::new();
    for engine in engines {
        let mut session = engine.load(&program)?;
        results.push((engine.name(), session.run(&inputs)?));
    }
    let mut differences = Vec::new();
    for (i, (first, a)) in results.iter().enumerate() {
        for (second, b) in &results[i + 1..] {
            for ((output, x), (_, y)) in a.iter().zip(b) {
                let (absolute, relative, within) = difference(x, y, TOLERANCE);
                differences.push(Difference {
                    output: output.clone(),
                    engines: [(*first).to_string(), (*second).to_string()],
                    absolute,
                    relative,
                    within,
                });
            }
        }
    }
    Ok(differences)
}
