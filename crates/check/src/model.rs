//! A file made ready to run: which input is the image, which output holds the logits.

use std::collections::HashMap;

use prost::Message;

use super::Options;
use super::error::DependError;
use super::inline;
use super::layout::{Layout, Placement, Size, readings};
use super::literal;
use super::machine::{Machine, Plan, Scope, constants};
use super::ops;
use super::store::{Cell, El, Store};
use super::tensor::{Data, Tensor, size};
use pixelrnn_onnx::proto::tensor_proto::DataType;
use pixelrnn_onnx::proto::tensor_shape_proto::Dimension;
use pixelrnn_onnx::proto::tensor_shape_proto::dimension::Value as DimValue;
use pixelrnn_onnx::proto::type_proto::{Tensor as TensorType, Value as TypeValue};
use pixelrnn_onnx::proto::{GraphProto, ModelProto, ValueInfoProto};

/// A decoded model without functions.
pub(super) struct Model {
    graph: GraphProto,
    opset: i64,
}

/// What is asked of a model.
pub(super) struct Task<'m> {
    pub graph: &'m GraphProto,
    pub opset: i64,
    pub plan: Plan<'m>,
    /// All constants and inputs but the image.
    pub values: HashMap<&'m str, Tensor>,
    pub input: &'m str,
    input_type: &'m TensorType,
    pub input_shape: Vec<usize>,
    pub output: &'m str,
    pub size: Size,
    pub input_place: Placement,
    pub parameters: usize,
}

/// An extent, the batch and whatever else is open taken as one; -1 if it is not stated at all.
pub(super) fn extent(dim: &Dimension) -> Option<i64> {
    match &dim.value {
        Some(DimValue::DimValue(n)) => Some(*n),
        _ => Some(1),
    }
}

fn tensor_type(info: &ValueInfoProto) -> Option<&TensorType> {
    match info.r#type.as_ref()?.value.as_ref()? {
        TypeValue::TensorType(t) => Some(t),
        _ => None,
    }
}

fn rank(ty: &TensorType) -> Option<usize> {
    ty.shape.as_ref().map(|s| s.dim.len())
}

impl Model {
    /// Decodes a model and inlines its functions.
    ///
    /// # Errors
    /// No model, no graph, or functions without end.
    pub fn decode(bytes: &[u8]) -> Result<Model, DependError> {
        let mut proto =
            ModelProto::decode(bytes).map_err(|e| DependError::Decode(e.to_string()))?;
        let mut graph = proto.graph.take().ok_or(DependError::NoGraph)?;
        inline::inline(&mut graph, &proto.functions)?;
        let standard = proto.opset_import.iter().find(|o| matches!(o.domain(), "" | "ai.onnx"));
        Ok(Model { graph, opset: standard.map_or(18, |o| o.version()) })
    }

    /// Finds input and output and plans the run.
    ///
    /// # Errors
    /// What the options ask for does not exist, or an operator is not known.
    pub fn task(&self, options: &Options) -> Result<Task<'_>, DependError> {
        let graph = &self.graph;
        let constant: HashMap<&str, ()> =
            graph.initializer.iter().map(|t| (t.name(), ())).collect();
        let free: Vec<&ValueInfoProto> =
            graph.input.iter().filter(|i| !constant.contains_key(i.name())).collect();
        let image = image_input(&free, options)?;
        let (input_type, input_shape, size, input_place) = image_shape(image, options)?;
        let names = || graph.output.iter().map(|o| o.name().to_string()).collect();
        let wanted = |o: &&ValueInfoProto| match &options.output {
            Some(name) => o.name() == name,
            None => true,
        };
        let output = graph.output.iter().find(wanted).ok_or_else(|| DependError::NoOutput {
            wanted: options.output.clone(),
            outputs: names(),
        })?;
        let results = [output.name()];
        let plan = Plan::new(graph, &results);
        let nodes = ops::unsupported(plan.nodes.iter().copied());
        if !nodes.is_empty() {
            return Err(DependError::Unsupported { nodes });
        }
        let mut values = constants(graph, &plan, &results)?;
        let mut parameters = values.values().map(parameter_count).sum();
        for info in free.iter().filter(|i| i.name() != image.name()) {
            if let Some(t) = opaque(info)? {
                parameters += t.len();
                values.insert(info.name(), t);
            }
        }
        Ok(Task {
            graph,
            opset: self.opset,
            plan,
            values,
            input: image.name(),
            input_type,
            input_shape,
            output: output.name(),
            size,
            input_place,
            parameters,
        })
    }
}

