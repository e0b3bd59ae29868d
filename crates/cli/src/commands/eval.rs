//! `pixelrnn eval`: how well a model predicts images.

use pixelrnn::training::data::{Spec, Split};
use pixelrnn::training::{self, evaluate};
use serde_json::json;

use crate::arguments::Global;
use crate::datasets::announce;
use crate::engines;
use crate::exit::{ExitCode, Failure, usage};
use crate::model::{Loaded, ModelArguments, WeightArguments};
use crate::out::Out;
use crate::parse;
use crate::progress::Bar;
use crate::table::grouped;

/// Measure how well a model predicts images
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every image weighs the same. Bits a dimension are nats over ln 2 times height, width and colours.

Example:
  pixelrnn eval my-run --data idx:mnist,binarize=threshold --split test")]
pub struct Eval {
    #[command(flatten)]
    model: ModelArguments,
    /// The images; by default those of the run, if the model is one's folder
    #[arg(long, value_name = "SPEC", value_parser = parse::spec)]
    data: Option<Spec>,
    /// Which of them
    #[arg(long, value_name = "SPLIT", default_value = "test", value_parser = parse::split())]
    split: Split,
    /// Images a call
    #[arg(long, value_name = "N", default_value_t = 64,
          value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// The engine; by default ort, or tract where that is not to be had
    #[arg(long, value_name = "NAME", value_parser = parse::engine())]
    engine: Option<String>,
    /// For what is drawn of the images; by default the run's, or 0
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    weights: WeightArguments,
}

impl Eval {
    /// Runs the command.
    pub fn run(&self, global: &Global, out: &Out) -> Result<ExitCode, Failure> {
        let model = self.model.load()?;
        let Loaded { weights, json: origin, .. } = self.weights.load(&self.model, &model)?;
        let trained = self.model.run().map(|run| training::recipe_of(&run)).transpose()?;
        let spec = match (&self.data, &trained) {
            (Some(spec), _) => spec.clone(),
            (None, Some((data, _))) => parse::spec(data).map_err(Failure::Usage)?,
            (None, None) => return usage("which images? Name them with `--data`"),
        };
        let seed = self.seed.or(trained.map(|(_, recipe)| recipe.seed)).unwrap_or(0);
        let data = match self.model.run().filter(|_| self.data.is_none()) {
            // A run's own images as it was trained on them.
            Some(run) => {
                let (data, same) = training::data_of(&run, &spec, seed)?;
                let (name, path) = (data.name(), run.settings_path());
                match same {
                    // With another seed, what is drawn of them is another.
                    Some(false) if self.seed.is_none() => {
                        return usage(format!(
                            "{name} holds other images here than those that the run was trained on, as \
                             {} knows: score these with `--data {name}`, or name the run's own with \
                             `--data`",
                            path.display()
                        ));
                    }
                    None => out.warn(&format!(
                        "{} does not say which images the run was trained on, so {name} may be others",
                        path.display()
                    )),
                    _ => {}
                }
                data
            }
            // Images that validate are not training images, whoever reads them.
            None => spec.load(seed).map_err(Failure::data)?.hold_out(),
        };
        announce(&data, out);
        let engine = engines::best(self.engine.as_deref(), global, out)?;
        let count = data.images(self.split).map_err(Failure::data)?.count();
        let bar = Bar::counting(out, count as u64, "images");
        let figures = evaluate(
            &model,
            &weights,
            &data,
            self.split,
            usize::from(self.batch),
            &*engine,
            &mut |done| bar.set(done as u64),
        )?;
        bar.clear();
        let text = format!(
            "{}: {:.3} nats an image, {:.4} bits a dimension on the {} {} images of {}",
            model.name(),
            figures.nats_per_image,
            figures.bits_per_dim,
            grouped(figures.images),
            self.split.name(),
            data.name(),
        );
        let object = json!({
            "model": model.name(),
            "weights": origin,
            "data": data.name(),
            "split": self.split.name(),
            "engine": engine.name(),
            "nats_per_image": figures.nats_per_image,
            "bits_per_dim": figures.bits_per_dim,
            "images": figures.images,
        });
        out.answer(&text, &object)?;
        Ok(ExitCode::Good)
    }
}
