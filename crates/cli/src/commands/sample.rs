//! `pixelrnn sample`: draws images from a model, or completes given images.

use std::path::PathBuf;
use std::time::Instant;

use pixelrnn::internal::syntax::closest;
use pixelrnn::runtime::EngineKind;
use pixelrnn::sampling::{self, Given, SampleMethod, Sampling};
use pixelrnn::training::data::{Spec, Split};
use pixelrnn::training::{suits, suits_images};
use pixelrnn::{Array, files};
use serde_json::json;

use crate::arguments::{COMMON, Global};
use crate::conditions;
use crate::datasets::{announce, for_model};
use crate::engines;
use crate::exit::{ExitCode, Failure, usage};
use crate::grid::Grid;
use crate::model::{LoadedWeights, ModelArguments, WeightArguments};
use crate::out::Out;
use crate::outputs;
use crate::parse;
use crate::progress::Bar;
use crate::ranks;
use crate::table::plural;

/// The heading, in the help text, of options for `--complete`.
const COMPLETION: &str = "Completion";

/// Draw images from a model
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A .png file is a grid of images; a .npy file is a uint8 array [N, H, W, C] of levels. With
--complete, each row of the grid shows the original, the part that is kept, and the completions.
The same seed gives the same images. `--method cached` costs about one forward pass per image.

Example:
  pixelrnn sample my-run -n 64 -o samples.png --seed 1")]
pub struct Sample {
    #[command(flatten)]
    model: ModelArguments,
    /// Number of images to draw or to complete [default: 64, or as many as --condition has]
    #[arg(short, value_name = "N", value_parser = parse::some)]
    n: Option<u16>,
    /// File to write, `.png` or `.npy`
    #[arg(short, long, value_name = "F")]
    output: PathBuf,
    /// Divide the logits by T: below 1, images are likelier and vary less
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = parse::positive)]
    temperature: f64,
    /// Complete images of this data set (a SPEC, see `data --help`)
    #[arg(long, value_name = "SPEC", help_heading = COMPLETION, value_parser = parse::spec, requires = "keep_rows")]
    complete: Option<Spec>,
    /// Split of these images: `train`, `valid`, `test` [default: test, or the only one]
    #[arg(long, value_name = "SPLIT", requires = "complete", value_parser = parse::split(),
          hide_possible_values = true,
          help_heading = COMPLETION)]
    split: Option<Split>,
    /// Rows to keep, from the top
    #[arg(long, value_name = "K", requires = "complete", help_heading = COMPLETION,
          value_parser = parse::whole::<usize>(0..=u64::from(u32::MAX)))]
    keep_rows: Option<usize>,
    /// Completions per image
    #[arg(long, value_name = "N", default_value_t = 4, requires = "complete", help_heading = COMPLETION,
          value_parser = parse::some)]
    completions: u16,
    /// Class to draw, a number or the name in the run's data, or `all`: a row per class
    #[arg(long, value_name = "K|NAME|all")]
    label: Option<String>,
    /// Values of a condition, such as a map: an .npy file with a row per image
    #[arg(long, value_name = "NAME=FILE", value_parser = parse::condition)]
    condition: Vec<(String, PathBuf)>,
    /// `cached`, or `naive`: one forward pass per value
    #[arg(long, value_name = "HOW", default_value = "cached", hide_possible_values = true)]
    method: MethodName,
    /// Random seed
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = parse::seed)]
    seed: u64,
    #[command(flatten)]
    weights: WeightArguments,
    /// Engine: `ort`, `ort-cuda`, `tract`, `reference` [default: ort, else tract]
    #[arg(long, value_name = "NAME", value_parser = parse::engine(), hide_possible_values = true,
          help_heading = COMMON)]
    engine: Option<EngineKind>,
}

/// The values of `--method`.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum MethodName {
    Cached,
    Naive,
}

impl From<MethodName> for SampleMethod {
    fn from(name: MethodName) -> SampleMethod {
        match name {
            MethodName::Cached => SampleMethod::Cached,
            MethodName::Naive => SampleMethod::Naive,
        }
    }
}

/// Maximal number of class names in an error message.
const NAMED: usize = 20;

/// The class of the images, from `--label`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    One(u32),
    All,
}

/// Parses `--label`: `all`, the number of a class, or its name in the data of the run.
fn label(text: &str, names: &[String]) -> Result<Label, Failure> {
    if text == "all" {
        return Ok(Label::All);
    }
    // A name may look like a number, and then another one than its own.
    if let Some(label) = names.iter().position(|name| name == text) {
        return Ok(Label::One(u32::try_from(label).unwrap_or(u32::MAX)));
    }
    if let Ok(label) = text.parse() {
        return Ok(Label::One(label));
    }
    let expected = match names {
        [] => "expected the number of a class, from 0, or `all`: the classes have no names"
            .to_string(),
        _ => {
            let near = closest(text, names.iter().map(String::as_str));
            let hint = near.map_or(".".to_string(), |near| format!("; did you mean `{near}`?"));
            let listed: Vec<&str> = names.iter().map(String::as_str).take(NAMED).collect();
            let more = if names.len() > NAMED { ", ..." } else { "" };
            format!("unknown class{hint} The classes are {}{more}", listed.join(", "))
        }
    };
    usage(format!("invalid --label {text}: {expected}"))
}

