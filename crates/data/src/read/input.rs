//! Sequential reading of a file or a member of an archive. Memory is allocated only for bytes that
//! the file can contain.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex};

use flate2::read::MultiGzDecoder;

use crate::bytes::Bytes;
use crate::error::{DataError, Place};

/// The largest compression ratio of deflate.
const DEFLATE_RATIO: u64 = 1032;

/// The maximal number of bytes that are read at once: labels, text, or a picture.
const MAX_PIECE: u64 = 1 << 30;

/// A stream of bytes with a known maximal length.
pub struct Input {
    place: Place,
    stream: Stream,
    /// The maximal number of bytes that are left.
    room: u64,
}

enum Stream {
    /// A part of a file, in which bytes can be skipped without reading them.
    Plain { file: BufReader<File>, at: u64 },
    /// A stream in which skipped bytes must be read. With `exact`, exactly `room` bytes are left.
    Read { reader: Box<dyn Read>, exact: bool },
}

/// Opens a regular file. Returns it with its length.
///
/// # Errors
/// If the file cannot be opened, or is a folder, a pipe or a device.
pub fn open_file(path: &Path) -> Result<(File, u64), DataError> {
    let place = Place::file(path);
    let wrong = |error| DataError::Io { place: place.clone(), error };
    // Check before opening: opening a pipe would wait for a writer.
    let kind = path.metadata().map_err(wrong)?;
    if !kind.is_file() {
        let found = if kind.is_dir() { "a folder" } else { "a pipe, a socket or a device" };
        return Err(DataError::NotAFile { place, found });
    }
    let file = File::open(path).map_err(wrong)?;
    let length = file.metadata().map_err(wrong)?.len();
    Ok((file, length))
}

impl Input {
    /// Opens a file. If its first bytes are those of gzip, it is decompressed.
    ///
    /// # Errors
    /// If it cannot be opened, or is not a regular file.
    pub fn open(path: &Path) -> Result<Input, DataError> {
        let (file, length) = open_file(path)?;
        Input::part(Place::file(path), file, 0, length)
    }

