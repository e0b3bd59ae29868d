//! The pipeline: runs the passes of the tables [`MAKING`] and [`LOWERING`], which `lib.rs` holds. The
//! structural verifier runs after each.

use std::fmt;

use pixelrnn_graph::{BuildError, Fault, verify};
use pixelrnn_onnx::OnnxGraph;
use pixelrnn_ops::{AdjointError, Batch, LowerError, PixelGraph, lower_graph};

use crate::bind::{BindError, Weights};
use crate::causality::CausalProof;
use crate::dtype::Dtype;
use crate::images::ImageFormat;
use crate::kind::GraphKind;
use crate::scales::{Scale, merge_scales};
use crate::stream::{SampleError, SampleOptions};
use crate::training_step::Optimizer;
use crate::{bind, stream};

pub use crate::{LOWERING, MAKING};

/// How a recurrence is written in the emitted model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlFlow {
    /// As `Scan`.
    Scan,
    /// Step by step, for toolchains without control flow.
    Unroll,
}

impl ControlFlow {
    /// Every form.
    pub const ALL: [ControlFlow; 2] = [ControlFlow::Scan, ControlFlow::Unroll];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            ControlFlow::Scan => "scan",
            ControlFlow::Unroll => "unroll",
        }
    }
}

pixelrnn_graph::named!(ControlFlow, "control flow");

/// What to compile, and to what.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    /// The model: one scale, or several, the image itself last.
    pub scales: &'a [Scale],
    /// Demanded by the kinds that make images.
    pub proof: Option<&'a CausalProof>,
    /// Which graph.
    pub kind: GraphKind,
    /// How images are drawn, for the kinds that do.
    pub sample: SampleOptions,
    /// How parameters are updated, for the kinds that do.
    pub optimizer: Optimizer,
    /// Whether gradients recompute activations instead of storing them, for the kinds that have any.
    pub remat: bool,
    /// The number of images in a batch.
    pub batch: Batch,
    /// How recurrences are written.
    pub control_flow: ControlFlow,
    /// Become constants; without them parameters stay inputs.
    pub weights: Option<&'a Weights>,
    /// Whether to run the passes that change nothing but speed.
    pub simplify: bool,
    /// In how many bits, for the kinds that do not train.
    pub dtype: Dtype,
    /// How images are taken and given.
    pub images: ImageFormat,
    /// Whether other engines than ONNX Runtime are to take the model.
    pub portable: bool,
    /// Whether the engine of this process is to use operators of its own.
    pub native: bool,
}

impl<'a> Job<'a> {
    /// A job with the defaults of everything else.
    pub fn new(scales: &'a [Scale], kind: GraphKind) -> Job<'a> {
        Job {
            scales,
            proof: None,
            kind,
            sample: SampleOptions::default(),
            optimizer: Optimizer::RMSPROP,
            remat: false,
            batch: Batch::Symbolic,
            control_flow: ControlFlow::Scan,
            weights: None,
            simplify: true,
            dtype: Dtype::F32,
            images: ImageFormat::default(),
            portable: true,
            native: false,
        }
    }
}

/// What a pass does.
#[derive(Clone, Copy)]
pub enum Step {
    /// To the graph of each scale; the number is its place among them.
    Scale(fn(&PixelGraph, &Job, usize) -> Result<PixelGraph, PassError>),
    /// The scales become one graph.
    Merge,
    /// To a graph of the pixel IR.
    Pixel(fn(&PixelGraph) -> Result<PixelGraph, BuildError>),
    /// The same, with what the job says.
    Make(fn(&PixelGraph, &Job) -> Result<PixelGraph, PassError>),
    /// From the pixel IR to ONNX.
    Lower,
    /// To an ONNX graph.
    Onnx(fn(&OnnxGraph) -> Result<OnnxGraph, BuildError>),
    /// The same, with what the job says.
    OnnxJob(fn(&OnnxGraph, &Job) -> Result<OnnxGraph, BuildError>),
    /// To an ONNX graph that is used up, so that large constants are not kept.
    OnnxOwned(fn(OnnxGraph, &Job) -> Result<OnnxGraph, PassError>),
}

/// One line of the pipeline.
pub struct Pass {
    /// The one name of the pass.
    pub name: &'static str,
    /// What it does, in a few words.
    pub about: &'static str,
    /// Whether it runs for a job.
    pub when: fn(&Job) -> bool,
    /// What it takes and returns.
    pub step: Step,
}

pub(crate) const fn pass(
    name: &'static str,
    about: &'static str,
    when: fn(&Job) -> bool,
    step: Step,
) -> Pass {
    Pass { name, about, when, step }
}

pub(crate) const ALWAYS: fn(&Job) -> bool = |_| true;
pub(crate) const SIMPLIFYING: fn(&Job) -> bool = |job| job.simplify;
pub(crate) const DIFFERENTIATING: fn(&Job) -> bool = |job| job.kind.differentiates();
pub(crate) const SAMPLING: fn(&Job) -> bool = |job| job.kind.samples();

/// All passes, in order.
pub fn passes() -> impl Iterator<Item = &'static Pass> {
    MAKING.iter().chain(LOWERING)
}

pub(crate) fn build(pass: &'static str) -> impl Fn(BuildError) -> PassError {
    move |error| PassError::Build { pass, error }
}

