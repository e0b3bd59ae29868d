//! Files that `pixelrnn export` wrote. Their metadata say what they contain, and so what to check.
//!
//! A `forward` file has logits; for a Multi-Scale model, those of each scale, given the smaller
//! scales. A file with a loss (`nll`, `grad`, `train`) has the same logits as inner values. In a
//! `sample` file, a sampled value may depend on the uniform random numbers up to its own position.
//! The other kinds have no image to check.

use std::collections::HashMap;

use pixelrnn_onnx::proto::tensor_proto::DataType;
use pixelrnn_onnx::proto::tensor_shape_proto::Dimension;
use pixelrnn_onnx::proto::tensor_shape_proto::dimension::Value as DimValue;
use pixelrnn_onnx::proto::type_proto::{Tensor as TensorType, Value as TypeValue};
use pixelrnn_onnx::proto::{
    GraphProto, NodeProto, StringStringEntryProto, TensorShapeProto, TypeProto, ValueInfoProto,
};

use crate::budget::Budget;
use crate::error::CheckError;
use crate::item::Item;
use crate::machine::reads;
use crate::model::Model;
use crate::options::Options;
use crate::store::{Assume, Store};

/// The kind of graph in a file that this project wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Predicts the distribution of every value.
    Forward,
    /// Computes the negative log-likelihood.
    Nll,
    /// Computes the gradient.
    Grad,
    /// Takes a training step.
    Train,
    /// Applies the optimizer's update to given gradients.
    Update,
    /// Samples whole images.
    Sample,
    /// Samples one pixel.
    Step,
    /// Starts a row of pixels.
    Row,
}

/// What the metadata of a file of this project say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holds {
    /// The kind of graph.
    pub kind: Kind,
    /// The name of the declared model.
    pub model: String,
    /// For each scale, the layer whose result has the parameters of the distribution.
    pub outputs: Vec<String>,
    /// The layout of images after the batch axis; `None` if the file does not state it.
    pub layout: Option<&'static str>,
    /// The names of the inputs that are conditions.
    pub conditions: Vec<String>,
}

const KINDS: [(&str, Kind); 8] = [
    ("forward", Kind::Forward),
    ("nll", Kind::Nll),
    ("grad", Kind::Grad),
    ("train", Kind::Train),
    ("update", Kind::Update),
    ("sample", Kind::Sample),
    ("step", Kind::Step),
    ("row", Kind::Row),
];

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(KINDS.iter().find(|(_, k)| k == self).map_or("", |(name, _)| name))
    }
}

impl Holds {
    /// Reads the metadata; `None` if this project did not write them.
    pub(crate) fn read(metadata: &[StringStringEntryProto]) -> Option<Holds> {
        let value = |key: &str| metadata.iter().find(|p| p.key() == key).map(|p| p.value());
        let graph = value("pixelrnn.graph")?;
        let kind = KINDS.iter().find(|(name, _)| *name == graph)?.1;
        let outputs = value("pixelrnn.outputs").unwrap_or("").split(',');
        let outputs = outputs.filter(|name| !name.is_empty()).map(str::to_string).collect();
        let layout = match value("pixelrnn.layout") {
            Some("nchw") => Some("chw"),
            Some("nhwc") => Some("hwc"),
            _ => None,
        };
        let model = value("pixelrnn.model").unwrap_or("").to_string();
        // For example `label: classes 10; edges: map 1`.
        let conditions = value("pixelrnn.condition").unwrap_or("").split(';');
        let conditions =
            conditions.filter_map(|one| Some(one.split_once(':')?.0.trim().to_string()));
        Some(Holds { kind, model, outputs, layout, conditions: conditions.collect() })
    }
}

/// One question about a model: one input, one output, and what the output may depend on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Question {
    /// The options of the user, with names and layouts filled in.
    pub options: Options,
    /// Inner values that are treated as inputs: the nodes that compute them are not run.
    pub given: Vec<ValueInfoProto>,
    /// Whether an output may depend on the value at its own position.
    pub own_place: bool,
}

