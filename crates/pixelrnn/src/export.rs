//! From a declaration to the bytes of a model.

use std::borrow::Cow;
use std::fmt;

use pixelrnn_onnx::{EncodeOptions, OnnxGraph, encode};
use pixelrnn_ops::{Batch, PixelGraph};
use pixelrnn_passes::{
    CompileOptions, ControlFlow, Optimiser, PassError, SampleOptions, Weights, bind, compile,
    differentiate, optimise, stream, update, with_loss,
};

use crate::{Declaration, Error};

/// Which graph of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphKind {
    /// `image` to `logits`.
    Forward,
    /// `image` to `nll`, in nats per image.
    Nll,
    /// `image` and parameters to `loss`, the mean over the batch, and for each parameter `p` its
    /// gradient `p.grad`.
    Grad,
    /// Uniform numbers to images: `uniform [N, H, W, C]`, at least 0 and below 1, to `image`, levels
    /// of the same shape. For completion also `given` and `mask`, 1 where the level given is kept.
    Sample,
    /// One pixel of [`GraphKind::Sample`], with what it carries as inputs and outputs; the page of
    /// [`stream`] tells how a loop outside uses it.
    Step,
    /// What happens between two rows of [`GraphKind::Sample`], for the same loop.
    Row,
    /// One step of an optimiser: `image`, parameters, the optimiser's states and `learning_rate` to
    /// `loss`, new parameters and new states.
    Train,
    /// What [`GraphKind::Train`] does after [`GraphKind::Grad`]: gradients, parameters, the
    /// optimiser's states and `learning_rate` to new parameters and new states. For gradients that
    /// are averages over several machines, cores or batches.
    Update,
}

impl GraphKind {
    /// All kinds.
    pub const ALL: [GraphKind; 8] = [
        GraphKind::Forward,
        GraphKind::Nll,
        GraphKind::Grad,
        GraphKind::Train,
        GraphKind::Update,
        GraphKind::Sample,
        GraphKind::Step,
        GraphKind::Row,
    ];

    /// Whether it takes parameters that change from call to call.
    pub fn trains(self) -> bool {
        matches!(self, GraphKind::Grad | GraphKind::Train | GraphKind::Update)
    }

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            GraphKind::Forward => "forward",
            GraphKind::Nll => "nll",
            GraphKind::Grad => "grad",
            GraphKind::Sample => "sample",
            GraphKind::Step => "step",
            GraphKind::Row => "row",
            GraphKind::Train => "train",
            GraphKind::Update => "update",
        }
    }

    /// Whether it takes images.
    pub fn reads_images(self) -> bool {
        !self.samples() && self != GraphKind::Update
    }

    /// Whether levels are drawn in it.
    pub fn draws(self) -> bool {
        matches!(self, GraphKind::Sample | GraphKind::Step)
    }

    /// Whether it makes images, pixel by pixel.
    pub fn samples(self) -> bool {
        matches!(self, GraphKind::Sample | GraphKind::Step | GraphKind::Row)
    }
}

/// How to export.
#[derive(Clone, Debug)]
pub struct ExportOptions<'a> {
    pub batch: Batch,
    /// 17 to 22.
    pub opset: u32,
    pub control_flow: ControlFlow,
    /// Become constants of the model; without them they are inputs.
    pub weights: Option<&'a Weights>,
    /// Whether to run the passes that change nothing but speed.
    pub simplify: bool,
    /// Whether other engines than ONNX Runtime are to take the model.
    pub portable: bool,
    /// How images are drawn, for the kinds that do.
    pub sample: SampleOptions,
    /// How parameters are updated in [`GraphKind::Train`] and [`GraphKind::Update`].
    pub optimiser: Optimiser,
}

impl Default for ExportOptions<'_> {
    fn default() -> Self {
        ExportOptions {
            batch: Batch::Symbolic,
            opset: 18,
            control_flow: ControlFlow::Scan,
            weights: None,
            simplify: true,
            portable: true,
            sample: SampleOptions::default(),
            optimiser: Optimiser::RMSPROP,
        }
    }
}

impl<'a> ExportOptions<'a> {
    /// The defaults, with weights.
    pub fn with_weights(weights: &'a Weights) -> ExportOptions<'a> {
        ExportOptions { weights: Some(weights), ..ExportOptions::default() }
    }
}

impl Declaration {
    /// The graph of a kind, in the pixel IR; for kinds that train with the default
    /// optimiser.
    ///
    /// # Errors
    /// A model that is not causal cannot be sampled; a fault of the compiler otherwise.
    pub fn graph_of(&self, kind: GraphKind) -> Result<PixelGraph, Error> {
        self.graph_with(kind, &ExportOptions::default())
    }

