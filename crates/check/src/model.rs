//! Prepares a file for the analysis: which input is the image, which output holds the logits.

use std::collections::HashSet;

use pixelrnn_onnx::proto::tensor_shape_proto::Dimension;
use pixelrnn_onnx::proto::tensor_shape_proto::dimension::Value as DimValue;
use pixelrnn_onnx::proto::type_proto::{Tensor as TensorType, Value as TypeValue};
use pixelrnn_onnx::proto::{GraphProto, ModelProto, ValueInfoProto};
use prost::Message;

use crate::elem::Elem;
use crate::error::CheckError;
use crate::inline;
use crate::item::Item;
use crate::layout::{Layout, Placement, Size, readings};
use crate::literal;
use crate::machine::{Machine, Plan, Scope};
use crate::ops;
use crate::options::{Options, Order};
use crate::own::{Holds, Kind, Question};
use crate::report::{InputRole, Role};
use crate::sets::EMPTY;
use crate::store::{El, Store};
use crate::tensor::{Data, Tensor, size};
use crate::valid;
use crate::value::Value;

/// A decoded model whose model-local functions have been inlined.
pub(crate) struct Model {
    pub graph: GraphProto,
    opset: i64,
    /// What the metadata say about the model, if this project wrote the file.
    pub holds: Option<Holds>,
}

/// One question about a model, ready to run.
pub(crate) struct Task<'m> {
    pub graph: &'m GraphProto,
    pub opset: i64,
    pub plan: Plan<'m>,
    pub input: &'m str,
    elem: Elem,
    pub input_shape: Vec<usize>,
    pub output: &'m str,
    pub size: Size,
    pub input_place: Placement,
    /// Inputs other than the image.
    others: Vec<&'m ValueInfoProto>,
    /// Those of `others` that are smaller scales of the image: inner values of the graph that are
    /// treated as inputs.
    smaller: Vec<&'m str>,
    /// Whether this project wrote the file. If so, the layout of the logits is known.
    exported: bool,
    pub order: Option<Order>,
    range: (f64, f64),
    /// All inputs and their roles.
    pub roles: Vec<InputRole>,
}

/// The extent of an axis. A dynamic one, such as the batch, counts as 1.
pub(crate) fn extent(dim: &Dimension) -> Option<i64> {
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
    /// Decodes a model, validates it and inlines its functions.
    ///
    /// # Errors
    /// If the bytes are not a model, it has no graph, its meaning is ambiguous, or functions are
    /// recursive.
    pub fn decode(bytes: &[u8]) -> Result<Model, CheckError> {
        let mut proto = ModelProto::decode(bytes).map_err(|e| {
            CheckError::Decode(other_format(bytes).map_or(e.to_string(), Into::into))
        })?;
        if proto.graph.is_none() {
            return Err(CheckError::NoGraph);
        }
        let opset = valid::opset(&proto)?;
        let mut graph = proto.graph.take().ok_or(CheckError::NoGraph)?;
        inline::inline(&mut graph, &proto.functions)?;
        Ok(Model { graph, opset, holds: Holds::read(&proto.metadata_props) })
    }

    /// Finds the input and the output, and plans the run.
    ///
    /// # Errors
    /// If an input or output in the options does not exist, or an operator is not supported.
    pub fn task<'m>(&'m self, question: &'m Question) -> Result<Task<'m>, CheckError> {
        self.task_for(question, &[])
    }

    /// Like [`Model::task`], and also computes the values named in `more`.
    ///
    /// # Errors
    /// Those of [`Model::task`].
    pub fn task_for<'m>(
        &'m self,
        question: &'m Question,
        more: &[&'m str],
    ) -> Result<Task<'m>, CheckError> {
        let (graph, options) = (&self.graph, &question.options);
        let constant: HashSet<&str> = graph.initializer.iter().map(|t| t.name()).collect();
        let inputs = graph.input.iter().filter(|i| !constant.contains(i.name()));
        let free: Vec<&ValueInfoProto> = inputs.chain(&question.given).collect();
        // In a file of this project, the metadata name the conditions. A condition is never the
        // image, even if it has the shape of one.
        let stated = |name: &str| {
            let holds = self.holds.as_ref();
            holds.is_some_and(|holds| holds.conditions.iter().any(|known| known == name))
        };
        let images: Vec<&ValueInfoProto> =
            free.iter().copied().filter(|i| options.input.is_some() || !stated(i.name())).collect();
        let image = image_input(&images, options)?;
        let (ty, input_shape, size, input_place) = image_shape(image, options)?;
        let elem = Elem::from_proto(ty.elem_type()).ok_or_else(|| CheckError::NoInput {
            wanted: options.input.clone(),
            inputs: free.iter().map(|i| i.name().to_string()).collect(),
        })?;
        let output = output(graph, options)?;
        let results = [&[output], more].concat();
        let given: Vec<&str> = question.given.iter().map(|i| i.name()).collect();
        let plan = Plan::new(graph, &results, &given);
        if given.contains(&image.name()) && reads_image(&plan, &results) {
            return Err(CheckError::Holds(self.holds.as_ref().map_or(Kind::Forward, |h| h.kind)));
        }
        let nodes = ops::unsupported(plan.nodes.iter().copied());
        if !nodes.is_empty() {
            return Err(CheckError::Unsupported { nodes });
        }
        let others: Vec<&ValueInfoProto> =
            free.iter().copied().filter(|i| i.name() != image.name()).collect();
        let mut roles: Vec<InputRole> = free.iter().map(|i| role(i, image.name(), &plan)).collect();
        for role in roles.iter_mut() {
            let condition = given.contains(&role.name.as_str()) || stated(&role.name);
            if condition && role.role == Role::Weights {
                role.role = Role::Condition;
            }
        }
        Ok(Task {
            graph,
            opset: self.opset,
            plan,
            input: image.name(),
            elem,
            input_shape,
            output,
            size,
            input_place,
            others,
            smaller: given,
            exported: self.holds.is_some(),
            order: options.order,
            range: options.bounds(),
            roles,
        })
    }
}

