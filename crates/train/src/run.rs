//! Run folders.

use std::path::{Path, PathBuf};

use pixelrnn_files as files;
use serde_json::Value;

use crate::TrainError;

/// The text of the model.
pub(crate) const MODEL: &str = "model.pixelrnn";
/// The settings of the model, the data and the recipe.
pub(crate) const SETTINGS: &str = "run.json";
/// The last checkpoint: parameters and optimizer states.
pub(crate) const LAST: &str = "last.safetensors";
/// The weights of the best validation: the EMA if there is one.
pub(crate) const BEST: &str = "best.safetensors";
/// The log, one JSON object per line.
pub(crate) const LOG: &str = "log.jsonl";

/// A run folder: `model.pixelrnn`, `run.json`, `last.safetensors`, `best.safetensors`, `log.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    folder: PathBuf,
}

impl Run {
    /// The run in this folder, which may not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Run {
        Run { folder: folder.into() }
    }

    /// Whether the folder contains a run.
    pub fn exists(&self) -> bool {
        self.settings_path().is_file()
    }

    /// Creates the folder, with the model's text and the settings.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn create(&self, model: &str, settings: &Value) -> Result<(), TrainError> {
        std::fs::create_dir_all(&self.folder).map_err(TrainError::io(&self.folder, "create"))?;
        let write = |path: &Path, bytes: &[u8]| {
            files::write_own(path, bytes).map_err(TrainError::io(path, "write"))
        };
        write(&self.model_path(), model.as_bytes())?;
        // Written last, since a folder with settings counts as a run.
        self.write_settings(settings)
    }

    /// Replaces the settings, for a resumed run with changed settings.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_settings(&self, settings: &Value) -> Result<(), TrainError> {
        let path = self.settings_path();
        files::write_own(&path, format!("{settings:#}\n").as_bytes())
            .map_err(TrainError::io(&path, "write"))
    }

    /// The settings.
    ///
    /// # Errors
    /// The file cannot be read or is damaged.
    pub fn settings(&self) -> Result<Value, TrainError> {
        let path = self.settings_path();
        let text = files::read_text(&path).map_err(TrainError::io(&path, "read"))?;
        serde_json::from_str(&text)
            .map_err(|e| TrainError::Settings { path, reason: format!("not JSON: {e}") })
    }

    /// Locks the folder against training by other processes until the result is dropped. On file systems
    /// without locks, this does nothing.
    ///
    /// # Errors
    /// Another process holds the lock.
    pub(crate) fn lock(&self) -> Result<Option<std::fs::File>, TrainError> {
        let Ok(folder) = std::fs::File::open(&self.folder) else { return Ok(None) };
        match folder.try_lock() {
            Err(std::fs::TryLockError::WouldBlock) => {
                Err(TrainError::Busy { path: self.folder.clone() })
            }
            _ => Ok(Some(folder)),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The text of the model.
    pub fn model_path(&self) -> PathBuf {
        self.folder.join(MODEL)
    }

    /// The settings.
    pub fn settings_path(&self) -> PathBuf {
        self.folder.join(SETTINGS)
    }

    /// The last checkpoint.
    pub fn last_path(&self) -> PathBuf {
        self.folder.join(LAST)
    }

    /// The weights of the best validation.
    pub fn best_path(&self) -> PathBuf {
        self.folder.join(BEST)
    }

    /// The log.
    pub fn log_path(&self) -> PathBuf {
        self.folder.join(LOG)
    }
}
