//! Export of declarations to ONNX.

use std::borrow::Cow;

use pixelrnn_graph::{Origin, OutputRole};
use pixelrnn_onnx::{EncodeOptions, OnnxGraph};
use pixelrnn_ops::{Batch, PixelGraph};
use pixelrnn_passes::pipeline::Observe;
use pixelrnn_passes::{
    CausalProof, ControlFlow, Dtype, GraphKind, ImageFormat, ImageLayout, Job, Optimizer,
    PassError, ProvedScale, SampleOptions, Scale, Weights, bind, lower, make,
};

use crate::compare::Prepared;
use crate::{Declaration, Error};

/// Options of an export.
#[derive(Clone, Debug)]
pub struct ExportOptions<'a> {
    /// The batch size of the model.
    pub batch: Batch,
    /// The ONNX opset version, 17 to 22.
    pub opset: u32,
    /// How recurrences are expressed.
    pub control_flow: ControlFlow,
    /// Weights to embed as constants; `None` makes them inputs.
    pub weights: Option<&'a Weights>,
    /// Whether to run the simplification passes.
    pub simplify: bool,
    /// Whether engines other than ONNX Runtime must be able to run the model.
    pub portable: bool,
    /// Whether to use operators that only the engine `ort` of this process has, for training and
    /// evaluation. Other programs cannot read such a model.
    pub native: bool,
    /// Sampling options, for the graphs that sample.
    pub sample: SampleOptions,
    /// The optimizer of [`GraphKind::Train`] and [`GraphKind::Update`].
    pub optimizer: Optimizer,
    /// Whether gradients recompute activations block by block instead of storing them, for
    /// [`GraphKind::Grad`] and [`GraphKind::Train`]. Takes less memory and more time; the results are
    /// bit-identical.
    pub remat: bool,
    /// The element type, for graphs that do not train.
    pub dtype: Dtype,
    /// The format of input and output images.
    pub images: ImageFormat,
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
            native: false,
            sample: SampleOptions::default(),
            optimizer: Optimizer::RMSPROP,
            remat: false,
            dtype: Dtype::F32,
            images: ImageFormat::default(),
        }
    }
}

impl<'a> ExportOptions<'a> {
    /// The default options with these weights.
    pub fn with_weights(weights: &'a Weights) -> ExportOptions<'a> {
        ExportOptions { weights: Some(weights), ..ExportOptions::default() }
    }
}

impl ExportOptions<'_> {
    /// Checks the options for a kind of graph, of a model with this number of levels. `constant`: whether
    /// weights are constants.
    ///
    /// # Errors
    /// Options contradict each other, or do not apply to this graph.
    fn check(&self, kind: GraphKind, levels: usize, constant: bool) -> Result<(), Error> {
        let refuse = |text: String| Err(Error::Options(text));
        if self.dtype != Dtype::F32 && (kind.trains() || !constant) {
            return refuse(format!(
                "dtype {} requires constant weights (forward, nll, sample, step, row): export {} in f32",
                self.dtype,
                if kind.trains() { kind.name() } else { "weights as inputs" }
            ));
        }
        let takes_images = matches!(kind, GraphKind::Forward | GraphKind::Nll | GraphKind::Sample);
        if self.images != ImageFormat::default() && !takes_images {
            return refuse(format!(
                "--layout and --image apply to the graphs forward, nll and sample, not to {kind}"
            ));
        }
        if self.images.bytes && levels > 256 {
            return refuse(format!(
                "uint8 images have at most 256 levels, and the model has {levels}"
            ));
        }
        // Levels are inputs of the computation. f16 represents whole numbers exactly up to 2048.
        if self.dtype == Dtype::F16 && levels > 2049 {
            return refuse(format!("f16 supports at most 2049 levels, and the model has {levels}"));
        }
        Ok(())
    }
}

/// The largest number of f16.
const F16_MAX: f32 = 65504.0;

/// Checks that no weight would become the largest number of f16 instead of its own.
fn fits_f16(weights: &Weights) -> Result<(), Error> {
    for (name, array) in weights {
        if let Some(large) = array.iter().find(|x| x.abs() > F16_MAX) {
            return Err(Error::Options(format!(
                "weight `{name}` contains {large:e}, but f16 ends at {F16_MAX}: use bf16 or f32"
            )));
        }
    }
    Ok(())
}

