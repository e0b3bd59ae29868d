//! Conditions: arrays with a row per image, which a model is conditioned on.

use std::io;

use pixelrnn_graph::Array;
use sha2::{Digest, Sha256};

use crate::bytes::{Bytes, Spool};
use crate::error::{DataError, Place};

/// The rows of one condition, for one split of the source.
#[derive(Debug)]
pub struct Condition {
    /// The name of the condition.
    pub name: String,
    /// The array that it was read from.
    pub place: Place,
    /// The shape of a row.
    pub dims: Vec<usize>,
    /// The SHA-256 of the name, the shape and all rows.
    pub hash: [u8; 32],
    /// The rows as little-endian `f32`.
    bytes: Bytes,
}

/// Collects the rows of a condition.
pub struct Rows {
    spool: Spool,
    hash: Sha256,
}

impl Rows {
    /// An empty list of rows of the shape `dims`, with at most `room` bytes in memory.
    pub fn new(name: &str, dims: &[usize], room: u64) -> Rows {
        let mut hash = Sha256::new();
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update((dims.len() as u64).to_le_bytes());
        dims.iter().for_each(|&n| hash.update((n as u64).to_le_bytes()));
        Rows { spool: Spool::new(room), hash }
    }

    /// Appends a row.
    ///
    /// # Errors
    /// If the temporary file cannot be written.
    pub fn push(&mut self, row: &[f32]) -> io::Result<()> {
        let bytes: Vec<u8> = row.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.hash.update(&bytes);
        self.spool.push(&bytes)
    }

    /// The collected condition.
    ///
    /// # Errors
    /// If the temporary file cannot be written.
    pub fn finish(self, name: &str, place: Place, dims: Vec<usize>) -> io::Result<Condition> {
        let (bytes, hash) = (self.spool.finish()?, self.hash.finalize().into());
        Ok(Condition { name: name.to_string(), place, dims, hash, bytes })
    }
}

impl Condition {
    /// The rows with these indices, as one array `[n, ...]`.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn rows(&self, rows: impl ExactSizeIterator<Item = usize>) -> Result<Array, DataError> {
        let size: usize = self.dims.iter().product();
        let shape: Vec<usize> = std::iter::once(rows.len()).chain(self.dims.clone()).collect();
        let mut values = Vec::with_capacity(rows.len() * size);
        let mut bytes = vec![0; size * 4];
        for row in rows {
            let read = self.bytes.read(row as u64 * bytes.len() as u64, &mut bytes);
            read.map_err(|error| DataError::Io { place: self.place.clone(), error })?;
            values.extend(
                bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            );
        }
        // By construction, the number of values matches the shape.
        Ok(Array::from_shape_vec(shape, values).unwrap_or_default())
    }
}