pub(crate) fn stream_pass(
    _: &PixelGraph,
    job: &Job,
    scale: usize,
) -> Result<PixelGraph, PassError> {
    let proved = job.proof.and_then(|proof| proof.scales().get(scale));
    let proved = proved.ok_or(PassError::NoProof)?;
    let alone = job.scales.len() == 1;
    let graph = match job.kind {
        GraphKind::Step | GraphKind::Row if !alone => Err(stream::SCALES.into()),
        GraphKind::Step => stream::step(proved, &job.sample),
        GraphKind::Row => stream::row(proved),
        _ => stream::sample(proved, &job.sample),
    };
    graph.map_err(PassError::Sample)
}

pub(crate) fn bind_pass(graph: OnnxGraph, job: &Job) -> Result<OnnxGraph, PassError> {
    match job.weights {
        Some(weights) => Ok(bind::bind_onnx(&graph, weights)?),
        None => Ok(graph),
    }
}

/// Why compilation stopped.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PassError {
    /// A pass could not build its graph.
    #[error("pass {pass}: {error}")]
    Build {
        /// The name of the pass.
        pass: &'static str,
        /// The node that could not be added, and why.
        error: BuildError,
    },
    /// The verifier rejects the graph that a pass made.
    #[error("pass {pass} produced an invalid graph: {fault}")]
    Broken {
        /// The name of the pass.
        pass: &'static str,
        /// What is wrong with the graph.
        fault: Fault,
    },
    /// The weights do not fit.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A node has no gradient.
    #[error("pass {pass}: {error}")]
    Differentiate {
        /// The name of the pass.
        pass: &'static str,
        /// The node, and why.
        #[source]
        error: AdjointError,
    },
    /// A node cannot be lowered to ONNX.
    #[error("pass lower: {0}")]
    Lower(#[source] LowerError),
    /// The model cannot be sampled.
    #[error(transparent)]
    Sample(SampleError),
    /// Sampling was asked for without a proof of causality.
    #[error("pass stream: sampling requires a proof that the model is causal")]
    NoProof,
}

/// Called after each pass with its name and the graph it left.
pub type Observe<'o> = dyn FnMut(&'static str, &dyn fmt::Display) + 'o;

/// Makes the graph of a job, in the pixel IR.
///
/// # Errors
/// [`PassError::NoProof`] and [`PassError::Sample`] for the kinds that make images; anything else is a
/// fault of this crate, caught by the verifier.
pub fn make(job: &Job, observe: &mut Observe) -> Result<PixelGraph, PassError> {
    let mut scales = job.scales.to_vec();
    let mut whole: Option<PixelGraph> = None;
    for pass in MAKING.iter().filter(|pass| (pass.when)(job)) {
        let name = pass.name;
        let broken = |fault| PassError::Broken { pass: name, fault };
        let merged = || whole.as_ref().ok_or(BuildError::internal(name, "scales are not merged"));
        whole = match pass.step {
            Step::Scale(run) => {
                for (i, scale) in scales.iter_mut().enumerate() {
                    scale.graph = run(&scale.graph, job, i)?;
                    verify(&scale.graph).map_err(broken)?;
                    observe(name, &scale.graph);
                }
                continue;
            }
            Step::Merge => Some(merge_scales(&scales).map_err(build(name))?),
            Step::Pixel(run) => Some(merged().and_then(run).map_err(build(name))?),
            Step::Make(run) => Some(run(merged().map_err(build(name))?, job)?),
            Step::Lower | Step::Onnx(_) | Step::OnnxJob(_) | Step::OnnxOwned(_) => {
                return Err(build(name)(BuildError::internal(name, "it does not make a graph")));
            }
        };
        if let Some(graph) = &whole {
            verify(graph).map_err(broken)?;
            observe(name, graph);
        }
    }
    whole.ok_or_else(|| build("merge_scales")(BuildError::internal("model", "nothing was made")))
}

/// Compiles a graph that [`make()`] gave for the same job to ONNX.
///
/// # Errors
/// Weights that do not fit; anything else is a fault of this crate, caught by the verifier.
pub fn lower(graph: &PixelGraph, job: &Job, observe: &mut Observe) -> Result<OnnxGraph, PassError> {
    let mut pixel = graph.clone();
    let mut onnx = OnnxGraph::new(graph.name.clone());
    for pass in LOWERING.iter().filter(|pass| (pass.when)(job)) {
        let name = pass.name;
        let broken = |fault| PassError::Broken { pass: name, fault };
        match pass.step {
            Step::Pixel(run) => pixel = run(&pixel).map_err(build(name))?,
            Step::Make(run) => pixel = run(&pixel, job)?,
            Step::Lower => onnx = lower_graph(&pixel, job.batch).map_err(PassError::Lower)?,
            Step::Onnx(run) => onnx = run(&onnx).map_err(build(name))?,
            Step::OnnxJob(run) => onnx = run(&onnx, job).map_err(build(name))?,
            Step::OnnxOwned(run) => {
                let empty = OnnxGraph::new(graph.name.clone());
                onnx = run(std::mem::replace(&mut onnx, empty), job)?;
            }
            Step::Scale(_) | Step::Merge => {
                return Err(build(name)(BuildError::internal(name, "it does not lower a graph")));
            }
        }
        match pass.step {
            Step::Lower | Step::Onnx(_) | Step::OnnxJob(_) | Step::OnnxOwned(_) => {
                verify(&onnx).map_err(broken)?;
                observe(name, &onnx);
            }
            _ => {
                verify(&pixel).map_err(broken)?;
                observe(name, &pixel);
            }
        }
    }
    Ok(onnx)
}
