//! The builder that layers use: the graph, the current path of names, and positions in the source.

use std::collections::BTreeMap;

use pixelrnn_graph::{
    Condition, Diagnostic, Dim, Init, LayerId, OutputRole, Role, Site, Span, Type, Value,
};
use pixelrnn_ops::{ConditionKind, Distribution, Op, PixelGraph, Scale as Multiply};
use pixelrnn_passes::Scale;

use super::Image;
use crate::ast::Ident;

/// A layer has an error, which has been reported. Like rustc's `ErrorGuaranteed`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErrorReported;

/// A map as it flows through a model.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The value, `[N, features, H, W]`.
    pub value: Value,
    /// The number of features.
    pub features: usize,
    /// Whether it is the image itself, which only a layer with mask A may read.
    pub raw: bool,
    /// The index of the graph that the value belongs to.
    pub(crate) graph: usize,
}

/// The largest number of elements of a weight. Larger weights are most likely typing errors.
const MAX_WEIGHT: usize = 1 << 28;

/// Builds the graphs of a declaration.
pub struct Build {
    pub(crate) graph: PixelGraph,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) path: Vec<String>,
    /// The names used in each open block.
    pub(crate) labels: Vec<BTreeMap<String, Span>>,
    /// The finished scales, in order.
    pub(crate) scales: Vec<Scale>,
    /// The index of the current graph: 0 for the whole image, then one for each smaller scale.
    current: usize,
    collected: Vec<Vec<(Flow, Span)>>,
    /// The sizes of the whole image and of the current scale's image.
    whole: Image,
    image: Image,
    /// The inputs of the current graph that have been read: the image, conditions and smaller scales.
    given: BTreeMap<String, Flow>,
    spans: Vec<Span>,
}

impl Build {
    pub(super) fn new(name: &str, image: Image) -> Build {
        Build {
            graph: PixelGraph::new(name),
            diagnostics: Vec::new(),
            path: Vec::new(),
            labels: Vec::new(),
            scales: Vec::new(),
            current: 0,
            collected: Vec::new(),
            whole: image,
            image,
            given: BTreeMap::new(),
            spans: Vec::new(),
        }
    }

    /// The input `image`, scaled to the range 0 to 1.
    pub(super) fn start(&mut self) -> Flow {
        self.picture("image", Role::Image, self.image, true)
    }

    /// An input of levels, scaled to the range 0 to 1. Later calls return the same map.
    fn picture(&mut self, name: &str, role: Role, size: Image, raw: bool) -> Flow {
        if let Some(known) = self.given.get(name) {
            return known.clone();
        }
        let Image { height, width, colours, levels } = size;
        let shape = [Dim::N, Dim::Fixed(colours), Dim::Fixed(height), Dim::Fixed(width)];
        let image = self.graph.input(name, Type::real(shape), role);
        let factor = 1.0 / (levels - 1) as f64;
        let scaled = match levels {
            2 => None,
            _ => {
                let name = format!("{name}/scaled");
                self.graph.push(Multiply { factor }.into(), &[image], &name, Site::NONE).ok()
            }
        };
        let value = scaled.map_or(image, |v| v[0]);
        let flow = Flow { value, features: colours, raw, graph: self.current };
        self.given.insert(name.to_string(), flow.clone());
        flow
    }

    /// A condition as a map. Later calls return the same map.
    ///
    /// # Errors
    /// The condition is as large as the whole image, but the current scale is smaller.
    pub(super) fn condition(
        &mut self,
        name: &Ident,
        kind: ConditionKind,
    ) -> Result<Flow, ErrorReported> {
        if let Some(known) = self.given.get(&name.text) {
            return Ok(known.clone());
        }
        let size = |image: Image| [image.height, image.width];
        let (whole, own) = (size(self.whole), size(self.image));
        let input = self.graph.input(name.text.clone(), kind.ty(whole), kind.role());
        let value = match kind.map(&mut self.graph, input, &name.text) {
            Ok(value) => value,
            Err(error) => return Err(self.report(Diagnostic::error(name.span, error.to_string()))),
        };
        let features = self.graph.ty(value).extents(1).get(1).copied().unwrap_or(1);
        let flow = Flow { value, features, raw: false, graph: self.current };
        let found = self.size(&flow);
        if found != own && found != [1, 1] {
            let wrong = format!("`{}` has the size of the whole image", name.text);
            let [height, width] = own;
            let wrong = Diagnostic::error(name.span, wrong)
                .remark(format!("this scale has {height} x {width} pixels"))
                .help("read it outside of the scale");
            return Err(self.report(wrong));
        }
        self.given.insert(name.text.clone(), flow.clone());
        Ok(flow)
    }