/// The questions to ask about a model.
///
/// # Errors
/// [`CheckError::Holds`] for a file of this project without logits.
pub(crate) fn questions(model: &Model, options: &Options) -> Result<Vec<Question>, CheckError> {
    let plain = || vec![Question { options: options.clone(), ..Question::default() }];
    let chosen = options.input.is_some() || options.output.is_some();
    match &model.holds {
        Some(holds) if !chosen => match holds.kind {
            Kind::Sample => Ok(draws(model, options, holds)),
            Kind::Forward | Kind::Nll | Kind::Grad | Kind::Train => scales(model, options, holds),
            Kind::Update | Kind::Step | Kind::Row => Err(CheckError::Holds(holds.kind)),
        },
        _ => Ok(plain()),
    }
}

/// The questions for a sampler. A sampled value may depend on the uniform random numbers up to its
/// own position. If the sampler completes images, the same holds for the given image and for its
/// mask.
fn draws(model: &Model, options: &Options, holds: &Holds) -> Vec<Question> {
    let layout = || holds.layout.unwrap_or("hwc").parse().ok();
    let has = |name: &&str| model.graph.input.iter().any(|i| i.name() == *name);
    let ranges = [("uniform", Some((0.0, 1.0))), ("given", None), ("mask", Some((0.0, 1.0)))];
    let ask = |(input, range): (&str, Option<(f64, f64)>)| Question {
        options: Options {
            input: Some(input.to_string()),
            output: Some("image".to_string()),
            input_layout: options.input_layout.clone().or_else(layout),
            output_layout: options.output_layout.clone().or_else(layout),
            range: options.range.or(range),
            ..options.clone()
        },
        own_place: true,
        given: Vec::new(),
    };
    let inputs = ranges.into_iter().rev().filter(|(name, _)| *name == "uniform" || has(name));
    inputs.map(ask).collect()
}

/// The questions for logits: one per scale, the smallest first.
fn scales(model: &Model, options: &Options, holds: &Holds) -> Result<Vec<Question>, CheckError> {
    let graph = &model.graph;
    let missing = || CheckError::Holds(holds.kind);
    let inside = holds.kind != Kind::Forward;
    let logits: Vec<&str> = if inside {
        read_by_loss(graph, holds)
    } else {
        graph.output.iter().map(|o| o.name()).filter(|n| is_output(n)).collect()
    };
    if logits.is_empty() {
        return Err(missing());
    }
    let layout = || options.input_layout.clone().or_else(|| holds.layout?.parse().ok());
    let image = |output: &str| Options {
        input: graph.input.iter().find(|i| i.name() == "image").map(|i| i.name().to_string()),
        output: Some(output.to_string()),
        input_layout: layout(),
        ..options.clone()
    };
    if let [one] = logits[..] {
        return Ok(vec![Question { options: image(one), ..Question::default() }]);
    }
    let selected = selections(graph);
    let shapes = shapes(model, &image(""), &[logits.clone(), selected.clone()].concat())?;
    let mut sized: Vec<(usize, &str)> = Vec::new();
    for name in logits {
        let shape = shapes.get(name).ok_or_else(missing)?;
        sized.push((shape.iter().rev().take(2).product(), name));
    }
    sized.sort_by_key(|&(area, _)| area);
    let (_, whole) = sized.pop().ok_or_else(missing)?;
    let mut asked: Vec<Question> = Vec::new();
    let mut given: Vec<ValueInfoProto> = Vec::new();
    for (_, name) in sized {
        let pixels = |n: &str| shapes.get(n).and_then(|s| s.get(s.len().checked_sub(2)?..));
        let same = |s: &&&str| {
            let four = shapes.get(**s).is_some_and(|shape| shape.len() == 4);
            four && pixels(s).is_some() && pixels(s) == pixels(name)
        };
        let small = selected.iter().rev().find(same).ok_or_else(missing)?;
        given.push(info(small, shapes.get(*small).ok_or_else(missing)?));
        // Inside the model, the layout is always this one, whatever the layout of the file's input.
        let input_layout = options.input_layout.clone().or_else(|| "chw".parse().ok());
        let options = Options { input: Some((*small).to_string()), input_layout, ..image(name) };
        asked.push(Question { options, given: given.clone(), own_place: false });
    }
    asked.push(Question { options: image(whole), given, own_place: false });
    Ok(asked)
}

