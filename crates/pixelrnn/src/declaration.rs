//! A declared model with values for all its hyper-parameters.

use std::path::Path;

use pixelrnn_graph::{Diagnostic, Source, Span};
use pixelrnn_ops::condition::Source as ValueSource;
use pixelrnn_ops::{ConditionKind, PixelGraph, StreamError};
use pixelrnn_passes::{
    CausalProof, Causality, CausalityError, PassError, SampleError, Scale, Weights, bind,
    initialize, verify_causality, verify_scales,
};
use pixelrnn_syntax::{Declared, ElaborateError, Image, ast, elaborate, leak, parse};

use crate::error::Error;

/// A text with more errors than this that declares no image is reported as not being a model.
const FEW: usize = 3;

/// Whether a text contains the word `image` followed by a number, as every model does.
fn declares_image(text: &str) -> bool {
    text.match_indices("image").any(|(at, word)| {
        let rest = &text[at + word.len()..];
        let number = rest.trim_start();
        number.len() < rest.len() && number.starts_with(|c: char| c.is_ascii_digit())
    })
}

fn not_a_model() -> Diagnostic {
    Diagnostic::error(Span::new(0, 0), "this does not look like a model file: it declares no image")
        .help(
            "a model file has a name, an image and layers: `Name { h: usize = 16 }`, then `image 28 x 28, \
             colors 1, levels 2;`, then layers. `pixelrnn zoo mnist-diagonal` prints one",
        )
}

/// A model declared with [`model!`](crate::model), which implements this trait.
pub trait Model {
    /// The name in the declaration.
    const NAME: &'static str;

    /// The source text of the declaration.
    fn source() -> Source;

