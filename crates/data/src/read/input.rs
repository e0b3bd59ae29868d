//! Bytes of a file or of a member of an archive, which never take more memory than they can fill.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::{DataError, Place};

/// Deflate makes no more than this of one byte.
const DEFLATE_RATIO: u64 = 1032;

/// Something to read from.
pub struct Input {
    place: Place,
    reader: Box<dyn Read>,
    /// The most bytes that can come out of it.
    room: u64,
    compressed: bool,
}

impl Input {
    /// Opens a file, gzipped or not; its first bytes tell.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn open(path: &Path) -> Result<Input, DataError> {
        let place = Place::file(path);
        let wrong = |error| DataError::Io { place: place.clone(), error };
        let mut file = File::open(path).map_err(wrong)?;
        let length = file.metadata().map_err(wrong)?.len();
        let mut head = Vec::new();
        Read::by_ref(&mut file).take(2).read_to_end(&mut head).map_err(wrong)?;
        let gzip = head == [0x1f, 0x8b];
        let whole = Cursor::new(head).chain(BufReader::new(file));
        Ok(match gzip {
            true => Input::deflated(place, Box::new(MultiGzDecoder::new(whole)), length),
            false => Input::plain(place, Box::new(whole), length),
        })
    }

    /// What holds exactly `length` bytes.
    pub fn plain(place: Place, reader: Box<dyn Read>, length: u64) -> Input {
        Input { place, reader, room: length, compressed: false }
    }

    /// What decompresses from `length` bytes.
    pub fn deflated(place: Place, reader: Box<dyn Read>, length: u64) -> Input {
        Input { place, reader, room: length.saturating_mul(DEFLATE_RATIO), compressed: true }
    }

    /// Where this is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The next `length` bytes, or as many as there are. For headers: `length` is small.
    ///
    /// # Errors
    /// If it cannot be read or decompressed.
    pub fn up_to(&mut self, length: u64) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        let done = Read::by_ref(&mut self.reader).take(length).read_to_end(&mut bytes);
        done.map_err(|error| self.wrong(error))?;
        Ok(bytes)
    }

    /// The next `length` bytes of a header.
    ///
    /// # Errors
    /// If it cannot be read or decompressed, or ends before.
    pub fn exactly(&mut self, length: u64) -> Result<Vec<u8>, DataError> {
        let bytes = self.up_to(length)?;
        self.whole(&bytes, length)?;
        Ok(bytes)
    }

    /// All that is left: the product of `dims`, not a byte more or less.
    ///
    /// # Errors
    /// If it cannot be read or decompressed, if there is more or less of it, or if there cannot be
    /// as much.
    pub fn rest(mut self, dims: &[u64]) -> Result<Vec<u8>, DataError> {
        let declared = dims.iter().fold(1u128, |all, &n| all.saturating_mul(u128::from(n)));
        let expected = match u64::try_from(declared) {
            Ok(n) if !self.compressed || n <= self.room => n,
            _ => {
                let (place, room) = (self.place, self.room);
                return Err(DataError::Oversized { place, declared, room });
            }
        };
        // Grows with what arrives, and asks for one byte too many: so it reaches the end, where
        // checksums are compared.
        let bytes = self.up_to(expected.saturating_add(1))?;
        self.whole(&bytes, expected)?;
        match bytes.len() as u64 > expected {
            true => Err(DataError::Trailing { place: self.place, expected }),
            false => Ok(bytes),
        }
    }

    fn whole(&self, bytes: &[u8], expected: u64) -> Result<(), DataError> {
        let found = bytes.len() as u64;
        match found < expected {
            true => Err(DataError::Truncated { place: self.place.clone(), expected, found }),
            false => Ok(()),
        }
    }

    fn wrong(&self, error: io::Error) -> DataError {
        let place = self.place.clone();
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        match error.kind() {
            InvalidData | InvalidInput | UnexpectedEof => DataError::Compressed { place, error },
            _ => DataError::Io { place, error },
        }
    }
}
