//! Models as files: weights inside, or in a second file beside the model.

use std::path::{Path, PathBuf};

use pixelrnn_onnx::{
    ExternalError, MODEL_LIMIT, OnnxGraph, constant_bytes, encode_external, has_large_constants,
};
use pixelrnn_train::files::write_pair;

use crate::{Declaration, Error, ExportOptions, GraphKind, files};

/// Where the weights of a written model are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExternalData {
    /// In the model, unless that would take more bytes than this: then beside it.
    Above(usize),
    /// Beside the model.
    Always,
}

impl Default for ExternalData {
    /// Beside the model where it would be larger than a file of protobuf can be, 2 GiB.
    fn default() -> Self {
        ExternalData::Above(MODEL_LIMIT)
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The bytes of the model's own file.
    pub bytes: usize,
    /// The file with the weights, and its bytes, if there is one.
    pub external: Option<(PathBuf, u64)>,
}

impl Declaration {
    /// Writes a graph that [`Declaration::compile`] made with the same options. External data go to a
    /// file of the model's name with `.data` behind it; both files are written, or neither.
    ///
    /// # Errors
    /// An operator set out of range; a file that cannot be written; a model that is too large even
    /// without its weights; a path that cannot have a second file beside it.
    pub fn write(
        &self,
        kind: GraphKind,
        options: &ExportOptions,
        graph: &OnnxGraph,
        path: &Path,
        external: ExternalData,
    ) -> Result<Written, Error> {
        let limit = match external {
            ExternalData::Above(limit) => limit,
            ExternalData::Always => 0,
        };
        if constant_bytes(graph) <= limit || !has_large_constants(graph) {
            let bytes = self.encode(kind, options, graph)?;
            if bytes.len() <= limit || !has_large_constants(graph) {
                files::write(path, &bytes)?;
                return Ok(Written { bytes: bytes.len(), external: None });
            }
        }
        self.write_external(kind, options, graph, path)
    }

    fn write_external(
        &self,
        kind: GraphKind,
        options: &ExportOptions,
        graph: &OnnxGraph,
        path: &Path,
    ) -> Result<Written, Error> {
        let refuse = |reason: &str| {
            let error = std::io::Error::other(format!(
                "the weights need a second file, {}.data, but {reason}",
                path.display()
            ));
            Error::Io { path: path.to_path_buf(), doing: "write", error }
        };
        let name = path.file_name().ok_or_else(|| refuse("this path has no file name"))?;
        let Some(name) = name.to_str() else {
            return Err(refuse("the name is not UTF-8, which ONNX requires: choose another name"));
        };
        let location = format!("{name}.data");
        let data = path.with_file_name(&location);
        for taken in [path, &data] {
            if taken.symlink_metadata().is_ok_and(|found| !found.is_file()) {
                return Err(refuse(&format!(
                    "{} is a folder, a link, a pipe or a device: name a regular file",
                    taken.display()
                )));
            }
        }
        let mut bytes = 0;
        write_pair(path, &data, |sink| {
            let model =
                encode_external(graph, &self.encode_options(kind, options), &location, sink)?;
            bytes = model.len();
            match bytes <= MODEL_LIMIT {
                true => Ok(model),
                false => Err(ExternalError::Io(std::io::Error::other(
                    "the graph without its weights exceeds the 2 GiB limit of ONNX files: use \
                     `--control-flow scan` or a smaller model",
                ))),
            }
        })
        .map_err(|error| match error {
            ExternalError::Encode(error) => Error::from(error),
            ExternalError::Io(error) => {
                Error::Io { path: path.to_path_buf(), doing: "write", error }
            }
        })?;
        let length = data.metadata().map_or(0, |found| found.len());
        Ok(Written { bytes, external: Some((data, length)) })
    }
}