/// The format of the output file.
enum Format {
    Png,
    Npy,
}

impl Sample {
    /// Runs the command.
    pub fn run(&self, global: &Global, out: &Out) -> Result<ExitCode, Failure> {
        let extension = self.output.extension().and_then(|e| e.to_str());
        let format = match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("png") => Format::Png,
            Some("npy") => Format::Npy,
            _ => {
                let name = self.output.display();
                return usage(format!("{name}: the name must end in .png or .npy"));
            }
        };
        let model = self.model.load()?;
        let loaded = self.weights.load(&self.model, &model)?;
        let untrained = loaded.warning(&self.model);
        let LoadedWeights { weights, json: origin, .. } = loaded;
        let levels = model.image().levels;
        if matches!(format, Format::Npy) && levels > 256 {
            return usage(format!(
                "{levels} levels do not fit into the uint8 values of a .npy file: write a .png"
            ));
        }
        if ranks::leads() {
            let mut inputs = self.model.files();
            inputs.extend(self.weights.weights.clone());
            inputs.extend(self.condition.iter().map(|(_, path)| path.clone()));
            inputs.extend(self.complete.iter().flat_map(outputs::of_data));
            outputs::check(&[&self.output], &inputs)?;
            files::writable(&self.output)?;
        }
        let copies = usize::from(self.completions);
        let label = self.label(&model)?;
        let classes = model.label().map(|(_, classes)| classes);
        let asked = self.n.map(usize::from);
        let mut arrays = conditions::given(&model, &self.condition, asked)?;
        if self.complete.is_none() {
            conditions::complete(&model, &arrays)?;
        }
        let maps = arrays.first().map(|(_, array)| array.shape()[0]);
        let mut count = maps.or(asked).unwrap_or(64);
        // One row per class.
        let columns = match (classes, label) {
            (Some(classes), Some(Label::All)) => {
                let columns = count.div_ceil(classes).max(1);
                count = columns * classes;
                Some(columns)
            }
            _ => None,
        };
        let mut own_labels = None;
        let given = match (&self.complete, self.keep_rows) {
            (Some(spec), Some(rows)) => {
                let height = model.image().height;
                if rows > height {
                    return usage(format!(
                        "invalid --keep-rows {rows}: the images have {height} rows"
                    ));
                }
                let spec = match self.condition.is_empty() {
                    true => for_model(spec, &model),
                    false => spec.clone(),
                };
                // The seed of the samples does not affect which images are completed.
                let data = spec.load(0).map_err(Failure::data)?;
                let data = match label {
                    Some(_) => data,
                    None => data.numbered_by(&self.model.class_names()?).map_err(Failure::data)?,
                };
                announce(&data, out);
                if let (Some(classes), None, None) = (classes, label, data.classes()) {
                    return usage(format!(
                        "{} is class-conditional, but {} has no labels: give the class of the images \
                         to complete, from `--label 0` to `--label {}`",
                        model.name(),
                        data.name(),
                        classes - 1,
                    ));
                }
                // If the user gives a class or conditions, the data need no labels.
                match label.is_some() || !self.condition.is_empty() {
                    true => suits_images(&model, &data)?,
                    false => suits(&model, &data)?,
                }
                let split = match (self.split, &data.splits()[..]) {
                    (Some(split), _) => split,
                    (None, &[only]) => only,
                    (None, _) => Split::Test,
                };
                let images = data.images(split).map_err(Failure::data)?;
                if let Some(maps) = maps.filter(|&maps| maps > images.count()) {
                    return usage(format!(
                        "--condition has {maps} rows, but there are only {} images to complete",
                        images.count()
                    ));
                }
                count = count.min(images.count());
                own_labels = images.labels().map(|all| {
                    (0..count * copies).filter_map(|i| all.get(i / copies).copied()).collect()
                });
                arrays = conditions::of_completions(&model, images, arrays, count, copies)?;
                Some(stacked(&model, images, count, copies)?)
            }
            _ => None,
        };
        if let Some(n) = asked.filter(|&n| n != count) {
            out.note(&match columns {
                Some(columns) => format!("{count} images instead of {n}: {columns} of each class"),
                None => format!("{count} images instead of {n}: there are no more to complete"),
            });
        }
        let uniform = match given {
            Some(_) => sampling::uniform_completions(&model, count, copies, self.seed),
            None => sampling::uniform(&model, count, self.seed),
        };
        let drawn = uniform.last().map_or(0, |all| all.shape()[0]);
        let labels: Option<Vec<u32>> = match (classes, label, columns) {
            (None, ..) => None,
            (_, _, Some(columns)) => Some((0..drawn).map(|i| (i / columns) as u32).collect()),
            (_, Some(Label::One(label)), _) => Some(vec![label; drawn]),
            // A completion has the class of the image that it completes.
            _ => {
                out.note(
                    "each image is completed as its own class, from the labels of the data: `--label` \
                     chooses another one",
                );
                own_labels
            }
        };
        let engine = engines::best(self.engine, global, out)?;
        let start = Instant::now();
        let bar = Bar::counting(out, drawn as u64, "images");
        let request = Sampling {
            method: self.method.into(),
            temperature: self.temperature,
            uniform: &uniform,
            given: given.as_ref().map(|levels| Given { levels, rows: self.keep_rows.unwrap_or(0) }),
            labels: labels.as_deref(),
            conditions: &arrays,
        };
        let shared = ranks::divided(&*engine);
        let images = sampling::draw(&model, &weights, &shared, &request, &mut |done| {
            bar.set(done as u64);
        })?;
        bar.clear();
        if !ranks::leads() {
            return Ok(ExitCode::Good);
        }
        let seconds = start.elapsed().as_secs_f64();
        let bytes = match format {
            Format::Npy => npy(&images),
            Format::Png => {
                let grid = match &given {
                    None => match columns {
                        Some(columns) => Grid::rows(&images, columns, levels),
                        None => Grid::square(&images, levels),
                    },
                    Some(given) => {
                        Grid::completed(&images, given, copies, self.keep_rows.unwrap_or(0), levels)
                    }
                };
                grid.png(&self.output)?
            }
        };
        files::write(&self.output, &bytes)?;
        if let Some(untrained) = untrained {
            out.warn(&untrained);
        }
        let path = self.output.display();
        let text =
            format!("{path}: {} of {}, {seconds:.1} s", plural(drawn, "image"), model.name());
        let object = json!({
            "output": path.to_string(),
            // The earlier name of this field.
            "file": path.to_string(),
            "model": model.name(),
            "weights": origin,
            "images": drawn,
            "labels": labels,
            "conditions": arrays.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            "seed": self.seed,
            "temperature": self.temperature,
            "engine": engine.name(),
            "seconds": seconds,
        });
        out.report(&text, &object)?;
        Ok(ExitCode::Good)
    }
}

