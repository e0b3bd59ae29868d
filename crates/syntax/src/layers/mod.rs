//! The table of layers that a declaration can use. A new layer is one file here and one line in [`LAYERS`].
//! Neither the parser nor the elaborator knows any layer by name.

mod activation;

use crate::elaborate::{Arguments, Build, ErrorReported, Flow};

/// The kind of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// `height x width`.
    Kernel {
        /// Whether both numbers must be odd.
        odd: bool,
    },
    /// A number of at least one.
    Number,
    /// An odd number.
    Odd,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A map, given by name.
    Map,
}

/// The default of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    /// None: the argument is required. It may be given by position.
    Required,
    /// A number.
    Number(usize),
    /// The index of a word.
    Word(usize),
    /// None: the argument is optional.
    Nothing,
}

/// A parameter of a layer.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The name in the language.
    pub name: &'static str,
    /// The kind of its argument.
    pub kind: Kind,
    /// Its default.
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

    /// Whether its argument is a map.
    pub fn is_map(&self) -> bool {
        self.kind == Kind::Map
    }
}

/// A layer of the language.
pub struct Layer {
    /// The name in the language.
    pub name: &'static str,
    /// How it is written, for error messages.
    pub usage: &'static str,
    /// Its parameters, in order.
    pub parameters: &'static [Parameter],
    /// Whether it has weights, whose path is the label.
    pub has_weights: bool,
    /// Whether it ends a model.
    pub terminal: bool,
    /// Adds its nodes to the graph.
    pub build: fn(&mut Build, &Arguments, Flow) -> Result<Flow, ErrorReported>,
}

macro_rules! layers {
    ($($module:ident,)*) => {
        $(#[allow(non_camel_case_types)] mod $module;)*

        /// An item for each layer. Editors show its documentation and complete its name inside the macro.
        pub mod items {
            $(pub use super::$module::$module;)*
        }

        /// All layers.
        pub const LAYERS: &[Layer] = &[$($module::LAYER,)*];

        /// The source text of each layer's file.
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

/// The documentation of a layer, extracted from its file; empty for an unknown layer. Line breaks within
/// paragraphs are replaced by spaces.
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
    // Links work only in rustdoc.
    text.replace("[`gate`](super::items::gate)", "`gate`")
}

/// The layers that can end a model.
pub fn terminals() -> impl Iterator<Item = &'static Layer> {
    LAYERS.iter().filter(|layer| layer.terminal)
}

/// The layer with this name.
pub fn layer(name: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|l| l.name == name)
}