    /// The image of a finished smaller scale, as a map; `None` if no scale has this name.
    pub(super) fn smaller(&mut self, name: &str) -> Option<Flow> {
        let factor = self.scales.iter().find(|scale| scale.name == name)?.factor;
        let Image { height, width, colours, levels } = self.whole;
        let size = Image { height: height / factor, width: width / factor, colours, levels };
        Some(self.picture(name, Role::Condition(Condition::Scale { factor }), size, false))
    }

    /// Begins the graph of a smaller scale. Returns the values that [`Build::end_scale`] restores.
    pub(super) fn begin_scale(&mut self, factor: usize) -> (PixelGraph, BTreeMap<String, Flow>) {
        let fresh = PixelGraph::new(self.graph.name.clone());
        let graph = std::mem::replace(&mut self.graph, fresh);
        self.graph.share_layers(graph.layers());
        let Image { height, width, colours, levels } = self.whole;
        self.image = Image { height: height / factor, width: width / factor, colours, levels };
        self.current = self.scales.len() + 1;
        (graph, std::mem::take(&mut self.given))
    }

    /// Ends the graph of a smaller scale and returns to the previous graph.
    pub(super) fn end_scale(
        &mut self,
        name: &str,
        factor: usize,
        (before, given): (PixelGraph, BTreeMap<String, Flow>),
    ) {
        let graph = std::mem::replace(&mut self.graph, before);
        self.graph.share_layers(graph.layers());
        self.image = self.whole;
        self.given = given;
        self.current = 0;
        self.scales.push(Scale { name: name.to_string(), factor, graph });
    }

    /// The size of the model's image, or of the current scale's image.
    pub fn image(&self) -> Image {
        self.image
    }

    /// The size of the whole image.
    pub(super) fn whole(&self) -> Image {
        self.whole
    }

    /// Whether a map belongs to the current graph.
    pub(super) fn owns(&self, flow: &Flow) -> bool {
        flow.graph == self.current
    }

    /// The height and width of a map.
    pub fn size(&self, flow: &Flow) -> [usize; 2] {
        match self.graph.ty(flow.value).extents(1)[..] {
            [_, _, height, width] => [height, width],
            _ => [1, 1],
        }
    }

    /// The span of the current layer.
    pub fn here(&self) -> Span {
        self.spans.last().copied().unwrap_or(Span::new(0, 0))
    }

    /// Records a diagnostic. Returns the proof that it was recorded.
    pub fn report(&mut self, diagnostic: Diagnostic) -> ErrorReported {
        self.diagnostics.push(diagnostic);
        ErrorReported
    }

    /// Checks that a map is not the image itself.
    ///
    /// # Errors
    /// No layer with mask A came before.
    pub fn needs_mask_a(&mut self, flow: &Flow) -> Result<(), ErrorReported> {
        if !flow.raw {
            return Ok(());
        }
        let wrong = Diagnostic::error(self.here(), "the first layer must have mask A")
            .remark("this layer would read the pixel it predicts")
            .help("begin with `masked_conv(7 x 7, A, features)`");
        Err(self.report(wrong))
    }

    /// The number of features of four gates.
    ///
    /// # Errors
    /// It overflows.
    pub fn gates(&mut self, features: usize) -> Result<usize, ErrorReported> {
        match features.checked_mul(4) {
            Some(gates) => Ok(gates),
            None => Err(self.too_large("")),
        }
    }