/// The name of the format, for bytes of another format that is easily mistaken for ONNX.
fn other_format(bytes: &[u8]) -> Option<&'static str> {
    let starts = |head: &[u8]| bytes.starts_with(head);
    if bytes.get(8) == Some(&b'{') && bytes.get(5..8) == Some(&[0; 3]) {
        return Some("a safetensors file, which holds weights without a graph; export the model");
    }
    if starts(b"PK\x03\x04") {
        return Some(
            "a zip archive, as `torch.save` writes; export the model with `torch.onnx.export`",
        );
    }
    if starts(b"\x89HDF\r\n") {
        return Some("an HDF5 file, as Keras writes; export the model as ONNX");
    }
    if starts(b"\x80") && bytes.get(1).is_some_and(|v| (2..=5).contains(v)) {
        return Some("a Python pickle; export the model with `torch.onnx.export`");
    }
    let text = bytes.get(..64.min(bytes.len())).map(|h| String::from_utf8_lossy(h).to_lowercase());
    let text = text.unwrap_or_default();
    if text.starts_with("version https:") && text.contains("git-lfs") {
        return Some("a Git LFS pointer; fetch the file itself with `git lfs pull`");
    }
    let page = text.trim_start().starts_with("<!doctype") || text.trim_start().starts_with("<html");
    page.then_some("a web page; download the file itself")
}

/// The name of the output that was requested, which may be an inner value. The default is the first
/// output of the graph.
fn output<'m>(graph: &'m GraphProto, options: &Options) -> Result<&'m str, CheckError> {
    let outer = graph.output.iter().map(|o| o.name());
    let inner = graph.node.iter().flat_map(|n| &n.output).map(String::as_str);
    let found = match &options.output {
        Some(name) => outer.clone().chain(inner).find(|o| !o.is_empty() && o == name),
        None => outer.clone().next(),
    };
    found.ok_or_else(|| CheckError::NoOutput {
        wanted: options.output.clone(),
        outputs: outer.map(str::to_string).collect(),
    })
}

/// Whether results read values of the full image, although they should read a smaller scale only.
/// Its shape may be read.
fn reads_image(plan: &Plan, results: &[&str]) -> bool {
    let mut needed: HashSet<&str> = results.iter().copied().collect();
    for node in plan.nodes.iter().rev() {
        let extents = matches!(node.op_type(), "Shape" | "Size");
        if !extents && node.output.iter().any(|o| needed.contains(o.as_str())) {
            needed.extend(crate::machine::reads(node));
        }
    }
    needed.contains("image")
}

