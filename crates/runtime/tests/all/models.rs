//! Small models, written with the types of the wire format.

use pixelrnn_onnx::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto,
    attribute_proto::AttributeType,
    tensor_shape_proto::{Dimension, dimension},
    type_proto,
};
use prost::Message;

pub const FLOAT: i32 = 1;
pub const INT32: i32 = 6;
pub const INT64: i32 = 7;

/// The type of a value. Extents are numbers or names.
pub fn value(name: &str, elem: i32, extents: &[&str]) -> ValueInfoProto {
    let dim = extents.iter().map(|extent| {
        let value = match extent.parse() {
            Ok(n) => dimension::Value::DimValue(n),
            Err(_) => dimension::Value::DimParam((*extent).to_owned()),
        };
        Dimension { value: Some(value), ..Default::default() }
    });
    let shape = Some(TensorShapeProto { dim: dim.collect() });
    let tensor = type_proto::Tensor { elem_type: Some(elem), shape };
    let r#type = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), denotation: None };
    ValueInfoProto { name: Some(name.to_owned()), r#type: Some(r#type), ..Default::default() }
}

fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        op_type: Some(op.to_owned()),
        name: Some(format!("{op}_{}", outputs[0])),
        input: inputs.iter().map(|s| (*s).to_owned()).collect(),
        output: outputs.iter().map(|s| (*s).to_owned()).collect(),
        ..Default::default()
    }
}

fn graph(
    nodes: Vec<NodeProto>,
    inputs: Vec<ValueInfoProto>,
    outputs: Vec<ValueInfoProto>,
) -> GraphProto {
    let name = Some("graph".to_owned());
    GraphProto { name, node: nodes, input: inputs, output: outputs, ..Default::default() }
}

fn bytes(graph: GraphProto) -> Vec<u8> {
    let opset = OperatorSetIdProto { domain: Some(String::new()), version: Some(18) };
    ModelProto {
        ir_version: Some(8),
        opset_import: vec![opset],
        graph: Some(graph),
        ..Default::default()
    }
    .encode_to_vec()
}

/// `sum = x + y`, `scaled = 10 x`, for any extents.
pub fn add(extents: &[&str]) -> Vec<u8> {
    let value = |name| value(name, FLOAT, extents);
    let mut graph = graph(
        vec![node("Add", &["x", "y"], &["sum"]), node("Mul", &["x", "ten"], &["scaled"])],
        vec![value("x"), value("y")],
        vec![value("sum"), value("scaled")],
    );
    graph.initializer.push(TensorProto {
        name: Some("ten".to_owned()),
        data_type: Some(FLOAT),
        float_data: vec![10.0],
        ..Default::default()
    });
    bytes(graph)
}

/// Running sums of `x` over its first axis, beginning with `start`, in a `Scan` whose body also declares the
/// batch by its name, as exported models do.
pub fn running_sum() -> Vec<u8> {
    let state = |name| value(name, FLOAT, &["batch", "2"]);
    let body = graph(
        vec![node("Add", &["before", "x_t"], &["after"]), node("Identity", &["after"], &["y_t"])],
        vec![state("before"), state("x_t")],
        vec![state("after"), state("y_t")],
    );
    let mut scan = node("Scan", &["start", "x"], &["end", "y"]);
    scan.attribute = vec![
        AttributeProto {
            name: Some("body".to_owned()),
            r#type: Some(AttributeType::Graph as i32),
            g: Some(body),
            ..Default::default()
        },
        AttributeProto {
            name: Some("num_scan_inputs".to_owned()),
            r#type: Some(AttributeType::Int as i32),
            i: Some(1),
            ..Default::default()
        },
    ];
    let sequence = |name| value(name, FLOAT, &["3", "batch", "2"]);
    bytes(graph(vec![scan], vec![state("start"), sequence("x")], vec![state("end"), sequence("y")]))
}

/// A single operator from `x` to `y`.
pub fn unary(op: &str, elem: i32) -> Vec<u8> {
    let value = |name| value(name, elem, &["2"]);
    bytes(graph(vec![node(op, &["x"], &["y"])], vec![value("x")], vec![value("y")]))
}
