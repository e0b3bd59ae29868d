//! `csv` and `amat`: one line of numbers per image.

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use super::Request;
use super::arrays::{Layout, layout};
use super::files::{Entry, Files, split_of};
use super::input::Input;
use super::part::{Open, Part, Raw, Records};
use crate::bytes::{Bytes, Spool};
use crate::dataset::Split;
use crate::error::{Absence, DataError, Place};

/// The maximal number of bytes in memory; further levels go to a temporary file.
const ROOM: u64 = 1 << 27;

/// The longest line: a color image of 1,024 x 1,024, with five characters per value.
const MAX_LINE: u64 = 5 * 3 * 1024 * 1024;

/// Reads files that end in `.csv`.
pub fn csv(request: &Request) -> Result<Raw, DataError> {
    read(
        request,
        ".csv",
        "files that end in `.csv`, with `train`, `valid` or `test` in their names",
    )
}

/// Reads files that end in `.amat`.
pub fn amat(request: &Request) -> Result<Raw, DataError> {
    read(
        request,
        ".amat",
        "files that end in `.amat`, with `train`, `valid` or `test` in their names",
    )
}

fn read(request: &Request, ending: &str, wanted: &'static str) -> Result<Raw, DataError> {
    let path = request.path;
    let archive = if path.is_dir() { Some(Files::folder(path, 2)?) } else { Files::archive(path)? };
    let mut splits = [None, None, None];
    let mut warnings = Vec::new();
    match archive {
        Some(files) => {
            let fits =
                |e: &&Entry| e.base().to_lowercase().trim_end_matches(".gz").ends_with(ending);
            for entry in files.entries().iter().filter(fits) {
                let split = &mut splits[split_of(entry.base()).unwrap_or(Split::Train) as usize];
                if split.is_none() {
                    *split = Some(table(request, entry.open(true)?, &mut warnings)?);
                }
            }
        }
        None => splits[0] = Some(table(request, Input::open(path)?, &mut warnings)?),
    }
    if splits.iter().all(Option::is_none) {
        let wanted = wanted.to_string();
        return Err(DataError::NoFiles { folder: path.to_path_buf(), wanted });
    }
    let absence = || match path.is_dir() {
        true => Absence::File { folder: path.to_path_buf(), wanted: "a file of its name" },
        false => Absence::Single { path: path.to_path_buf(), holds: Split::Train },
    };
    let [train, valid, test] = splits.map(|split| split.ok_or_else(absence));
    let levels = request.spec.range.map(|_| 256);
    Ok(Raw { levels, train, valid, test, class_names: Vec::new(), warnings })
}

/// The numbers of a table as levels, and the labels if it has a column for them.
struct Table {
    place: Place,
    range: Option<(f64, f64)>,
    /// The index of the label's column.
    label: Option<usize>,
    columns: usize,
    labels: Vec<u32>,
    spool: Spool,
}

fn table(request: &Request, input: Input, warnings: &mut Vec<String>) -> Result<Part, DataError> {
    let place = input.place().clone();
    let mut lines = Lines { place: place.clone(), reader: BufReader::new(input), number: 0 };
    let first = lines.next()?.unwrap_or_default();
    let names = fields(&first);
    let header = names.iter().any(|name| number(name).is_none());
    let columns = names.len();
    let named = names.iter().position(|name| {
        header && ["label", "class", "y", "target"].contains(&name.trim_matches('"'))
    });
    let square = |n: usize| layout(&place, &[0x7fff_ffff, n as u64]).is_ok();
    // Without column names, the first column has the labels if the remaining ones make up a square
    // image.
    let label = named.or((!square(columns) && square(columns.saturating_sub(1))).then_some(0));
    let range = request.spec.range;
    let spool = Spool::new(ROOM);
    let mut table =
        Table { place: place.clone(), range, label, columns, labels: Vec::new(), spool };
    let mut count = 0u64;
    let mut line = if header { lines.next()? } else { Some(first) };
    while let Some(text) = line {
        table.row(&text, lines.number)?;
        count += 1;
        line = lines.next()?;
    }
    let values = columns - usize::from(label.is_some());
    let Layout { count, shape, planar, note } = layout(&place, &[count, values as u64])?;
    warnings.extend(note);
    let io = |error| DataError::Io { place: place.clone(), error };
    let bytes: Arc<Bytes> = Arc::new(table.spool.finish().map_err(io)?);
    let here = place.clone();
    let open: Open =
        Arc::new(move || Ok(Input::within(here.clone(), bytes.clone(), 0, bytes.length())));
    let stride = shape.values() as u64;
    let decode: Option<super::part::Decode> = match planar {
        true => Some(Box::new(move |p| Ok(super::arrays::planes_to_pixels(p, shape)))),
        false => None,
    };
    let records = Records { skim: open.clone(), open, head: 0, stride, count, shape, decode };
    let labels = label.map(|_| table.labels);
    Ok(Part { place, count, labels, conditions: Vec::new(), pixels: Box::new(records) })
}