/// The role of an input: image, condition, weights or unused.
fn role(info: &ValueInfoProto, image: &str, plan: &Plan) -> InputRole {
    let name = info.name().to_string();
    let used = plan.nodes.iter().any(|n| crate::machine::reads(n).contains(&info.name()));
    let role = match tensor_type(info) {
        _ if info.name() == image => Role::Image,
        _ if !used => Role::Unused,
        // Weights are floats and have no dynamic axis.
        Some(ty) => {
            let open = ty.shape.as_ref().is_some_and(|s| {
                s.dim.iter().any(|d| !matches!(d.value, Some(DimValue::DimValue(_))))
            });
            let float = Elem::from_proto(ty.elem_type()).is_some_and(Elem::is_float);
            let one = ty.shape.as_ref().and_then(|s| s.dim.first()).and_then(stated) == Some(1);
            if float && !open && !(one && rank(ty) <= Some(2)) {
                Role::Weights
            } else {
                Role::Condition
            }
        }
        None => Role::Condition,
    };
    InputRole { name, role }
}

/// The number of parameters in a tensor: zero for indices, and for masks of zeros and ones.
fn parameter_count(t: &Tensor) -> usize {
    let Data::Known(values) = &t.data else { return 0 };
    let values = &values.list;
    let mask = values.contains(&0.0)
        && values.contains(&1.0)
        && values.iter().all(|&x| x == 0.0 || x == 1.0);
    if t.elem.is_float() && !mask { t.len() } else { 0 }
}

/// The input that is the image: preferably floats with four axes and few channels. Among inputs of
/// similar shapes, their names decide.
fn image_input<'m>(
    free: &[&'m ValueInfoProto],
    options: &Options,
) -> Result<&'m ValueInfoProto, CheckError> {
    let found = match &options.input {
        Some(name) => free.iter().find(|i| i.name() == name),
        None => {
            let scored = free.iter().filter_map(|i| Some((likeness(i)?, i)));
            // Of equals, the first.
            scored.rev().max_by_key(|(score, _)| *score).map(|(_, i)| i)
        }
    };
    found.copied().ok_or_else(|| CheckError::NoInput {
        wanted: options.input.clone(),
        inputs: free.iter().map(|i| i.name().to_string()).collect(),
    })
}

/// A score of how much an input looks like an image; `None` if it cannot be one.
fn likeness(info: &ValueInfoProto) -> Option<i32> {
    let ty = tensor_type(info)?;
    let float = Elem::from_proto(ty.elem_type())?.is_float();
    let dims = &ty.shape.as_ref()?.dim;
    let mut score = match (dims.len(), float) {
        (4, true) => 40,
        (4, false) => 38,
        (3, true) => 32,
        (3, false) => 30,
        _ => return None,
    };
    let few = |d: Option<&Dimension>| d.and_then(stated).is_none_or(|n| n <= 4);
    if dims.len() == 4 && !few(dims.get(1)) && !few(dims.get(3)) {
        score -= 20;
    }
    let name = info.name().to_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| name.contains(w));
    if name == "x" || has(&["image", "img", "pixel", "sample", "input", "code"]) {
        score += 5;
    }
    if has(&["cond", "mask", "label", "class", "context", "noise", "time", "embed", "weight"]) {
        score -= 25;
    }
    Some(score)
}

type Image<'m> = (&'m TensorType, Vec<usize>, Size, Placement);

fn image_shape<'m>(info: &'m ValueInfoProto, options: &Options) -> Result<Image<'m>, CheckError> {
    let input = || info.name().to_string();
    let missing = || CheckError::NoInput { wanted: Some(input()), inputs: Vec::new() };
    let ty = tensor_type(info).ok_or_else(missing)?;
    let dims = ty.shape.as_ref().map_or(&[][..], |s| &s.dim);
    let given = options.image.map(|[c, h, w]| Size { colours: c, height: h, width: w });
    let usual = |text: &str| text.parse::<Layout>().ok();
    let last = dims.last().and_then(stated);
    let second = dims.get(1).and_then(stated);
    let layout = match (&options.input_layout, dims.len()) {
        (Some(layout), _) => Some(layout.clone()),
        (None, 3) => usual("hw"),
        // If the last axis is short and the second is not, channels are last.
        (None, _) if last.is_some_and(|l| l <= 4) && second.is_none_or(|s| s > 4) => usual("hwc"),
        (None, _) => usual("chw"),
    };
    let layout = layout.ok_or_else(missing)?;
    let mut shape = Vec::with_capacity(dims.len());
    for (axis, dim) in dims.iter().enumerate() {
        let open = || CheckError::OpenExtent { input: input(), axis };
        let extent = match (axis, stated(dim), given) {
            (_, Some(n), _) => usize::try_from(n).map_err(|_| open())?,
            (0, None, _) => 1,
            (_, None, Some(size)) => layout.extent(axis - 1, size).ok_or_else(open)?,
            (_, None, None) => return Err(open()),
        };
        shape.push(extent);
    }
    let fail = || CheckError::InputShape {
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
    if whole == 0 || place.levels != 1 || place.whole || whole > MAX_IMAGE {
        return Err(fail());
    }
    Ok((ty, shape, found, place))
}

