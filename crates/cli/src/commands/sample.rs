//! `pixelrnn sample`: draws images from a model, or completes given images.

use std::path::PathBuf;
use std::time::Instant;

use pixelrnn::internal::syntax::closest;
use pixelrnn::runtime::EngineKind;
use pixelrnn::sampling::{self, Given, SampleMethod, Sampling};
use pixelrnn::training::data::{Spec, Split};
use pixelrnn::training::{suits, suits_images};
use pixelrnn::{Array, Declaration, files};
use serde_json::json;

use crate::arguments::{COMMON, Global};
use crate::conditions::{self, Arrays};
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

/// What to draw.
struct Plan {
    /// The number of images, or of images to complete.
    count: usize,
    /// With one row per class: the images of each.
    columns: Option<usize>,
    /// The images to complete, each repeated for every completion: `[N, H, W, C]`.
    given: Option<Array>,
    /// The class of each image, for a class-conditional model.
    labels: Option<Vec<u32>>,
    /// The other conditions.
    arrays: Arrays,
}

impl Sample {
    /// Runs the command.
    pub fn run(&self, global: &Global, out: &Out) -> Result<ExitCode, Failure> {
        let format = self.format()?;
        let model = self.model.load()?;
        let loaded = self.weights.load(&self.model, &model)?;
        let untrained = loaded.warning(&self.model);
        let LoadedWeights { weights, json: origin, .. } = loaded;
        self.check_output(&format, model.image().levels)?;
        let plan = self.plan(&model, out)?;
        let copies = usize::from(self.completions);
        let uniform = match plan.given {
            Some(_) => sampling::uniform_completions(&model, plan.count, copies, self.seed),
            None => sampling::uniform(&model, plan.count, self.seed),
        };
        let drawn = uniform.last().map_or(0, |all| all.shape()[0]);
        let engine = engines::best(self.engine, global, out)?;
        let start = Instant::now();
        let bar = Bar::counting(out, drawn as u64, "images");
        let rows = self.keep_rows.unwrap_or(0);
        let request = Sampling {
            method: self.method.into(),
            temperature: self.temperature,
            uniform: &uniform,
            given: plan.given.as_ref().map(|levels| Given { levels, rows }),
            labels: plan.labels.as_deref(),
            conditions: &plan.arrays,
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
        self.write(&format, &images, &plan, model.image().levels)?;
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
            "labels": plan.labels,
            "conditions": plan.arrays.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            "seed": self.seed,
            "temperature": self.temperature,
            "engine": engine.name(),
            "seconds": seconds,
        });
        out.report(&text, &object)?;
        Ok(ExitCode::Good)
    }

    fn format(&self) -> Result<Format, Failure> {
        let extension = self.output.extension().and_then(|e| e.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("png") => Ok(Format::Png),
            Some("npy") => Ok(Format::Npy),
            _ => {
                let name = self.output.display();
                usage(format!("{name}: the name must end in .png or .npy"))
            }
        }
    }

    /// Checks that the images can be written, before they are drawn.
    fn check_output(&self, format: &Format, levels: usize) -> Result<(), Failure> {
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
        Ok(())
    }

    /// Finds out what to draw, and reads the images to complete.
    fn plan(&self, model: &Declaration, out: &Out) -> Result<Plan, Failure> {
        let label = self.label(model)?;
        let classes = model.label().map(|(_, classes)| classes);
        let asked = self.n.map(usize::from);
        let arrays = conditions::given(model, &self.condition, asked)?;
        if self.complete.is_none() {
            conditions::complete(model, &arrays)?;
        }
        let maps = arrays.first().map(|(_, array)| array.shape()[0]);
        let count = maps.or(asked).unwrap_or(64);
        let mut plan = Plan { count, columns: None, given: None, labels: None, arrays };
        // One row per class.
        if let (Some(classes), Some(Label::All)) = (classes, label) {
            let columns = plan.count.div_ceil(classes).max(1);
            (plan.count, plan.columns) = (columns * classes, Some(columns));
        }
        let mut own_labels = None;
        if let (Some(spec), Some(rows)) = (&self.complete, self.keep_rows) {
            let height = model.image().height;
            if rows > height {
                return usage(format!("invalid --keep-rows {rows}: the images have {height} rows"));
            }
            own_labels = self.read_given(model, spec, (label, maps), &mut plan, out)?;
        }
        let count = plan.count;
        if let Some(n) = asked.filter(|&n| n != count) {
            out.note(&match plan.columns {
                Some(columns) => format!("{count} images instead of {n}: {columns} of each class"),
                None => format!("{count} images instead of {n}: there are no more to complete"),
            });
        }
        let drawn = plan.given.as_ref().map_or(count, |given| given.shape()[0]);
        plan.labels = match (classes, label, plan.columns) {
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
        Ok(plan)
    }

    /// Reads the images to complete, and their conditions. Returns the labels of the completions, if
    /// the images have labels. `maps` is the number of rows of the conditions that the user gave.
    fn read_given(
        &self,
        model: &Declaration,
        spec: &Spec,
        (label, maps): (Option<Label>, Option<usize>),
        plan: &mut Plan,
        out: &Out,
    ) -> Result<Option<Vec<u32>>, Failure> {
        let spec = match self.condition.is_empty() {
            true => for_model(spec, model),
            false => spec.clone(),
        };
        // The seed of the samples does not affect which images are completed.
        let data = spec.load(0).map_err(Failure::data)?;
        let data = match label {
            Some(_) => data,
            None => data.numbered_by(&self.model.class_names()?).map_err(Failure::data)?,
        };
        announce(&data, out);
        let classes = model.label().map(|(_, classes)| classes);
        if let (Some(classes), None, None) = (classes, label, data.classes()) {
            return usage(format!(
                "{} is class-conditional, but {} has no labels: give the class of the images to \
                 complete, from `--label 0` to `--label {}`",
                model.name(),
                data.name(),
                classes - 1,
            ));
        }
        // If the user gives a class or conditions, the data need no labels.
        match label.is_some() || !self.condition.is_empty() {
            true => suits_images(model, &data)?,
            false => suits(model, &data)?,
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
        let copies = usize::from(self.completions);
        plan.count = plan.count.min(images.count());
        let labels = images.labels().map(|all| {
            (0..plan.count * copies).filter_map(|i| all.get(i / copies).copied()).collect()
        });
        let arrays = std::mem::take(&mut plan.arrays);
        plan.arrays = conditions::of_completions(model, images, arrays, plan.count, copies)?;
        plan.given = Some(stacked(model, images, plan.count, copies)?);
        Ok(labels)
    }

    fn write(
        &self,
        format: &Format,
        images: &Array,
        plan: &Plan,
        levels: usize,
    ) -> Result<(), Failure> {
        let bytes = match format {
            Format::Npy => npy(images),
            Format::Png => {
                let copies = usize::from(self.completions);
                let grid = match (&plan.given, plan.columns) {
                    (Some(given), _) => {
                        Grid::completed(images, given, copies, self.keep_rows.unwrap_or(0), levels)
                    }
                    (None, Some(columns)) => Grid::rows(images, columns, levels),
                    (None, None) => Grid::square(images, levels),
                };
                grid.png(&self.output)?
            }
        };
        Ok(files::write(&self.output, &bytes)?)
    }

    /// The class to draw, if one is given; checks it against the classes of the model.
    fn label(&self, model: &Declaration) -> Result<Option<Label>, Failure> {
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
    model: &Declaration,
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
