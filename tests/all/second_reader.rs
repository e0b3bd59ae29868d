//! Exported models, read by another reader: the crate `onnx-protobuf`, which shares no code with this
//! project.

use onnx_protobuf as theirs;
use onnx_protobuf::Message as _;
use pixelrnn::internal::onnx::{OnnxOp, proto as ours};
use pixelrnn::prelude::*;
use prost::Message as _;

use crate::common::{weights, zoo};
use crate::declared::declared;

/// Decodes a model with this project's reader.
pub fn decode(bytes: &[u8]) -> ours::ModelProto {
    ours::ModelProto::decode(bytes).expect("our reader reads it")
}

#[test]
fn both_readers_see_the_same() {
    let size = [("h", 4), ("layers", 2), ("height", 5), ("width", 4)];
    let zoo = ["digits-pixelcnn", "digits-row-lstm", "digits-diagonal"].map(|n| zoo(n, &size));
    let declared = ["row", "diagonal"].map(|name| declared(name, &[]));
    for model in zoo.iter().chain(&declared) {
        let weights = weights(model, 1);
        for kind in GraphKind::ALL {
            for opset in [17, 18, 22] {
                for weights in [None, Some(&weights)] {
                    let options = ExportOptions { opset, weights, ..ExportOptions::default() };
                    let bytes = model.export(kind, &options).unwrap_or_else(|e| panic!("{e}"));
                    let seen = theirs::ModelProto::parse_from_bytes(&bytes).expect("reads");
                    compare(&decode(&bytes), &seen);
                    assert_eq!(seen.opset_import.len(), 1);
                    assert_eq!(seen.opset_import[0].version, i64::from(opset));
                    assert_eq!(seen.ir_version, if opset == 22 { 10 } else { 8 });
                    assert_eq!(seen.doc_string, model.doc());
                    assert_eq!(seen.producer_name, "pixelrnn");

                    let graph = model.compile(kind, &options, &mut |_, _| {}).expect("compiles");
                    let constant = |op: &OnnxOp| matches!(op, OnnxOp::Constant(_));
                    for (_, node) in graph.nodes().filter(|(_, n)| !constant(&n.op)) {
                        // The names of the graph's outputs are assigned before those of nodes.
                        let names = [node.name.clone(), format!("{}_2", node.name)];
                        let found = seen.graph.node.iter().find(|n| names.contains(&n.name));
                        let found = found.unwrap_or_else(|| panic!("no node `{}`", node.name));
                        assert_eq!(found.op_type, node.op.op_type());
                    }
                    let nodes = graph.nodes().filter(|(_, n)| !constant(&n.op)).count();
                    let copies = seen.graph.node.iter().filter(|n| n.name.ends_with("/copy"));
                    assert_eq!(seen.graph.node.len() - copies.count(), nodes);
                }
            }
        }
    }
}

fn compare(a: &ours::ModelProto, b: &theirs::ModelProto) {
    assert_eq!(a.ir_version(), b.ir_version);
    let pair = |k: &str, v: &str| (k.to_string(), v.to_string());
    let metadata: Vec<_> = a.metadata_props.iter().map(|p| pair(p.key(), p.value())).collect();
    let seen: Vec<_> = b.metadata_props.iter().map(|p| pair(&p.key, &p.value)).collect();
    assert_eq!(metadata, seen);
    assert!(!metadata.is_empty());
    graphs(a.graph.as_ref().expect("a graph"), &b.graph);
}

fn graphs(a: &ours::GraphProto, b: &theirs::GraphProto) {
    assert_eq!(a.name(), b.name);
    assert_eq!(a.node.len(), b.node.len());
    for (a, b) in a.node.iter().zip(&b.node) {
        nodes(a, b);
    }
    assert_eq!(a.initializer.len(), b.initializer.len());
    for (a, b) in a.initializer.iter().zip(&b.initializer) {
        assert_eq!((a.name(), &a.dims), (b.name.as_str(), &b.dims));
        assert_eq!((a.data_type(), a.raw_data()), (b.data_type, b.raw_data.as_slice()));
        let elements: i64 = b.dims.iter().product();
        let size = match b.data_type {
            1 => 4,
            7 => 8,
            9 => 1,
            other => panic!("`{}` has elements of kind {other}", b.name),
        };
        assert_eq!(elements * size, b.raw_data.len() as i64, "{}", b.name);
    }
    for (a, b) in [(&a.input, &b.input), (&a.output, &b.output), (&a.value_info, &b.value_info)] {
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            values(a, b);
        }
    }
}

fn nodes(a: &ours::NodeProto, b: &theirs::NodeProto) {
    assert_eq!((a.name(), a.op_type()), (b.name.as_str(), b.op_type.as_str()));
    assert_eq!((&a.input, &a.output), (&b.input, &b.output), "{}", b.name);
    assert_eq!((a.domain(), a.doc_string()), (b.domain.as_str(), b.doc_string.as_str()));
    assert!(!b.name.is_empty());
    assert_eq!(a.attribute.len(), b.attribute.len());
    for (a, b) in a.attribute.iter().zip(&b.attribute) {
        assert_eq!((a.name(), a.i()), (b.name.as_str(), b.i));
        assert_eq!((a.f(), &a.ints), (b.f, &b.ints));
        assert_eq!(a.r#type.unwrap_or_default(), b.type_.value());
        assert_eq!(a.g.is_some(), b.g.is_some());
        if let Some(body) = &a.g {
            graphs(body, &b.g);
        }
    }
}

fn values(a: &ours::ValueInfoProto, b: &theirs::ValueInfoProto) {
    use ours::tensor_shape_proto::dimension::Value;
    assert_eq!(a.name(), b.name);
    let Some(ours::type_proto::Value::TensorType(ty)) =
        a.r#type.as_ref().and_then(|t| t.value.as_ref())
    else {
        panic!("`{}` is not a tensor", a.name());
    };
    let seen = b.type_.tensor_type();
    assert_eq!(ty.elem_type(), seen.elem_type);
    let dims = &ty.shape.as_ref().expect("a shape").dim;
    assert_eq!(dims.len(), seen.shape.dim.len());
    for (a, b) in dims.iter().zip(&seen.shape.dim) {
        match &a.value {
            Some(Value::DimValue(n)) => assert_eq!((*n, b.has_dim_value()), (b.dim_value(), true)),
            Some(Value::DimParam(name)) => assert_eq!(name, b.dim_param()),
            None => assert!(!b.has_dim_value() && !b.has_dim_param()),
        }
    }
}