/// Maximal number of values of an image, including the batch.
const MAX_IMAGE: usize = 1 << 24;

fn stated(dim: &Dimension) -> Option<i64> {
    match &dim.value {
        Some(DimValue::DimValue(n)) if *n > 0 => Some(*n),
        _ => None,
    }
}

/// The tensor for an input other than the image: unknown, and independent of the image.
fn unknown(
    store: &mut Store,
    info: &ValueInfoProto,
    range: Option<(f64, f64)>,
) -> Result<Option<Tensor>, CheckError> {
    let Some(ty) = tensor_type(info) else { return Ok(None) };
    let Some(elem) = Elem::from_proto(ty.elem_type()) else { return Ok(None) };
    let dims: Option<Vec<i64>> = ty.shape.iter().flat_map(|s| &s.dim).map(extent).collect();
    let shape = dims.and_then(|d| literal::extents(&d)).unwrap_or_default();
    let name = info.name().to_string();
    size(&shape)
        .map_err(|_| CheckError::Constant { name, reason: "is an input that is too large" })?;
    let bounds = range.map_or(Value::finite_of(elem), |(lo, hi)| Value::range(lo, hi));
    let v = Value { signed: true, ..bounds };
    let t = Tensor::filled(store, elem, shape, El::new(EMPTY, v));
    // Weights are read many times, so thin axes are expanded once.
    let dense = if t.len() <= 1 << 22 { t.dense(store).ok() } else { None };
    Ok(Some(dense.unwrap_or(t)))
}

impl<'m> Task<'m> {
    /// The index of a value in raster order: rows, columns, colors.
    pub fn bit(&self, [c, y, x]: [usize; 3]) -> usize {
        let Size { colours, width, .. } = self.size;
        let c = if self.order == Some(Order::Bgr) { colours - 1 - c } else { c };
        (y * width + x) * colours + c
    }

    /// Whether weights are inputs of the graph, and therefore unknown.
    pub fn weights_are_inputs(&self) -> bool {
        self.roles.iter().any(|r| r.role == Role::Weights)
    }

    /// The tensor of the image. `set` gives, for the index of each value of an image, the set that
    /// the value depends on. If the file fixes a batch of several images, it is the same for all: an
    /// output that reads its own place in any image of the batch leaks.
    ///
    /// # Errors
    /// If it exceeds the memory limit.
    pub fn image(
        &self,
        store: &mut Store,
        mut set: impl FnMut(&mut Store, usize) -> u32,
    ) -> Result<Tensor, CheckError> {
        let Size { colours, height, width } = self.size;
        let n = self.input_shape.iter().product();
        let over = |p| match p {
            crate::error::Problem::TooLarge(r) => CheckError::TooLarge(r),
            _ => CheckError::Independent,
        };
        store.spend(n).map_err(over)?;
        let (lo, hi) = self.range;
        let v = Value::range(lo.max(self.elem.min()), hi.min(self.elem.max()));
        let v = if v.lo <= v.hi { v } else { Value::finite_of(self.elem) };
        let v = Value { signed: true, ..v };
        let opaque = store.cell(El::new(EMPTY, v));
        let mut cells = vec![opaque; n];
        for y in 0..height {
            for x in 0..width {
                for c in 0..colours {
                    let id = set(store, self.bit([c, y, x]));
                    let cell = store.cell(El { a: id, b: EMPTY, v });
                    let at = self.input_place.element([c, y, x], 0);
                    for first in images(&self.input_shape) {
                        if let Some(slot) = cells.get_mut(first + at) {
                            *slot = cell;
                        }
                    }
                }
            }
        }
        Ok(Tensor::cells(store, self.elem, self.input_shape.clone(), cells))
    }

