//! Models as files, with the weights in the same file or in a second file.

use std::path::{Path, PathBuf};

use pixelrnn_files::write_pair;
use pixelrnn_onnx::{
    EncodeError, ExternalError, MODEL_LIMIT, OnnxGraph, constant_bytes, encode_external,
    encode_parts, has_large_constants,
};

use crate::{Declaration, Error, ExportOptions, GraphKind, files};

/// The location of the weights of a written model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExternalData {
    /// In the model file, unless it would be larger than this number of bytes.
    Above(usize),
    /// In a second file.
    Always,
}

impl Default for ExternalData {
    /// In a second file if the model would exceed the 2 GiB limit of protobuf.
    fn default() -> Self {
        ExternalData::Above(MODEL_LIMIT)
    }
}

/// The files that were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The size of the model file in bytes.
    pub bytes: usize,
    /// The number of nodes in the file, with those in loop bodies.
    pub nodes: usize,
    /// The file with the weights and its size in bytes, if there is one.
    pub external: Option<(PathBuf, u64)>,
}

impl Declaration {
    /// Writes a graph of [`Declaration::compile`] with the same options. External weights go to a file with
    /// the model's name and the suffix `.data`. Either both files are written, or none.
    ///
    /// # Errors
    /// The opset version is out of range, a file cannot be written, the model is too large even without its
    /// weights, or the path does not allow a second file.
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
            let encoded = encode_parts(graph, &self.encode_options(kind, options))?;
            let bytes = encoded.byte_count();
            if bytes <= limit || !has_large_constants(graph) {
                files::write_with(path, |sink| encoded.write(sink))?;
                return Ok(Written { bytes, nodes: encoded.nodes(), external: None });
            }
        }
        self.write_external(kind, options, graph, path)
    }

    /// As [`Declaration::encode`], and tells the size and the number of nodes.
    ///
    /// # Errors
    /// The opset version is out of range, or the model has more than 2 GiB.
    pub fn encode_counted(
        &self,
        kind: GraphKind,
        options: &ExportOptions,
        graph: &OnnxGraph,
    ) -> Result<(Vec<u8>, Written), Error> {
        let bytes = constant_bytes(graph);
        if bytes > MODEL_LIMIT {
            return Err(EncodeError::TooLarge { bytes }.into());
        }
        let encoded = encode_parts(graph, &self.encode_options(kind, options))?;
        let (bytes, nodes) = (encoded.byte_count(), encoded.nodes());
        Ok((encoded.to_vec(), Written { bytes, nodes, external: None }))
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
        let (mut bytes, mut nodes) = (0, 0);
        write_pair(path, &data, |sink| {
            let encoded =
                encode_external(graph, &self.encode_options(kind, options), &location, sink)?;
            let model = encoded.to_vec();
            (bytes, nodes) = (model.len(), encoded.nodes());
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
        Ok(Written { bytes, nodes, external: Some((data, length)) })
    }
}
