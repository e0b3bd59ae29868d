//! Loads the model that the user named, and its weights.

use std::path::{Path, PathBuf};

use pixelrnn::compare::batch_inputs_with;
use pixelrnn::internal::ops::condition::Source as ValueSource;
use pixelrnn::internal::syntax::IMAGE_SETTINGS;
use pixelrnn::training::{self, ConditionValues, Run};
use pixelrnn::{Array, Declaration, Weights, zoo};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::arguments::MODEL;
use crate::exit::{Failure, usage};
use crate::parse;
use crate::trained::{self, Trained};

/// The arguments that choose a model.
#[derive(Clone, Debug, clap::Args)]
pub struct ModelArguments {
    /// Name of a model in the zoo (see `pixelrnn zoo`), model file, or run folder
    pub model: String,
    /// Override a hyper-parameter, or the height, width, colors or levels
    #[arg(long, value_name = "NAME=N", value_parser = parse::setting, help_heading = MODEL)]
    pub set: Vec<(String, usize)>,
    /// Use the weights that come with the program, see `pixelrnn zoo --trained`
    #[arg(long, help_heading = MODEL)]
    pub trained: bool,
}

impl ModelArguments {
    /// Loads the model.
    pub fn load(&self) -> Result<Declaration, Failure> {
        match self.embedded()? {
            Some(trained) => trained.declare(&self.set),
            None => load(&self.model, &self.set),
        }
    }

    /// The trained model that is part of the program, with --trained.
    pub fn embedded(&self) -> Result<Option<&'static Trained>, Failure> {
        self.trained.then(|| Trained::of(&self.model)).transpose()
    }

    /// The settings of the run, or of the run in which an embedded model was trained.
    fn settings(&self) -> Result<Option<Value>, Failure> {
        match (self.embedded()?, self.run()) {
            (Some(trained), _) => trained.settings().map(Some),
            (None, Some(run)) => Ok(Some(run.settings()?)),
            (None, None) => Ok(None),
        }
    }

    /// The names of the classes in the data that a run was trained on; empty without names.
    pub fn class_names(&self) -> Result<Vec<String>, Failure> {
        let Some(settings) = self.settings()? else { return Ok(Vec::new()) };
        Ok(class_names_in(&settings))
    }

    /// The files that MODEL is read from.
    pub fn files(&self) -> Vec<PathBuf> {
        let Some(run) = self.run() else { return vec![PathBuf::from(&self.model)] };
        let settings = [run.model_path(), run.settings_path(), run.log_path()];
        settings.into_iter().chain([run.last_path(), run.best_path()]).collect()
    }

    /// The run, if MODEL is a run folder.
    pub fn run(&self) -> Option<Run> {
        let run = Run::new(&self.model);
        (!self.trained && zoo::find(&self.model).is_err() && run.exists()).then_some(run)
    }
}

/// The names of the classes in the settings of a run; empty without names.
pub fn class_names_in(settings: &Value) -> Vec<String> {
    let names = settings["class_names"].as_array().into_iter().flatten();
    names.filter_map(|name| name.as_str().map(str::to_string)).collect()
}

/// Loads a model by name: from the zoo, a model file or a run folder.
pub fn load(name: &str, set: &[(String, usize)]) -> Result<Declaration, Failure> {
    let path = Path::new(name);
    let unknown = match zoo::find(name) {
        Ok(entry) => return Ok(entry.declare(set)?),
        Err(error) => error,
    };
    if path.is_dir() {
        let run = Run::new(path);
        if run.exists() {
            return Ok(training::model_of(&run, set)?);
        }
        return usage(format!(
            "{name} is a folder without a run: expected one that `pixelrnn train` wrote"
        ));
    }
    if is_onnx(name) {
        return usage(format!(
            "{name} is an ONNX file: only `pixelrnn check` reads ONNX files, the other commands need a \
             declaration"
        ));
    }
    if path.exists() || path.extension().is_some_and(|e| e == "pixelrnn") {
        return Ok(Declaration::from_file(path, set)?);
    }
    if name.contains(['/', '\\', '.']) {
        return usage(format!("cannot find {name}: expected a model file or a run folder"));
    }
    Err(unknown.into())
}

