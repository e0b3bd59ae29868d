//! `pixelrnn eval`: the likelihood of a data set under a model.

use pixelrnn::runtime::EngineKind;
use pixelrnn::training::data::{Spec, Split};
use pixelrnn::training::{RunImages, evaluate};
use serde_json::json;

use crate::arguments::{COMMON, Global};
use crate::datasets::{announce, for_model};
use crate::engines;
use crate::exit::{ExitCode, Failure, usage};
use crate::model::{LoadedWeights, ModelArguments, WeightArguments};
use crate::out::Out;
use crate::parse;
use crate::progress::Bar;
use crate::ranks;
use crate::table::grouped;
use crate::trained::Trained;

/// Measure how well a model predicts images
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every image has the same weight. Bits per dimension = nats / (ln 2 * height * width * colors).

Example:
  pixelrnn eval my-run --data idx:mnist,binarize=threshold --split test")]
pub struct Eval {
    #[command(flatten)]
    model: ModelArguments,
    /// Images to evaluate on [default: those of the run, if MODEL is a run folder]
    #[arg(long, value_name = "SPEC", value_parser = parse::spec)]
    data: Option<Spec>,
    /// Split to evaluate on: `train`, `valid` or `test`
    #[arg(long, value_name = "SPLIT", default_value = "test", value_parser = parse::split(),
          hide_possible_values = true)]
    split: Split,
    /// Images per call
    #[arg(long, value_name = "N", default_value_t = 64,
          value_parser = parse::some)]
    batch: u16,
    /// Random seed for `binarize=sample` [default: that of the run, or 0]
    #[arg(long, value_name = "N", value_parser = parse::seed)]
    seed: Option<u64>,
    #[command(flatten)]
    weights: WeightArguments,
    /// Engine: `ort`, `ort-cuda`, `tract`, `reference` [default: ort, else tract]
    #[arg(long, value_name = "NAME", value_parser = parse::engine(), hide_possible_values = true,
          help_heading = COMMON)]
    engine: Option<EngineKind>,
}

impl Eval {
    /// Runs the command.
    pub fn run(&self, global: &Global, out: &Out) -> Result<ExitCode, Failure> {
        let model = self.model.load()?;
        let LoadedWeights { weights, json: origin, .. } = self.weights.load(&self.model, &model)?;
        let embedded = self.model.embedded()?;
        let trained = self.model.run().map(|run| run.recipe()).transpose()?;
        let spec = match (&self.data, &trained) {
            (Some(spec), _) => spec.clone(),
            (None, Some((data, _))) => parse::spec(data).map_err(Failure::Usage)?,
            (None, None) => match embedded {
                Some(Trained { data: Some(data), .. }) => {
                    parse::spec(data).map_err(Failure::Usage)?
                }
                Some(Trained { data_hint, about_data, .. }) => {
                    return usage(format!(
                        "missing data: name the images ({about_data}) with `--data`, as in `--data {data_hint}`"
                    ));
                }
                None => return usage("missing data: name the images with `--data SPEC`"),
            },
        };
        let spec = for_model(&spec, &model);
        let seed = self.seed.or(trained.map(|(_, recipe)| recipe.seed)).unwrap_or(0);
        let data = match self.model.run().filter(|_| self.data.is_none()) {
            // Without --data: the images of the run, exactly as in training.
            Some(run) => {
                let RunImages { data, same, .. } = run.images(&spec, seed)?;
                let (name, path) = (data.name(), run.settings_path());
                match same {
                    // With another seed, other binary images are sampled, so the hash may differ.
                    Some(false) if self.seed.is_none() => {
                        return usage(format!(
                            "the images in {name} have changed since the run was trained (hash in {}): evaluate on \
                             them with `--data {name}`, or give the original images with `--data`",
                            path.display()
                        ));
                    }
                    None => out.warn(&format!(
                        "{} has no hash of the training images: {name} may contain different images",
                        path.display()
                    )),
                    _ => {}
                }
                data
            }
            // Held-out validation images are never counted as training images.
            None => spec.load(seed).map_err(Failure::data)?.hold_out(),
        };
        let data = data.numbered_by(&self.model.class_names()?).map_err(Failure::data)?;
        announce(&data, out);
        let engine = engines::best(self.engine, global, out)?;
        let count = data.images(self.split).map_err(Failure::data)?.count();
        let bar = Bar::counting(out, count as u64, "images");
        let figures = evaluate(
            &model,
            &weights,
            &data,
            self.split,
            usize::from(self.batch),
            &ranks::divided(&*engine),
            &mut |done| bar.set(done as u64),
        )?;
        bar.clear();
        if !ranks::leads() {
            return Ok(ExitCode::Good);
        }
        let text = format!(
            "{}: {:.3} nats per image, {:.4} bits/dim on the {} {} images of {}",
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