    /// Runs the graph on an image. Returns the scope (with `keep`, it has all values of the graph),
    /// the output, and the number of parameters.
    ///
    /// # Errors
    /// If a node fails.
    pub fn run(
        &self,
        machine: &mut Machine,
        image: Tensor,
        keep: bool,
    ) -> Result<(Scope<'m, 'm>, Tensor, usize), CheckError> {
        let mut scope = Scope::inside(None);
        let results = [self.output];
        let constants = machine.constants(self.graph, &self.plan, &results)?;
        let counts = constants.values().filter_map(Item::tensor).map(parameter_count);
        let mut parameters: usize = counts.sum();
        scope.values = constants;
        for info in &self.others {
            // Smaller scales are images, too, with values in the same range; the question is not
            // about them.
            let range = self.smaller.contains(&info.name()).then_some(self.range);
            if let Some(t) = unknown(&mut machine.store, info, range)? {
                parameters += t.len();
                scope.values.insert(info.name(), t.into());
            }
        }
        scope.values.insert(self.input, image.into());
        machine.run(&self.plan, &mut scope, keep)?;
        let output = scope.get(self.output).and_then(Item::tensor).cloned();
        let output = output.ok_or_else(|| CheckError::UnknownValue {
            node: self.graph.name().to_string(),
            value: self.output.to_string(),
        })?;
        let output = output.dense(&mut machine.store).map_err(|p| CheckError::Node {
            node: self.output.to_string(),
            op_type: "output".into(),
            problem: p,
        })?;
        Ok((scope, output, parameters))
    }

    /// A machine that runs this task.
    pub fn machine(&self, store: Store, options: &Options) -> Machine {
        Machine::new(store, self.opset, options.folder.clone())
    }

    /// The layout of the output, and where each value is in it.
    ///
    /// # Errors
    /// If no layout fits, or several do.
    pub fn output_place(
        &self,
        output: &Tensor,
        options: &Options,
    ) -> Result<(Layout, Placement), CheckError> {
        let Size { colours, height, width } = self.size;
        let (name, shape) = (self.output.to_string(), output.shape.clone());
        let pixels = output.shape.get(1..).unwrap_or(&[]);
        let mut found = match &options.output_layout {
            Some(layout) => {
                layout.place(pixels, self.size).map(|p| (layout.clone(), p)).into_iter().collect()
            }
            None => readings(pixels, self.size, options.levels, self.order == Some(Order::Pixel)),
        };
        if found.len() > 1 && self.exported {
            let usual = |l: &Layout| matches!(l.to_string().as_str(), "clhw" | "(cl)hw");
            found.retain(|(layout, _)| usual(layout));
        }
        if found.len() > 1 {
            let layouts = found.iter().map(|(l, _)| l.to_string()).collect();
            return Err(CheckError::Ambiguous { output: name, shape, layouts });
        }
        found.pop().ok_or(CheckError::OutputShape { output: name, shape, colours, height, width })
    }
}

/// The index of the first element of each image in a batch of this shape.
pub(crate) fn images(shape: &[usize]) -> impl Iterator<Item = usize> + use<> {
    let one: usize = shape.iter().skip(1).product();
    (0..shape.first().copied().unwrap_or(1)).map(move |i| i * one)
}

/// The set that each position of the output depends on: the union over its levels, and over the
/// images of the batch.
pub(crate) fn output_sets(
    store: &mut Store,
    output: &Tensor,
    place: &Placement,
    size: Size,
    order: Option<Order>,
) -> Vec<u32> {
    let Size { colours, height, width } = size;
    let per = if place.whole { 1 } else { colours };
    let mut sets = Vec::with_capacity(height * width * per);
    for pixel in 0..height * width {
        for c in 0..per {
            let c = if order == Some(Order::Bgr) { per - 1 - c } else { c };
            store.sets.begin();
            for level in 0..place.levels {
                let at = place.element([c, pixel / width, pixel % width], level);
                for first in images(&output.shape) {
                    let el = output.el(store, first + at);
                    store.add_el(el);
                }
            }
            sets.push(store.sets.end());
        }
    }
    sets
}
