//! The zoo: the paper's models and small ones for the embedded digits, each a page to learn from.

mod cifar_diagonal;
mod cifar_gated;
mod cifar_gated_mixture;
mod cifar_multiscale;
mod cifar_pixelcnn;
mod cifar_row_lstm;
mod digits_diagonal;
mod digits_gated;
mod digits_gated_class;
mod digits_gated_mixture;
mod digits_multiscale;
mod digits_pixelcnn;
mod digits_row_lstm;
mod imagenet32_row_lstm;
mod imagenet64_multiscale;
mod imagenet64_row_lstm;
mod mnist_diagonal;
mod mnist_diagonal_1x32;
mod mnist_gated;
mod mnist_gated_class;
mod mnist_pixelcnn;
mod mnist_row_lstm;

pub use cifar_diagonal::CifarDiagonal;
pub use cifar_gated::CifarGated;
pub use cifar_gated_mixture::CifarGatedMixture;
pub use cifar_multiscale::CifarMultiscale;
pub use cifar_pixelcnn::CifarPixelCnn;
pub use cifar_row_lstm::CifarRowLstm;
pub use digits_diagonal::DigitsDiagonal;
pub use digits_gated::DigitsGated;
pub use digits_gated_class::DigitsGatedClass;
pub use digits_gated_mixture::DigitsGatedMixture;
pub use digits_multiscale::DigitsMultiscale;
pub use digits_pixelcnn::DigitsPixelCnn;
pub use digits_row_lstm::DigitsRowLstm;
pub use imagenet32_row_lstm::Imagenet32RowLstm;
pub use imagenet64_multiscale::Imagenet64Multiscale;
pub use imagenet64_row_lstm::Imagenet64RowLstm;
pub use mnist_diagonal::MnistDiagonal;
pub use mnist_diagonal_1x32::MnistDiagonal1x32;
pub use mnist_gated::MnistGated;
pub use mnist_gated_class::MnistGatedClass;
pub use mnist_pixelcnn::MnistPixelCnn;
pub use mnist_row_lstm::MnistRowLstm;

use crate::{Declaration, Error, Model, Source};

/// A model of the zoo.
pub struct Entry {
    /// The name on the command line.
    pub name: &'static str,
    /// What the model's paper reports on test images; empty where it has no such model.
    pub paper: &'static str,
    source: fn() -> Source,
    declare: fn(&[(String, usize)]) -> Result<Declaration, Error>,
}

impl Entry {
    /// The text of the declaration.
    pub fn source(&self) -> Source {
        (self.source)()
    }

    /// The model, with some settings changed.
    ///
    /// # Errors
    /// A setting that the model does not have, or that does not suit.
    pub fn declare(&self, overrides: &[(String, usize)]) -> Result<Declaration, Error> {
        (self.declare)(overrides)
    }
}

const fn entry<M: Model + Default>(name: &'static str, paper: &'static str) -> Entry {
    fn declare<M: Model>(overrides: &[(String, usize)]) -> Result<Declaration, Error> {
        // From the text, not from a value: a default that depends on another follows it.
        Declaration::from_source(M::source(), overrides)
    }
    Entry { name, paper, source: M::source, declare: declare::<M> }
}

/// All models.
pub const ZOO: &[Entry] = &[
    entry::<DigitsPixelCnn>("digits-pixelcnn", ""),
    entry::<DigitsRowLstm>("digits-row-lstm", ""),
    entry::<DigitsDiagonal>("digits-diagonal", ""),
    entry::<DigitsGated>("digits-gated", ""),
    entry::<DigitsGatedClass>("digits-gated-class", ""),
    entry::<DigitsGatedMixture>("digits-gated-mixture", ""),
    entry::<DigitsMultiscale>("digits-multiscale", ""),
    entry::<MnistPixelCnn>("mnist-pixelcnn", "81.30 nats"),
    entry::<MnistRowLstm>("mnist-row-lstm", "80.54 nats"),
    entry::<MnistDiagonal>("mnist-diagonal", "79.20 nats"),
    entry::<MnistDiagonal1x32>("mnist-diagonal-1x32", "80.75 nats"),
    entry::<MnistGated>("mnist-gated", ""),
    entry::<MnistGatedClass>("mnist-gated-class", ""),
    entry::<CifarPixelCnn>("cifar-pixelcnn", "3.14 bits/dim"),
    entry::<CifarRowLstm>("cifar-row-lstm", "3.07 bits/dim"),
    entry::<CifarDiagonal>("cifar-diagonal", "3.00 bits/dim"),
    entry::<CifarGated>("cifar-gated", "3.03 bits/dim"),
    entry::<CifarGatedMixture>("cifar-gated-mixture", ""),
    entry::<CifarMultiscale>("cifar-multiscale", ""),
    entry::<Imagenet32RowLstm>("imagenet32-row-lstm", "3.86 bits/dim"),
    entry::<Imagenet64RowLstm>("imagenet64-row-lstm", "3.63 bits/dim"),
    entry::<Imagenet64Multiscale>("imagenet64-multiscale", ""),
];

/// The model of this name.
///
/// # Errors
/// There is none; the message suggests the nearest.
pub fn find(name: &str) -> Result<&'static Entry, Error> {
    ZOO.iter().find(|e| e.name == name).ok_or_else(|| {
        let names = ZOO.iter().map(|e| e.name);
        let hint = match pixelrnn_syntax::closest(name, names.clone()) {
            Some(near) => format!("; did you mean `{near}`?"),
            None => format!("; there are: {}", names.collect::<Vec<_>>().join(", ")),
        };
        Error::UnknownModel { name: name.to_string(), hint }
    })
}