/// A tensor of weights; neither an index nor a mask of zeros and ones.
fn parameter_count(t: &Tensor) -> usize {
    let Some(values) = t.values() else { return 0 };
    let mask = values.contains(&0.0)
        && values.contains(&1.0)
        && values.iter().all(|&x| x == 0.0 || x == 1.0);
    if t.kind == super::tensor::Kind::Float && !mask { t.len() } else { 0 }
}

/// The image among the inputs: four axes of floats, or else whatever comes closest.
fn image_input<'m>(
    free: &[&'m ValueInfoProto],
    options: &Options,
) -> Result<&'m ValueInfoProto, DependError> {
    let is = |i: &&&ValueInfoProto, wanted: usize, floats: bool| {
        tensor_type(i).is_some_and(|t| {
            let float = matches!(
                DataType::try_from(t.elem_type()),
                Ok(DataType::Float | DataType::Double | DataType::Float16 | DataType::Bfloat16)
            );
            rank(t) == Some(wanted) && (float || !floats)
        })
    };
    let found = match &options.input {
        Some(name) => free.iter().find(|i| i.name() == name),
        None => [(4, true), (4, false), (3, true), (3, false)]
            .into_iter()
            .find_map(|(rank, floats)| free.iter().find(|i| is(i, rank, floats))),
    };
    found.copied().ok_or_else(|| DependError::NoInput {
        wanted: options.input.clone(),
        inputs: free.iter().map(|i| i.name().to_string()).collect(),
    })
}

type Image<'m> = (&'m TensorType, Vec<usize>, Size, Placement);

fn image_shape<'m>(info: &'m ValueInfoProto, options: &Options) -> Result<Image<'m>, DependError> {
    let input = || info.name().to_string();
    let missing = || DependError::NoInput { wanted: Some(input()), inputs: Vec::new() };
    let ty = tensor_type(info).ok_or_else(missing)?;
    let dims = ty.shape.as_ref().map_or(&[][..], |s| &s.dim);
    let given = options.image.map(|[c, h, w]| Size { colours: c, height: h, width: w });
    let usual = |text: &str| text.parse::<Layout>().ok();
    let last = dims.last().and_then(stated);
    let second = dims.get(1).and_then(stated);
    let layout = match (&options.input_layout, dims.len()) {
        (Some(layout), _) => Some(layout.clone()),
        (None, 3) => usual("hw"),
        // Few channels at the end and many in front: channels last.
        (None, _) if last.is_some_and(|l| l <= 4) && second.is_none_or(|s| s > 4) => usual("hwc"),
        (None, _) => usual("chw"),
    };
    let layout = layout.ok_or_else(missing)?;
    let mut shape = Vec::with_capacity(dims.len());
    for (axis, dim) in dims.iter().enumerate() {
        let open = || DependError::OpenExtent { input: input(), axis };
        let extent = match (axis, stated(dim), given) {
            (_, Some(n), _) => usize::try_from(n).map_err(|_| open())?,
            (0, None, _) => 1,
            (_, None, Some(size)) => layout.extent(axis - 1, size).ok_or_else(open)?,
            (_, None, None) => return Err(open()),
        };
        shape.push(extent);
    }
    let fail = || DependError::InputShape {
        input: input(),
        shape: shape.clone(),
        layout: layout.to_string(),
    };
    let pixels = shape.get(1..).ok_or_else(fail)?;
    let (found, place) = match given {
        Some(size) => (size, layout.place(pixels, size).ok_or_else(fail)?),
        None => layout.image(pixels).ok_or_else(fail)?,
    };
    let whole = size(&shape).map_err(|_| fail())?;
    if whole == 0 || place.levels != 1 || whole > MAX_IMAGE {
        return Err(fail());
    }
    Ok((ty, shape, found, place))
}

