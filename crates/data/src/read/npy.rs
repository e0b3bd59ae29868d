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
    Ok(Part { place, shape, pixels: input.rest(&header.dims)? })
}

/// Reads a single whole number.
pub fn number(mut input: Input) -> Result<Option<u64>, DataError> {
    let header = header(&mut input)?;
    let width: u64 = match header.elements.as_str() {
        "|u1" | "|i1" => 1,
        "<u2" | "<i2" => 2,
        "<u4" | "<i4" => 4,
        "<u8" | "<i8" => 8,
        _ => return Ok(None),
    };
    if header.dims.iter().any(|&n| n != 1) {
        return Ok(None);
    }
    // A negative one becomes too large, which is as wrong.
    let bytes = input.rest(&[width])?;
    Ok(Some(bytes.iter().rev().fold(0, |all, &byte| all << 8 | u64::from(byte))))
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
