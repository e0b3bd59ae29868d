//! The pipeline: which passes run, in which order. The structural verifier runs after each.
//!
//! The first part of the table makes the graph that was asked for, in the pixel IR: likelihoods, gradients,
//! training steps and sampling loops are passes like any other. The second part compiles it to ONNX.

use std::fmt;

use pixelrnn_graph::{BuildError, Fault, verify};
use pixelrnn_onnx::OnnxGraph;
use pixelrnn_ops::{AdjointError, Batch, LowerError, PixelGraph, lower_graph};

use crate::bind::{BindError, Weights};
use crate::causality::CausalProof;
use crate::dtype::Dtype;
use crate::images::{ImageFormat, image_format};
use crate::kind::GraphKind;
use crate::scales::{Scale, merge_scales};
use crate::stream::{self, SampleError, SampleOptions};
use crate::training_step::{Optimizer, training_step, update_step};
use crate::{
    bind, cse_dce, differentiate, expand, fold, fuse_reshapes, half, hoist, layout, loss,
    own_states, pads_to_concat, slices_to_split, stored, unroll,
};

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
            batch: Batch::Symbolic,
            control_flow: ControlFlow::Scan,
            weights: None,
            simplify: true,
            dtype: Dtype::F32,
            images: ImageFormat::default(),
            portable: true,
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

const fn pass(name: &'static str, about: &'static str, when: fn(&Job) -> bool, step: Step) -> Pass {
    Pass { name, about, when, step }
}

const ALWAYS: fn(&Job) -> bool = |_| true;
const SIMPLIFYING: fn(&Job) -> bool = |job| job.simplify;
const DIFFERENTIATING: fn(&Job) -> bool = |job| job.kind.differentiates();
const SAMPLING: fn(&Job) -> bool = |job| job.kind.samples();

/// The passes that make the graph that was asked for, in order.
#[rustfmt::skip]
pub const MAKING: &[Pass] = &[
    pass("loss", "compute the likelihood of the distributions", |job| job.kind.has_likelihood(), Step::Scale(|graph, _, _| loss::loss(graph).map_err(build("loss")))),
    pass("stream", "turn the model into a loop over pixels", SAMPLING, Step::Scale(stream_pass)),
    pass("merge_scales", "merge the scales into one graph", ALWAYS, Step::Merge),
    pass("cse_dce", "eliminate common subexpressions and dead code", SAMPLING, Step::Pixel(cse_dce::cse_dce)),
    pass("unread_parameters", "remove unused parameters", SAMPLING, Step::Pixel(cse_dce::unread_parameters)),
    pass("expand", "expand composites into scans", DIFFERENTIATING, Step::Pixel(expand::expand)),
    pass("layout", "keep maps pixel-major, without transposes", DIFFERENTIATING, Step::Pixel(layout::layout)),
    pass("cse_dce", "eliminate common subexpressions and dead code", DIFFERENTIATING, Step::Pixel(cse_dce::cse_dce)),
    pass("differentiate", "add the gradients of the likelihood", DIFFERENTIATING, Step::Make(|graph, _| differentiate::differentiate(graph).map_err(PassError::Differentiate))),
    pass("cse_dce", "eliminate common subexpressions and dead code", DIFFERENTIATING, Step::Pixel(cse_dce::cse_dce)),
    pass("training_step", "add the optimizer's update", |job| job.kind == GraphKind::Train, Step::Make(|graph, job| training_step(graph, &job.optimizer).map_err(build("training_step")))),
    pass("update_step", "build the optimizer's update from given gradients", |job| job.kind == GraphKind::Update, Step::Make(|graph, job| update_step(graph, &job.optimizer).map_err(build("update_step")))),
];

/// The passes that compile a graph of the pixel IR to ONNX, in order.
#[rustfmt::skip]
pub const LOWERING: &[Pass] = &[
    pass("expand", "expand composites into scans", ALWAYS, Step::Pixel(expand::expand)),
    pass("unroll", "unroll scans into their steps", |job| job.control_flow == ControlFlow::Unroll, Step::Pixel(unroll::unroll)),
    pass("pads_to_concat", "replace sums of padded parts by concats", SIMPLIFYING, Step::Pixel(pads_to_concat::pads_to_concat)),
    pass("layout", "keep maps pixel-major, without transposes", SIMPLIFYING, Step::Pixel(layout::layout)),
    pass("cse_dce", "eliminate common subexpressions and dead code", SIMPLIFYING, Step::Pixel(cse_dce::cse_dce)),
    pass("bind", "bind the weights as constants", |job| job.weights.is_some(), Step::Make(bind_pass)),
    pass("lower", "lower pixel operators to ONNX", ALWAYS, Step::Lower),
    pass("hoist", "move loop invariants out of loops", SIMPLIFYING, Step::Onnx(hoist::hoist)),
    pass("slices_to_split", "merge slices into splits", SIMPLIFYING, Step::Onnx(slices_to_split::slices_to_split)),
    pass("fold", "fold constants", SIMPLIFYING, Step::Onnx(fold::fold)),
    pass("fuse_reshapes", "fuse chains of reshapes", SIMPLIFYING, Step::Onnx(fuse_reshapes::fuse_reshapes)),
    pass("cse_dce_onnx", "eliminate common subexpressions and dead code", SIMPLIFYING, Step::Onnx(cse_dce::cse_dce)),
    pass("half", "compute in f16", |job| job.dtype == Dtype::F16, Step::Onnx(half::half)),
    pass("store_bf16", "store weights in bf16", |job| job.dtype == Dtype::Bf16, Step::Onnx(stored::store_bf16)),
    pass("store_int8", "store weights in int8", |job| job.dtype == Dtype::Int8, Step::Onnx(stored::store_int8)),
    pass("image_format", "change layout and element type of images", |job| job.images.changes(job.kind), Step::OnnxJob(|graph, job| image_format(graph, job.kind, job.images))),
    pass("own_states", "give each loop state its own initial value", |job| job.portable && !job.kind.trains(), Step::Onnx(own_states::own_states)),
];

/// All passes, in order.
pub fn passes() -> impl Iterator<Item = &'static Pass> {
    MAKING.iter().chain(LOWERING)
}

fn build(pass: &'static str) -> impl Fn(BuildError) -> PassError {
    move |error| PassError::Build { pass, error }
}

fn stream_pass(_: &PixelGraph, job: &Job, scale: usize) -> Result<PixelGraph, PassError> {
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

fn bind_pass(graph: &PixelGraph, job: &Job) -> Result<PixelGraph, PassError> {
    match job.weights {
        Some(weights) => Ok(bind::bind(graph, weights)?),
        None => Ok(graph.clone()),
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
    #[error("pass differentiate: {0}")]
    Differentiate(#[source] AdjointError),
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
            Step::Lower | Step::Onnx(_) | Step::OnnxJob(_) => {
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
            Step::Scale(_) | Step::Merge => {
                return Err(build(name)(BuildError::internal(name, "it does not lower a graph")));
            }
        }
        match pass.step {
            Step::Lower | Step::Onnx(_) | Step::OnnxJob(_) => {
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
