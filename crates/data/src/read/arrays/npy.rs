//! `npy:FILE`, and the arrays in an `.npz`: NumPy's format in versions 1 to 3.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pixelrnn_graph::Array;

use super::advice::Seen;
use super::elements::Elements;
use super::{Layout, layout, planes_to_pixels};
use crate::conditions::Rows;
use crate::dataset::Split;
use crate::error::{Absence, DataError, Place};
use crate::load::MEMORY;
use crate::read::Request;
use crate::read::input::Input;
use crate::read::part::{Decode, Open, Part, REACH, Raw, Records};

const MAGIC: &[u8] = b"\x93NUMPY";

/// The longest header. NumPy itself rejects longer ones.
const MAX_HEADER: u64 = 10_000;

/// The header of an array.
#[derive(Clone, Debug)]
struct Header {
    elements: String,
    fortran: bool,
    dims: Vec<u64>,
    /// The length of the header in bytes.
    length: u64,
}

/// An array whose header has been read.
#[derive(Clone)]
pub struct NpyArray {
    pub place: Place,
    header: Header,
    open: Open,
    skim: Open,
}

/// Reads a file with one array, all of which are training images.
pub fn read(request: &Request) -> Result<Raw, DataError> {
    let path = request.path;
    let single = || Err(Absence::Single { path: path.to_path_buf(), holds: Split::Train });
    let array = NpyArray::file(path)?;
    let (mut part, note) = array.images(request)?;
    if let Some(name) = &request.spec.labels {
        let beside = path.with_file_name(name);
        let labels = NpyArray::file(&if beside.exists() { beside } else { PathBuf::from(name) })?;
        labels.label(&mut part)?;
    }
    Ok(Raw {
        levels: request.spec.range.map(|_| 256),
        train: Ok(part),
        valid: single(),
        test: single(),
        class_names: Vec::new(),
        warnings: note.into_iter().collect(),
    })
}

/// Reads the numbers of an `.npy` file without converting them to levels: `[N, ...]`.
///
/// # Errors
/// If the file cannot be read, is not a NumPy array, or does not contain rows of finite numbers.
pub fn numbers(path: &Path) -> Result<Array, DataError> {
    let array = NpyArray::file(path)?;
    let (mut values, mut rows) = (Vec::new(), 0);
    let dims = array.rows(None, &mut |row| {
        values.extend_from_slice(row);
        rows += 1;
        Ok(())
    })?;
    let shape: Vec<usize> = std::iter::once(rows).chain(dims).collect();
    // By construction, the number of values matches the shape.
    Ok(Array::from_shape_vec(shape, values).unwrap_or_default())
}

impl NpyArray {
    /// Opens the array in a file.
    ///
    /// # Errors
    /// If the file cannot be read or is not a NumPy array.
    pub fn file(path: &Path) -> Result<NpyArray, DataError> {
        let path = path.to_path_buf();
        let open: Open = Arc::new(move || Input::open(&path));
        NpyArray::new(open.clone(), open)
    }

    /// An array, given how to open it: `open` verifies checksums, `skim` does not.
    ///
    /// # Errors
    /// If it cannot be read or is not a NumPy array.
    pub fn new(open: Open, skim: Open) -> Result<NpyArray, DataError> {
        let mut input = skim()?;
        let header = header(&mut input)?;
        Ok(NpyArray { place: input.place().clone(), header, open, skim })
    }

    /// Shape and element type, such as `200 x 28 x 28, |u1`.
    pub fn about(&self) -> String {
        let dims: Vec<String> = self.header.dims.iter().map(u64::to_string).collect();
        format!("{}, {}", dims.join(" x "), self.header.elements)
    }

    /// Whether its shape can be that of images.
    pub fn may_be_images(&self) -> bool {
        layout(&self.place, &self.header.dims).is_ok()
    }

    /// The number of rows, which is the extent of the first axis.
    pub fn count(&self) -> u64 {
        self.header.dims.first().copied().unwrap_or(0)
    }

    /// The array as images, and what was assumed about its layout.
    ///
    /// # Errors
    /// If its element type, shape or memory order is not supported, or its length is wrong.
    pub fn images(&self, request: &Request) -> Result<(Part, Option<String>), DataError> {
        let (place, header) = (self.place.clone(), &self.header);
        let Some(elements) = Elements::parse(&header.elements) else {
            let found = header.elements.clone();
            let advice = "which are not numbers: save the images as u8".to_string();
            return Err(DataError::Elements { place, found, advice });
        };
        let Layout { count, shape, planar, note } = layout(&place, &header.dims)?;
        self.in_order()?;
        let mut input = (self.skim)()?;
        input.skip(header.length)?;
        let mut dims = header.dims.clone();
        dims.push(elements.width as u64);
        input.declare(&dims)?;
        let range = request.spec.range;
        let array = self.clone();
        let plain = elements.are_bytes() && range.is_none();
        let decode: Option<Decode> = match (plain, planar) {
            (true, false) => None,
            (true, true) => Some(Box::new(move |bytes| Ok(planes_to_pixels(bytes, shape)))),
            (false, _) => Some(Box::new(move |bytes| {
                let levels = array.levels(elements, range, bytes)?;
                Ok(if planar { planes_to_pixels(&levels, shape) } else { levels })
            })),
        };
        let records = Records {
            open: self.open.clone(),
            skim: self.skim.clone(),
            head: header.length,
            stride: shape.values() as u64 * elements.width as u64,
            count,
            shape,
            decode,
        };
        let pixels = Box::new(records);
        Ok((Part { place, count, labels: None, conditions: Vec::new(), pixels }, note))
    }

