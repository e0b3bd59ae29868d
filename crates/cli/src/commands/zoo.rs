//! `pixelrnn zoo`: the models, their parameters and the results of the paper.

use pixelrnn::Declaration;
use pixelrnn::zoo::{Entry, ZOO, find};
use serde_json::{Value, json};

use crate::arguments::Global;
use crate::exit::{ExitCode, Failure};
use crate::model::{hyper_parameters, image_json, image_text, settings_json};
use crate::out::Out;
use crate::table::{Align, Table, grouped};

/// List the models, or print the declaration of one
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The column `paper` contains the paper's results on test images: nats per image for MNIST, bits/dim
for the others.

Example:
  pixelrnn zoo mnist-diagonal > my.pixelrnn   # a copy to change")]
pub struct Zoo {
    /// Print this model's declaration
    name: Option<String>,
}

impl Zoo {
    /// Runs the command.
    pub fn run(&self, _: &Global, out: &Out) -> Result<ExitCode, Failure> {
        if let Some(name) = &self.name {
            let entry = find(name)?;
            let model = entry.declare(&[])?;
            let text = model.text();
            let mut object = json(entry, &model);
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
