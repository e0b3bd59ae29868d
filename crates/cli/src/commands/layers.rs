//! `pixelrnn layers`: the layers of the model language.

use pixelrnn::internal::syntax::layers::{Default, Kind, LAYERS, Layer, Parameter, documentation};
use pixelrnn::internal::syntax::{BLOCKS, closest};
use serde_json::{Value, json};

use crate::arguments::Global;
use crate::exit::{ExitCode, Failure, usage};
use crate::out::Out;
use crate::table::{Align, Table};

/// List the layers of the model language, or describe one
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  pixelrnn layers row_lstm")]
pub struct Layers {
    /// Describe this layer
    name: Option<String>,
}

impl Layers {
    /// Runs the command.
    pub fn run(&self, _: &Global, out: &Out) -> Result<ExitCode, Failure> {
        if let Some(name) = &self.name {
            let Some(layer) = LAYERS.iter().find(|layer| layer.name == name) else {
                return usage(unknown(name));
            };
            out.answer(&describe(layer), &json(layer))?;
            return Ok(ExitCode::Good);
        }
        let mut table = Table::new([("layer", Align::Left), ("what it does", Align::Left)]);
        for layer in LAYERS {
            table.row([signature(layer), summary(layer.name)]);
        }
        let layers: Vec<Value> = LAYERS.iter().map(json).collect();
        out.answer(&table.to_string(), &json!({ "layers": layers }))?;
        Ok(ExitCode::Good)
    }
}

fn unknown(name: &str) -> String {
    if BLOCKS.iter().any(|(word, _)| *word == name) {
        return format!("`{name}` is not a layer; the book describes it in `The model language`");
    }
    let names = LAYERS.iter().map(|layer| layer.name);
    match closest(name, names.clone()) {
        Some(near) => format!("unknown layer `{name}`; did you mean `{near}`?"),
        None => format!(
            "unknown layer `{name}`; available layers: {}",
            names.collect::<Vec<_>>().join(", ")
        ),
    }
}

/// The kind of value that a parameter takes.
fn kind(parameter: &Parameter) -> String {
    match parameter.kind {
        Kind::Kernel { odd: true } => "height x width, both odd".into(),
        Kind::Kernel { odd: false } => "height x width".into(),
        Kind::Number => "a number".into(),
        Kind::Odd => "an odd number".into(),
        Kind::Word(words) => words.join(" or "),
        Kind::Map => "a map".into(),
    }
}

/// The default value of a parameter as text, if it has one.
fn default(parameter: &Parameter) -> Option<String> {
    match (parameter.default, parameter.kind) {
        (Default::Number(n), _) => Some(n.to_string()),
        (Default::Word(i), Kind::Word(words)) => words.get(i).map(ToString::to_string),
        _ => None,
    }
}

/// The layer with all of its parameters, as in a declaration.
fn signature(layer: &Layer) -> String {
    if layer.parameters.is_empty() {
        return layer.name.to_string();
    }
    let text = |p: &Parameter| match default(p) {
        Some(default) => format!("{} = {default}", p.name),
        None => p.name.to_string(),
    };
    let parameters: Vec<String> = layer.parameters.iter().map(text).collect();
    format!("{}({})", layer.name, parameters.join(", "))
}

/// The first sentence of the documentation, without the layer's syntax at its beginning.
fn summary(name: &str) -> String {
    let text = documentation(name);
    let first = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    let first = first.split_once("`: ").map_or(first.as_str(), |(_, rest)| rest);
    // A sentence ends at a dot before a capital letter, not at the dots of `et al. 2017` or `{ ...
    // }`.
    let ends = |&at: &usize| first[at + 2..].starts_with(char::is_uppercase);
    let end = first.match_indices(". ").map(|(at, _)| at).find(ends).unwrap_or(first.len());
    first[..end].trim_end_matches('.').to_string()
}

fn describe(layer: &Layer) -> String {
    let mut text = documentation(layer.name);
    if !layer.parameters.is_empty() {
        text.push_str("\n\n");
        let mut table = Table::new([
            ("argument", Align::Left),
            ("value", Align::Left),
            ("default", Align::Left),
        ]);
        for parameter in layer.parameters {
            let required = parameter.default == Default::Required;
            let default = default(parameter);
            let default =
                default.unwrap_or_else(|| if required { "required" } else { "none" }.into());
            table.row([parameter.name.to_string(), kind(parameter), default]);
        }
        text.push_str(&table.to_string());
    }
    text
}

fn json(layer: &Layer) -> Value {
    let parameter = |p: &Parameter| {
        json!({
            "name": p.name,
            "kind": kind(p),
            "required": p.default == Default::Required,
            "default": default(p),
        })
    };
    json!({
        "name": layer.name,
        "usage": layer.usage,
        "ends_model": layer.terminal,
        "has_weights": layer.has_weights,
        "parameters": layer.parameters.iter().map(parameter).collect::<Vec<_>>(),
        "documentation": documentation(layer.name),
    })
}