    /// Opens a part of a file; if it is gzipped, it is decompressed.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn part(place: Place, file: File, start: u64, length: u64) -> Result<Input, DataError> {
        let mut file = BufReader::with_capacity(1 << 16, file);
        let wrong = |error| DataError::Io { place: place.clone(), error };
        file.seek(SeekFrom::Start(start)).map_err(wrong)?;
        let mut head = Vec::new();
        Read::by_ref(&mut file).take(length.min(2)).read_to_end(&mut head).map_err(wrong)?;
        file.seek(SeekFrom::Start(start)).map_err(wrong)?;
        Ok(match head == [0x1f, 0x8b] {
            true => {
                let reader = MultiGzDecoder::new(BufReader::new(file.take(length)));
                Input::deflated(place, Box::new(reader), length)
            }
            false => Input { place, stream: Stream::Plain { file, at: start }, room: length },
        })
    }

    /// Opens a part of `bytes`; if it is gzipped, it is decompressed.
    pub fn within(place: Place, bytes: Arc<Bytes>, start: u64, length: u64) -> Input {
        let reader = BufReader::with_capacity(1 << 16, Within { bytes, at: start, left: length });
        Input::plain(place, Box::new(reader), length).gunzip()
    }

    /// A stream of exactly `length` bytes.
    pub fn plain(place: Place, reader: Box<dyn Read>, length: u64) -> Input {
        Input { place, stream: Stream::Read { reader, exact: true }, room: length }
    }

    /// A stream that is decompressed from `length` bytes.
    pub fn deflated(place: Place, reader: Box<dyn Read>, length: u64) -> Input {
        let room = length.saturating_mul(DEFLATE_RATIO);
        Input { place, stream: Stream::Read { reader, exact: false }, room }
    }

    /// The same stream, decompressed if it starts like a gzip file. Read errors are reported later.
    pub fn gunzip(mut self) -> Input {
        if let Stream::Plain { .. } = self.stream {
            return self;
        }
        let length = self.room;
        let head = self.up_to(2).unwrap_or_default();
        let gzip = head == [0x1f, 0x8b];
        let exact = !self.is_compressed();
        let place = self.place.clone();
        let whole = Box::new(Cursor::new(head).chain(self));
        match gzip {
            true => {
                Input::deflated(place, Box::new(MultiGzDecoder::new(BufReader::new(whole))), length)
            }
            false => Input { place, stream: Stream::Read { reader: whole, exact }, room: length },
        }
    }

    /// The file or member.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The maximal number of bytes that are left.
    pub fn room(&self) -> u64 {
        self.room
    }

    /// Whether bytes must be decompressed to be skipped.
    pub fn is_compressed(&self) -> bool {
        matches!(self.stream, Stream::Read { exact: false, .. })
    }

    /// The remaining bytes with random access, without copying them; `None` if the file is
    /// compressed.
    pub fn direct(&self) -> Option<Bytes> {
        let Stream::Plain { at, .. } = &self.stream else { return None };
        let file = Mutex::new(File::open(&self.place.path).ok()?);
        Some(Bytes::File { file, start: *at, length: self.room })
    }

    /// Skips bytes.
    ///
    /// # Errors
    /// If they cannot be read. If there are fewer, the next read fails.
    pub fn skip(&mut self, length: u64) -> Result<(), DataError> {
        let length = length.min(self.room);
        let place = self.place.clone();
        match &mut self.stream {
            Stream::Plain { file, at } => {
                let step = i64::try_from(length).unwrap_or(i64::MAX);
                let wrong = |error| DataError::Io { place, error };
                file.seek_relative(step).map_err(wrong)?;
                *at += length;
                self.room -= length;
                Ok(())
            }
            Stream::Read { .. } => {
                let skipped = io::copy(&mut Read::by_ref(self).take(length), &mut io::sink());
                skipped.map(|_| ()).map_err(|error| self.wrong(error))
            }
        }
    }

    /// Reads the next `length` bytes, or fewer at the end.
    ///
    /// # Errors
    /// If they cannot be read or decompressed, or are more than can be read at once.
    pub fn up_to(&mut self, length: u64) -> Result<Vec<u8>, DataError> {
        if length.min(self.room) > MAX_PIECE {
            let (place, declared) = (self.place.clone(), u128::from(length));
            return Err(DataError::Oversized { place, declared, room: MAX_PIECE });
        }
        // Short pieces are allocated at once; long ones grow as bytes arrive.
        let mut bytes = Vec::with_capacity(length.min(self.room).min(1 << 20) as usize);
        let done = Read::by_ref(self).take(length).read_to_end(&mut bytes);
        done.map_err(|error| self.wrong(error))?;
        Ok(bytes)
    }

    /// Reads the next `length` bytes.
    ///
    /// # Errors
    /// If they cannot be read or decompressed, or the stream ends before.
    pub fn exactly(&mut self, length: u64) -> Result<Vec<u8>, DataError> {
        let bytes = self.up_to(length)?;
        let found = bytes.len() as u64;
        match found < length {
            true => {
                Err(DataError::Truncated { place: self.place.clone(), expected: length, found })
            }
            false => Ok(bytes),
        }
    }

    /// The number of bytes that a header declares, the product of `dims`.
    ///
    /// # Errors
    /// If the rest of the stream is known to be shorter or longer.
    pub fn declare(&self, dims: &[u64]) -> Result<u64, DataError> {
        let declared = dims.iter().fold(1u128, |all, &n| all.saturating_mul(u128::from(n)));
        let (place, room) = (self.place.clone(), self.room);
        let exact = !self.is_compressed();
        match u64::try_from(declared) {
            Ok(n) if exact && n > room => {
                Err(DataError::Truncated { place, expected: n, found: room })
            }
            Ok(n) if exact && n < room => Err(DataError::Trailing { place, expected: n }),
            Ok(n) if n <= room => Ok(n),
            _ => Err(DataError::Oversized { place, declared, room }),
        }
    }

    /// Reads the rest, which must have as many bytes as the product of `dims`.
    ///
    /// # Errors
    /// Those of [`Self::declare`] and [`Self::exactly`].
    pub fn rest(mut self, dims: &[u64]) -> Result<Vec<u8>, DataError> {
        let expected = self.declare(dims)?;
        let bytes = self.exactly(expected)?;
        self.end(expected)?;
        Ok(bytes)
    }

    /// Checks that the stream ends here. `expected` bytes have been read; it is the number in the
    /// error. Reading to the end also verifies checksums.
    ///
    /// # Errors
    /// If there are more bytes, or the checksum is wrong.
    pub fn end(&mut self, expected: u64) -> Result<(), DataError> {
        match self.up_to(1)?.is_empty() {
            true => Ok(()),
            false => Err(DataError::Trailing { place: self.place.clone(), expected }),
        }
    }

    /// Converts an error that occurred while reading.
    pub fn wrong(&self, error: io::Error) -> DataError {
        let place = self.place.clone();
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        match error.kind() {
            InvalidData | InvalidInput | UnexpectedEof => DataError::Compressed { place, error },
            _ => DataError::Io { place, error },
        }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match &mut self.stream {
            Stream::Plain { file, at } => {
                let most = usize::try_from(self.room).unwrap_or(usize::MAX).min(buffer.len());
                let n = file.read(&mut buffer[..most])?;
                *at += n as u64;
                n
            }
            Stream::Read { reader, .. } => reader.read(buffer)?,
        };
        self.room = self.room.saturating_sub(n as u64);
        Ok(n)
    }
}

/// A stream over a part of `bytes`.
struct Within {
    bytes: Arc<Bytes>,
    at: u64,
    left: u64,
}

impl Read for Within {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        self.bytes.read(self.at, &mut buffer[..n])?;
        self.at += n as u64;
        self.left -= n as u64;
        Ok(n)
    }
}