    /// As [`Declaration::graph_of`], with the options that decide what is in a graph: the optimiser,
    /// and how images are drawn.
    ///
    /// # Errors
    /// As [`Declaration::graph_of`], and a temperature that does not suit.
    pub fn graph_with(
        &self,
        kind: GraphKind,
        options: &ExportOptions,
    ) -> Result<PixelGraph, Error> {
        let build = |pass| move |error| PassError::Build { pass, error };
        let loss = || with_loss(self.graph()).map_err(build("loss"));
        let grad = || differentiate(&loss()?).map_err(PassError::Differentiate);
        Ok(match kind {
            GraphKind::Forward => self.graph().clone(),
            GraphKind::Nll => loss()?,
            GraphKind::Grad => grad()?,
            GraphKind::Train => {
                optimise(&grad()?, &options.optimiser).map_err(build("optimise"))?
            }
            GraphKind::Update => update(&grad()?, &options.optimiser).map_err(build("optimise"))?,
            GraphKind::Sample => {
                let graph = stream::sample(&self.prove()?, &options.sample);
                graph.map_err(|error| self.refused(error))?
            }
            GraphKind::Step => {
                let graph = stream::step(&self.prove()?, &options.sample);
                graph.map_err(|error| self.refused(error))?
            }
            GraphKind::Row => stream::row(&self.prove()?).map_err(|error| self.refused(error))?,
        })
    }

    /// The bytes of a model. The same declaration and options give the same bytes.
    ///
    /// # Errors
    /// Weights that do not fit, or an operator set out of range.
    pub fn export(&self, kind: GraphKind, options: &ExportOptions) -> Result<Vec<u8>, Error> {
        self.export_observed(kind, options, &mut |_, _| {})
    }

    /// As [`Declaration::export`]; `observe` sees the graph after each pass.
    ///
    /// # Errors
    /// As [`Declaration::export`].
    pub fn export_observed(
        &self,
        kind: GraphKind,
        options: &ExportOptions,
        observe: &mut dyn FnMut(&'static str, &dyn fmt::Display),
    ) -> Result<Vec<u8>, Error> {
        self.encode(kind, options, &self.compile(kind, options, observe)?)
    }

    /// The ONNX graph that [`Declaration::export`] writes, for who measures it; `observe` sees the
    /// graph after each pass.
    ///
    /// # Errors
    /// Weights that do not fit.
    pub fn compile(
        &self,
        kind: GraphKind,
        options: &ExportOptions,
        observe: &mut dyn FnMut(&'static str, &dyn fmt::Display),
    ) -> Result<OnnxGraph, Error> {
        self.compile_graph(&self.graph_with(kind, options)?, kind, options, observe)
    }

    /// As [`Declaration::compile`], from a graph that [`Declaration::graph_with`] gave.
    pub(crate) fn compile_graph(
        &self,
        graph: &PixelGraph,
        kind: GraphKind,
        options: &ExportOptions,
        observe: &mut dyn FnMut(&'static str, &dyn fmt::Display),
    ) -> Result<OnnxGraph, Error> {
        let weights = options.weights.map(|weights| self.part(graph, kind, weights)).transpose()?;
        let compile_options = CompileOptions {
            batch: options.batch,
            control_flow: options.control_flow,
            weights: weights.as_deref(),
            simplify: options.simplify,
        };
        Ok(compile(graph, &compile_options, observe)?)
    }

    /// Of all weights those that a graph has parameters for: what makes images may read a part.
    pub(crate) fn part<'a>(
        &self,
        graph: &PixelGraph,
        kind: GraphKind,
        weights: &'a Weights,
    ) -> Result<Cow<'a, Weights>, Error> {
        if !kind.samples() {
            return Ok(Cow::Borrowed(weights));
        }
        bind::check(self.graph(), weights).map_err(PassError::from)?;
        let names = graph.parameters().map(|(input, _)| &input.name);
        let part = names.filter_map(|name| Some((name.clone(), weights.get(name)?.clone())));
        Ok(Cow::Owned(part.collect()))
    }

    /// The bytes of a graph that [`Declaration::compile`] made with the same options.
    ///
    /// # Errors
    /// An operator set out of range.
    pub fn encode(
        &self,
        kind: GraphKind,
        options: &ExportOptions,
        graph: &OnnxGraph,
    ) -> Result<Vec<u8>, Error> {
        let mut metadata: Vec<(String, String)> = vec![
            ("pixelrnn.model".into(), self.name().into()),
            ("pixelrnn.graph".into(), kind.name().into()),
        ];
        for (name, value) in self.settings() {
            metadata.push((format!("pixelrnn.{name}"), value.to_string()));
        }
        if kind.draws() {
            let SampleOptions { temperature, complete } = options.sample;
            metadata.push(("pixelrnn.temperature".into(), temperature.to_string()));
            metadata.push(("pixelrnn.complete".into(), complete.to_string()));
        }
        let encode_options = EncodeOptions {
            opset: options.opset,
            source: Some(self.source()),
            portable: options.portable,
            metadata,
        };
        Ok(encode(graph, &encode_options)?)
    }
}