/// Whether an output of a `forward` file has the name of an output of a model.
fn is_output(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    matches!(last, "logits" | "parameters")
}

/// Whether a value belongs to the last layer of a scale.
fn is_end(name: &str, holds: &Holds) -> bool {
    let layer = name.split('/').next().unwrap_or(name);
    match &holds.outputs[..] {
        // The file is older than this field of the metadata.
        [] => layer == "logits" || layer.ends_with(".logits"),
        ends => ends.iter().any(|end| end == layer),
    }
}

/// The names of values that consist of pixels of the image only.
fn selections(graph: &GraphProto) -> Vec<&str> {
    let constant = |name: &String| graph.initializer.iter().any(|t| t.name() == name);
    let mut found = vec!["image"];
    for node in &graph.node {
        let kind = node.op_type();
        // `Cast` converts images of bytes to floats.
        let moves =
            matches!(kind, "Cast" | "Reshape" | "Slice" | "Transpose" | "Squeeze" | "Unsqueeze");
        let (Some(first), [output]) = (node.input.first(), &node.output[..]) else { continue };
        let rest = node.input.iter().skip(1);
        if moves && found.contains(&first.as_str()) && rest.into_iter().all(constant) {
            found.push(output);
        }
    }
    found.remove(0);
    found
}

/// Whether a node belongs to the loss, by the names that this project gives to nodes.
fn of_loss(node: &NodeProto) -> bool {
    let head = node.name().split('/').next().unwrap_or("");
    head.strip_prefix("loss").is_some_and(|rest| {
        rest.is_empty() || rest.strip_prefix('_').is_some_and(|n| n.parse::<u32>().is_ok())
    })
}

/// The logits, in a file with a loss: values that nodes of the loss read and other nodes compute.
fn read_by_loss<'a>(graph: &'a GraphProto, holds: &Holds) -> Vec<&'a str> {
    let pixels = selections(graph);
    let mut made: HashMap<&str, &NodeProto> = HashMap::new();
    let mut found: Vec<&str> = Vec::new();
    for node in &graph.node {
        if of_loss(node) && !node.name().contains("grad") {
            for name in reads(node) {
                let foreign = made.get(name).is_some_and(|n| !of_loss(n) && n.op_type() != "Shape");
                if foreign
                    && is_end(name, holds)
                    && !pixels.contains(&name)
                    && !found.contains(&name)
                {
                    found.push(name);
                }
            }
        }
        made.extend(node.output.iter().map(|o| (o.as_str(), node)));
    }
    found
}

/// The shapes of inner values, by name.
fn shapes(
    model: &Model,
    options: &Options,
    names: &[&str],
) -> Result<HashMap<String, Vec<usize>>, CheckError> {
    let input = model.graph.input.iter().find(|i| i.name() == "image");
    let options = Options {
        input: input.map(|i| i.name().to_string()),
        output: names.first().map(|n| n.to_string()),
        ..options.clone()
    };
    let question = Question { options, ..Question::default() };
    let task = model.task_for(&question, names)?;
    let budget = Budget::new(question.options.memory, question.options.time);
    let store = Store::new(1, budget, Assume::NOTHING);
    let mut machine = task.machine(store, &question.options);
    let image = task.image(&mut machine.store, |_, _| crate::sets::EMPTY)?;
    let (scope, _, _) = task.run(&mut machine, image, true)?;
    let shape = |name: &&str| {
        Some((name.to_string(), scope.get(name).and_then(Item::tensor)?.shape.clone()))
    };
    Ok(names.iter().filter_map(shape).collect())
}

/// Describes a value as floats of the given shape.
fn info(name: &str, shape: &[usize]) -> ValueInfoProto {
    let dim = |&d: &usize| Dimension {
        value: Some(DimValue::DimValue(i64::try_from(d).unwrap_or(i64::MAX))),
        ..Dimension::default()
    };
    let ty = TensorType {
        elem_type: Some(DataType::Float as i32),
        shape: Some(TensorShapeProto { dim: shape.iter().map(dim).collect() }),
    };
    ValueInfoProto {
        name: Some(name.to_string()),
        r#type: Some(TypeProto { value: Some(TypeValue::TensorType(ty)), ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}
