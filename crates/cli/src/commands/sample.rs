//! `pixelrnn sample`: draws images from a model, or completes given images.

use std::path::{Path, PathBuf};
use std::time::Instant;

use pixelrnn::runtime::EngineKind;
use pixelrnn::sampling::{self, Given, SampleMethod, Sampling};
use pixelrnn::training::data::{Spec, Split};
use pixelrnn::training::{suits, suits_images};
use pixelrnn::{Array, files};
use serde_json::json;

use crate::arguments::Global;
use crate::canvas::{Canvas, Colour};
use crate::datasets::announce;
use crate::engines;
use crate::exit::{ExitCode, Failure, usage};
use crate::model::{LoadedWeights, ModelArguments, WeightArguments};
use crate::out::Out;
use crate::parse;
use crate::progress::Bar;
use crate::table::plural;

/// Draw images from a model
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A .png file is a grid of images; a .npy file is a uint8 array [N, H, W, C] of levels. With
--complete, each row of the grid shows the original, the part that is kept, and the completions.
The same seed gives the same images.

Example:
  pixelrnn sample my-run -n 64 -o samples.png --seed 1")]
pub struct Sample {
    #[command(flatten)]
    model: ModelArguments,
    /// Number of images; with --complete, number of images to complete
    #[arg(short, value_name = "N", default_value_t = 64,
          value_parser = clap::value_parser!(u16).range(1..))]
    n: u16,
    /// File to write, `.png` or `.npy`
    #[arg(short, long, value_name = "F")]
    output: PathBuf,
    #[command(flatten)]
    weights: WeightArguments,
    /// Divide the logits by T: below 1 for likelier, less varied images
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = parse::positive)]
    temperature: f64,
    /// Complete images from this data set (a SPEC, see `train --help`)
    #[arg(long, value_name = "IMAGES", value_parser = parse::spec, requires = "keep_rows")]
    complete: Option<Spec>,
    /// Split of the images to complete [default: test, or the only split]
    #[arg(long, value_name = "SPLIT", requires = "complete", value_parser = parse::split())]
    split: Option<Split>,
    /// Rows to keep, from the top
    #[arg(long, value_name = "K", requires = "complete")]
    keep_rows: Option<usize>,
    /// Completions per image
    #[arg(long, value_name = "N", default_value_t = 4, requires = "complete",
          value_parser = clap::value_parser!(u16).range(1..))]
    completions: u16,
    /// Class to draw, or `all` for one row per class
    #[arg(long, value_name = "K|all", value_parser = label)]
    label: Option<Label>,
    /// `cached`: cost of about one forward pass per image; `naive`: one forward pass per value
    #[arg(long, value_name = "HOW", default_value = "cached")]
    method: MethodName,
    /// Engine [default: ort, or tract if ONNX Runtime is not available]
    #[arg(long, value_name = "NAME", value_parser = parse::engine())]
    engine: Option<EngineKind>,
    /// Random seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// The names of the methods.
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

/// Which class is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    One(u32),
    All,
}

fn label(text: &str) -> Result<Label, String> {
    match (text, text.parse()) {
        ("all", _) => Ok(Label::All),
        (_, Ok(label)) => Ok(Label::One(label)),
        _ => Err("expected a class number (0 or more) or `all`".to_string()),
    }
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
        files::writable(&self.output)?;
        let mut count = usize::from(self.n);
        let copies = usize::from(self.completions);
        let classes = self.classes(&model)?;
        // One row per class.
        let columns = match (classes, self.label) {
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
                // The images to complete do not depend on the seed of the samples.
                let data = spec.load(0).map_err(Failure::data)?;
                announce(&data, out);
                // A class that is named needs no labels.
                match self.label {
                    Some(_) => suits_images(&model, &data)?,
                    None => suits(&model, &data)?,
                }
                let split = match (self.split, &data.splits()[..]) {
                    (Some(split), _) => split,
                    (None, &[only]) => only,
                    (None, _) => Split::Test,
                };
                let images = data.images(split).map_err(Failure::data)?;
                count = count.min(images.count());
                own_labels = images.labels().map(|all| {
                    (0..count * copies).filter_map(|i| all.get(i / copies).copied()).collect()
                });
                Some(stacked(&model, images, count, copies)?)
            }
            _ => None,
        };
        let uniform = match given {
            Some(_) => sampling::uniform_completions(&model, count, copies, self.seed),
            None => sampling::uniform(&model, count, self.seed),
        };
        let drawn = uniform.last().map_or(0, |all| all.shape()[0]);
        let labels: Option<Vec<u32>> = match (classes, self.label, columns) {
            (None, ..) => None,
            (_, _, Some(columns)) => Some((0..drawn).map(|i| (i / columns) as u32).collect()),
            (_, Some(Label::One(label)), _) => Some(vec![label; drawn]),
            // Completions have the labels of what they complete.
            _ => own_labels,
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
        };
        let images = sampling::draw(&model, &weights, &*engine, &request, &mut |done| {
            bar.set(done as u64);
        })?;
        bar.clear();
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
            // The older name.
            "file": path.to_string(),
            "model": model.name(),
            "weights": origin,
            "images": drawn,
            "labels": labels,
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
    /// The number of classes of the model, if any; checks `--label` against it.
    fn classes(&self, model: &pixelrnn::Declaration) -> Result<Option<usize>, Failure> {
        let name = model.name();
        match (model.label().map(|(_, classes)| classes), self.label) {
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
            (classes, _) => Ok(classes),
        }
    }
}

