//! Encodes a typed graph as the bytes of an ONNX model. Operator and attribute names occur as
//! strings only here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pixelrnn_graph::{Dim, Elem, Input, NodeId, Source, Type, Value};

use crate::encoded::Encoded;
use crate::external::{External, MODEL_LIMIT, SMALLEST, constant_bytes};
use crate::literal::Literal;
use crate::op::{Native, OnnxGraph, OnnxOp, Scan};
use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, attribute_proto::AttributeType,
    tensor_proto::DataType, tensor_shape_proto, type_proto,
};

/// The name of the batch axis in every model.
pub const BATCH: &str = "batch";

/// How a model is encoded.
#[derive(Clone, Debug)]
pub struct EncodeOptions<'a> {
    /// The opset, 17 to 22. The default is 18, the newest that all supported engines can load.
    pub opset: u32,
    /// The source that spans refer to. Without it, nodes have no doc string.
    pub source: Option<&'a Source>,
    /// Whether the model must run in engines other than ONNX Runtime. This costs a copy of each
    /// value that a loop both stacks and reads.
    pub portable: bool,
    /// Key-value pairs for the metadata of the model.
    pub metadata: Vec<(String, String)>,
}

impl Default for EncodeOptions<'_> {
    fn default() -> Self {
        EncodeOptions { opset: 18, source: None, portable: true, metadata: Vec::new() }
    }
}

/// Why a graph cannot be encoded.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The opset is out of range.
    #[error("operator set {0} is not supported; use 17 to 22")]
    Opset(u32),
    /// A node reshapes to a shape with two dynamic extents, which ONNX cannot express.
    #[error("node `{node}` would reshape to {found}, which has more than one unknown extent")]
    Reshape {
        /// The name of the node.
        node: String,
        /// The shape.
        found: Type,
    },
    /// The model exceeds the size limit of protobuf messages.
    #[error("{bytes} bytes of weights, more than the 2 GiB that one ONNX file can hold")]
    TooLarge {
        /// The number of bytes of all weights.
        bytes: usize,
    },
}

/// Encodes a model.
///
/// # Errors
/// [`EncodeError`] if the opset is out of range, a shape cannot be expressed in ONNX, or the
/// weights take more than [`MODEL_LIMIT`] bytes; [`encode_external`](crate::encode_external) can
/// encode those.
pub fn encode(graph: &OnnxGraph, options: &EncodeOptions) -> Result<Vec<u8>, EncodeError> {
    let bytes = constant_bytes(graph);
    if bytes > MODEL_LIMIT {
        return Err(EncodeError::TooLarge { bytes });
    }
    Ok(encode_parts(graph, options)?.to_vec())
}

/// Encodes a model except the data of its larger constants, which are encoded when
/// [`Encoded::write`] reaches them. So there is never a second copy of the weights in memory.
///
/// # Errors
/// Those of [`encode`], except that any size is allowed.
pub fn encode_parts(graph: &OnnxGraph, options: &EncodeOptions) -> Result<Encoded, EncodeError> {
    encode_to(graph, options, None)
}