/// The differences between the model of a run and another one, in words; `None` if name and
/// settings are the same.
pub fn differences(of_run: &Declaration, other: &Declaration) -> Option<String> {
    if of_run.name() != other.name() {
        return Some(format!("the run has {}, not {}", of_run.name(), other.name()));
    }
    let value = |m: &Declaration, name: &str| {
        m.settings().iter().find(|s| s.0 == name).map_or("missing".to_string(), |s| s.1.to_string())
    };
    let american =
        |name: &str| if name == "colours" { "colors".to_string() } else { name.to_string() };
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in of_run.settings().iter().chain(other.settings()) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let texts: Vec<String> = names
        .into_iter()
        .filter(|name| value(of_run, name) != value(other, name))
        .map(|name| {
            let (was, here) = (value(of_run, name), value(other, name));
            format!("{} is {was} in the run, and {here} here", american(name))
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

/// Whether a model is an ONNX file instead of a declaration.
pub fn is_onnx(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx"))
}

/// The arguments that choose weights.
#[derive(Clone, Debug, clap::Args)]
pub struct WeightArguments {
    /// Weights to use, as safetensors [default: those of the run folder]
    #[arg(long, value_name = "F", conflicts_with = "init_seed", help_heading = MODEL)]
    pub weights: Option<PathBuf>,
    /// Initialize fresh weights with this seed [default: 0]
    #[arg(long, value_name = "N", value_parser = parse::seed, help_heading = MODEL)]
    pub init_seed: Option<u64>,
}

/// Weights, and where they came from.
pub struct LoadedWeights {
    pub weights: Weights,
    /// The origin of the weights, for JSON.
    pub json: Value,
    /// Whether these are fresh weights because the user chose none.
    pub by_default: bool,
}

impl LoadedWeights {
    /// The warning that a model is untrained, with a trained one to use instead.
    pub fn warning(&self, named: &ModelArguments) -> Option<String> {
        if !self.by_default {
            return None;
        }
        let name = &named.model;
        let other = match Path::new(name).join("run.json").is_file() {
            true => format!("the trained run in the folder of that name is `./{name}`"),
            false if trained::find(name).is_some() && named.set.is_empty() => {
                "`--trained` uses the weights that come with the program".to_string()
            }
            false => "name a run folder, or give `--weights F.safetensors`".to_string(),
        };
        Some(format!("{name} is untrained (fresh weights, seed 0): {other}"))
    }
}

impl WeightArguments {
    /// Loads the weights. They are not compared with the model here, but when they are bound.
    pub fn load(
        &self,
        named: &ModelArguments,
        model: &Declaration,
    ) -> Result<LoadedWeights, Failure> {
        let file = |weights, path: &Path| {
            let json = json!({ "file": path.display().to_string() });
            Ok(LoadedWeights { weights, json, by_default: false })
        };
        if let Some(trained) = named.embedded()? {
            if self.weights.is_some() || self.init_seed.is_some() {
                return usage("`--trained` cannot be combined with `--weights` or `--init-seed`");
            }
            let json = json!({ "trained": trained.name });
            return Ok(LoadedWeights { weights: trained.weights()?, json, by_default: false });
        }
        if let Some(path) = &self.weights {
            return file(training::any_weights(path, model)?, path);
        }
        match (self.init_seed, named.run()) {
            (None, Some(run)) => {
                let (weights, path) = training::weights_of(&run, model)?;
                match model.check_weights(&weights) {
                    Err(error) if !named.set.is_empty() => usage(format!(
                        "{error}: the run was trained with other settings, so leave out `--set`"
                    )),
                    _ => file(weights, &path),
                }
            }
            (seed, _) => {
                let by_default = seed.is_none();
                let seed = seed.unwrap_or(0);
                let json = json!({ "init_seed": seed });
                Ok(LoadedWeights { weights: model.initialize(seed), json, by_default })
            }
        }
    }
}

/// Images whose levels are uniformly random. Each image has its own random stream, so an image is the
/// same in a batch of any size, on every machine.
pub fn random_images(model: &Declaration, count: usize, seed: u64) -> Array {
    let image = model.image();
    let mut images = Array::zeros(vec![count, image.colours, image.height, image.width]);
    let one = image.colours * image.height * image.width;
    let mut values = images.iter_mut();
    for stream in 0..count as u64 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        for value in values.by_ref().take(one) {
            // The high half of a product: uniform up to 1 part in 2^32.
            *value = ((u64::from(rng.next_u32()) * image.levels as u64) >> 32) as f32;
        }
    }
    images
}

/// Random values of the conditions: labels, and arrays by name.
fn random_conditions(
    model: &Declaration,
    count: usize,
    seed: u64,
) -> (Option<Vec<u32>>, Vec<(String, Array)>) {
    let size = [model.image().height, model.image().width];
    let (mut labels, mut arrays) = (None, Vec::new());
    for (i, (name, kind)) in model.conditions().iter().enumerate() {
        let shape = kind.ty(size).extents(count);
        let own = shape.iter().skip(1).product();
        let mut values = Vec::new();
        for image in 0..count {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            // The streams before these are used for the images.
            rng.set_stream((1 + i as u64) << 40 | image as u64);
            values.extend(std::iter::repeat_with(|| kind.random(rng.next_u32())).take(own));
        }
        match kind.source() {
            ValueSource::Labels => labels = Some(values.iter().map(|&x| x as u32).collect()),
            ValueSource::Array => {
                let array = Array::from_shape_vec(shape, values).unwrap_or_default();
                arrays.push((name.clone(), array));
            }
        }
    }
    (labels, arrays)
}

/// The inputs of a batch: random images, and random values of the conditions.
pub fn random_batch(
    model: &Declaration,
    count: usize,
    seed: u64,
) -> Result<Vec<(String, Array)>, pixelrnn::Error> {
    let (labels, arrays) = random_conditions(model, count, seed);
    let values = ConditionValues { labels: labels.as_deref(), arrays: &arrays };
    batch_inputs_with(model, random_images(model, count, seed), values)
}

/// The image size as text: `28 x 28, 2 levels`, with the number of colors if there are several.
pub fn image_text(model: &Declaration) -> String {
    let image = model.image();
    let colours = match image.colours {
        1 => String::new(),
        n => format!(", {n} colors"),
    };
    format!("{} x {}{colours}, {} levels", image.height, image.width, image.levels)
}

/// The image size as JSON.
pub fn image_json(model: &Declaration) -> Value {
    let image = model.image();
    json!({
        "height": image.height, "width": image.width,
        "colours": image.colours, "levels": image.levels,
    })
}

/// The hyper-parameters, without the settings of the image.
pub fn hyper_parameters(model: &Declaration) -> impl Iterator<Item = &(String, usize)> {
    model.settings().iter().filter(|(name, _)| !IMAGE_SETTINGS.contains(&name.as_str()))
}

/// The hyper-parameters as JSON.
pub fn settings_json(model: &Declaration) -> Value {
    hyper_parameters(model).map(|(name, value)| (name.clone(), json!(value))).collect()
}