    /// The hyper-parameters: name and value.
    fn settings(&self) -> Vec<(&'static str, usize)>;

    /// Compiles the model with these hyper-parameters.
    ///
    /// # Errors
    /// Invalid hyper-parameters, such as zero features. The macro has already checked the defaults.
    fn declare(&self) -> Result<Declaration, Error> {
        self.declare_with(&[])
    }

    /// Like [`Model::declare`], with overrides for the image: `height`, `width`, `colors` and `levels`.
    ///
    /// # Errors
    /// As [`Model::declare`]; also an unknown setting.
    fn declare_with(&self, overrides: &[(String, usize)]) -> Result<Declaration, Error> {
        let mut all: Vec<(String, usize)> =
            self.settings().into_iter().map(|(n, v)| (n.to_string(), v)).collect();
        all.extend(overrides.iter().cloned());
        Declaration::from_source(Self::source(), &all)
    }
}

/// A model with values for all its hyper-parameters, ready for export, comparison, training and sampling.
#[derive(Clone, Debug)]
pub struct Declaration {
    source: Source,
    model: ast::Model,
    declared: Declared,
}

impl Declaration {
    /// Compiles a declaration from text, with overrides of settings. If a setting is overridden twice, the
    /// last one counts.
    ///
    /// # Errors
    /// [`Error::Model`] with all errors in the text; [`Error::Setting`] for an unknown setting or an invalid
    /// value.
    pub fn from_source(source: Source, overrides: &[(String, usize)]) -> Result<Self, Error> {
        let (model, diagnostics) = parse(&source.text);
        let model = match model {
            Some(model) if diagnostics.is_empty() => model,
            _ => {
                let diagnostics = match declares_image(&source.text) {
                    false if diagnostics.len() > FEW => vec![not_a_model()],
                    _ => diagnostics,
                };
                return Err(Error::Model { text: source, diagnostics });
            }
        };
        match elaborate(&model, overrides) {
            Ok(declared) => Ok(Declaration { source, model, declared }),
            Err(ElaborateError::Text(diagnostics)) => {
                Err(Error::Model { text: source, diagnostics })
            }
            Err(ElaborateError::Setting { message, .. }) => Err(Error::Setting(message)),
        }
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// The file cannot be read, or as [`Declaration::from_source`].
    pub fn from_file(path: &Path, overrides: &[(String, usize)]) -> Result<Self, Error> {
        let text = pixelrnn_files::read_text(path).map_err(|error| Error::Io {
            path: path.to_path_buf(),
            doing: "read",
            error,
        })?;
        Self::from_source(Source::new(path.display().to_string(), text), overrides)
    }

    /// The name of the model.
    pub fn name(&self) -> &str {
        &self.declared.name
    }

    /// The doc comment.
    pub fn doc(&self) -> &str {
        &self.declared.doc
    }

    /// The source text of the declaration.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The text as a model file, without the indentation that it has inside the macro.
    pub fn text(&self) -> String {
        let text = &self.source.text;
        let lines = || text.lines().filter(|l| !l.trim().is_empty());
        let indent = |line: &str| line.len() - line.trim_start().len();
        // The first line follows the macro's brace, so its indentation may be lost.
        let common = lines().skip(1).map(indent).min().unwrap_or(0);
        let cut = |line: &str| {
            let n = indent(line).min(common);
            line.get(n..).unwrap_or(line).trim_end().to_string()
        };
        let text: Vec<String> = text.trim().lines().map(cut).collect();
        text.join("\n") + "\n"
    }

    /// The values of all hyper-parameters and of the image settings.
    pub fn settings(&self) -> &[(String, usize)] {
        &self.declared.settings
    }

    /// The size of an image.
    pub fn image(&self) -> Image {
        self.declared.image
    }

    /// The label of a class-conditional model: its name and the number of classes.
    pub fn label(&self) -> Option<(&str, usize)> {
        let label = self.conditions().iter().find(|(_, kind)| kind.source() == ValueSource::Labels);
        label.map(|(name, kind)| (name.as_str(), kind.number()))
    }

    /// The inputs that the model reads but does not predict: names and kinds, in the order of the
    /// declaration.
    pub fn conditions(&self) -> &[(String, ConditionKind)] {
        &self.declared.conditions
    }

    /// The scales of the model, each with its graph. The full image is last; only a multi-scale model has
    /// others.
    pub fn scales(&self) -> &[Scale] {
        &self.declared.scales
    }

    /// The graph of the full image: from levels `image [N, C, H, W]`, conditions and parameters to the
    /// parameters of the distribution of every value.
    pub fn graph(&self) -> &PixelGraph {
        // There is always the scale of the full image.
        &self.declared.scales[self.declared.scales.len() - 1].graph
    }

    /// The name and shape of every parameter of every scale, in the order of the declaration.
    pub fn parameter_shapes(&self) -> Vec<(&str, Vec<usize>)> {
        let graphs = self.scales().iter().map(|scale| &scale.graph);
        graphs
            .flat_map(|graph| {
                graph
                    .parameters()
                    .map(|(input, _)| (input.name.as_str(), graph.ty(input.value).extents(1)))
            })
            .collect()
    }

    /// The number of trainable values.
    pub fn parameters(&self) -> usize {
        self.parameter_shapes().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// Checks that weights contain exactly the parameters of the model, with their shapes and finite values.
    ///
    /// # Errors
    /// The first weight that does not fit.
    pub fn check_weights(&self, weights: &Weights) -> Result<(), Error> {
        let shapes = self.parameter_shapes();
        let shapes = shapes.iter().map(|(name, shape)| (*name, shape.clone()));
        Ok(bind::check_shapes(shapes, weights).map_err(PassError::from)?)
    }

    /// Initializes the weights: biases are zero, weights uniform in `±1/sqrt(fan-in)`. The same seed gives
    /// the same weights on every machine.
    pub fn initialize(&self, seed: u64) -> Weights {
        self.scales().iter().flat_map(|scale| initialize(&scale.graph, seed)).collect()
    }

    /// Proves that no output reads its own value or a later one.
    ///
    /// # Errors
    /// A leak, as a diagnostic at the layer that causes it; or the image is too large for the proof.
    pub fn prove(&self) -> Result<CausalProof, Error> {
        verify_scales(self.scales()).map_err(|e| self.causality_error(e))
    }

    /// For every scale, in the order of [`Declaration::scales`]: the values that each output reads, and the
    /// path of the first leak, if there is one.
    ///
    /// # Errors
    /// The image is too large for the analysis.
    pub fn causality(&self) -> Result<Vec<Causality>, Error> {
        let one = |scale: &Scale| match verify_causality(&scale.graph) {
            Ok(proof) => Ok(proof.causality().clone()),
            Err(CausalityError::Leak(causality)) => Ok(*causality),
            Err(other) => Err(self.causality_error(other)),
        };
        self.scales().iter().map(one).collect()
    }

    /// Why the model cannot be sampled incrementally, with the position of the layer.
    pub(crate) fn refused(&self, error: SampleError) -> Error {
        let span = match &error {
            SampleError::Stream(
                StreamError::NoRule { span, .. }
                | StreamError::Ahead { span, .. }
                | StreamError::Shape { span, .. },
            ) => *span,
            _ => None,
        };
        let Some(span) = span else { return error.into() };
        let diagnostic =
            Diagnostic::error(span, error.to_string()).remark("cannot be sampled incrementally").help(
                "use `--method naive`: it samples any causal model, with one forward pass per value",
            );
        Error::Model { text: self.source.clone(), diagnostics: vec![diagnostic] }
    }

    fn causality_error(&self, error: CausalityError) -> Error {
        match leak(&error, &self.model) {
            Some(diagnostic) => {
                Error::Model { text: self.source.clone(), diagnostics: vec![diagnostic] }
            }
            None => Error::Causality(error),
        }
    }
}
