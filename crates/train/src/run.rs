//! The folder of a run.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{TrainError, files};

/// The model's text.
pub(crate) const MODEL: &str = "model.pixelrnn";
/// Settings of model, data and recipe.
pub(crate) const SETTINGS: &str = "run.json";
/// The checkpoint to resume from: parameters and the optimizer's states.
pub(crate) const LAST: &str = "last.safetensors";
/// The weights that did best in validation: the averages if there are any.
pub(crate) const BEST: &str = "best.safetensors";
/// One JSON object a line.
pub(crate) const LOG: &str = "log.jsonl";

/// The folder of a run: `model.pixelrnn`, `run.json`, `last.safetensors`, `best.safetensors`,
/// `log.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    folder: PathBuf,
}

impl Run {
    /// Of a folder that there need not be yet.
    pub fn new(folder: impl Into<PathBuf>) -> Run {
        Run { folder: folder.into() }
    }

    /// Whether a run was begun here.
    pub fn exists(&self) -> bool {
        self.settings_path().is_file()
    }

    /// Makes the folder, with the model's text and the settings.
    ///
    /// # Errors
    /// It cannot be written to.
    pub fn create(&self, model: &str, settings: &Value) -> Result<(), TrainError> {
        std::fs::create_dir_all(&self.folder).map_err(TrainError::io(&self.folder, "create"))?;
        let write = |path: &Path, bytes: &[u8]| {
            files::write_own(path, bytes).map_err(TrainError::io(path, "write"))
        };
        write(&self.model_path(), model.as_bytes())?;
        // Last: a folder with settings is a run.
        self.write_settings(settings)
    }

    /// Replaces the settings, when a run goes on with others.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write_settings(&self, settings: &Value) -> Result<(), TrainError> {
        let path = self.settings_path();
        files::write_own(&path, format!("{settings:#}\n").as_bytes())
            .map_err(TrainError::io(&path, "write"))
    }

    /// The settings.
    ///
    /// # Errors
    /// They cannot be read or are damaged.
    pub fn settings(&self) -> Result<Value, TrainError> {
        let path = self.settings_path();
        let text = std::fs::read_to_string(&path).map_err(TrainError::io(&path, "read"))?;
        serde_json::from_str(&text)
            .map_err(|e| TrainError::Settings { path, reason: format!("not JSON: {e}") })
    }

    /// Keeps other processes from training here, as long as the result lives. Where a folder cannot
    /// be locked, nobody is kept away.
    ///
    /// # Errors
    /// Another process does.
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

    /// The model's text.
    pub fn model_path(&self) -> PathBuf {
        self.folder.join(MODEL)
    }

    /// The settings.
    pub fn settings_path(&self) -> PathBuf {
        self.folder.join(SETTINGS)
    }

    /// The checkpoint to resume from.
    pub fn last_path(&self) -> PathBuf {
        self.folder.join(LAST)
    }

    /// The weights that did best in validation.
    pub fn best_path(&self) -> PathBuf {
        self.folder.join(BEST)
    }

    /// The log.
    pub fn log_path(&self) -> PathBuf {
        self.folder.join(LOG)
    }
}
