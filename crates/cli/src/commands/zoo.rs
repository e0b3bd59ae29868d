//! `pixelrnn zoo`: the models, their parameters and the paper's figures.

use pixelrnn::zoo::{Entry, ZOO, find};
use pixelrnn::{Declaration, Source};
use serde_json::{Value, json};

use crate::exit::{ExitCode, Failure};
use crate::model::{hyper_parameters, image_json, image_text, settings_json};
use crate::out::Out;
use crate::table::{Align, Table, grouped};

/// List the models, or print the declaration of one
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The paper's figures are those of its table for test images: nats an image on MNIST, bits a dimension
elsewhere.

Example:
  pixelrnn zoo mnist-diagonal > my.pixelrnn   # a copy to change")]
pub struct Zoo {
    /// Print this model's declaration
    name: Option<String>,
}

impl Zoo {
    /// Runs the command.
    pub fn run(&self, out: &Out) -> Result<ExitCode, Failure> {
        if let Some(name) = &self.name {
            let entry = find(name)?;
            let text = declaration_text(&entry.source());
            let mut object = json(entry, &entry.declare(&[])?);
            object["text"] = json!(text);
            out.answer(&text, &object)?;
            return Ok(ExitCode::Good);
        }
        let mut table = Table::new([
            ("name", Align::Left),
            ("image", Align::Left),
            ("settings", Align::Left),
            ("parameters", Align::Right),
            ("paper", Align::Right),
        ]);
        let mut models = Vec::new();
        for entry in ZOO {
            let model = entry.declare(&[])?;
            let settings: Vec<String> =
                hyper_parameters(&model).map(|(name, n)| format!("{name} = {n}")).collect();
            table.row([
                entry.name.to_string(),
                image_text(&model),
                settings.join(", "),
                grouped(model.parameters()),
                if entry.paper.is_empty() { "-" } else { entry.paper }.to_string(),
            ]);
            models.push(json(entry, &model));
        }
        out.answer(&table.to_string(), &json!({ "models": models }))?;
        Ok(ExitCode::Good)
    }
}

fn json(entry: &Entry, model: &Declaration) -> Value {
    json!({
        "name": entry.name,
        "about": model.doc(),
        "image": image_json(model),
        "settings": settings_json(model),
        "parameters": model.parameters(),
        "paper": if entry.paper.is_empty() { Value::Null } else { json!(entry.paper) },
    })
}

/// The text as a file of its own: without the indentation that it has inside the macro.
fn declaration_text(source: &Source) -> String {
    let lines = || source.text.lines().filter(|l| !l.trim().is_empty());
    let indent = |line: &str| line.len() - line.trim_start().len();
    // The first line follows the macro's brace, so its indentation may be lost.
    let common = lines().skip(1).map(indent).min().unwrap_or(0);
    let cut = |line: &str| {
        let n = indent(line).min(common);
        line.get(n..).unwrap_or(line).trim_end().to_string()
    };
    let text: Vec<String> = source.text.trim().lines().map(cut).collect();
    text.join("\n") + "\n"
}