/// The first `count` images, each repeated `copies` times, as `[N, H, W, C]`.
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

/// An array of bytes in NumPy's format, version 1.
fn npy(images: &Array) -> Vec<u8> {
    let shape: Vec<String> = images.shape().iter().map(usize::to_string).collect();
    let mut header =
        format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({}), }}", shape.join(", "));
    // What comes before the numbers is a multiple of 64 bytes, the last of them a line feed.
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

/// Images in rows and columns.
pub struct Grid<'a> {
    /// For each place an image of a batch and how many of its rows are shown.
    cells: Vec<(&'a Array, usize, usize)>,
    columns: usize,
    levels: usize,
}

const GAP: usize = 2;
const PAPER: Colour = [0x60, 0x66, 0x70];
const HIDDEN: Colour = [0x3b, 0x52, 0x70];

impl<'a> Grid<'a> {
    /// About as many rows as columns.
    pub fn square(images: &'a Array, levels: usize) -> Grid<'a> {
        let count = images.shape()[0];
        let columns = (1..).find(|c| c * c >= count).unwrap_or(1);
        let height = images.shape()[1];
        Grid { cells: (0..count).map(|i| (images, i, height)).collect(), columns, levels }
    }

    /// A grid with `columns` images in each row.
    pub fn rows(images: &'a Array, columns: usize, levels: usize) -> Grid<'a> {
        Grid { columns: columns.max(1), ..Grid::square(images, levels) }
    }

    /// A row for each image: the original, what is kept, the completions.
    fn completed(
        images: &'a Array,
        given: &'a Array,
        copies: usize,
        rows: usize,
        levels: usize,
    ) -> Grid<'a> {
        let height = images.shape()[1];
        let mut cells = Vec::new();
        for first in (0..images.shape()[0]).step_by(copies) {
            cells.extend([(given, first, height), (given, first, rows)]);
            cells.extend((first..first + copies).map(|i| (images, i, height)));
        }
        Grid { cells, columns: copies + 2, levels }
    }

    /// The file's bytes; small images are enlarged.
    pub fn png(&self, path: &Path) -> Result<Vec<u8>, Failure> {
        let shape = self.cells.first().map_or(vec![0, 1, 1, 1], |c| c.0.shape().to_vec());
        let (height, width, colours) = (shape[1], shape[2], shape[3]);
        let scale = (64 / height.max(width).max(1)).clamp(1, 8);
        let rows = self.cells.len().div_ceil(self.columns);
        let [tall, wide] = [height, width].map(|n| n * scale + GAP);
        let mut canvas = Canvas::new(self.columns * wide + GAP, rows * tall + GAP, PAPER);
        for (at, &(images, image, shown)) in self.cells.iter().enumerate() {
            let left = at % self.columns * wide + GAP;
            let top = at / self.columns * tall + GAP;
            for y in 0..height {
                for x in 0..width {
                    let value = |c: usize| {
                        let c = c.min(colours - 1);
                        let level = images[[image, y, x, c].as_slice()];
                        (level * 255.0 / (self.levels - 1) as f32).round() as u8
                    };
                    let colour = if y < shown { [value(0), value(1), value(2)] } else { HIDDEN };
                    canvas.fill([left + x * scale, top + y * scale], [scale, scale], colour);
                }
            }
        }
        canvas.png(path)
    }
}