impl Table {
    fn row(&mut self, text: &str, line: usize) -> Result<(), DataError> {
        let wrong = |what: String| DataError::Line { place: self.place.clone(), line, what };
        let fields = fields(text);
        if fields.len() != self.columns {
            let (found, expected) = (fields.len(), self.columns);
            return Err(wrong(format!("it has {found} numbers, the first line has {expected}")));
        }
        let mut levels = Vec::with_capacity(self.columns);
        for (column, field) in fields.iter().enumerate() {
            let value = number(field).ok_or_else(|| wrong(format!("`{field}` is not a number")))?;
            if Some(column) == self.label {
                let fits = (0.0..16_777_216.0).contains(&value) && value.fract() == 0.0;
                let label = fits.then_some(value as u32);
                self.labels.push(label.ok_or_else(|| wrong(format!("the label {value}")))?);
                continue;
            }
            let level = match self.range {
                Some((low, high)) => ((value - low) / (high - low) * 255.0).round(),
                None => value,
            };
            if !((0.0..=255.0).contains(&level) && level.fract() == 0.0) {
                return Err(wrong(format!(
                    "{value} is not a level from 0 to 255; map the values with `,range=LOW:HIGH`, as in \
                     `range=0:1`"
                )));
            }
            levels.push(level as u8);
        }
        let io = |error| DataError::Io { place: self.place.clone(), error };
        self.spool.push(&levels).map_err(io)
    }
}

/// Splits a line at commas, semicolons or blanks.
fn fields(line: &str) -> Vec<&str> {
    let line = line.trim();
    match line.contains([',', ';']) {
        true => line.split([',', ';']).map(str::trim).collect(),
        false => line.split_whitespace().collect(),
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|x: &f64| x.is_finite())
}

struct Lines {
    place: Place,
    reader: BufReader<Input>,
    number: usize,
}

impl Lines {
    /// The next line that is not empty.
    fn next(&mut self) -> Result<Option<String>, DataError> {
        loop {
            let mut bytes = Vec::new();
            let mut reader = Read::by_ref(&mut self.reader).take(MAX_LINE);
            let read = reader.read_until(b'\n', &mut bytes);
            let n = read.map_err(|error| self.reader.get_ref().wrong(error))?;
            self.number += 1;
            let wrong = |what: &str| {
                let (place, line) = (self.place.clone(), self.number);
                Err(DataError::Line { place, line, what: what.to_string() })
            };
            if n as u64 == MAX_LINE {
                return wrong("it is longer than an image of 1,024 x 1,024");
            }
            if n == 0 {
                return Ok(None);
            }
            let Ok(text) = String::from_utf8(bytes) else {
                return wrong("it is not text");
            };
            let text = text.trim_start_matches('\u{feff}').trim();
            if text.starts_with('<') {
                let (place, found) = (self.place.clone(), text.bytes().take(16).collect());
                return Err(DataError::Magic { place, expected: "a table of numbers", found });
            }
            if !text.is_empty() {
                return Ok(Some(text.to_string()));
            }
        }
    }
}