    /// Converts values to levels: integers from 0 to 255 stay as they are, other values are mapped
    /// by `range`.
    fn levels(
        &self,
        elements: Elements,
        range: Option<(f64, f64)>,
        bytes: &[u8],
    ) -> Result<Vec<u8>, DataError> {
        let level = |value: f64| {
            let level = match range {
                Some((low, high)) => ((value - low) / (high - low) * 255.0).round(),
                None => value,
            };
            let fits = (0.0..=255.0).contains(&level) && level.fract() == 0.0;
            fits.then_some(level as u8).ok_or(value)
        };
        let levels: Result<Vec<u8>, f64> = elements.numbers(bytes).map(level).collect();
        levels.map_err(|value| match range {
            Some((low, high)) => {
                DataError::OutsideRange { place: self.place.clone(), value, low, high }
            }
            None => self.refuse(elements),
        })
    }

    /// The error for an array that does not contain levels, with advice for its values.
    fn refuse(&self, elements: Elements) -> DataError {
        let mut seen = Seen::default();
        let mut look = || -> Result<(), DataError> {
            let mut input = (self.skim)()?;
            input.skip(self.header.length)?;
            let piece = elements.width as u64 * (1 << 16);
            for _ in 0..REACH / piece {
                let bytes = input.up_to(piece)?;
                if bytes.is_empty() {
                    break;
                }
                seen.see(elements.numbers(&bytes));
            }
            Ok(())
        };
        match look() {
            Ok(()) => DataError::Elements {
                place: self.place.clone(),
                found: self.header.elements.clone(),
                advice: seen.advice(),
            },
            Err(error) => error,
        }
    }

    /// Sets the labels of a part to the values of this array.
    ///
    /// # Errors
    /// If it does not contain one nonnegative integer per image.
    pub fn label(&self, part: &mut Part) -> Result<(), DataError> {
        let place = self.place.clone();
        let unsupported = |what: &str| {
            Err(DataError::Unsupported { place: place.clone(), what: what.to_string() })
        };
        let dims = &self.header.dims;
        let elements = match Elements::parse(&self.header.elements) {
            Some(elements) if elements.are_whole() => elements,
            _ => {
                return unsupported(
                    "labels must be whole numbers; save them with `.astype('int64')`",
                );
            }
        };
        if dims.iter().filter(|&&n| n != 1).count() > 1 {
            return unsupported(
                "labels must be one number per image: save one-hot labels with `.argmax(1)`",
            );
        }
        let found = dims.iter().product::<u64>();
        if found != part.count as u64 {
            let (found, images) = (usize::try_from(found).unwrap_or(usize::MAX), part.count);
            return Err(DataError::LabelCount { place, found, images });
        }
        let mut input = (self.open)()?;
        input.skip(self.header.length)?;
        let bytes = input.rest(&[found, elements.width as u64])?;
        let fits = |label: f64| (0.0..16_777_216.0).contains(&label).then_some(label as u32);
        match elements.numbers(&bytes).map(fits).collect::<Option<Vec<u32>>>() {
            Some(labels) => part.label(place, labels),
            None => unsupported("labels must be numbers from 0 to 16,777,215"),
        }
    }

    /// Checks that the array is not in Fortran order (column-major).
    fn in_order(&self) -> Result<(), DataError> {
        // With at most one axis longer than 1, both orders are the same.
        if !self.header.fortran || self.header.dims.iter().filter(|&&n| n > 1).count() < 2 {
            return Ok(());
        }
        let what = "it is in Fortran's order; save it with `numpy.ascontiguousarray(a)`";
        Err(DataError::Unsupported { place: self.place.clone(), what: what.to_string() })
    }

