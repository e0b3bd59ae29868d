//! `pixelrnn zoo`: lists the models, their parameters and the results of the paper.

use pixelrnn::Declaration;
use pixelrnn::training::{bits_per_dim, data::Shape};
use pixelrnn::zoo::{Entry, ZOO, find};
use serde_json::{Value, json};

use crate::arguments::Global;
use crate::exit::{ExitCode, Failure};
use crate::model::{hyper_parameters, image_json, image_text, settings_json};
use crate::out::Out;
use crate::table::{Align, Table, bytes, grouped};
use crate::trained::TRAINED;

/// List the models, or print the declaration of one
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The column `paper` contains the paper's results on test images: nats per image for MNIST, bits/dim
for the others. --trained lists models that `sample`, `eval`, `export`, `web`, `compare` and `bench`
use with weights, as in `pixelrnn sample mnist-diagonal --trained -o digits.png`.

Example:
  pixelrnn zoo mnist-diagonal > my.pixelrnn   # a copy to change")]
pub struct Zoo {
    /// Print this model's declaration
    #[arg(conflicts_with = "trained")]
    name: Option<String>,
    /// List the models whose weights come with the program
    #[arg(long)]
    trained: bool,
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
        if self.trained {
            return list_trained(out);
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
            table.row([
                entry.name.to_string(),
                image_text(&model),
                settings_text(&model),
                grouped(model.parameters()),
                if entry.paper.is_empty() { "-" } else { entry.paper }.to_string(),
            ]);
            models.push(json(entry, &model));
        }
        out.answer(&table.to_string(), &json!({ "models": models }))?;
        Ok(ExitCode::Good)
    }
}

/// Lists the models with weights.
fn list_trained(out: &Out) -> Result<ExitCode, Failure> {
    let mut table = Table::new([
        ("name", Align::Left),
        ("image", Align::Left),
        ("settings", Align::Left),
        ("weights", Align::Right),
        ("trained on", Align::Left),
        ("nats per test image", Align::Right),
        ("bits/dim", Align::Right),
    ]);
    let mut models = Vec::new();
    for trained in TRAINED {
        let model = trained.declare(&[])?;
        let image = model.image();
        let shape = Shape { height: image.height, width: image.width, colours: image.colours };
        let bits = bits_per_dim(trained.nats, shape);
        table.row([
            trained.name.to_string(),
            image_text(&model),
            settings_text(&model),
            bytes(trained.bytes()),
            trained.about_data.to_string(),
            format!("{:.3}", trained.nats),
            format!("{bits:.4}"),
        ]);
        models.push(json!({
            "name": trained.name,
            "about": model.doc(),
            "image": image_json(&model),
            "settings": settings_json(&model),
            "parameters": model.parameters(),
            "bytes": trained.bytes(),
            "data": trained.data_hint,
            "nats_per_image": trained.nats,
            "bits_per_dim": bits,
            "test_images": trained.test_images,
        }));
    }
    out.answer(&table.to_string(), &json!({ "models": models }))?;
    Ok(ExitCode::Good)
}

fn settings_text(model: &Declaration) -> String {
    let settings: Vec<String> =
        hyper_parameters(model).map(|(name, n)| format!("{name} = {n}")).collect();
    settings.join(", ")
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
