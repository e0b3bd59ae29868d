//! `npy:FILE`, and the arrays in an `.npz`: NumPy's format, versions 1 to 3.

use std::path::Path;

use super::input::Input;
use super::{Part, Raw, extents};
use crate::dataset::Split;
use crate::error::{Absence, DataError};

const MAGIC: &[u8] = b"\x93NUMPY";

/// NumPy itself refuses longer headers.
const MAX_HEADER: u64 = 10_000;

/// What stands before the elements.
struct Header {
    elements: String,
    fortran: bool,
    dims: Vec<u64>,
}

/// Reads a file whose one array is all training images.
pub fn read(path: &Path) -> Result<Raw, DataError> {
    let single = || Err(Absence::Single { path: path.to_path_buf(), holds: Split::Train });
    Ok(Raw {
        levels: None,
        train: Ok(images(Input::open(path)?)?),
        valid: single(),
        test: single(),
        tail: None,
        class_names: Vec::new(),
    })
}

/// Reads an array of images.
pub fn images(mut input: Input) -> Result<Part, DataError> {
    let header = header(&mut input)?;
    let place = input.place().clone();
    if header.elements != "|u1" {
        return Err(DataError::Elements { place, found: header.elements });
    }
    let shape = extents(&place, &header.dims)?;
    // One column or one row is the same in both orders.
    if header.fortran && header.dims.iter().filter(|&&n| n > 1).count() > 1 {
        let what = "it is in Fortran's order; save it with `numpy.ascontiguousarray`";
        return Err(DataError::Unsupported { place, what });
    }
    Ok(Part { place, shape, pixels: input.rest(&header.dims)?, labels: None })
}

/// Reads one class per image: whole numbers from 0, in any type, in one dimension.
pub fn labels(mut input: Input) -> Result<Vec<u32>, DataError> {
    let header = header(&mut input)?;
    let place = input.place().clone();
    let Some(width) = whole(&header.elements) else {
        let what = "labels must be whole numbers; save them with `.astype('int64')`";
        return Err(DataError::Unsupported { place, what });
    };
    if header.dims.iter().filter(|&&n| n != 1).count() > 1 {
        let what = "labels must be one number per image: for one-hot labels, save `.argmax(1)`";
        return Err(DataError::Unsupported { place, what });
    }
    let count = header.dims.iter().product();
    let bytes = input.rest(&[count, width])?;
    let labels = bytes.chunks_exact(width as usize).map(little_endian);
    // A negative one is as wrong as one that is too large.
    let labels = labels.map(|label| u32::try_from(label).ok().filter(|&label| label < 1 << 24));
    labels.collect::<Option<Vec<u32>>>().ok_or(DataError::Unsupported {
        place,
        what: "labels must be numbers from 0 to 16,777,215",
    })
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |all, &byte| all << 8 | u64::from(byte))
}

/// Bytes of a whole number, in the types that are read.
fn whole(elements: &str) -> Option<u64> {
    match elements {
        "|u1" | "|i1" => Some(1),
        "<u2" | "<i2" => Some(2),
        "<u4" | "<i4" => Some(4),
        "<u8" | "<i8" => Some(8),
        _ => None,
    }
}

/// Reads a single whole number.
pub fn number(mut input: Input) -> Result<Option<u64>, DataError> {
    let header = header(&mut input)?;
    let Some(width) = whole(&header.elements) else { return Ok(None) };
    if header.dims.iter().any(|&n| n != 1) {
        return Ok(None);
    }
    // A negative one becomes too large, which is as wrong.
    Ok(Some(little_endian(&input.rest(&[width])?)))
}

fn header(input: &mut Input) -> Result<Header, DataError> {
    let found = input.up_to(MAGIC.len() as u64)?;
    if found != MAGIC {
        let (place, expected) = (input.place().clone(), "an array of NumPy (.npy)");
        return Err(DataError::Magic { place, expected, found });
    }
    let version = input.exactly(2)?;
    let wide = match version[0] {
        1 => 2,
        2 | 3 => 4,
        _ => {
            let what = "its version of NumPy's format is newer than 3";
            return Err(DataError::Unsupported { place: input.place().clone(), what });
        }
    };
    let length = input.exactly(wide)?;
    let length = length.iter().rev().fold(0, |all, &byte| all << 8 | u64::from(byte));
    let damaged = |input: &Input, what| DataError::Damaged { place: input.place().clone(), what };
    if length > MAX_HEADER {
        return Err(damaged(input, "its header is longer than any of NumPy's"));
    }
    let text = String::from_utf8_lossy(&input.exactly(length)?).into_owned();
    parse(&text)
        .ok_or_else(|| damaged(input, "its header does not give `descr`, `fortran_order`, `shape`"))
}

/// `{'descr': '|u1', 'fortran_order': False, 'shape': (1500, 8, 8), }`.
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
    Some(Header { elements, fortran, dims })
}