impl Sample {
    /// The class to draw, if one is given; checks it against the classes of the model.
    fn label(&self, model: &pixelrnn::Declaration) -> Result<Option<Label>, Failure> {
        let name = model.name();
        let names = self.model.class_names()?;
        let given = self.label.as_deref().map(|text| label(text, &names)).transpose()?;
        match (model.label().map(|(_, classes)| classes), given) {
            (None, Some(_)) => {
                usage(format!("{name} is not class-conditional: leave out `--label`"))
            }
            (Some(classes), None) if self.complete.is_none() => usage(format!(
                "missing --label: {name} is class-conditional; give `--label 0` to `--label {}`, or \
                 `--label all` for one row per class",
                classes - 1
            )),
            (Some(classes), Some(Label::One(label))) if label as usize >= classes => usage(
                format!("invalid --label {label}: {name} has the classes 0 to {}", classes - 1),
            ),
            (_, Some(Label::All)) if self.complete.is_some() => {
                usage("`--label all` cannot be combined with `--complete`: give one class")
            }
            (_, Some(Label::All)) if !self.condition.is_empty() => {
                usage("`--label all` cannot be combined with `--condition`: give one class")
            }
            (_, given) => Ok(given),
        }
    }
}

/// The first `count` images, each repeated `copies` times: `[N, H, W, C]`.
fn stacked(
    model: &pixelrnn::Declaration,
    images: pixelrnn::training::data::Images,
    count: usize,
    copies: usize,
) -> Result<Array, Failure> {
    let image = model.image();
    let mut all = Array::zeros(vec![count * copies, image.height, image.width, image.colours]);
    for (at, mut to) in all.outer_iter_mut().enumerate() {
        let pixels = images.image(at / copies).map_err(Failure::data)?;
        to.iter_mut().zip(pixels).for_each(|(to, level)| *to = f32::from(level));
    }
    Ok(all)
}

/// Encodes an array of bytes as a NumPy file, version 1.
fn npy(images: &Array) -> Vec<u8> {
    let shape: Vec<String> = images.shape().iter().map(usize::to_string).collect();
    let mut header =
        format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({}), }}", shape.join(", "));
    // The length of the header is a multiple of 64 bytes, and its last byte is a line feed.
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(images.iter().map(|&level| level as u8));
    bytes
}
