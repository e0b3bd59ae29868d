//! What layers build with: the graph, the path of names, and the places in the text.

use std::collections::BTreeMap;

use pixelrnn_graph::{Diagnostic, Dim, Init, Role, Span, Type, Value};
use pixelrnn_ops::{Op, PixelGraph, Scale};

use super::Image;

/// A layer was refused; the diagnostic is recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refused;

/// The map that runs through the model.
#[derive(Clone, Debug)]
pub struct Flow {
    pub value: Value,
    pub features: usize,
    /// Whether this is still the image itself, which only mask A may read.
    pub raw: bool,
}

/// Weights beyond this many elements are a slip of the pen.
const MAX_WEIGHT: usize = 1 << 28;

/// A graph while a declaration is elaborated.
pub struct Build {
    pub(crate) graph: PixelGraph,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) path: Vec<String>,
    /// Names taken in each open block.
    pub(crate) labels: Vec<BTreeMap<String, Span>>,
    collected: Vec<Vec<(Flow, Span)>>,
    image: Image,
    span: Span,
}

impl Build {
    pub(super) fn new(name: &str, image: Image) -> Build {
        Build {
            graph: PixelGraph::new(name),
            diagnostics: Vec::new(),
            path: Vec::new(),
            labels: Vec::new(),
            collected: Vec::new(),
            image,
            span: Span::new(0, 0),
        }
    }

    /// The input `image`, scaled to 0 to 1.
    pub(super) fn start(&mut self) -> Flow {
        let Image { height, width, colours, levels } = self.image;
        let shape = [Dim::N, Dim::Fixed(colours), Dim::Fixed(height), Dim::Fixed(width)];
        let image = self.graph.input("image", Type::real(shape), Role::Data);
        let scale = Scale { factor: 1.0 / (levels - 1) as f64 };
        let scaled = match levels {
            2 => None,
            _ => self.graph.push(scale.into(), &[image], "image/scaled", None).ok(),
        };
        let value = scaled.map_or(image, |v| v[0]);
        Flow { value, features: colours, raw: true }
    }

    /// The image of the model.
    pub fn image(&self) -> Image {
        self.image
    }

    /// The place of the layer that is built.
    pub fn here(&self) -> Span {
        self.span
    }

    /// Records a diagnostic.
    pub fn refuse(&mut self, diagnostic: Diagnostic) -> Refused {
        self.diagnostics.push(diagnostic);
        Refused
    }

    /// Refuses to read the image itself.
    ///
    /// # Errors
    /// No layer with mask A came before.
    pub fn needs_mask_a(&mut self, flow: &Flow) -> Result<(), Refused> {
        if !flow.raw {
            return Ok(());
        }
        let wrong = Diagnostic::error(self.span, "the first layer must have mask A")
            .remark("this layer reads the pixel that is to be predicted")
            .help("begin with `masked_conv(7 x 7, A, features)`");
        Err(self.refuse(wrong))
    }

    /// The width of four gates.
    ///
    /// # Errors
    /// It overflows.
    pub fn gates(&mut self, features: usize) -> Result<usize, Refused> {
        match features.checked_mul(4) {
            Some(gates) => Ok(gates),
            None => Err(self.too_large("")),
        }
    }

    fn too_large(&mut self, why: &str) -> Refused {
        let span = self.span;
        self.refuse(
            Diagnostic::error(span, "this layer is too large")
                .remark(why)
                .help(format!("a weight has at most {MAX_WEIGHT} elements")),
        )
    }

    /// The dotted path of the layer that is built.
    fn name(&self) -> String {
        self.path.join(".")
    }

    pub(super) fn enter(&mut self, label: &str, span: Span) {
        self.path.push(label.to_string());
        self.span = span;
    }

    pub(super) fn leave(&mut self) {
        self.path.pop();
    }

    fn parameter(&mut self, part: &str, shape: &[usize], init: Init) -> Result<Value, Refused> {
        let size = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        if size.is_none_or(|n| n > MAX_WEIGHT) {
            let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
            return Err(self.too_large(&format!("its `{part}` would be {}", shape.join(" x "))));
        }
        let name = format!("{}.{part}", self.name());
        Ok(self.graph.input(name, Type::real(shape.iter().copied()), Role::Parameter(init)))
    }

    /// A weight of the layer; one output reads `fan_in` values.
    ///
    /// # Errors
    /// It is too large.
    pub fn weight(&mut self, part: &str, shape: &[usize], fan_in: usize) -> Result<Value, Refused> {
        self.parameter(part, shape, Init::Uniform { fan_in })
    }

    /// A parameter that starts at zero.
    ///
    /// # Errors
    /// It is too large.
    pub fn zeros(&mut self, part: &str, shape: &[usize]) -> Result<Value, Refused> {
        self.parameter(part, shape, Init::Zero)
    }

    /// Adds the layer's node; the map that it gives.
    ///
    /// # Errors
    /// The operator refuses its inputs.
    pub fn push(
        &mut self,
        op: impl Into<Op>,
        inputs: &[Value],
        features: usize,
    ) -> Result<Flow, Refused> {
        self.push_part("", op, inputs, features)
    }

    /// Adds a further node of the layer, `/part` of it.
    ///
    /// # Errors
    /// The operator refuses its inputs.
    pub fn push_part(
        &mut self,
        part: &str,
        op: impl Into<Op>,
        inputs: &[Value],
        features: usize,
    ) -> Result<Flow, Refused> {
        let name = self.name() + part;
        match self.graph.push(op.into(), inputs, &name, Some(self.span)) {
            Ok(results) => Ok(Flow { value: results[0], features, raw: false }),
            Err(error) => {
                let span = self.span;
                Err(self.refuse(Diagnostic::error(span, error.to_string())))
            }
        }
    }

    /// Names the model's output.
    ///
    /// # Errors
    /// There is one already.
    pub fn finish(&mut self, logits: Value) -> Result<(), Refused> {
        if !self.graph.outputs().is_empty() {
            let span = self.span;
            return Err(self.refuse(Diagnostic::error(span, "the model has an output already")));
        }
        self.graph.output("logits", logits);
        Ok(())
    }

    pub(super) fn open_collect(&mut self) {
        self.collected.push(Vec::new());
    }

    pub(super) fn close_collect(&mut self) -> Vec<(Flow, Span)> {
        self.collected.pop().unwrap_or_default()
    }

    /// Whether a `collect` block is open.
    pub fn collecting(&self) -> bool {
        !self.collected.is_empty()
    }

    /// Adds a map to the innermost `collect` block.
    pub fn collect(&mut self, tap: Flow, span: Span) {
        if let Some(taps) = self.collected.last_mut() {
            taps.push((tap, span));
        }
    }
}