    /// Calls `each` with the numbers of each row, unconverted. Returns the shape of a row.
    ///
    /// # Errors
    /// If there are numbers that are not finite, or the number of rows differs from `count`.
    pub fn rows(
        &self,
        count: Option<usize>,
        each: &mut dyn FnMut(&[f32]) -> Result<(), DataError>,
    ) -> Result<Vec<usize>, DataError> {
        let (place, header) = (self.place.clone(), &self.header);
        let refuse = |what: String| DataError::Unsupported { place: self.place.clone(), what };
        let Some(elements) = Elements::parse(&header.elements) else {
            let (found, advice) = (header.elements.clone(), "save the numbers as f32 or u8".into());
            return Err(DataError::Elements { place, found, advice });
        };
        self.in_order()?;
        let Some((&rows, dims)) = header.dims.split_first() else {
            return Err(refuse("it is one number: expected a row per image".to_string()));
        };
        if header.dims.contains(&0) {
            return Err(refuse("it is empty: expected a row per image".to_string()));
        }
        if let Some(images) = count.filter(|&images| images as u64 != rows) {
            return Err(refuse(format!(
                "it has {rows} rows for {images} images: expected one each"
            )));
        }
        let mut input = (self.open)()?;
        input.skip(header.length)?;
        let mut declared = header.dims.clone();
        declared.push(elements.width as u64);
        let total = input.declare(&declared)?;
        let stride = total / rows;
        for row in 0..rows {
            let bytes = input.up_to(stride)?;
            if (bytes.len() as u64) < stride {
                let found = stride * row + bytes.len() as u64;
                return Err(DataError::Truncated { place, expected: total, found });
            }
            let numbers: Vec<f32> = elements.numbers(&bytes).map(|x| x as f32).collect();
            if let Some(x) = numbers.iter().find(|x| !x.is_finite()) {
                return Err(refuse(format!("row {row} contains {x}: expected finite numbers")));
            }
            each(&numbers)?;
        }
        input.end(total)?;
        Ok(dims.iter().map(|&n| n as usize).collect())
    }

    /// Adds the array to a part as the rows of a condition.
    ///
    /// # Errors
    /// Those of [`Self::rows`].
    pub fn condition(&self, name: &str, part: &mut Part) -> Result<(), DataError> {
        let dims = self.header.dims.iter().skip(1).map(|&n| n as usize);
        let mut rows = Rows::new(name, &dims.collect::<Vec<_>>(), MEMORY);
        let io = |error| DataError::Io { place: self.place.clone(), error };
        let dims = self.rows(Some(part.count), &mut |row| rows.push(row).map_err(io))?;
        let condition = rows.finish(name, self.place.clone(), dims).map_err(io)?;
        part.conditions.push(Arc::new(condition));
        Ok(())
    }

    /// The value, if the array contains a single integer.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn number(&self) -> Result<Option<u64>, DataError> {
        let elements = Elements::parse(&self.header.elements).filter(|e| e.are_whole());
        let (Some(elements), true) = (elements, self.header.dims.iter().all(|&n| n == 1)) else {
            return Ok(None);
        };
        let mut input = (self.open)()?;
        input.skip(self.header.length)?;
        let bytes = input.rest(&[elements.width as u64])?;
        let number = elements.numbers(&bytes).next().unwrap_or(-1.0);
        Ok((number >= 0.0).then_some(number as u64))
    }
}

fn header(input: &mut Input) -> Result<Header, DataError> {
    let found = input.up_to(MAGIC.len() as u64)?;
    if found != MAGIC {
        let (place, expected) = (input.place().clone(), "an array of NumPy (.npy)");
        return Err(DataError::Magic { place, expected, found: more(input, found) });
    }
    let version = input.exactly(2)?;
    let wide = match version[0] {
        1 => 2,
        2 | 3 => 4,
        _ => {
            let what = "its version of NumPy's format is newer than 3";
            return Err(DataError::Unsupported { place: input.place().clone(), what: what.into() });
        }
    };
    let length = input.exactly(wide)?;
    let length = length.iter().rev().fold(0, |all, &byte| all << 8 | u64::from(byte));
    let damaged = |input: &Input, what| DataError::Damaged { place: input.place().clone(), what };
    if length > MAX_HEADER {
        return Err(damaged(input, "its header is longer than any of NumPy's"));
    }
    let text = String::from_utf8_lossy(&input.exactly(length)?).into_owned();
    let header = parse(&text).map(|header| Header { length: 8 + wide + length, ..header });
    header
        .ok_or_else(|| damaged(input, "its header does not give `descr`, `fortran_order`, `shape`"))
}

/// Parses a header such as `{'descr': '|u1', 'fortran_order': False, 'shape': (1500, 8, 8), }`.
fn parse(text: &str) -> Option<Header> {
    let after = |key: &str| {
        let (_, rest) = text.split_once(&format!("'{key}'"))?;
        Some(rest.trim_start().strip_prefix(':')?.trim_start())
    };
    let elements = after("descr")?;
    let elements = match elements.strip_prefix('\'') {
        Some(rest) => rest.split_once('\'')?.0.to_string(),
        None => "a record of several fields".to_string(),
    };
    let order = after("fortran_order")?;
    let fortran = order.starts_with("True");
    if !fortran && !order.starts_with("False") {
        return None;
    }
    let (dims, _) = after("shape")?.strip_prefix('(')?.split_once(')')?;
    let dims = dims.split(',').map(str::trim).filter(|n| !n.is_empty());
    let dims = dims.map(|n| n.trim_end_matches('L').parse().ok()).collect::<Option<Vec<u64>>>()?;
    Some(Header { elements, fortran, dims, length: 0 })
}

/// The first bytes of a file of another format, for an error.
fn more(input: &mut Input, mut found: Vec<u8>) -> Vec<u8> {
    found.extend(input.up_to(16).unwrap_or_default());
    found
}
