//! `pixelrnn data`: how a data set is read.

use std::collections::BTreeSet;
use std::path::PathBuf;

use pixelrnn::training::data::{self, Dataset, Images, Spec, Split};
use pixelrnn::{Array, files};
use serde_json::{Map, Value, json};

use crate::arguments::Global;
use crate::exit::{ExitCode, Failure};
use crate::grid::Grid;
use crate::out::Out;
use crate::outputs;
use crate::parse;
use crate::table::{Align, Table, grouped};

/// The numbers of rows and columns of the picture.
const ROWS: usize = 10;
const COLUMNS: usize = 10;

/// Maximal number of classes whose images are counted.
const MOST_CLASSES: usize = 10_000;

/// Show how a data set is read: splits, classes, shape, levels
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Prints the number of images per split and class, their shape and levels, and warnings. --picture
writes a grid of images: one row per class if there are labels, otherwise images of the whole split.

{}
Example:
  pixelrnn data images:photos,crop=140x140,size=64x64 --picture photos.png", data::help()))]
pub struct Data {
    /// The data set
    #[arg(value_name = "SPEC", value_parser = parse::spec)]
    spec: Spec,
    /// Write a grid of images as PNG
    #[arg(long, value_name = "F.png")]
    picture: Option<PathBuf>,
    /// Split of the picture: `train`, `valid` or `test` [default: the first one]
    #[arg(long, value_name = "SPLIT", requires = "picture", value_parser = parse::split(),
          hide_possible_values = true)]
    split: Option<Split>,
    /// Random seed for `binarize=sample`
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = parse::seed)]
    seed: u64,
}

impl Data {
    /// Runs the command.
    pub fn run(&self, _: &Global, out: &Out) -> Result<ExitCode, Failure> {
        if let Some(path) = &self.picture {
            outputs::png(path)?;
            outputs::check(&[path], &outputs::of_data(&self.spec))?;
            files::writable(path)?;
        }
        let data = self.spec.load(self.seed).map_err(Failure::data)?;
        if let Some(path) = &self.picture {
            let split = self.split.or(data.splits().first().copied()).unwrap_or(Split::Train);
            let images = data.images(split).map_err(Failure::data)?;
            let (shown, columns) = shown(&data, images);
            let array = array(images, &shown)?;
            let grid = match columns {
                Some(columns) => Grid::rows(&array, columns, images.levels()),
                None => Grid::square(&array, images.levels()),
            };
            files::write(path, &grid.png(path)?)?;
        }
        let object = json!({
            "data": data.name(),
            "splits": splits(&data),
            "classes": data.classes(),
            "class_names": data.class_names(),
            "class_counts": class_counts(&data),
            "conditions": conditions(&data),
            "shape": [data.shape().height, data.shape().width, data.shape().colours],
            "levels": data.levels(),
            "selection": data.selection(),
            "sha256": data.fingerprint(),
            "warnings": data.warnings(),
        });
        out.answer(&text(&data), &object)?;
        Ok(ExitCode::Good)
    }
}

/// The number of images per split. Validation images that are held out do not count as training
/// images.
fn splits(data: &Dataset) -> Map<String, Value> {
    let present = data.splits().into_iter();
    present.map(|split| (split.name().to_string(), json!(count(data, split)))).collect()
}

fn count(data: &Dataset, split: Split) -> usize {
    let all = data.images(split).map_or(0, Images::count);
    if split == Split::Train { all - data.shared() } else { all }
}

/// For each split with labels, the number of images per class.
fn class_counts(data: &Dataset) -> Map<String, Value> {
    let data = data.clone().hold_out();
    // Labels that are not classes could make the list arbitrarily long.
    let classes = data.classes().unwrap_or(0).min(MOST_CLASSES);
    let mut all = Map::new();
    for split in data.splits() {
        let Some(labels) = data.images(split).ok().and_then(Images::labels) else { continue };
        let mut counts = vec![0usize; classes];
        for &label in labels {
            if let Some(count) = counts.get_mut(label as usize) {
                *count += 1;
            }
        }
        all.insert(split.name().to_string(), json!(counts));
    }
    all
}

