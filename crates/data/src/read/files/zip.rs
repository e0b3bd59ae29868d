//! Reads zip archives: the directory, and members that are stored or deflated, with or without
//! Zip64.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::super::input::{Input, open_file};
use crate::error::{DataError, Place};

/// The maximal size of a directory, enough for about 300,000 files. A larger one is a mistake or an
/// attack.
const MAX_DIRECTORY: u64 = 1 << 25;

/// The length of the record at the end without its comment, and of the longest comment.
const END: u64 = 22;
const COMMENT: u64 = 0xffff;

/// An open archive.
pub struct Archive {
    pub path: PathBuf,
    length: u64,
    pub members: Vec<Member>,
}

/// A file in an archive.
#[derive(Clone, Debug)]
pub struct Member {
    pub name: String,
    flags: u16,
    method: u16,
    crc: u32,
    compressed: u64,
    size: u64,
    header: u64,
}

/// Bytes of a record with little-endian numbers. Reading beyond its end gives `None`.
struct Record<'a>(&'a [u8]);

impl Record<'_> {
    fn number(&self, at: usize, width: usize) -> Option<u64> {
        let bytes = self.0.get(at..at.checked_add(width)?)?;
        Some(bytes.iter().rev().fold(0, |all, &byte| all << 8 | u64::from(byte)))
    }

    fn begins(&self, mark: &[u8]) -> bool {
        self.0.starts_with(mark)
    }
}

impl Archive {
    /// Reads the directory of an archive. `expected` is the name of the format in errors.
    ///
    /// # Errors
    /// If the file cannot be read, is not a zip archive, or its directory is damaged.
    pub fn open(path: &Path, expected: &'static str) -> Result<Archive, DataError> {
        let place = Place::file(path);
        let io = |error| DataError::Io { place: place.clone(), error };
        let damaged = |what| DataError::Damaged { place: place.clone(), what };
        let (mut file, length) = open_file(path)?;
        let head = bytes(&mut file, 0, length.min(16)).map_err(io)?;
        if !head.starts_with(b"PK\x03\x04") && !head.starts_with(b"PK\x05\x06") {
            return Err(DataError::Magic { place, expected, found: head });
        }
        let reach = length.min(END + COMMENT);
        let end = bytes(&mut file, length - reach, reach).map_err(io)?;
        let at = (0..end.len()).rev().find(|&at| {
            let record = Record(&end[at..]);
            let comment = record.number(20, 2).map(|n| n as usize + END as usize);
            record.begins(b"PK\x05\x06") && comment == Some(end.len() - at)
        });
        let cut = "it is truncated: the directory at its end is missing";
        let at = at.ok_or_else(|| damaged(cut))?;
        let record = Record(&end[at..]);
        let field = |at, width| record.number(at, width).ok_or_else(|| damaged(cut));
        let (mut count, mut size, mut start) = (field(10, 2)?, field(12, 4)?, field(16, 4)?);
        if count == 0xffff || size == 0xffff_ffff || start == 0xffff_ffff {
            let before = length - reach + at as u64;
            let wide = wide_end(&mut file, before).map_err(io)?;
            (count, size, start) = wide.ok_or_else(|| damaged("its Zip64 directory is damaged"))?;
        }
        let outside = start.checked_add(size).is_none_or(|end| end > length);
        if outside || size > MAX_DIRECTORY {
            return Err(damaged("its directory lies outside of the file"));
        }
        let directory = bytes(&mut file, start, size).map_err(io)?;
        let members = members(&directory, count);
        let members = members.ok_or_else(|| damaged("its directory is damaged"))?;
        Ok(Archive { path: path.to_path_buf(), length, members })
    }

