//! Checks whether a run can be resumed: with the same model and the same images, from a checkpoint.

use pixelrnn_data::{Dataset, Shuffle, Spec};
use serde_json::Value;

use crate::fingerprint::old_fingerprints;
use crate::{Recipe, Run, TrainError};

/// The parts of a model that identify it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelText<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its hyper-parameters and the settings of its image.
    pub settings: &'a [(String, usize)],
    /// The text of its declaration.
    pub text: &'a str,
}

/// The images of a run.
#[derive(Debug)]
#[non_exhaustive]
pub struct RunImages {
    /// The images, with the validation images held out.
    pub data: Dataset,
    /// Whether they are the images of the run; `None` if the run stores no hash of its images.
    pub same: Option<bool>,
}

impl Run {
    /// The data set specification and the recipe of the run.
    ///
    /// # Errors
    /// The settings cannot be read or are damaged.
    pub fn recipe(&self) -> Result<(String, Recipe), TrainError> {
        let settings = self.settings()?;
        let fail = |reason| TrainError::Settings { path: self.settings_path(), reason };
        let data = settings["data"].as_str().ok_or_else(|| fail("`data` is missing".into()))?;
        let recipe = Recipe::from_json(&settings["recipe"]).map_err(fail)?;
        Ok((data.to_string(), recipe))
    }

    /// Whether these are the images of the run; `None` if the run stores no hash of its images.
    ///
    /// # Errors
    /// The settings or the images cannot be read.
    pub fn has_images(&self, data: &Dataset) -> Result<Option<bool>, TrainError> {
        let settings = self.settings()?;
        let Some(known) = settings["data_sha256"].as_str() else { return Ok(None) };
        if known == data.fingerprint() {
            return Ok(Some(true));
        }
        Ok(Some(old_fingerprints(data)?.iter().any(|old| old == known)))
    }

    /// Reads the images of the run. Older versions did not shuffle the images before they chose the
    /// validation images; for their runs, the choice is made in the same way.
    ///
    /// # Errors
    /// The settings or the images cannot be read.
    pub fn images(&self, spec: &Spec, seed: u64) -> Result<RunImages, TrainError> {
        let load = |spec: &Spec| -> Result<RunImages, TrainError> {
            let data = spec.load(seed)?.hold_out();
            let same = self.has_images(&data)?;
            Ok(RunImages { data, same })
        };
        let loaded = load(spec)?;
        if loaded.same == Some(false) && spec.shuffle.is_none() {
            let ordered = Spec { shuffle: Some(Shuffle::Off), ..spec.clone() };
            return Ok(load(&ordered).ok().filter(|old| old.same == Some(true)).unwrap_or(loaded));
        }
        Ok(loaded)
    }

    /// Wraps images that are already loaded, for [`Run::check_images`].
    ///
    /// # Errors
    /// The settings or the images cannot be read.
    pub fn loaded_images(&self, data: Dataset) -> Result<RunImages, TrainError> {
        let same = self.has_images(&data)?;
        Ok(RunImages { data, same })
    }

    /// Checks that a run is resumed with the same images. Returns a warning if this is not certain.
    ///
    /// # Errors
    /// [`TrainError::Resume`] if the images have changed; [`TrainError::Fixed`] if the run stores no hash of
    /// its images, and these have another name.
    pub fn check_images(&self, images: &RunImages) -> Result<Option<String>, TrainError> {
        let name = images.data.name();
        match images.same {
            Some(true) => Ok(None),
            Some(false) => Err(TrainError::Resume(format!(
                "the images in {name} have changed since the run started (hash in {}): start a new run in \
                 another folder",
                self.settings_path().display()
            ))),
            None => {
                let (was, _) = self.recipe()?;
                if was != name {
                    let asked = name.to_string();
                    return Err(TrainError::Fixed { what: "the data".to_string(), was, asked });
                }
                Ok(Some(format!(
                    "run.json has no hash of the training images: {name} may contain different images"
                )))
            }
        }
    }

    /// Checks that a run is resumed with the same model.
    ///
    /// # Errors
    /// [`TrainError::Fixed`] if the name or a setting differs, [`TrainError::Resume`] if the text differs.
    pub fn check_model(&self, own: &ModelText, asked: &ModelText) -> Result<(), TrainError> {
        let text = |m: &ModelText| format!("{} {:?}", m.name, m.settings);
        if text(own) != text(asked) {
            let (was, asked) = (text(own), text(asked));
            return Err(TrainError::Fixed { what: "the model".to_string(), was, asked });
        }
        if without_comments(own.text) != without_comments(asked.text) {
            return Err(TrainError::Resume(format!(
                "{} differs from the model of the run ({}): restore it, or start a new run in another \
                 folder",
                asked.name,
                self.model_path().display()
            )));
        }
        Ok(())
    }

    /// Returns the stored origin of the initial weights, null if they were initialized randomly; see
    /// `initial_weights` in run.json.
    ///
    /// # Errors
    /// [`TrainError::Resume`] if the run has no checkpoint yet and was started from other weights, which it
    /// does not contain; other errors if the settings cannot be read.
    pub fn check_start(&self) -> Result<Value, TrainError> {
        let initial = self.settings()?["initial_weights"].clone();
        if !initial.is_null() && !self.last_path().exists() {
            return Err(TrainError::Resume(format!(
                "cannot resume: {} was stopped before its first checkpoint, and does not contain the weights \
                 that it started from. Start a new run in another folder",
                self.folder().display()
            )));
        }
        Ok(initial)
    }
}

/// The lines of a model's text that are not comments, in the present spelling: older versions wrote `colours`.
fn without_comments(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect::<String>().replace("colours", "colors")
}
