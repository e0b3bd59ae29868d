//! Trained models that are embedded in the program, by name. The runs that trained them are in
//! `crates/cli/trained`.

use pixelrnn::{Declaration, Source, Weights, training, weights};
use serde_json::Value;

use crate::exit::{Failure, usage};

/// A trained model.
pub struct Trained {
    /// The name; the model is a variant of the zoo model with this name.
    pub name: &'static str,
    /// The declaration, the settings and the weights of the run.
    text: &'static str,
    settings: &'static str,
    weights: &'static [u8],
    /// The data set specification, if the data are embedded in the program; see
    /// [`Trained::data_hint`].
    pub data: Option<&'static str>,
    /// A description of the data.
    pub about_data: &'static str,
    /// What to give as `--data`, if the data are not embedded in the program.
    pub data_hint: &'static str,
    /// Nats per image on the test split, as measured with these weights.
    pub nats: f64,
    /// The number of images in that test split.
    pub test_images: usize,
}

macro_rules! trained {
    ($($name:literal { $($field:ident: $value:expr),* $(,)? })*) => {
        /// All trained models.
        pub const TRAINED: &[Trained] = &[$(Trained {
            name: $name,
            text: include_str!(concat!("../trained/", $name, "/model.pixelrnn")),
            settings: include_str!(concat!("../trained/", $name, "/run.json")),
            weights: include_bytes!(concat!("../trained/", $name, "/best.safetensors")),
            $($field: $value,)*
        },)*];
    };
}

trained! {
    "digits-gated-class" {
        data: Some("digits"),
        about_data: "digits, with classes",
        data_hint: "digits",
        nats: 76.172,
        test_images: 297,
    }
    "mnist-diagonal" {
        data: None,
        about_data: "binarized MNIST",
        data_hint: "npz:binarized_mnist.npz",
        nats: 79.038,
        test_images: 10_000,
    }
}

/// The trained model with this name, if there is one.
pub fn find(name: &str) -> Option<&'static Trained> {
    TRAINED.iter().find(|trained| trained.name == name)
}

impl Trained {
    /// The trained model with this name.
    ///
    /// # Errors
    /// [`Failure::Usage`] if there is none; the message lists all.
    pub fn of(name: &str) -> Result<&'static Trained, Failure> {
        let names: Vec<&str> = TRAINED.iter().map(|trained| trained.name).collect();
        find(name).map_or_else(
            || {
                usage(format!(
                    "no trained weights for `{name}`: `--trained` knows {}",
                    names.join(", ")
                ))
            },
            Ok,
        )
    }

    /// The settings of the run.
    ///
    /// # Errors
    /// If they are damaged, which a test rules out.
    pub fn settings(&self) -> Result<Value, Failure> {
        serde_json::from_str(self.settings)
            .map_err(|error| Failure::Usage(format!("settings of {}: {error}", self.name)))
    }

    /// The model, with some settings overridden.
    ///
    /// # Errors
    /// If a setting is unknown or has an invalid value.
    pub fn declare(&self, overrides: &[(String, usize)]) -> Result<Declaration, Failure> {
        let settings = training::model_settings(&self.settings()?);
        let mut set = settings
            .map_err(|reason| Failure::Usage(format!("settings of {}: {reason}", self.name)))?;
        set.extend_from_slice(overrides);
        Ok(Declaration::from_source(
            Source::new(format!("{}.pixelrnn", self.name), self.text),
            &set,
        )?)
    }

    /// The weights of the run.
    ///
    /// # Errors
    /// If they are damaged, which a test rules out.
    pub fn weights(&self) -> Result<Weights, Failure> {
        weights::from_bytes(self.weights.to_vec())
            .map_err(|reason| Failure::Usage(format!("weights of {}: {reason}", self.name)))
    }

    /// The size of the weights in bytes.
    pub fn bytes(&self) -> usize {
        self.weights.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_fit_and_are_small() {
        for trained in TRAINED {
            assert!(pixelrnn::zoo::find(trained.name).is_ok(), "{} is in the zoo", trained.name);
            let model = trained.declare(&[]).expect("a model");
            model.check_weights(&trained.weights().expect("weights")).expect("they fit");
        }
        let bytes: usize = TRAINED.iter().map(Trained::bytes).sum();
        assert!(bytes < 2_000_000, "{bytes}");
        assert!(Trained::of("mnist-gated").is_err());
    }
}
