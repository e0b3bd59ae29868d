//! Weights outside of the model's file: ONNX's external data.
//!
//! A protobuf message must be smaller than 2 GiB. Larger models keep their weights in a second file
//! in the same folder; each tensor states its offset and length in that file.

use std::io::{self, Write};

use crate::encode::{EncodeError, EncodeOptions, encode_to};
use crate::encoded::Encoded;
use crate::op::{OnnxGraph, OnnxOp};
use crate::proto::{StringStringEntryProto, TensorProto, tensor_proto::DataLocation};

/// The largest size of a file, in bytes, that all protobuf readers accept.
pub const MODEL_LIMIT: usize = (1 << 31) - 1;
/// Smaller tensors, in bytes, stay in the model: readers need the values of shapes and axes.
pub(crate) const SMALLEST: usize = 1024;
/// Offsets are multiples of this, since engines map files into memory by page.
const ALIGNMENT: u64 = 4096;

/// Why a model with external data cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    /// The model cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The weights cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The file with the weights, while it is being written.
pub(crate) struct External<'a> {
    location: &'a str,
    sink: &'a mut dyn Write,
    written: u64,
    /// The first failure. Nothing is written after it.
    pub(crate) failed: Option<io::Error>,
}

/// Encodes a model whose larger tensors are written to `sink`. The caller must store what it
/// receives as the file `location` in the model's folder.
///
/// # Errors
/// Those of [`encode`](crate::encode()), and if `sink` fails.
pub fn encode_external(
    graph: &OnnxGraph,
    options: &EncodeOptions,
    location: &str,
    sink: &mut dyn Write,
) -> Result<Encoded, ExternalError> {
    let mut external = External { location, sink, written: 0, failed: None };
    let encoded = encode_to(graph, options, Some(&mut external))?;
    match external.failed {
        Some(error) => Err(error.into()),
        None => Ok(encoded),
    }
}

/// The number of bytes of all constants of a graph, including those in bodies.
pub fn constant_bytes(graph: &OnnxGraph) -> usize {
    let one = |op: &OnnxOp| match op {
        OnnxOp::Constant(literal) => literal.byte_count(),
        OnnxOp::Scan(scan) => constant_bytes(&scan.body),
        _ => 0,
    };
    graph.nodes().map(|(_, node)| one(&node.op)).sum()
}

/// Whether any constant of a graph is large enough to be stored outside of the model.
pub fn has_large_constants(graph: &OnnxGraph) -> bool {
    graph.nodes().any(|(_, node)| match &node.op {
        OnnxOp::Constant(literal) => literal.byte_count() >= SMALLEST,
        OnnxOp::Scan(scan) => has_large_constants(&scan.body),
        _ => false,
    })
}

impl External<'_> {
    /// Moves the data of a tensor to the file, unless they are small.
    pub(crate) fn take(&mut self, tensor: &mut TensorProto) {
        let bytes = match tensor.raw_data.take() {
            Some(bytes) if bytes.len() >= SMALLEST => bytes,
            small => {
                tensor.raw_data = small;
                return;
            }
        };
        if self.failed.is_some() {
            return;
        }
        match self.write(&bytes) {
            Err(error) => self.failed = Some(error),
            Ok(offset) => {
                let entry = |key: &str, value: String| StringStringEntryProto {
                    key: Some(key.into()),
                    value: Some(value),
                };
                tensor.data_location = Some(DataLocation::External as i32);
                tensor.external_data = vec![
                    entry("location", self.location.into()),
                    entry("offset", offset.to_string()),
                    entry("length", bytes.len().to_string()),
                ];
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let offset = self.written.next_multiple_of(ALIGNMENT);
        let gap = [0; ALIGNMENT as usize];
        self.sink.write_all(&gap[..(offset - self.written) as usize])?;
        self.sink.write_all(bytes)?;
        self.written = offset + bytes.len() as u64;
        Ok(offset)
    }
}
