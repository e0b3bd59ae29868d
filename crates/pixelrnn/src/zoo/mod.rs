//! The zoo: the models of the paper and small models for the embedded digits. Each file is also an example.

use crate::{Declaration, Error, Model, Source};

/// A model of the zoo.
pub struct Entry {
    /// The name on the command line.
    pub name: &'static str,
    /// The result on test images in the model's paper; empty if the paper has no such model.
    pub paper: &'static str,
    source: fn() -> Source,
    declare: fn(&[(String, usize)]) -> Result<Declaration, Error>,
}

impl Entry {
    /// The text of the declaration.
    pub fn source(&self) -> Source {
        (self.source)()
    }

    /// Builds the model, with some settings overridden.
    ///
    /// # Errors
    /// [`Error`] if a setting does not exist or is invalid.
    pub fn declare(&self, overrides: &[(String, usize)]) -> Result<Declaration, Error> {
        (self.declare)(overrides)
    }
}

const fn entry<M: Model + Default>(name: &'static str, paper: &'static str) -> Entry {
    fn declare<M: Model>(overrides: &[(String, usize)]) -> Result<Declaration, Error> {
        // From the text, so that a default that depends on an overridden setting changes with it.
        Declaration::from_source(M::source(), overrides)
    }
    Entry { name, paper, source: M::source, declare: declare::<M> }
}

macro_rules! zoo {
    ($($module:ident::$model:ident $name:literal $paper:literal,)*) => {
        $(mod $module; pub use $module::$model;)*

        /// All models.
        pub const ZOO: &[Entry] = &[$(entry::<$model>($name, $paper),)*];
    };
}

// The file, the type, the name on the command line, the result in the model's paper.
zoo! {
    digits_pixelcnn::DigitsPixelCnn "digits-pixelcnn" "",
    digits_row_lstm::DigitsRowLstm "digits-row-lstm" "",
    digits_diagonal::DigitsDiagonal "digits-diagonal" "",
    digits_gated::DigitsGated "digits-gated" "",
    digits_gated_class::DigitsGatedClass "digits-gated-class" "",
    digits_gated_mixture::DigitsGatedMixture "digits-gated-mixture" "",
    digits_multiscale::DigitsMultiscale "digits-multiscale" "",
    mnist_pixelcnn::MnistPixelCnn "mnist-pixelcnn" "81.30 nats",
    mnist_row_lstm::MnistRowLstm "mnist-row-lstm" "80.54 nats",
    mnist_diagonal::MnistDiagonal "mnist-diagonal" "79.20 nats",
    mnist_diagonal_1x32::MnistDiagonal1x32 "mnist-diagonal-1x32" "80.75 nats",
    mnist_gated::MnistGated "mnist-gated" "",
    mnist_gated_class::MnistGatedClass "mnist-gated-class" "",
    cifar_pixelcnn::CifarPixelCnn "cifar-pixelcnn" "3.14 bits/dim",
    cifar_row_lstm::CifarRowLstm "cifar-row-lstm" "3.07 bits/dim",
    cifar_diagonal::CifarDiagonal "cifar-diagonal" "3.00 bits/dim",
    cifar_gated::CifarGated "cifar-gated" "3.03 bits/dim",
    cifar_gated_mixture::CifarGatedMixture "cifar-gated-mixture" "",
    cifar_multiscale::CifarMultiscale "cifar-multiscale" "",
    imagenet32_row_lstm::Imagenet32RowLstm "imagenet32-row-lstm" "3.86 bits/dim",
    imagenet64_row_lstm::Imagenet64RowLstm "imagenet64-row-lstm" "3.63 bits/dim",
    imagenet64_multiscale::Imagenet64Multiscale "imagenet64-multiscale" "",
}

/// The model of this name.
///
/// # Errors
/// No model has this name; the message suggests the closest.
pub fn find(name: &str) -> Result<&'static Entry, Error> {
    ZOO.iter().find(|e| e.name == name).ok_or_else(|| {
        let names = ZOO.iter().map(|e| e.name);
        let hint = match pixelrnn_syntax::closest(name, names.clone()) {
            Some(near) => format!("; did you mean `{near}`?"),
            None => "; expected one of `pixelrnn zoo`, a model file or a run folder".to_string(),
        };
        Error::UnknownModel { name: name.to_string(), hint }
    })
}
