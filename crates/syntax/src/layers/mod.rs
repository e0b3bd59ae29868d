//! The table of layers: what a declaration may name. A layer is a file here and a line in
//! [`LAYERS`]; neither the parser nor the elaborator knows any by name.

mod activation;

use crate::elaborate::{Arguments, Build, ErrorReported, Flow};

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// `height x width`, both odd if that is said.
    Kernel {
        /// Whether both numbers must be odd.
        odd: bool,
    },
    /// A number, at least one.
    Number,
    /// An odd number.
    Odd,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A map, given by name.
    Map,
}

/// What stands for an argument that is left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    /// It must be given, and may be given by position.
    Required,
    /// A number.
    Number(usize),
    /// The position of a word.
    Word(usize),
    /// There is none.
    Nothing,
}

/// A parameter of a layer.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The name in the language.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// What stands for it when it is left out.
    pub default: Default,
}

impl Parameter {
    const fn required(name: &'static str, kind: Kind) -> Parameter {
        Parameter { name, kind, default: Default::Required }
    }

    const fn number(name: &'static str, kind: Kind, default: usize) -> Parameter {
        Parameter { name, kind, default: Default::Number(default) }
    }

    const fn word(name: &'static str, words: &'static [&'static str], default: usize) -> Parameter {
        Parameter { name, kind: Kind::Word(words), default: Default::Word(default) }
    }

    const fn map(name: &'static str) -> Parameter {
        Parameter { name, kind: Kind::Map, default: Default::Nothing }
    }

    /// Whether it is a map.
    pub fn is_map(&self) -> bool {
        self.kind == Kind::Map
    }
}

/// Everything about one layer.
pub struct Layer {
    /// The name in the language.
    pub name: &'static str,
    /// How it is written, for messages.
    pub usage: &'static str,
    /// What it takes, in order.
    pub parameters: &'static [Parameter],
    /// Whether it has weights, which take the label as their path.
    pub has_weights: bool,
    /// Whether it ends a model.
    pub terminal: bool,
    /// Adds its nodes to the graph.
    pub build: fn(&mut Build, &Arguments, Flow) -> Result<Flow, ErrorReported>,
}

macro_rules! layers {
    ($($module:ident,)*) => {
        $(#[allow(non_camel_case_types)] mod $module;)*

        /// An item for each layer, for editors: they show its documentation and complete its name inside
        /// of the macro.
        pub mod items {
            $(pub use super::$module::$module;)*
        }

        /// All layers.
        pub const LAYERS: &[Layer] = &[$($module::LAYER,)*];

        /// The text of each layer's file.
        const FILES: &[(&str, &str)] =
            &[$((stringify!($module), include_str!(concat!(stringify!($module), ".rs"))),)*];
    };
}

layers! {
    masked_conv,
    row_lstm,
    diagonal_bilstm,
    conv,
    above,
    shift_down,
    deconv,
    gate,
    relu,
    tanh,
    sigmoid,
    skip,
    logits,
    logistic_mixture,
}

/// The documentation of a layer, which stands in its file; empty for an unknown layer. A line
/// break within a paragraph is a space.
pub fn documentation(name: &str) -> String {
    let file = FILES.iter().find(|(module, _)| *module == name).map_or("", |(_, text)| text);
    let item = format!("pub struct {name};");
    let before: Vec<&str> = file.lines().take_while(|line| *line != item).collect();
    let lines = before.iter().rev().take_while(|line| line.starts_with("///"));
    let lines: Vec<&str> = lines.map(|line| line.trim_start_matches('/').trim()).collect();
    let mut text = String::new();
    for line in lines.into_iter().rev() {
        match (line.is_empty(), text.is_empty() || text.ends_with('\n')) {
            (true, _) => text.push_str("\n\n"),
            (false, true) => text.push_str(line),
            (false, false) => {
                text.push(' ');
                text.push_str(line);
            }
        }
    }
    // Links are for the documentation's own pages.
    text.replace("[`gate`](super::items::gate)", "`gate`")
}

/// The layers that end a model.
pub fn terminals() -> impl Iterator<Item = &'static Layer> {
    LAYERS.iter().filter(|layer| layer.terminal)
}

/// The layer of this name.
pub fn layer(name: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|l| l.name == name)
}
