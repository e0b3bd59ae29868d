//! Models with their weights in a second file are the same models, for every kind of graph.

use pixelrnn::internal::onnx::count_nodes;
use pixelrnn::internal::onnx::proto::{GraphProto, ModelProto, TensorProto};
use pixelrnn::prelude::*;
use pixelrnn::{ExternalData, Written};
use prost::Message;

use crate::common::{weights, zoo};

const KINDS: [GraphKind; 8] = [
    GraphKind::Forward,
    GraphKind::Nll,
    GraphKind::Grad,
    GraphKind::Train,
    GraphKind::Update,
    GraphKind::Sample,
    GraphKind::Step,
    GraphKind::Row,
];

/// Reads external tensors back into a graph and its bodies. Returns their number.
fn inline(graph: &mut GraphProto, data: &[u8]) -> usize {
    let one = |tensor: &mut TensorProto| {
        if tensor.external_data.is_empty() {
            return 0;
        }
        let entry = |key: &str| {
            let found = tensor.external_data.iter().find(|e| e.key.as_deref() == Some(key));
            found.and_then(|e| e.value.clone()).expect(key)
        };
        assert_eq!(entry("location"), "model.onnx.data");
        let number = |key: &str| entry(key).parse::<usize>().expect(key);
        let (start, length) = (number("offset"), number("length"));
        assert_eq!(start % 4096, 0);
        tensor.raw_data = Some(data[start..start + length].to_vec());
        tensor.external_data.clear();
        tensor.data_location = None;
        1
    };
    let mut count = graph.initializer.iter_mut().map(one).sum();
    for node in &mut graph.node {
        for attribute in &mut node.attribute {
            count += attribute.g.as_mut().map_or(0, |body| inline(body, data));
        }
    }
    count
}

#[test]
fn weights_beside_a_model_are_those_inside() {
    let model = zoo("digits-diagonal", &[("h", 16), ("layers", 1)]);
    let weights = weights(&model, 3);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.onnx");
    for kind in KINDS {
        for simplify in [true, false] {
            let what = format!("{kind:?} simplify={simplify}");
            let given = (!kind.trains()).then_some(&weights);
            let options = ExportOptions { weights: given, simplify, ..ExportOptions::default() };
            let graph = model.compile(kind, &options, &mut |_, _| {}).expect("compiles");
            let whole = model.encode(kind, &options, &graph).expect("encodes");
            // A limit that is one byte too small, and one that is just large enough.
            let write = |limit| {
                model
                    .write(kind, &options, &graph, &path, ExternalData::Above(limit))
                    .unwrap_or_else(|e| panic!("{what}: {e}"))
            };
            let proto = ModelProto::decode(&whole[..]).expect("a model");
            let nodes = count_nodes(proto.graph.as_ref().expect("a graph"));
            let inside = Written { bytes: whole.len(), nodes, external: None };
            assert_eq!(write(whole.len()), inside);
            let counted = model.encode_counted(kind, &options, &graph).expect("encodes");
            assert_eq!(counted, (whole.clone(), inside));
            assert_eq!(std::fs::read(&path).expect("a model"), whole, "{what}");
            let written = write(whole.len() - 1);
            assert_eq!(written.nodes, nodes, "{what}");
            let model = std::fs::read(&path).expect("a model");
            let Some((file, bytes)) = written.external else {
                // No tensor is large enough for the second file.
                assert_eq!((kind, model), (GraphKind::Update, whole));
                continue;
            };
            let data = std::fs::read(file).expect("the data");
            assert_eq!((data.len() as u64, model.len()), (bytes, written.bytes), "{what}");
            let mut proto = ModelProto::decode(&model[..]).expect("a model");
            let graph = proto.graph.as_mut().expect("a graph");
            assert!(inline(graph, &data) > 0 && model.len() < whole.len(), "{what}");
            assert_eq!(proto.encode_to_vec(), whole, "{what}");
        }
    }
}