/// Like [`encode_parts`]. If `external` is given, the data of larger tensors go there.
pub(crate) fn encode_to(
    graph: &OnnxGraph,
    options: &EncodeOptions,
    external: Option<&mut External>,
) -> Result<Encoded, EncodeError> {
    let ir_version = match options.opset {
        17 | 18 => 8,
        19 | 20 => 9,
        21 | 22 => 10,
        other => return Err(EncodeError::Opset(other)),
    };
    let mut writer = Writer { options, taken: BTreeSet::new(), external, large: BTreeMap::new() };
    let proto = writer.graph(graph, "", None)?;
    let large = writer.large;
    let entry = |(key, value): &(String, String)| StringStringEntryProto {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    let domain = |name: &str, version: u32| OperatorSetIdProto {
        domain: Some(name.into()),
        version: Some(i64::from(version)),
    };
    let mut domains = vec![domain("", options.opset)];
    domains.extend(Native::is_in(graph).then(|| domain(Native::DOMAIN, 1)));
    let model = ModelProto {
        ir_version: Some(ir_version),
        opset_import: domains,
        producer_name: Some("pixelrnn".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        doc_string: Some(graph.doc.clone()),
        metadata_props: options.metadata.iter().map(entry).collect(),
        ..Default::default()
    };
    Ok(Encoded::new(model, proto, large))
}

struct Writer<'a, 'e> {
    options: &'a EncodeOptions<'a>,
    external: Option<&'a mut External<'e>>,
    /// The larger constants of the outermost graph, by the index of their initializer.
    large: BTreeMap<usize, Arc<Literal>>,
    /// The names in use in all graphs. ONNX requires them to be unique across nested graphs.
    taken: BTreeSet<String>,
}

/// The Scan whose body is being encoded, and the names of those of its invariants that the body
/// captures.
type Captures<'a> = (&'a Scan, &'a [Option<String>]);

/// A graph that is being encoded.
struct Level {
    names: Vec<String>,
    /// For each value, whether it is a constant, in this graph or an outer one.
    constant: Vec<bool>,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    ints: BTreeMap<Vec<i64>, String>,
    prefix: String,
}

impl Writer<'_, '_> {
    fn claim(&mut self, wanted: String) -> String {
        let mut name = wanted.clone();
        let mut k = 1;
        while !self.taken.insert(name.clone()) {
            k += 1;
            name = format!("{wanted}_{k}");
        }
        name
    }

    fn graph(
        &mut self,
        graph: &OnnxGraph,
        prefix: &str,
        captures: Option<Captures>,
    ) -> Result<GraphProto, EncodeError> {
        let mut level = Level {
            names: vec![String::new(); graph.value_count()],
            constant: vec![false; graph.value_count()],
            nodes: Vec::new(),
            initializers: Vec::new(),
            ints: BTreeMap::new(),
            prefix: prefix.to_string(),
        };
        let mut inputs = Vec::new();
        for (i, Input { name, value, .. }) in graph.inputs().iter().enumerate() {
            let captured =
                captures.and_then(|(scan, names)| names.get(i.checked_sub(scan.states)?)?.clone());
            let name = match captured {
                Some(outer) => {
                    level.constant[value.index()] = true;
                    outer
                }
                None => {
                    let name = self.claim(format!("{prefix}{name}"));
                    inputs.push(value_info(&name, graph.ty(*value)));
                    name
                }
            };
            level.names[value.index()] = name;
        }
        // A value that is an output of the graph has the output's name.
        let mut outputs = Vec::new();
        let mut aliases = Vec::new();
        let uses = graph.use_counts();
        for (i, out) in graph.outputs().iter().enumerate() {
            let name = self.claim(format!("{prefix}{}", out.name));
            outputs.push(value_info(&name, graph.ty(out.value)));
            let slot = &mut level.names[out.value.index()];
            let constant = matches!(graph.maker(out.value), Some(n) if is_constant(&n.op));
            // If the body reads a slice that is to be stacked, the slice gets a tensor of its own,
            // since tract reshapes it in place. The same holds for an output of the model that its
            // nodes read: float16 converters keep outputs in f32, so the readers would have inputs
            // of different types.
            let apart = captures.is_none_or(|(scan, _)| i >= scan.states);
            let shared = apart && self.options.portable && uses[out.value.index()] > 1;
            if slot.is_empty() && !constant && !shared {
                *slot = name;
            } else {
                aliases.push((out.value, name));
            }
        }
        for (id, node) in graph.nodes() {
            // Weights that are stored in a smaller type are constant as well.
            let stored = match node.op {
                OnnxOp::Cast { .. } | OnnxOp::DequantizeLinear { .. } => {
                    node.inputs.iter().all(|v| level.constant[v.index()])
                }
                _ => false,
            };
            if is_constant(&node.op) || stored {
                level.constant[node.outputs[0].index()] = true;
            }
            let node_name = self.claim(format!("{prefix}{}", node.name));
            for (port, value) in node.outputs.iter().enumerate() {
                if level.names[value.index()].is_empty() {
                    level.names[value.index()] = match node.outputs.len() {
                        1 => node_name.clone(),
                        _ => self.claim(format!("{node_name}.{port}")),
                    };
                }
            }
            self.node(graph, id, node_name, &mut level)?;
        }
        let mut aliased = BTreeSet::new();
        for (value, name) in aliases {
            let mut source = level.names[value.index()].clone();
            // If several outputs are the same constant, OpenVINO keeps only one of their names. So
            // each gets its own constant.
            if let (Some(OnnxOp::Constant(literal)), false) =
                (graph.maker(value).map(|n| &n.op), aliased.insert(value))
            {
                source = self.claim(format!("{name}/value"));
                level.initializers.push(tensor(&source, literal));
            }
            let node = NodeProto {
                name: Some(self.claim(format!("{name}/copy"))),
                op_type: Some("Identity".into()),
                input: vec![source],
                output: vec![name],
                ..Default::default()
            };
            level.nodes.push(node);
        }
        if let Some((scan, names)) = captures {
            self.carry_invariants(graph, scan, names, &mut level, &mut outputs);
        }
        let hidden: BTreeSet<&str> = outputs.iter().filter_map(|o| o.name.as_deref()).collect();
        let before = Native::barriers_before(graph);
        let typed = |v: &Value| {
            let name = level.names[v.index()].as_str();
            let batch = match before[v.index()] {
                0 => BATCH.to_string(),
                n => format!("{BATCH}_{n}"),
            };
            (!hidden.contains(name)).then(|| typed(name, graph.ty(*v), &batch))
        };
        let value_info = graph
            .nodes()
            .filter(|(_, n)| !is_constant(&n.op))
            .flat_map(|(_, n)| n.outputs.iter().filter_map(typed))
            .collect();
        Ok(GraphProto {
            name: Some(graph.name.clone()),
            node: level.nodes,
            initializer: level.initializers,
            input: inputs,
            output: outputs,
            value_info,
            ..Default::default()
        })
    }

    /// Passes invariants that are not captured through the loop, as states that never change.
    fn carry_invariants(
        &mut self,
        graph: &OnnxGraph,
        scan: &Scan,
        captured: &[Option<String>],
        level: &mut Level,
        outputs: &mut Vec<ValueInfoProto>,
    ) {
        let mut carried = Vec::new();
        for (i, capture) in captured.iter().enumerate() {
            if capture.is_some() {
                continue;
            }
            let value = graph.inputs()[scan.states + i].value;
            let inside = level.names[value.index()].clone();
            let name = self.claim(format!("{inside}/next"));
            let node = NodeProto {
                name: Some(self.claim(format!("{inside}/carry"))),
                op_type: Some("Identity".into()),
                input: vec![inside],
                output: vec![name.clone()],
                ..Default::default()
            };
            level.nodes.push(node);
            carried.push(value_info(&name, graph.ty(value)));
        }
        outputs.splice(scan.states..scan.states, carried);
    }

    fn node(
        &mut self,
        graph: &OnnxGraph,
        id: NodeId,
        name: String,
        level: &mut Level,
    ) -> Result<(), EncodeError> {
        let node = graph.node(id);
        if let OnnxOp::Constant(literal) = &node.op {
            let name = level.names[node.outputs[0].index()].clone();
            match &mut self.external {
                Some(external) => {
                    let mut tensor = tensor(&name, literal);
                    external.take(&mut tensor);
                    level.initializers.push(tensor);
                }
                None if level.prefix.is_empty() && literal.byte_count() >= SMALLEST => {
                    self.large.insert(level.initializers.len(), Arc::clone(literal));
                    level.initializers.push(header(&name, literal));
                }
                None => level.initializers.push(tensor(&name, literal)),
            }
            return Ok(());
        }
        let mut proto = NodeProto {
            op_type: Some(node.op.op_type().into()),
            input: node.inputs.iter().map(|v| level.names[v.index()].clone()).collect(),
            output: node.outputs.iter().map(|v| level.names[v.index()].clone()).collect(),
            ..Default::default()
        };
        if let (Some(source), Some(span)) = (self.options.source, graph.site(id).span) {
            proto.doc_string = Some(source.locate_by_name(span));
        }
        let to_i64 = |v: &[usize]| v.iter().map(|&n| n as i64).collect::<Vec<_>>();
        match &node.op {
            OnnxOp::Native(op) => {
                proto.domain = Some(Native::DOMAIN.into());
                let attributes = op.attributes.iter();
                proto.attribute.extend(attributes.map(|(name, values)| ints(name, values.clone())));
            }
            OnnxOp::Cast { to } => proto.attribute.push(int("to", data_type(*to) as i64)),
            OnnxOp::Conv { pads } => {
                let kernel = &graph.ty(node.inputs[1]).shape[2..];
                let kernel: Vec<i64> = kernel.iter().map(|d| d.with_batch(0) as i64).collect();
                proto.attribute.push(ints("kernel_shape", kernel));
                proto.attribute.push(ints("pads", to_i64(pads)));
            }
            OnnxOp::ReduceSum { axes } => {
                proto.attribute.push(int("keepdims", 0));
                proto.input.push(self.int_input(level, to_i64(axes)));
            }
            OnnxOp::ReduceMax { axes } => {
                proto.attribute.push(int("keepdims", 0));
                if self.options.opset < 18 {
                    proto.attribute.push(ints("axes", to_i64(axes)));
                } else {
                    proto.input.push(self.int_input(level, to_i64(axes)));
                }
            }
            OnnxOp::CumSum { axis } => {
                let axis = Literal::Int(ndarray::arr0(*axis as i64).into_dyn());
                let name = self.claim(format!("{name}/axis"));
                level.initializers.push(tensor(&name, &axis));
                proto.input.push(name);
            }
            OnnxOp::Transpose { perm } => proto.attribute.push(ints("perm", to_i64(perm))),
            OnnxOp::Reshape { to } => {
                let unknown = to.iter().filter(|d| d.fixed().is_none()).count();
                if unknown > 1 {
                    let found = graph.ty(node.outputs[0]).clone();
                    return Err(EncodeError::Reshape { node: name, found });
                }
                let shape = to.iter().map(|d| d.fixed().map_or(-1, |n| n as i64)).collect();
                proto.input.push(self.int_input(level, shape));
            }
            OnnxOp::Unsqueeze { axes } => proto.input.push(self.int_input(level, to_i64(axes))),
            OnnxOp::Concat { axis }
            | OnnxOp::Gather { axis }
            | OnnxOp::DequantizeLinear { axis } => {
                proto.attribute.push(int("axis", *axis as i64));
            }
            OnnxOp::Slice { axis, start, end } => {
                for n in [*start, *end, *axis] {
                    proto.input.push(self.int_input(level, vec![n as i64]));
                }
            }
            OnnxOp::Split { axis, sizes } => {
                proto.attribute.push(int("axis", *axis as i64));
                proto.input.push(self.int_input(level, to_i64(sizes)));
            }
            OnnxOp::Pad { axis, before, after } => {
                // Pads all axes: the input that selects axes is newer than opset 17.
                let rank = graph.ty(node.inputs[0]).rank();
                let mut pads = vec![0; 2 * rank];
                pads[*axis] = *before as i64;
                pads[rank + *axis] = *after as i64;
                proto.input.push(self.int_input(level, pads));
            }
            OnnxOp::Shape { start, end } => {
                proto.attribute.push(int("start", *start as i64));
                proto.attribute.push(int("end", *end as i64));
            }
            OnnxOp::Scan(scan) => {
                self.scan(graph, id, scan, &name, level, &mut proto)?;
            }
            _ => {}
        }
        proto.name = Some(name);
        level.nodes.push(proto);
        Ok(())
    }

    fn scan(
        &mut self,
        graph: &OnnxGraph,
        id: NodeId,
        scan: &Scan,
        name: &str,
        level: &Level,
        proto: &mut NodeProto,
    ) -> Result<(), EncodeError> {
        let node = graph.node(id);
        let invariants = &node.inputs[scan.states..scan.states + scan.invariants];
        let captured: Vec<Option<String>> = invariants
            .iter()
            .map(|&v| level.constant[v.index()].then(|| level.names[v.index()].clone()))
            .collect();
        let mut position = 0;
        proto.input.retain(|_| {
            position += 1;
            let invariant = (position - 1usize).checked_sub(scan.states);
            invariant.and_then(|i| captured.get(i)).is_none_or(Option::is_none)
        });
        // An invariant that is carried is a state, so the node has an output for it, which no node
        // reads.
        let carried = captured.iter().filter(|c| c.is_none());
        let unread: Vec<String> = carried.map(|_| self.claim(format!("{name}/unread"))).collect();
        proto.output.splice(scan.states..scan.states, unread);
        let body = self.graph(&scan.body, &format!("{name}/"), Some((scan, &captured)))?;
        let mut body = body;
        body.name = Some(format!("{name}/body"));
        proto.attribute.push(AttributeProto {
            name: Some("body".into()),
            r#type: Some(AttributeType::Graph as i32),
            g: Some(body),
            ..Default::default()
        });
        proto.attribute.push(int("num_scan_inputs", scan.scanned() as i64));
        if scan.reverse {
            proto.attribute.push(ints("scan_input_directions", vec![1; scan.scanned()]));
            if scan.stacked() > 0 {
                proto.attribute.push(ints("scan_output_directions", vec![1; scan.stacked()]));
            }
        }
        Ok(())
    }

    /// The name of an initializer with these integers. Equal lists share an initializer within a
    /// graph.
    fn int_input(&mut self, level: &mut Level, values: Vec<i64>) -> String {
        if let Some(name) = level.ints.get(&values) {
            return name.clone();
        }
        let text = values.iter().map(i64::to_string).collect::<Vec<_>>().join("_");
        let name = self.claim(format!("{}ints/{text}", level.prefix));
        level.initializers.push(tensor(&name, &Literal::ints(&values)));
        level.ints.insert(values, name.clone());
        name
    }
}

fn is_constant(op: &OnnxOp) -> bool {
    matches!(op, OnnxOp::Constant(_))
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Int as i32),
        i: Some(value),
        ..Default::default()
    }
}

