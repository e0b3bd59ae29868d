//! Reads and writes weights as safetensors files. The keys are the dotted paths of the declaration.

use std::borrow::Cow;
use std::path::Path;

use pixelrnn_passes::Weights;
use safetensors::tensor::{Dtype, SafeTensors, View, serialize};

use crate::{Array, Error, files};

/// Reads weights from a safetensors file. Every tensor must be f32.
///
/// # Errors
/// The file cannot be read, is damaged, or contains another element type.
pub fn load(path: &Path) -> Result<Weights, Error> {
    let bytes = pixelrnn_files::read(path).map_err(|error| Error::Io {
        path: path.to_path_buf(),
        doing: "read",
        error,
    })?;
    from_bytes(bytes).map_err(|reason| Error::Weights { path: path.to_path_buf(), reason })
}

/// Writes weights to a safetensors file.
///
/// # Errors
/// The file cannot be written; an existing file is then unchanged.
pub fn save(weights: &Weights, path: &Path) -> Result<(), Error> {
    let bytes =
        to_bytes(weights).map_err(|reason| Error::Weights { path: path.to_path_buf(), reason })?;
    files::write(path, &bytes)
}

/// The SHA-256 of names, shapes and values, in hexadecimal. It does not depend on the file format.
#[cfg(feature = "train")]
pub fn fingerprint(weights: &Weights) -> String {
    pixelrnn_train::weights_fingerprint(weights)
}

/// Reads weights from the bytes of a safetensors file. Frees the bytes of each tensor as soon as it is read.
///
/// # Errors
/// A message that says what is wrong.
pub fn from_bytes(mut bytes: Vec<u8>) -> Result<Weights, String> {
    let damaged = |e| format!("not a complete safetensors file: {e}");
    SafeTensors::deserialize(&bytes).map_err(damaged)?;
    let (length, header) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
    // The data comes after the header, which comes after its own length.
    let data = size_of::<u64>() + length;
    let mut tensors = Vec::new();
    for name in header.offset_keys() {
        let Some(info) = header.info(&name) else { continue };
        if info.dtype != Dtype::F32 {
            return Err(format!("`{name}` is {:?}, expected f32", info.dtype));
        }
        tensors.push((name, info));
    }
    let mut weights = Weights::new();
    for (name, info) in tensors.into_iter().rev() {
        let start = data + info.data_offsets.0;
        let numbers = bytes[start..].chunks_exact(4);
        let numbers = numbers.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        bytes.truncate(start);
        bytes.shrink_to_fit();
        let shape = info.shape.clone();
        let array = Array::from_shape_vec(shape, numbers).map_err(|e| format!("`{name}`: {e}"))?;
        weights.insert(name, array);
    }
    Ok(weights)
}

/// A tensor of a safetensors file; its bytes are made when they are written.
struct Tensor<'a>(&'a Array);

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.0.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        size_of::<f32>() * self.0.len()
    }
}

/// The bytes of a safetensors file.
///
/// # Errors
/// The message of the encoder.
pub fn to_bytes(weights: &Weights) -> Result<Vec<u8>, String> {
    let tensors = weights.iter().map(|(name, array)| (name, Tensor(array)));
    serialize(tensors, None).map_err(|e| e.to_string())
}
