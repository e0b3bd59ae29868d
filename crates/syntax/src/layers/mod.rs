//! The table of layers: what a declaration may name. A layer is a file here and a line in
//! [`LAYERS`]; neither the parser nor the elaborator knows any by name.

mod activation;
mod conv;
mod diagonal_bilstm;
mod logits;
mod masked_conv;
mod row_lstm;
mod skip;

use crate::elaborate::{Arguments, Build, Flow, Refused};

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// `height x width`, both odd.
    Kernel,
    /// A number, at least one.
    Number,
    /// An odd number.
    Odd,
    /// One of these words.
    Word(&'static [&'static str]),
}

/// A parameter of a layer.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    pub name: &'static str,
    pub kind: Kind,
    /// What stands for it when it is left out: a number, or the position of a word. Without a
    /// default it must be given, and may be given by position.
    pub default: Option<usize>,
}

impl Parameter {
    const fn required(name: &'static str, kind: Kind) -> Parameter {
        Parameter { name, kind, default: None }
    }

    const fn optional(name: &'static str, kind: Kind, default: usize) -> Parameter {
        Parameter { name, kind, default: Some(default) }
    }
}

/// Everything about one layer.
pub struct Layer {
    pub name: &'static str,
    /// How it is written, for messages.
    pub usage: &'static str,
    pub parameters: &'static [Parameter],
    /// Whether it has weights, which take the label as their path.
    pub has_weights: bool,
    pub build: fn(&mut Build, &Arguments, Flow) -> Result<Flow, Refused>,
}

/// All layers.
pub const LAYERS: &[Layer] = &[
    masked_conv::LAYER,
    row_lstm::LAYER,
    diagonal_bilstm::LAYER,
    conv::LAYER,
    activation::RELU,
    activation::TANH,
    activation::SIGMOID,
    skip::LAYER,
    logits::LAYER,
];

/// The layer of this name.
pub fn layer(name: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|l| l.name == name)
}
