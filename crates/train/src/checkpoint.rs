//! Checkpoints: tensors on disk, with metadata and a checksum.
//!
//! A checkpoint is one safetensors file. Its metadata has one entry, `pixelrnn`: a SHA-256, a space, and an
//! object as JSON. The checksum covers the text of that object and then, for each tensor in the order of the
//! names, its name, its shape and its values.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use pixelrnn_data::Position;
use pixelrnn_files as files;
use pixelrnn_graph::Array;
use pixelrnn_passes::Weights;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::TrainError;

const KEY: &str = "pixelrnn";

/// The progress of a run. Together with the tensors, it is all that is needed to resume.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// The number of steps done.
    pub step: u64,
    /// The position of the next batch.
    pub position: Position,
    /// The time of training in seconds.
    pub seconds: f64,
    /// The result of the best validation.
    pub best: Option<Score>,
    /// The number of validations since then.
    pub since_best: u64,
    /// The step of the last validation.
    pub validated: Option<u64>,
    /// The loss since the last line of the log.
    pub window: Loss,
}

/// A sum of losses, whose mean is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Loss {
    /// Nats, over all images.
    pub nats: f64,
    /// The number of images.
    pub images: usize,
}

/// The result of a validation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The number of steps done before it.
    pub step: u64,
    /// The negative log-likelihood in nats per image.
    pub nats: f64,
}

impl Progress {
    pub(crate) fn json(&self) -> Value {
        // As text, since a number may change by one bit when JSON is written and read.
        let best = self.best.map(|b| json!({ "step": b.step, "nats": b.nats.to_string() }));
        json!({
            "step": self.step,
            "epoch": self.position.epoch,
            "batch": self.position.step,
            "seconds": self.seconds,
            "best": best,
            "since_best": self.since_best,
            "validated": self.validated,
            "window": json!({ "nats": self.window.nats.to_string(), "images": self.window.images }),
        })
    }

    pub(crate) fn from_json(value: &Value) -> Option<Progress> {
        let best = match &value["best"] {
            Value::Null => None,
            best => Some(Score {
                step: best["step"].as_u64()?,
                nats: best["nats"].as_str()?.parse().ok()?,
            }),
        };
        Some(Progress {
            step: value["step"].as_u64()?,
            position: Position {
                epoch: value["epoch"].as_u64()?,
                step: usize::try_from(value["batch"].as_u64()?).ok()?,
            },
            seconds: value["seconds"].as_f64()?,
            best,
            since_best: value["since_best"].as_u64()?,
            validated: value["validated"].as_u64(),
            // Older checkpoints have none.
            window: match &value["window"] {
                Value::Null => Loss::default(),
                window => Loss {
                    nats: window["nats"].as_str()?.parse().ok()?,
                    images: usize::try_from(window["images"].as_u64()?).ok()?,
                },
            },
        })
    }
}

/// Writes tensors and the progress of the run.
///
/// # Errors
/// [`TrainError::Io`] if the file cannot be written. An existing file is then unchanged.
pub fn save(path: &Path, tensors: &Weights, progress: &Progress) -> Result<(), TrainError> {
    let raw: BTreeMap<&String, Vec<u8>> = tensors
        .iter()
        .map(|(name, a)| (name, a.iter().flat_map(|x| x.to_le_bytes()).collect()))
        .collect();
    let text = progress.json().to_string();
    let shapes = tensors.values().map(Array::shape);
    let sum = checksum(&text, raw.iter().zip(shapes).map(|((n, b), s)| (n.as_str(), s, &b[..])));
    let mut views = Vec::new();
    for ((name, bytes), array) in raw.iter().zip(tensors.values()) {
        let view = TensorView::new(Dtype::F32, array.shape().to_vec(), bytes)
            .map_err(|e| refused(path, e))?;
        views.push((name.as_str(), view));
    }
    let metadata = HashMap::from([(KEY.to_string(), format!("{sum} {text}"))]);
    let bytes = serialize(views, Some(metadata)).map_err(|e| refused(path, e))?;
    files::write_own(path, &bytes).map_err(TrainError::io(path, "write"))
}

/// The SHA-256 of names, shapes and values, in hexadecimal.
pub fn weights_fingerprint(weights: &Weights) -> String {
    let raw: Vec<Vec<u8>> =
        weights.values().map(|a| a.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let tensors = weights.iter().zip(&raw);
    checksum("", tensors.map(|((name, array), bytes)| (name.as_str(), array.shape(), &bytes[..])))
}

fn refused(path: &Path, error: safetensors::SafeTensorError) -> TrainError {
    TrainError::io(path, "write")(std::io::Error::other(error))
}

/// Reads a file of [`save`].
///
/// # Errors
/// The file cannot be read, or is damaged.
pub fn load(path: &Path) -> Result<(Weights, Progress), TrainError> {
    let bytes = files::read(path).map_err(TrainError::io(path, "read"))?;
    read(&bytes).map_err(|reason| TrainError::Damaged { path: path.to_path_buf(), reason })
}

/// Whether a file was written by [`save`], according to its metadata.
///
/// # Errors
/// The file cannot be read.
pub fn is_checkpoint(path: &Path) -> Result<bool, TrainError> {
    let bytes = files::read(path).map_err(TrainError::io(path, "read"))?;
    let metadata = SafeTensors::read_metadata(&bytes);
    let known = metadata.ok().and_then(|(_, m)| m.metadata().as_ref().map(|m| m.contains_key(KEY)));
    Ok(known.unwrap_or(false))
}

fn read(bytes: &[u8]) -> Result<(Weights, Progress), String> {
    let broken = |e| format!("not a complete safetensors file: {e}");
    let file = SafeTensors::deserialize(bytes).map_err(broken)?;
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let entry = metadata.metadata().as_ref().and_then(|m| m.get(KEY));
    let (sum, text) = entry
        .and_then(|entry| entry.split_once(' '))
        .ok_or("it contains weights but no training state")?;
    let mut tensors: Vec<_> = file.iter().collect();
    tensors.sort_by_key(|&(name, _)| name);
    if checksum(text, tensors.iter().map(|(n, v)| (*n, v.shape(), v.data()))) != sum {
        return Err("checksum mismatch".into());
    }
    let progress = serde_json::from_str(text).ok().as_ref().and_then(Progress::from_json);
    let progress = progress.ok_or("the training state is missing")?;
    let mut weights = Weights::new();
    for (name, view) in tensors {
        if view.dtype() != Dtype::F32 {
            return Err(format!("`{name}` is {:?}, not f32", view.dtype()));
        }
        let numbers = view.data().chunks_exact(4);
        let numbers = numbers.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let array = Array::from_shape_vec(view.shape().to_vec(), numbers)
            .map_err(|e| format!("`{name}`: {e}"))?;
        weights.insert(name.to_string(), array);
    }
    Ok((weights, progress))
}

fn checksum<'a>(
    text: &str,
    tensors: impl Iterator<Item = (&'a str, &'a [usize], &'a [u8])>,
) -> String {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        // Each part is hashed with its length, so that different lists of parts give different hashes.
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(text.as_bytes());
    for (name, shape, bytes) in tensors {
        part(name.as_bytes());
        let extents: Vec<u8> = shape.iter().flat_map(|&n| (n as u64).to_le_bytes()).collect();
        part(&extents);
        part(bytes);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
