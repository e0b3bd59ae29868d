//! Reads and writes weights as safetensors files. The keys are the dotted paths of the declaration.

use std::collections::BTreeMap;
use std::path::Path;

use pixelrnn_passes::Weights;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

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
    from_bytes(&bytes).map_err(|reason| Error::Weights { path: path.to_path_buf(), reason })
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

/// Reads weights from the bytes of a safetensors file.
///
/// # Errors
/// A message that says what is wrong.
pub fn from_bytes(bytes: &[u8]) -> Result<Weights, String> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|e| format!("not a complete safetensors file: {e}"))?;
    let mut weights = Weights::new();
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(format!("`{name}` is {:?}, expected f32", view.dtype()));
        }
        let numbers = view.data().chunks_exact(4);
        let numbers = numbers.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let array = Array::from_shape_vec(view.shape().to_vec(), numbers)
            .map_err(|e| format!("`{name}`: {e}"))?;
        weights.insert(name.to_string(), array);
    }
    Ok(weights)
}

/// The bytes of a safetensors file.
///
/// # Errors
/// The message of the encoder.
pub fn to_bytes(weights: &Weights) -> Result<Vec<u8>, String> {
    let raw: BTreeMap<&String, Vec<u8>> = weights
        .iter()
        .map(|(name, a)| (name, a.iter().flat_map(|x| x.to_le_bytes()).collect()))
        .collect();
    let mut views = Vec::new();
    for (name, bytes) in &raw {
        let shape = weights[*name].shape().to_vec();
        let view = TensorView::new(Dtype::F32, shape, bytes).map_err(|e| e.to_string())?;
        views.push(((*name).clone(), view));
    }
    serialize(views, None).map_err(|e| e.to_string())
}
