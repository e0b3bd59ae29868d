//! Bytes with random access: in memory, in a file, or in a temporary file.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::Mutex;

/// Bytes that any thread can read at any offset.
#[derive(Debug)]
pub enum Bytes {
    /// Bytes in memory.
    Memory(Vec<u8>),
    /// A part of a file, which is read on demand.
    File {
        /// The file. Its cursor is moved only while the lock is held.
        file: Mutex<File>,
        /// The offset of the first byte.
        start: u64,
        /// The number of bytes.
        length: u64,
    },
}

impl Bytes {
    /// The number of bytes.
    pub fn length(&self) -> u64 {
        match self {
            Bytes::Memory(bytes) => bytes.len() as u64,
            Bytes::File { length, .. } => *length,
        }
    }

    /// Fills `out` with the bytes from offset `at`.
    ///
    /// # Errors
    /// If there are fewer bytes, or the file cannot be read.
    pub fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        let end = at.checked_add(out.len() as u64).filter(|&end| end <= self.length());
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        match self {
            Bytes::Memory(bytes) => {
                let part = bytes.get(at as usize..end as usize);
                out.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
            Bytes::File { file, start, .. } => {
                // If a thread panicked while it held the lock, only the cursor is wrong, and it is
                // set here.
                let mut file = file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                file.seek(SeekFrom::Start(start.saturating_add(at)))?;
                file.read_exact(out)
            }
        }
    }
}

/// Collects bytes: in memory as long as they fit, then in a temporary file, which the system
/// removes when it is closed.
pub struct Spool {
    memory: Vec<u8>,
    room: u64,
    file: Option<BufWriter<File>>,
    length: u64,
}

impl Spool {
    /// An empty spool that holds at most `room` bytes in memory.
    pub fn new(room: u64) -> Spool {
        Spool { memory: Vec::new(), room, file: None, length: 0 }
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// If the temporary file cannot be written.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length += bytes.len() as u64;
        if self.file.is_none() && self.length > self.room {
            let mut file = BufWriter::with_capacity(1 << 20, tempfile::tempfile()?);
            file.write_all(&self.memory)?;
            self.memory = Vec::new();
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes),
            None => {
                self.memory.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// The collected bytes.
    ///
    /// # Errors
    /// If the temporary file cannot be written.
    pub fn finish(self) -> io::Result<Bytes> {
        let Some(file) = self.file else { return Ok(Bytes::Memory(self.memory)) };
        let file = Mutex::new(file.into_inner().map_err(io::IntoInnerError::into_error)?);
        Ok(Bytes::File { file, start: 0, length: self.length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_in_memory_goes_to_a_file_and_reads_the_same() -> io::Result<()> {
        let data: Vec<u8> = (0..=255).collect();
        for room in [0, 1, 100, 255, 256] {
            let mut spool = Spool::new(room);
            data.chunks(7).try_for_each(|piece| spool.push(piece))?;
            let bytes = spool.finish()?;
            assert_eq!(matches!(bytes, Bytes::Memory(_)), room == 256);
            assert_eq!(bytes.length(), 256);
            for at in [0, 3, 200, 100, 246] {
                let mut out = [0; 10];
                bytes.read(at as u64, &mut out)?;
                assert_eq!(out, data[at..at + 10]);
            }
            assert!(bytes.read(250, &mut [0; 10]).is_err());
            assert!(bytes.read(u64::MAX, &mut [0; 10]).is_err());
        }
        Ok(())
    }
}