impl Declaration {
    /// The graph of a kind in the pixel IR. Graphs that train have the default optimizer.
    ///
    /// # Errors
    /// The graph samples and the model is not causal; or a bug in the compiler.
    pub fn graph_of(&self, kind: GraphKind) -> Result<PixelGraph, Error> {
        self.graph_with(kind, &ExportOptions::default())
    }

    /// Like [`Declaration::graph_of`], with the optimizer and the sampling options of `options`.
    ///
    /// # Errors
    /// As [`Declaration::graph_of`]; also an invalid temperature.
    pub fn graph_with(
        &self,
        kind: GraphKind,
        options: &ExportOptions,
    ) -> Result<PixelGraph, Error> {
        let proof = self.proof_for(kind)?;
        self.make(&self.job(kind, options, proof.as_ref()), &mut |_, _| {})
    }

    /// The proof of causality, if a kind of graph requires it.
    fn proof_for(&self, kind: GraphKind) -> Result<Option<CausalProof>, Error> {
        match kind.samples() {
            true => self.prove().map(Some),
            false => Ok(None),
        }
    }

    fn job<'a>(
        &'a self,
        kind: GraphKind,
        options: &ExportOptions<'a>,
        proof: Option<&'a CausalProof>,
    ) -> Job<'a> {
        Job {
            proof,
            sample: options.sample,
            optimizer: options.optimizer,
            remat: options.remat,
            batch: options.batch,
            control_flow: options.control_flow,
            simplify: options.simplify,
            dtype: options.dtype,
            images: options.images,
            portable: options.portable,
            native: options.native,
            ..Job::new(self.scales(), kind)
        }
    }

    fn make(&self, job: &Job, observe: &mut Observe) -> Result<PixelGraph, Error> {
        make(job, observe).map_err(|error| match error {
            PassError::Sample(error) => self.refused(error),
            other => other.into(),
        })
    }

    /// Exports a graph and returns its bytes. The same declaration and options return the same bytes.
    ///
    /// # Errors
    /// The weights do not fit, or the opset version is out of range.
    pub fn export(&self, kind: GraphKind, options: &ExportOptions) -> Result<Vec<u8>, Error> {
        self.export_observed(kind, options, &mut |_, _| {})
    }

    /// Like [`Declaration::export`]. Calls `observe` with the graph after each pass.
    ///
    /// # Errors
    /// As [`Declaration::export`].
    pub fn export_observed(
        &self,
        kind: GraphKind,
        options: &ExportOptions,
        observe: &mut Observe,
    ) -> Result<Vec<u8>, Error> {
        self.encode(kind, options, &self.compile(kind, options, observe)?)
    }

    /// The ONNX graph that [`Declaration::export`] encodes. Calls `observe` with the graph after each pass.
    ///
    /// # Errors
    /// The weights do not fit.
    pub fn compile(
        &self,
        kind: GraphKind,
        options: &ExportOptions,
        observe: &mut Observe,
    ) -> Result<OnnxGraph, Error> {
        Ok(self.compile_both(kind, options, observe)?.1)
    }

    /// Like [`Declaration::compile`], with these weights instead of those of the options. They are moved into
    /// the graph, where `compile` copies them.
    ///
    /// # Errors
    /// The weights do not fit.
    pub fn compile_owned(
        &self,
        kind: GraphKind,
        options: &ExportOptions,
        weights: Weights,
        observe: &mut Observe,
    ) -> Result<OnnxGraph, Error> {
        Ok(self.compile_bound(kind, options, Some(Cow::Owned(weights)), observe)?.1)
    }

    /// The graph of a kind in the pixel IR, and the compiled ONNX graph.
    pub(crate) fn compile_both(
        &self,
        kind: GraphKind,
        options: &ExportOptions,
        observe: &mut Observe,
    ) -> Result<(PixelGraph, OnnxGraph), Error> {
        self.compile_bound(kind, options, options.weights.map(Cow::Borrowed), observe)
    }

    fn compile_bound(
        &self,
        kind: GraphKind,
        options: &ExportOptions,
        weights: Option<Cow<Weights>>,
        observe: &mut Observe,
    ) -> Result<(PixelGraph, OnnxGraph), Error> {
        options.check(kind, self.image().levels, weights.is_some())?;
        let proof = self.proof_for(kind)?;
        let job = self.job(kind, options, proof.as_ref());
        let pixel = self.make(&job, observe)?;
        let weights = weights.map(|weights| self.part(&pixel, weights)).transpose()?;
        if let (Dtype::F16, Some(weights)) = (options.dtype, &weights) {
            fits_f16(weights)?;
        }
        let onnx = lower(&pixel, Job { weights, ..job }, observe)?;
        Ok((pixel, onnx))
    }

    /// The weights that are parameters of a graph. A sampler may read only some of them.
    pub(crate) fn part<'w>(
        &self,
        graph: &PixelGraph,
        weights: Cow<'w, Weights>,
    ) -> Result<Cow<'w, Weights>, Error> {
        self.check_weights(&weights)?;
        if graph.parameters().count() == weights.len() {
            return Ok(weights);
        }
        let mut weights = weights;
        let names = graph.parameters().map(|(input, _)| input.name.clone());
        let part = names.filter_map(|name| {
            let weight = match &mut weights {
                Cow::Borrowed(weights) => weights.get(&name)?.clone(),
                Cow::Owned(weights) => weights.remove(&name)?,
            };
            Some((name, weight))
        });
        Ok(Cow::Owned(part.collect()))
    }

    /// The forward graph of one scale, compiled with weights. Smaller scales are inputs.
    pub(crate) fn forward_of(
        &self,
        proved: &ProvedScale,
        weights: &Weights,
        options: &ExportOptions,
    ) -> Result<Prepared, Error> {
        let kind = GraphKind::Forward;
        let graph = proved.graph();
        let part = self.part(graph, Cow::Borrowed(weights))?;
        let scales = [Scale::whole(graph.clone())];
        let &ExportOptions { batch, portable, native, .. } = options;
        let bound = bind(graph, &part).map_err(PassError::from)?;
        let weights = Some(part);
        let job = Job { batch, portable, native, weights, ..Job::new(&scales, kind) };
        let onnx = lower(graph, job, &mut |_, _| {})?;
        Ok(Prepared { onnx: self.encode(kind, options, &onnx)?, graph: bound, feeds: Vec::new() })
    }

    /// Encodes a graph of [`Declaration::compile`] with the same options.
    ///
    /// # Errors
    /// The opset version is out of range.
    pub fn encode(
        &self,
        kind: GraphKind,
        options: &ExportOptions,
        graph: &OnnxGraph,
    ) -> Result<Vec<u8>, Error> {
        Ok(self.encode_counted(kind, options, graph)?.0)
    }

    /// The paths of the last layer of each scale, whose results are the parameters of the model's
    /// distribution.
    fn output_layers(&self) -> Vec<String> {
        let ends = self.scales().iter().flat_map(|scale| {
            let outputs = scale.graph.outputs().iter();
            let parameters = outputs.filter(|o| matches!(o.role, OutputRole::Parameters(_)));
            parameters.filter_map(|o| match scale.graph.origin(o.value) {
                Origin::Node(id, _) => scale.graph.layer_of(id).map(str::to_string),
                Origin::Input(_) => None,
            })
        });
        ends.collect()
    }

    /// The encoder options for a kind of graph.
    pub(crate) fn encode_options(
        &self,
        kind: GraphKind,
        options: &ExportOptions,
    ) -> EncodeOptions<'_> {
        let mut metadata: Vec<(String, String)> = vec![
            ("pixelrnn.model".into(), self.name().into()),
            ("pixelrnn.graph".into(), kind.name().into()),
        ];
        for (name, value) in self.settings() {
            metadata.push((format!("pixelrnn.{name}"), value.to_string()));
        }
        metadata.push(("pixelrnn.outputs".into(), self.output_layers().join(",")));
        metadata.push(("pixelrnn.dtype".into(), options.dtype.to_string()));
        let layout = options.images.layout.unwrap_or(ImageLayout::of(kind));
        metadata.push(("pixelrnn.layout".into(), layout.to_string()));
        let bytes = if options.images.bytes { "uint8" } else { "float32" };
        metadata.push(("pixelrnn.image".into(), bytes.into()));
        let conditions = self.conditions().iter().map(|(name, kind)| format!("{name}: {kind}"));
        let conditions: Vec<String> = conditions.collect();
        if !conditions.is_empty() {
            metadata.push(("pixelrnn.condition".into(), conditions.join("; ")));
        }
        if kind.draws() {
            let SampleOptions { temperature, complete } = options.sample;
            metadata.push(("pixelrnn.temperature".into(), temperature.to_string()));
            metadata.push(("pixelrnn.complete".into(), complete.to_string()));
        }
        EncodeOptions {
            opset: options.opset,
            source: Some(self.source()),
            portable: options.portable,
            metadata,
        }
    }
}
