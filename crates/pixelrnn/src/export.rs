//! From a declaration to the bytes of a model.

use std::fmt;

use pixelrnn_onnx::{EncodeOptions, OnnxGraph, encode};
use pixelrnn_ops::{Batch, PixelGraph};
use pixelrnn_passes::{
    CompileOptions, ControlFlow, Optimiser, PassError, Weights, compile, differentiate, optimise,
    with_loss,
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
    /// One step of an optimiser: `image`, parameters, the optimiser's states and `learning_rate` to
    /// `loss`, new parameters and new states.
    Train,
}

impl GraphKind {
    /// All kinds.
    pub const ALL: [GraphKind; 4] =
        [GraphKind::Forward, GraphKind::Nll, GraphKind::Grad, GraphKind::Train];

    /// Whether it takes parameters that change from call to call.
    pub fn trains(self) -> bool {
        matches!(self, GraphKind::Grad | GraphKind::Train)
    }

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            GraphKind::Forward => "forward",
            GraphKind::Nll => "nll",
            GraphKind::Grad => "grad",
            GraphKind::Train => "train",
        }
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
    /// How parameters are updated in [`GraphKind::Train`].
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
    /// The graph of a kind, in the pixel IR; for [`GraphKind::Train`] with the default optimiser.
    ///
    /// # Errors
    /// None for a declaration that was accepted; a fault of the compiler otherwise.
    pub fn graph_of(&self, kind: GraphKind) -> Result<PixelGraph, Error> {
        self.graph_with(kind, &ExportOptions::default().optimiser)
    }

    /// As [`Declaration::graph_of`], with an optimiser.
    ///
    /// # Errors
    /// As [`Declaration::graph_of`].
    pub fn graph_with(&self, kind: GraphKind, optimiser: &Optimiser) -> Result<PixelGraph, Error> {
        let build = |pass| move |error| PassError::Build { pass, error };
        let loss = || with_loss(self.graph()).map_err(build("loss"));
        let grad = || differentiate(&loss()?).map_err(PassError::Differentiate);
        Ok(match kind {
            GraphKind::Forward => self.graph().clone(),
            GraphKind::Nll => loss()?,
            GraphKind::Grad => grad()?,
            GraphKind::Train => optimise(&grad()?, optimiser).map_err(build("optimise"))?,
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
        let compile_options = CompileOptions {
            batch: options.batch,
            control_flow: options.control_flow,
            weights: options.weights,
            simplify: options.simplify,
        };
        Ok(compile(&self.graph_with(kind, &options.optimiser)?, &compile_options, observe)?)
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
        let encode_options = EncodeOptions {
            opset: options.opset,
            source: Some(self.source()),
            portable: options.portable,
            metadata,
        };
        Ok(encode(graph, &encode_options)?)
    }
}