    /// Opens a member; `key` is its name in errors. With `checked`, its checksum is verified at the
    /// end. Without, bytes of a stored member can be skipped without reading them.
    ///
    /// # Errors
    /// If the member is outside the file, or its compression is not supported.
    pub fn input(&self, at: usize, key: &str, checked: bool) -> Result<Input, DataError> {
        let place = Place::member(&self.path, key);
        let io = |error| DataError::Io { place: place.clone(), error };
        let damaged = |what| DataError::Damaged { place: place.clone(), what };
        let member = self.members.get(at).ok_or_else(|| damaged("it is not in the archive"))?;
        let unsupported = |what: &str| {
            Err(DataError::Unsupported { place: place.clone(), what: what.to_string() })
        };
        if member.flags & 1 != 0 {
            return unsupported("it is encrypted: unpack it first");
        }
        let (mut file, _) = open_file(&self.path)?;
        let outside = "it lies outside of the file";
        let left = self.length.checked_sub(member.header).ok_or_else(|| damaged(outside))?;
        let header = bytes(&mut file, member.header, left.min(30)).map_err(io)?;
        let record = Record(&header);
        let names = record.number(26, 2).zip(record.number(28, 2));
        let names = names.filter(|_| record.begins(b"PK\x03\x04"));
        let (name, extra) = names.ok_or_else(|| damaged("its own header is missing"))?;
        let start = member.header + 30 + name + extra;
        if start.checked_add(member.compressed).is_none_or(|end| end > self.length) {
            return Err(damaged(outside));
        }
        if member.method == 0 && !checked {
            return Input::part(place, file, start, member.compressed);
        }
        file.seek(SeekFrom::Start(start)).map_err(io)?;
        let packed = BufReader::with_capacity(1 << 16, file.take(member.compressed));
        let checked =
            |reader| Box::new(Checked { reader, sum: Crc::new(), member: member.clone() });
        Ok(match member.method {
            0 => Input::plain(place, checked(Box::new(packed)), member.compressed),
            8 => {
                let reader = checked(Box::new(DeflateDecoder::new(packed)));
                Input::deflated(place, reader, member.compressed)
            }
            _ => {
                return unsupported(
                    "it is compressed in a way that is not read here; save arrays with \
                     `numpy.savez_compressed`, pack other files with deflate",
                );
            }
        })
    }
}

fn bytes(file: &mut File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    Read::by_ref(file).take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The number of members, and the size and offset of the directory, of a Zip64 archive.
fn wide_end(file: &mut File, before: u64) -> io::Result<Option<(u64, u64, u64)>> {
    let Some(at) = before.checked_sub(20) else { return Ok(None) };
    let locator = bytes(file, at, 20)?;
    let Some(at) = Record(&locator).number(8, 8).filter(|_| locator.starts_with(b"PK\x06\x07"))
    else {
        return Ok(None);
    };
    let end = bytes(file, at, 56)?;
    let end = Record(&end);
    let fields = || Some((end.number(32, 8)?, end.number(40, 8)?, end.number(48, 8)?));
    Ok(fields().filter(|_| end.begins(b"PK\x06\x06")))
}

fn members(mut directory: &[u8], count: u64) -> Option<Vec<Member>> {
    let mut members = Vec::new();
    for _ in 0..count {
        let record = Record(directory);
        if !record.begins(b"PK\x01\x02") {
            return None;
        }
        let field = |at, width| record.number(at, width);
        let (name, extra) = (field(28, 2)? as usize, field(30, 2)? as usize);
        let comment = field(32, 2)? as usize;
        let names = directory.get(46..46 + name)?;
        let mut member = Member {
            name: String::from_utf8_lossy(names).into_owned(),
            flags: field(8, 2)? as u16,
            method: field(10, 2)? as u16,
            crc: field(16, 4)? as u32,
            compressed: field(20, 4)?,
            size: field(24, 4)?,
            header: field(42, 4)?,
        };
        widen(&mut member, directory.get(46 + name..46 + name + extra)?)?;
        members.push(member);
        directory = directory.get(46 + name + extra + comment..)?;
    }
    Some(members)
}

/// Reads numbers that do not fit into 32 bits from the Zip64 extra field, which has only those, in
/// a fixed order.
fn widen(member: &mut Member, mut extra: &[u8]) -> Option<()> {
    let wide = |n: u64| n == 0xffff_ffff;
    if !wide(member.size) && !wide(member.compressed) && !wide(member.header) {
        return Some(());
    }
    while !extra.is_empty() {
        let record = Record(extra);
        let (id, length) = (record.number(0, 2)?, record.number(2, 2)? as usize);
        if id == 1 {
            let fields = [&mut member.size, &mut member.compressed, &mut member.header];
            for (i, field) in fields.into_iter().filter(|n| wide(**n)).enumerate() {
                *field = record.number(4 + 8 * i, 8)?;
            }
            return Some(());
        }
        extra = extra.get(4 + length..)?;
    }
    None
}

/// Verifies the length and the checksum when the end is reached.
struct Checked {
    reader: Box<dyn Read>,
    sum: Crc,
    member: Member,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        self.sum.update(&buffer[..n]);
        // The length is compared modulo 2^32.
        let whole = self.sum.amount() == self.member.size as u32;
        if n == 0 && !buffer.is_empty() && !(whole && self.sum.sum() == self.member.crc) {
            let wrong = "the checksum does not agree";
            return Err(io::Error::new(io::ErrorKind::InvalidData, wrong));
        }
        Ok(n)
    }
}
