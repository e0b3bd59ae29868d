//! Headers of tar archives: ustar, with long names of GNU and pax. The `tar` crate would also read
//! times and attributes; only the offset of each file is needed here.

use crate::bytes::Bytes;
use crate::error::{DataError, Place};

const BLOCK: u64 = 512;

/// The longest name.
const MAX_NAME: u64 = 1 << 16;

/// A file in an archive.
pub struct Member {
    pub name: String,
    pub start: u64,
    pub length: u64,
}

/// Whether these are the first bytes of a tar archive.
pub fn is_header(head: &[u8]) -> bool {
    head.get(257..262) == Some(b"ustar") && sum_agrees(head)
}

/// The files of an archive.
///
/// # Errors
/// If it cannot be read, or a header is damaged.
pub fn members(place: &Place, bytes: &Bytes) -> Result<Vec<Member>, DataError> {
    let io = |error| DataError::Io { place: place.clone(), error };
    let damaged = |what| DataError::Damaged { place: place.clone(), what };
    let (mut members, mut at) = (Vec::new(), 0u64);
    let mut long = None;
    let mut head = [0; BLOCK as usize];
    while at + BLOCK <= bytes.length() {
        bytes.read(at, &mut head).map_err(io)?;
        if head.iter().all(|&b| b == 0) {
            return Ok(members);
        }
        let length = number(&head[124..136]).filter(|_| sum_agrees(&head));
        let length = length.ok_or_else(|| damaged("a header in the tar archive is wrong"))?;
        let start = at + BLOCK;
        let end = start.checked_add(length).filter(|&end| end <= bytes.length());
        let end = end.ok_or_else(|| damaged("the tar archive is truncated"))?;
        match head[156] {
            b'L' | b'x' if length <= MAX_NAME => {
                let mut text = vec![0; length as usize];
                bytes.read(start, &mut text).map_err(io)?;
                let name = if head[156] == b'L' { Some(text_of(&text)) } else { pax_path(&text) };
                long = name.or(long);
            }
            b'0' | 0 | b'7' => {
                let name = long.take().unwrap_or_else(|| short_name(&head));
                members.push(Member { name, start, length });
            }
            b'g' => {}
            _ => long = None,
        }
        at = end.div_ceil(BLOCK).saturating_mul(BLOCK);
    }
    match at >= bytes.length() {
        true => Ok(members),
        false => Err(damaged("the tar archive is truncated")),
    }
}

fn short_name(head: &[u8]) -> String {
    let (name, before) = (text_of(&head[..100]), text_of(&head[345..500]));
    match head[257..265] == *b"ustar\x0000" && !before.is_empty() {
        true => format!("{before}/{name}"),
        false => name,
    }
}

/// The text before the first zero byte.
fn text_of(bytes: &[u8]) -> String {
    let text = bytes.split(|&b| b == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// A number in octal digits, or in binary if the first bit is set.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let bytes = &field[field.len() - 8..];
        return Some(bytes.iter().fold(0, |all, &b| all << 8 | u64::from(b)));
    }
    let text = text_of(field);
    let text = text.trim();
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}

/// Whether the checksum of a header is correct. Its own field counts as spaces.
fn sum_agrees(head: &[u8]) -> bool {
    let Some(field) = head.get(148..156) else { return false };
    let sum: u64 = head.iter().map(|&b| u64::from(b)).sum();
    let own: u64 = field.iter().map(|&b| u64::from(b)).sum();
    number(field) == Some(sum - own + 8 * 32)
}

/// The `path` in a pax header, whose lines have a length, a key and a value.
fn pax_path(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    text.lines().find_map(|line| line.split_once(" path=").map(|(_, path)| path.to_string()))
}
