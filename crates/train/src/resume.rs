//! Whether a run can go on: with the same model and the same images, from a checkpoint.

use pixelrnn_data::{Dataset, Shuffle, Spec};
use serde_json::Value;

use crate::fingerprint::old_fingerprints;
use crate::{Recipe, Run, TrainError};

/// What identifies the model of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelText<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its hyper-parameters and image settings.
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
    /// Whether they are those that the run started with; `None` if the run has no hash of its images.
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

    /// Whether these are the images of the run; `None` if the run has no hash of its images.
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

    /// Reads the images of the run. For runs of older versions, which did not shuffle before choosing
    /// validation images, the choice is the old one.
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

    /// Images that are loaded already, for [`Run::check_images`].
    ///
    /// # Errors
    /// The settings or the images cannot be read.
    pub fn loaded_images(&self, data: Dataset) -> Result<RunImages, TrainError> {
        let same = self.has_images(&data)?;
        Ok(RunImages { data, same })
    }

    /// Checks that a run goes on with the images that it started with. Returns a warning if this cannot be
    /// known for certain.
    ///
    /// # Errors
    /// [`TrainError::Resume`]: the images have changed. [`TrainError::Fixed`]: the run has no hash of its
    /// images, and these have another name.
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

    /// Checks that a run goes on with its own model.
    ///
    /// # Errors
    /// [`TrainError::Fixed`] for another model or hyper-parameter, [`TrainError::Resume`] for another text.
    pub fn check_model(&self, own: &ModelText, asked: &ModelText) -> Result<(), TrainError> {
        let text = |m: &ModelText| format!("{} {:?}", m.name, m.settings);
        if text(own) != text(asked) {
            let (was, asked) = (text(own), text(asked));
            return Err(TrainError::Fixed { what: "the model".to_string(), was, asked });
        }
        // Older versions wrote `colours`.
        let plain = |text: &str| text.replace("colours", "colors");
        if plain(own.text) != plain(asked.text) {
            return Err(TrainError::Resume(format!(
                "{} differs from the model of the run ({}): restore it, or start a new run in another \
                 folder",
                asked.name,
                self.model_path().display()
            )));
        }
        Ok(())
    }

    /// The origin of the initial weights that the run noted, null for fresh weights; see
    /// `initial_weights` in run.json.
    ///
    /// # Errors
    /// [`TrainError::Resume`]: the run has no checkpoint yet, and does not contain the weights that it
    /// started from. The settings cannot be read.
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
