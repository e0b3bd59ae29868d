//! The pipeline: runs the passes of the tables [`MAKING`] and [`LOWERING`] in `lib.rs`, and the structural
//! verifier after each of them.

use std::borrow::Cow;
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

/// How recurrences are expressed in the exported model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlFlow {
    /// As the ONNX operator `Scan`.
    Scan,
    /// Unrolled step by step, for toolchains without control flow.
    Unroll,
}

impl ControlFlow {
    /// All forms.
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

/// What to compile, and the options of the compiler.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    /// The scales of the model. The image itself is last.
    pub scales: &'a [Scale],
    /// A proof of causality. The kinds of graphs that make images require it.
    pub proof: Option<&'a CausalProof>,
    /// The kind of graph.
    pub kind: GraphKind,
    /// How images are drawn, for the kinds that draw.
    pub sample: SampleOptions,
    /// How parameters are updated, for the kinds that train.
    pub optimizer: Optimizer,
    /// Whether gradients recompute activations instead of storing them, for the kinds that have gradients.
    pub remat: bool,
    /// The batch size.
    pub batch: Batch,
    /// How recurrences are expressed.
    pub control_flow: ControlFlow,
    /// Weights to bind as constants. Without them, parameters are inputs. Owned weights are moved into the
    /// graph, so that they are in memory only once.
    pub weights: Option<Cow<'a, Weights>>,
    /// Whether to run the passes that only improve speed.
    pub simplify: bool,
    /// The precision, for the kinds that do not train.
    pub dtype: Dtype,
    /// The format of image inputs and outputs.
    pub images: ImageFormat,
    /// Whether the model must run in other engines than ONNX Runtime.
    pub portable: bool,
    /// Whether to use operators that only the engine of this process has.
    pub native: bool,
}

impl<'a> Job<'a> {
    /// A job with default options.
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

/// The function of a pass, by its kind of input and output.
#[derive(Clone, Copy)]
pub enum Step {
    /// Transforms the graph of each scale. The number is the index of the scale.
    Scale(fn(&PixelGraph, &Job, usize) -> Result<PixelGraph, PassError>),
    /// Merges the scales into one graph.
    Merge,
    /// Transforms a graph of the pixel IR.
    Pixel(fn(&PixelGraph) -> Result<PixelGraph, BuildError>),
    /// The same, with the options of the job.
    Make(fn(&PixelGraph, &Job) -> Result<PixelGraph, PassError>),
    /// Lowers the pixel IR to ONNX.
    Lower,
    /// Transforms an ONNX graph.
    Onnx(fn(&OnnxGraph) -> Result<OnnxGraph, BuildError>),
    /// The same, with the options of the job.
    OnnxJob(fn(&OnnxGraph, &Job) -> Result<OnnxGraph, BuildError>),
    /// The same, consuming the graph, so that large constants are not kept twice.
    OnnxOwned(fn(OnnxGraph) -> Result<OnnxGraph, BuildError>),
    /// Replaces parameters by the weights of the job, which are used up.
    Bind,
}

/// One line of the tables.
pub struct Pass {
    /// The name of the pass in the table, in `--dump-after` and in errors.
    pub name: &'static str,
    /// What the pass does, in a few words.
    pub about: &'static str,
    /// Whether it runs for a job.
    pub when: fn(&Job) -> bool,
    /// The function that it runs.
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

/// Why compilation failed.
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
    /// The verifier rejected the graph that a pass returned.
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
    /// The job has no proof of causality, which sampling requires.
    #[error("pass stream: sampling requires a proof that the model is causal")]
    NoProof,
}

/// A callback that is called after each pass with its name and the resulting graph.
pub type Observe<'o> = dyn FnMut(&'static str, &dyn fmt::Display) + 'o;

/// Makes the graph of a job, in the pixel IR.
///
/// # Errors
/// [`PassError::NoProof`] and [`PassError::Sample`] for the kinds that make images. Any other error is a bug
/// of this crate.
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
            Step::Lower | Step::Onnx(_) | Step::OnnxJob(_) | Step::OnnxOwned(_) | Step::Bind => {
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

/// Compiles a graph that [`make()`] returned for the same job to ONNX.
///
/// # Errors
/// [`PassError::Bind`] if the weights do not fit. Any other error is a bug of this crate.
pub fn lower(
    graph: &PixelGraph,
    mut job: Job,
    observe: &mut Observe,
) -> Result<OnnxGraph, PassError> {
    let mut pixel = graph.clone();
    let mut onnx = OnnxGraph::new(graph.name.clone());
    for pass in LOWERING {
        if !(pass.when)(&job) {
            continue;
        }
        let name = pass.name;
        let broken = |fault| PassError::Broken { pass: name, fault };
        match pass.step {
            Step::Pixel(run) => pixel = run(&pixel).map_err(build(name))?,
            Step::Make(run) => pixel = run(&pixel, &job)?,
            Step::Lower => onnx = lower_graph(&pixel, job.batch).map_err(PassError::Lower)?,
            Step::Onnx(run) => onnx = run(&onnx).map_err(build(name))?,
            Step::OnnxJob(run) => onnx = run(&onnx, &job).map_err(build(name))?,
            Step::OnnxOwned(run) => {
                let empty = OnnxGraph::new(graph.name.clone());
                onnx = run(std::mem::replace(&mut onnx, empty)).map_err(build(name))?;
            }
            Step::Bind => {
                if let Some(weights) = job.weights.take() {
                    onnx = bind::bind_onnx(&onnx, weights)?;
                }
            }
            Step::Scale(_) | Step::Merge => {
                return Err(build(name)(BuildError::internal(name, "it does not lower a graph")));
            }
        }
        match pass.step {
            Step::Pixel(_) | Step::Make(_) => {
                verify(&pixel).map_err(broken)?;
                observe(name, &pixel);
            }
            _ => {
                verify(&onnx).map_err(broken)?;
                observe(name, &onnx);
            }
        }
    }
    Ok(onnx)
}