    fn too_large(&mut self, why: &str) -> ErrorReported {
        let span = self.here();
        self.report(
            Diagnostic::error(span, "this layer is too large")
                .remark(why)
                .help(format!("a weight has at most {MAX_WEIGHT} elements")),
        )
    }

    /// The dotted path of the current layer.
    fn name(&self) -> String {
        self.path.join(".")
    }

    /// The current layer in the graph's table of layers.
    fn layer(&mut self) -> LayerId {
        let name = self.name();
        self.graph.layer(&name)
    }

    /// Begins a layer. Without a label, it uses the current path.
    pub(super) fn enter(&mut self, label: Option<&str>, span: Span) {
        self.path.extend(label.map(str::to_string));
        self.spans.push(span);
    }

    /// Ends the layer that [`Build::enter`] began with the same label.
    pub(super) fn leave(&mut self, label: Option<&str>) {
        if label.is_some() {
            self.path.pop();
        }
        self.spans.pop();
    }

    fn parameter(
        &mut self,
        part: &str,
        shape: &[usize],
        init: Init,
    ) -> Result<Value, ErrorReported> {
        let size = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        if size.is_none_or(|n| n > MAX_WEIGHT) {
            let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
            return Err(self.too_large(&format!("its `{part}` would be {}", shape.join(" x "))));
        }
        let name = format!("{}.{part}", self.name());
        let layer = Some(self.layer());
        Ok(self.graph.parameter(name, Type::real(shape.iter().copied()), init, layer))
    }

    /// Adds a weight of the layer. `fan_in` is the number of values that one output reads.
    ///
    /// # Errors
    /// The weight is too large.
    pub fn weight(
        &mut self,
        part: &str,
        shape: &[usize],
        fan_in: usize,
    ) -> Result<Value, ErrorReported> {
        self.parameter(part, shape, Init::Uniform { fan_in })
    }

    /// Adds a parameter that is initialized to zero.
    ///
    /// # Errors
    /// The parameter is too large.
    pub fn zeros(&mut self, part: &str, shape: &[usize]) -> Result<Value, ErrorReported> {
        self.parameter(part, shape, Init::Zero)
    }

    /// Adds the layer's main node and returns its map.
    ///
    /// # Errors
    /// The operator does not accept its inputs.
    pub fn push(
        &mut self,
        op: impl Into<Op>,
        inputs: &[Value],
        features: usize,
    ) -> Result<Flow, ErrorReported> {
        self.push_part("", op, inputs, features)
    }

    /// Adds a node to the layer, with the suffix `/part`, and returns its map.
    ///
    /// # Errors
    /// The operator does not accept its inputs.
    pub fn push_part(
        &mut self,
        part: &str,
        op: impl Into<Op>,
        inputs: &[Value],
        features: usize,
    ) -> Result<Flow, ErrorReported> {
        let value = self.node(part, op, inputs)?;
        Ok(Flow { value, features, raw: false, graph: self.current })
    }

    /// Adds a node to the layer, with the suffix `/part`, whose result is not a map.
    ///
    /// # Errors
    /// The operator does not accept its inputs.
    pub fn node(
        &mut self,
        part: &str,
        op: impl Into<Op>,
        inputs: &[Value],
    ) -> Result<Value, ErrorReported> {
        let name = self.name() + part;
        let site = Site::of(self.layer(), self.here());
        match self.graph.push(op.into(), inputs, &name, site) {
            Ok(results) => Ok(results[0]),
            Err(error) => {
                let span = self.here();
                Err(self.report(Diagnostic::error(span, error.to_string())))
            }
        }
    }

    /// Declares the model's output: the parameters of a distribution.
    ///
    /// # Errors
    /// The model already has an output.
    pub fn finish(
        &mut self,
        name: &str,
        value: Value,
        of: Distribution,
    ) -> Result<(), ErrorReported> {
        if !self.graph.outputs().is_empty() {
            let span = self.here();
            return Err(self.report(Diagnostic::error(span, "the model already has an output")));
        }
        self.graph.output_as(name, value, OutputRole::Parameters(of));
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
