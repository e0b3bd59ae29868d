//! An encoded model whose larger constants have not been copied.
//!
//! A protobuf message starts with its length, and prost needs the whole message in memory. So the
//! model is split at its initializers: what precedes and what follows them is encoded, and only the
//! header of each larger initializer. The data of these are encoded while the file is written.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use crate::literal::Literal;
use crate::proto::{GraphProto, ModelProto, TensorProto};

/// The tags of the fields that are encoded here, without prost.
const GRAPH: u32 = 7;
const INITIALIZER: u32 = 5;
const RAW_DATA: u32 = 9;
/// The number of bytes that are written at a time.
const CHUNK: usize = 1 << 16;

/// An encoded model. [`Encoded::write`] writes the same bytes as prost's encoder.
pub struct Encoded {
    /// Everything up to the first initializer.
    before: Vec<u8>,
    initializers: Vec<Initializer>,
    /// Everything after the last initializer.
    behind: Vec<u8>,
    nodes: usize,
}

/// The number of nodes of a graph in a file, with those in bodies.
pub fn count_nodes(graph: &GraphProto) -> usize {
    let bodies = graph.node.iter().flat_map(|node| &node.attribute);
    let bodies = bodies.flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
    graph.node.len() + bodies.map(count_nodes).sum::<usize>()
}

/// An initializer of the outermost graph.
struct Initializer {
    /// The encoded message with its key and length, but without the data if `numbers` is set.
    head: Vec<u8>,
    /// The data that follow.
    numbers: Option<Arc<Literal>>,
}

impl Initializer {
    fn new(tensor: &TensorProto, numbers: Option<Arc<Literal>>) -> Initializer {
        let count = numbers.as_ref().map(|literal| literal.byte_count() as u64);
        let raw = count.map_or(0, |n| {
            key_len(RAW_DATA) + encoded_len_varint(n) + usize::try_from(n).unwrap_or(usize::MAX)
        });
        let mut head = Vec::new();
        encode_key(INITIALIZER, WireType::LengthDelimited, &mut head);
        encode_varint((tensor.encoded_len() + raw) as u64, &mut head);
        head.extend(tensor.encode_to_vec());
        if let Some(n) = count {
            encode_key(RAW_DATA, WireType::LengthDelimited, &mut head);
            encode_varint(n, &mut head);
        }
        Initializer { head, numbers }
    }

    fn len(&self) -> usize {
        self.head.len() + self.numbers.as_ref().map_or(0, |literal| literal.byte_count())
    }
}

impl Encoded {
    /// Splits a model. `graph` is its graph, and `large` has the data of larger initializers by
    /// index.
    pub(crate) fn new(
        mut model: ModelProto,
        mut graph: GraphProto,
        mut large: BTreeMap<usize, Arc<Literal>>,
    ) -> Encoded {
        let initializers: Vec<Initializer> = std::mem::take(&mut graph.initializer)
            .iter()
            .enumerate()
            .map(|(i, tensor)| Initializer::new(tensor, large.remove(&i)))
            .collect();
        let nodes = count_nodes(&graph);
        // Fields are in the order of their tags: a graph starts with its nodes and its name.
        let begin = GraphProto {
            node: std::mem::take(&mut graph.node),
            name: graph.name.take(),
            ..Default::default()
        };
        let (begin, end) = (begin.encode_to_vec(), graph.encode_to_vec());
        let inside = initializers.iter().map(Initializer::len).sum::<usize>();
        let length = (begin.len() + inside + end.len()) as u64;
        let behind = ModelProto {
            opset_import: std::mem::take(&mut model.opset_import),
            metadata_props: std::mem::take(&mut model.metadata_props),
            ..Default::default()
        };
        let mut before = model.encode_to_vec();
        encode_key(GRAPH, WireType::LengthDelimited, &mut before);
        encode_varint(length, &mut before);
        before.extend(begin);
        let behind = [end, behind.encode_to_vec()].concat();
        Encoded { before, initializers, behind, nodes }
    }

    /// The number of nodes, with those in bodies.
    pub fn nodes(&self) -> usize {
        self.nodes
    }

    /// The size of the model in bytes.
    pub fn byte_count(&self) -> usize {
        let inside = self.initializers.iter().map(Initializer::len).sum::<usize>();
        self.before.len() + inside + self.behind.len()
    }

    /// Writes the model.
    ///
    /// # Errors
    /// If `sink` fails.
    pub fn write(&self, sink: &mut dyn Write) -> io::Result<()> {
        sink.write_all(&self.before)?;
        let mut chunk = Vec::with_capacity(CHUNK);
        for initializer in &self.initializers {
            sink.write_all(&initializer.head)?;
            let Some(numbers) = &initializer.numbers else { continue };
            let mut bytes = numbers.bytes();
            loop {
                chunk.clear();
                chunk.extend(bytes.by_ref().take(CHUNK));
                if chunk.is_empty() {
                    break;
                }
                sink.write_all(&chunk)?;
            }
        }
        sink.write_all(&self.behind)
    }

    /// The model as one vector.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.byte_count());
        all.extend(&self.before);
        for initializer in &self.initializers {
            all.extend(&initializer.head);
            if let Some(numbers) = &initializer.numbers {
                all.extend(numbers.bytes());
            }
        }
        all.extend(&self.behind);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::{EncodeOptions, encode, encode_parts};
    use crate::op::{OnnxGraph, OnnxOp};
    use pixelrnn_graph::{OutputRole, Role, Site, Type};

    /// The fields encoded here have the same bytes as those that prost encodes.
    #[test]
    fn parts_are_the_bytes_of_one_message() {
        let mut graph = OnnxGraph::new("parts");
        graph.doc = "a model".into();
        let mut sum = graph.input("x", Type::real([1usize]), Role::Local);
        for size in [1, 300, 70_000] {
            let numbers = ndarray::Array1::from_shape_fn(size, |i| i as f32 - 7.5).into_dyn();
            let op = OnnxOp::constant(Literal::Real(numbers));
            let constant = graph.push(op, &[], &format!("c{size}"), Site::NONE).unwrap()[0];
            let all =
                graph.push(OnnxOp::ReduceSum { axes: vec![0] }, &[constant], "all", Site::NONE);
            sum = graph.push(OnnxOp::Add, &[sum, all.unwrap()[0]], "sum", Site::NONE).unwrap()[0];
        }
        graph.output_as("y", sum, OutputRole::Local);
        let options = EncodeOptions {
            metadata: vec![("key".into(), "value".into())],
            ..EncodeOptions::default()
        };
        let bytes = encode(&graph, &options).unwrap();
        let model = ModelProto::decode(&bytes[..]).unwrap();
        assert_eq!(model.encode_to_vec(), bytes);
        assert_eq!(model.graph.unwrap().initializer.len(), 4);
        let parts = encode_parts(&graph, &options).unwrap();
        assert_eq!(parts.initializers.iter().filter(|i| i.numbers.is_some()).count(), 2);
        assert_eq!(parts.byte_count(), bytes.len());
        let mut written = Vec::new();
        parts.write(&mut written).unwrap();
        assert_eq!(written, bytes);
    }
}