/// For each split with conditions, the shape of a row of each condition.
fn conditions(data: &Dataset) -> Map<String, Value> {
    let mut all = Map::new();
    for split in data.splits() {
        let Ok(images) = data.images(split) else { continue };
        let shapes: Map<String, Value> =
            images.conditions().map(|(name, dims)| (name.to_string(), json!(dims))).collect();
        if !shapes.is_empty() {
            all.insert(split.name().to_string(), json!(shapes));
        }
    }
    all
}

fn text(data: &Dataset) -> String {
    let mut text = format!("{}: {}, {} levels\n", data.name(), data.shape(), data.levels());
    let mut table = Table::new([("split", Align::Left), ("images", Align::Right)]);
    for split in data.splits() {
        table.row([split.name().to_string(), grouped(count(data, split))]);
    }
    text.push_str(&format!("{table}"));
    if let Some(selection) = data.selection() {
        text.push_str(&format!("{selection}\n"));
    }
    match data.classes() {
        Some(classes) => text.push_str(&by_class(data, classes)),
        None => text.push_str("no labels\n"),
    }
    for split in data.splits() {
        for (name, dims) in data.images(split).into_iter().flat_map(Images::conditions) {
            let dims: Vec<String> = dims.iter().map(usize::to_string).collect();
            text.push_str(&format!("condition {name} ({}): {}\n", split.name(), dims.join(" x ")));
        }
    }
    for warning in data.warnings() {
        text.push_str(&format!("warning: {warning}\n"));
    }
    text
}

/// The number of images per class, as text.
fn by_class(data: &Dataset, classes: usize) -> String {
    const SHOWN: usize = 20;
    let counts = class_counts(data);
    let mut text = format!(
        "{}:\n",
        if classes == 1 { "1 class".to_string() } else { format!("{} classes", grouped(classes)) }
    );
    for class in 0..classes.min(SHOWN) {
        let name = data.class_names().get(class).map(|name| format!(" {name}"));
        let counts: Vec<String> = counts
            .iter()
            .map(|(split, counts)| format!("{} {split}", counts[class].as_u64().unwrap_or(0)))
            .collect();
        text.push_str(&format!("  {class}{}: {}\n", name.unwrap_or_default(), counts.join(", ")));
    }
    if classes > SHOWN {
        text.push_str(&format!("  and {} more\n", grouped(classes - SHOWN)));
    }
    text
}

/// The images of the grid and its number of columns. With labels: the same number of images of each
/// of the first classes. Otherwise: evenly spaced images in a square.
fn shown(data: &Dataset, images: Images) -> (Vec<usize>, Option<usize>) {
    let Some(labels) = images.labels().filter(|_| data.classes().is_some_and(|n| n > 1)) else {
        let most = (ROWS * COLUMNS).min(images.count());
        return ((0..most).map(|at| at * images.count() / most.max(1)).collect(), None);
    };
    let of = |class: u32| -> Vec<usize> {
        let members = labels.iter().enumerate().filter(move |(_, label)| **label == class);
        members.map(|(index, _)| index).take(COLUMNS).collect()
    };
    let classes: BTreeSet<u32> = labels.iter().copied().collect();
    let rows: Vec<Vec<usize>> = classes.into_iter().take(ROWS).map(of).collect();
    let columns = rows.iter().map(Vec::len).min().unwrap_or(1);
    (rows.into_iter().flat_map(|row| row.into_iter().take(columns)).collect(), Some(columns))
}

fn array(images: Images, shown: &[usize]) -> Result<Array, Failure> {
    let shape = images.shape();
    let size = vec![shown.len(), shape.height, shape.width, shape.colours];
    let mut array = Array::zeros(size);
    for (mut to, &index) in array.outer_iter_mut().zip(shown) {
        let pixels = images.image(index).map_err(Failure::data)?;
        to.iter_mut().zip(pixels).for_each(|(to, level)| *to = f32::from(level));
    }
    Ok(array)
}
