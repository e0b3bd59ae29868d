//! The pipeline: which passes run, in which order. The structural verifier runs after each.

use std::fmt;

use pixelrnn_graph::{BuildError, Fault, verify};
use pixelrnn_onnx::OnnxGraph;
use pixelrnn_ops::{AdjointError, Batch, LowerError, PixelGraph, lower_graph};

use crate::bind::{BindError, Weights};
use crate::{expand, fold, hoist, join, layout, split, tidy, unroll, views};

/// How a recurrence is written in the emitted model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlFlow {
    /// As `Scan`.
    Scan,
    /// Step by step, for toolchains without control flow.
    Unroll,
}

/// What to compile to.
#[derive(Clone, Debug)]
pub struct CompileOptions<'a> {
    pub batch: Batch,
    pub control_flow: ControlFlow,
    /// Become constants; without them parameters stay inputs.
    pub weights: Option<&'a Weights>,
    /// Whether to run the passes that change nothing but speed.
    pub simplify: bool,
}

/// What a pass does to a graph of one stage.
#[derive(Clone, Copy)]
pub enum Step {
    Pixel(fn(&PixelGraph) -> Result<PixelGraph, BuildError>),
    /// Replaces parameters, if there are weights.
    Bind,
    /// From one stage to the other.
    Lower,
    Onnx(fn(&OnnxGraph) -> Result<OnnxGraph, BuildError>),
}

/// When a pass runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Always,
    /// For [`ControlFlow::Unroll`].
    Unrolling,
    /// If simplification is on.
    Simplifying,
}

/// One line of the pipeline.
pub struct Pass {
    /// The one name of the pass.
    pub name: &'static str,
    pub about: &'static str,
    pub when: When,
    pub step: Step,
}

const fn pass(name: &'static str, about: &'static str, when: When, step: Step) -> Pass {
    Pass { name, about, when, step }
}

/// All passes, in order.
pub const PASSES: &[Pass] = &[
    pass("expand", "composites become scans", When::Always, Step::Pixel(expand::expand)),
    pass("unroll", "scans become their steps", When::Unrolling, Step::Pixel(unroll::unroll)),
    pass("join", "padded parts become concats", When::Simplifying, Step::Pixel(join::join)),
    pass("layout", "maps stay pixel-major", When::Simplifying, Step::Pixel(layout::layout)),
    pass("tidy", "nothing twice or unread", When::Simplifying, Step::Pixel(tidy::tidy)),
    pass("bind", "weights become constants", When::Always, Step::Bind),
    pass("lower", "pixel operators become ONNX", When::Always, Step::Lower),
    pass("hoist", "loop invariants leave loops", When::Simplifying, Step::Onnx(hoist::hoist)),
    pass("split", "slices become splits", When::Simplifying, Step::Onnx(split::split)),
    pass("fold", "constants are computed", When::Simplifying, Step::Onnx(fold::fold)),
    pass("views", "views of views become one", When::Simplifying, Step::Onnx(views::views)),
    pass("tidy_onnx", "nothing twice or unread", When::Simplifying, Step::Onnx(tidy::tidy)),
];

/// Why compilation stopped.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PassError {
    #[error("pass {pass}: {error}")]
    Build { pass: &'static str, error: BuildError },
    #[error("pass {pass} left a broken graph: {fault}")]
    Broken { pass: &'static str, fault: Fault },
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("pass differentiate: {0}")]
    Differentiate(AdjointError),
    #[error("pass lower: {0}")]
    Lower(LowerError),
}

/// Compiles a graph of the pixel IR to an ONNX graph. `observe` is called after each pass with its
/// name and the graph it left.
///
/// # Errors
/// Weights that do not fit; anything else is a fault of this crate, caught by the verifier.
pub fn compile(
    graph: &PixelGraph,
    options: &CompileOptions,
    observe: &mut dyn FnMut(&'static str, &dyn fmt::Display),
) -> Result<OnnxGraph, PassError> {
    let mut pixel = graph.clone();
    let mut onnx = OnnxGraph::new(graph.name.clone());
    for pass in PASSES {
        let runs = match pass.when {
            When::Always => true,
            When::Unrolling => options.control_flow == ControlFlow::Unroll,
            When::Simplifying => options.simplify,
        };
        if !runs {
            continue;
        }
        let name = pass.name;
        let build = |error| PassError::Build { pass: name, error };
        match pass.step {
            Step::Pixel(run) => pixel = run(&pixel).map_err(build)?,
            Step::Bind => {
                let Some(weights) = options.weights else { continue };
                pixel = crate::bind::bind(&pixel, weights)?;
            }
            Step::Lower => {
                onnx = lower_graph(&pixel, options.batch).map_err(PassError::Lower)?;
            }
            Step::Onnx(run) => onnx = run(&onnx).map_err(build)?,
        }
        let broken = |fault| PassError::Broken { pass: name, fault };
        match pass.step {
            Step::Pixel(_) | Step::Bind => {
                verify(&pixel).map_err(broken)?;
                observe(name, &pixel);
            }
            Step::Lower | Step::Onnx(_) => {
                verify(&onnx).map_err(broken)?;
                observe(name, &onnx);
            }
        }
    }
    Ok(onnx)
}