fn ints(name: &str, values: Vec<i64>) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Ints as i32),
        ints: values,
        ..Default::default()
    }
}

fn data_type(elem: Elem) -> DataType {
    match elem {
        Elem::Real => DataType::Float,
        Elem::Int => DataType::Int64,
        Elem::Bool => DataType::Bool,
        Elem::F16 => DataType::Float16,
        Elem::Bf16 => DataType::Bfloat16,
        Elem::Int8 => DataType::Int8,
        Elem::Byte => DataType::Uint8,
    }
}

fn tensor(name: &str, literal: &Literal) -> TensorProto {
    TensorProto { raw_data: Some(literal.bytes().collect()), ..header(name, literal) }
}

/// A tensor without its data.
fn header(name: &str, literal: &Literal) -> TensorProto {
    let Type { elem, shape } = literal.ty();
    TensorProto {
        name: Some(name.into()),
        dims: shape.iter().map(|d| d.with_batch(0) as i64).collect(),
        data_type: Some(data_type(elem) as i32),
        ..Default::default()
    }
}

fn value_info(name: &str, ty: &Type) -> ValueInfoProto {
    typed(name, ty, BATCH)
}

/// A value with its type; `batch` is the name of the batch axis.
fn typed(name: &str, ty: &Type, batch: &str) -> ValueInfoProto {
    use tensor_shape_proto::{Dimension, dimension};
    let dim = |d: &Dim| Dimension {
        value: match d {
            Dim::Fixed(n) => Some(dimension::Value::DimValue(*n as i64)),
            Dim::Batch(1) => Some(dimension::Value::DimParam(batch.into())),
            // A multiple of the batch is not an identifier, so the extent is left dynamic.
            Dim::Batch(_) => None,
        },
        ..Default::default()
    };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(type_proto::Tensor {
                elem_type: Some(data_type(ty.elem) as i32),
                shape: Some(TensorShapeProto { dim: ty.shape.iter().map(dim).collect() }),
            })),
            ..Default::default()
        }),
        ..Default::default()
    }
}
