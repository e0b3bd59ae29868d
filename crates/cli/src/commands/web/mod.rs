//! `pixelrnn web`: writes a static page on which a model draws images, and completes what the
//! visitor draws.

mod graphs;
mod ort_web;

use std::path::{Path, PathBuf};

use pixelrnn::internal::ops::condition::Source;
use pixelrnn::{Declaration, files};
use serde_json::{Value, json};

use crate::arguments::Global;
use crate::exit::{ExitCode, Failure, usage};
use crate::model::{LoadedWeights, ModelArguments, WeightArguments, image_text};
use crate::out::Out;
use crate::table;

/// The files that are the same for every model.
const PAGE: [(&str, &str); 5] = [
    ("index.html", include_str!("page/index.html")),
    ("page.css", include_str!("page/page.css")),
    ("page.js", include_str!("page/page.js")),
    ("sampler.js", include_str!("page/sampler.js")),
    ("random.js", include_str!("page/random.js")),
];
const DESCRIPTION: &str = "model.json";
const STEP: &str = "step.onnx";
const ROW: &str = "row.onnx";

/// Write a web page on which a model draws
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The folder is a static page: serve it with any file server, for example
`python3 -m http.server --directory page`. The model runs in the browser, in the web build of ONNX
Runtime. Fetch that once with `npm install onnxruntime-web`.

Example:
  pixelrnn web my-run -o page --ort-web node_modules/onnxruntime-web")]
pub struct Web {
    #[command(flatten)]
    model: ModelArguments,
    /// Folder to write; must be new or empty
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    weights: WeightArguments,
    /// Folder of the npm package onnxruntime-web, which ONNX Runtime is copied from
    #[arg(long, value_name = "DIR", default_value = "node_modules/onnxruntime-web")]
    ort_web: PathBuf,
}

impl Web {
    /// Runs the command.
    pub fn run(&self, _: &Global, out: &Out) -> Result<ExitCode, Failure> {
        files::new_folder(&self.output)?;
        let model = self.model.load()?;
        if model.scales().len() > 1 {
            let name = model.name();
            return usage(format!(
                "{name} has several scales: a page needs a model of one scale, since it draws pixel \
                 by pixel"
            ));
        }
        if let Some((name, _)) = model.conditions().iter().find(|c| c.1.source() == Source::Array) {
            return usage(format!(
                "{} is conditioned on `{name}`: a page can only ask for a class",
                model.name()
            ));
        }
        let runtime = ort_web::find(&self.ort_web)?;
        let loaded = self.weights.load(&self.model, &model)?;
        let untrained = loaded.warning(&self.model);
        let LoadedWeights { weights, json: origin, .. } = loaded;
        let (step, row) = (graphs::step(&model, &weights)?, graphs::row(&model, &weights)?);
        let description = json!({
            "pixelrnn": env!("CARGO_PKG_VERSION"),
            "model": model.name(),
            "doc": model.doc(),
            "trained": untrained.is_none(),
            "parameters": model.parameters(),
            "image": image(&model),
            "label": model.label().map(|(name, classes)| json!({ "name": name, "classes": classes })),
            "files": { "step": STEP, "row": ROW },
            "onnxruntime": runtime.json(),
            "step": step.ports,
            "row": row.ports,
        });
        let mut page: Vec<(PathBuf, Vec<u8>)> =
            PAGE.iter().map(|(name, text)| (name.into(), text.as_bytes().to_vec())).collect();
        page.push((DESCRIPTION.into(), format!("{description:#}\n").into_bytes()));
        page.push((STEP.into(), step.bytes));
        page.push((ROW.into(), row.bytes));
        page.extend(runtime.files);
        files::write_folder(&self.output, &page)?;
        if let Some(untrained) = untrained {
            out.warn(&untrained);
        }
        self.report(&model, &page, origin, out)
    }

    fn report(
        &self,
        model: &Declaration,
        page: &[(PathBuf, Vec<u8>)],
        origin: Value,
        out: &Out,
    ) -> Result<ExitCode, Failure> {
        let output = self.output.display().to_string();
        let bytes: usize = page.iter().map(|(_, bytes)| bytes.len()).sum();
        let text = format!(
            "{output}: {}, {}; draws {}, {}\nserve it:  python3 -m http.server --directory {output}",
            table::plural(page.len(), "file"),
            table::bytes(bytes),
            model.name(),
            image_text(model),
        );
        let names = page.iter().map(|(path, _)| slashes(path)).collect::<Vec<_>>();
        let object = json!({ "output": output, "files": names, "bytes": bytes, "weights": origin });
        out.report(&text, &object)?;
        Ok(ExitCode::Good)
    }
}

fn image(model: &Declaration) -> Value {
    let image = model.image();
    json!({
        "height": image.height, "width": image.width,
        "colors": image.colours, "levels": image.levels,
    })
}

/// A path inside the page as a URL path.
fn slashes(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