/// Values of an image, batch included.
const MAX_IMAGE: usize = 1 << 22;

fn stated(dim: &Dimension) -> Option<i64> {
    match &dim.value {
        Some(DimValue::DimValue(n)) if *n > 0 => Some(*n),
        _ => None,
    }
}

/// An input that is not the image: unknown, and independent of it.
fn opaque(info: &ValueInfoProto) -> Result<Option<Tensor>, DependError> {
    let Some(ty) = tensor_type(info) else { return Ok(None) };
    let dims: Option<Vec<i64>> = ty.shape.iter().flat_map(|s| &s.dim).map(extent).collect();
    let shape = dims.and_then(|d| literal::extents(&d)).unwrap_or_default();
    let name = info.name().to_string();
    size(&shape)
        .map_err(|_| DependError::Constant { name, reason: "is an input that is too large" })?;
    Ok(Some(Tensor::opaque(literal::kind(ty.elem_type()), shape)))
}

impl<'m> Task<'m> {
    /// The image: to each value of the first image of the batch the set that `set` gives.
    pub fn image(
        &self,
        store: &mut Store,
        mut set: impl FnMut(&mut Store, usize) -> u32,
    ) -> Tensor {
        let Size { colours, height, width } = self.size;
        let mut cells = vec![Cell::OPAQUE; self.input_shape.iter().product()];
        for y in 0..height {
            for x in 0..width {
                for c in 0..colours {
                    let bit = (y * width + x) * colours + c;
                    let id = set(store, bit);
                    let cell = store.cell(El::Set(id));
                    if let Some(slot) = cells.get_mut(self.input_place.element([c, y, x], 0)) {
                        *slot = cell;
                    }
                }
            }
        }
        let kind = literal::kind(self.input_type.elem_type());
        Tensor { kind, shape: self.input_shape.clone(), data: Data::Cells(cells.into()) }
    }

    /// Runs the graph on an image; the scope then holds the output, and with `keep` all else.
    ///
    /// # Errors
    /// A node that cannot run.
    pub fn run(
        &self,
        machine: &mut Machine,
        image: Tensor,
        keep: bool,
    ) -> Result<(Scope<'m, 'm>, Tensor), DependError> {
        let mut scope = Scope::inside(None);
        scope.values = self.values.clone();
        scope.values.insert(self.input, image);
        machine.run(&self.plan, &mut scope, keep)?;
        let output = scope.get(self.output).cloned().ok_or_else(|| DependError::UnknownValue {
            node: self.graph.name().to_string(),
            value: self.output.to_string(),
        })?;
        Ok((scope, output))
    }

    /// How the output is laid out.
    ///
    /// # Errors
    /// No layout fits, or several do.
    pub fn output_place(
        &self,
        output: &Tensor,
        options: &Options,
    ) -> Result<(Layout, Placement), DependError> {
        let Size { colours, height, width } = self.size;
        let (name, shape) = (self.output.to_string(), output.shape.clone());
        let pixels = output.shape.get(1..).unwrap_or(&[]);
        let mut found = match &options.output_layout {
            Some(layout) => {
                layout.place(pixels, self.size).map(|p| (layout.clone(), p)).into_iter().collect()
            }
            None => readings(pixels, self.size, options.levels),
        };
        if found.len() > 1 {
            let layouts = found.iter().map(|(l, _)| l.to_string()).collect();
            return Err(DependError::Ambiguous { output: name, shape, layouts });
        }
        found.pop().ok_or(DependError::OutputShape { output: name, shape, colours, height, width })
    }
}
