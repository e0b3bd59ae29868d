//! The log of a run, with one JSON object per line.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use pixelrnn_files as files;
use serde_json::Value;

use crate::{Run, TrainError};

/// An open log.
pub(crate) struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens the log of a run that has done `step` steps. Removes lines that were written after that step
    /// before the run was interrupted, and incomplete lines.
    pub(crate) fn open(run: &Run, step: u64) -> Result<Log, TrainError> {
        let path = run.log_path();
        files::own(&path).map_err(TrainError::io(&path, "write"))?;
        let old = match files::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(TrainError::io(&path, "read")(error)),
        };
        let holds = |line: &&str| {
            let value: Option<Value> = serde_json::from_str(line).ok();
            value.is_some_and(|v| v["step"].as_u64().is_some_and(|s| s <= step))
        };
        let kept: String = match step {
            0 => String::new(),
            _ => old.lines().filter(holds).flat_map(|line| [line, "\n"]).collect(),
        };
        if kept != old {
            files::write_own(&path, kept.as_bytes()).map_err(TrainError::io(&path, "write"))?;
        }
        let file = OpenOptions::new().create(true).append(true).open(&path);
        Ok(Log { file: file.map_err(TrainError::io(&path, "write"))?, path })
    }

    /// Whether the log of a run says that steps were done.
    pub(crate) fn tells_of_steps(run: &Run) -> bool {
        let text = files::read(&run.log_path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.lines().any(|line| {
            let value: Option<Value> = serde_json::from_str(line).ok();
            value.is_some_and(|v| v["step"].as_u64().is_some_and(|step| step > 0))
        })
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, value: &Value) -> Result<(), TrainError> {
        let line = format!("{value}\n");
        self.file.write_all(line.as_bytes()).map_err(TrainError::io(&self.path, "write"))
    }
}
