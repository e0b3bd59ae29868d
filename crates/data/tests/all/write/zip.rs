//! Zip archives, as `numpy.savez` and `numpy.savez_compressed` write them.

use std::io::Write;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

/// How members are stored in an archive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Packing {
    Stored,
    Deflated,
    /// Deflated, with all sizes and offsets in Zip64 records.
    Wide,
}

fn number(out: &mut Vec<u8>, n: u64, width: usize) {
    out.extend(&n.to_le_bytes()[..width]);
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// An archive of named arrays.
pub fn npz(members: &[(&str, Vec<u8>)], packing: Packing) -> Vec<u8> {
    let names: Vec<String> = members.iter().map(|(name, _)| format!("{name}.npy")).collect();
    let files = names.iter().zip(members).map(|(name, (_, bytes))| (name.as_str(), bytes.clone()));
    zip(&files.collect::<Vec<_>>(), packing)
}

/// An archive of files.
pub fn zip(members: &[(&str, Vec<u8>)], packing: Packing) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in members {
        let stored = packing == Packing::Stored;
        let packed = if stored { bytes.clone() } else { deflate(bytes) };
        let mut crc = Crc::new();
        crc.update(bytes);
        let at = out.len() as u64;
        let wide = packing == Packing::Wide;
        let sizes = [bytes.len() as u64, packed.len() as u64, at];
        let narrow = |n: u64| if wide { 0xffff_ffff } else { n };
        // Version, flags, method, time, date, checksum, sizes, lengths of name and extra field.
        let head = |out: &mut Vec<u8>, extra: u64| {
            let method = if stored { 0 } else { 8 };
            for (n, width) in [(45, 2), (0, 2), (method, 2), (0, 4), (u64::from(crc.sum()), 4)] {
                number(out, n, width);
            }
            number(out, narrow(sizes[1]), 4);
            number(out, narrow(sizes[0]), 4);
            number(out, name.len() as u64, 2);
            number(out, extra, 2);
        };
        // NumPy always reserves space for 64-bit sizes here.
        out.extend(b"PK\x03\x04");
        head(&mut out, 20);
        out.extend(name.as_bytes());
        for (n, width) in [(1, 2), (16, 2), (sizes[0], 8), (sizes[1], 8)] {
            number(&mut out, n, width);
        }
        out.extend(&packed);
        directory.extend(b"PK\x01\x02");
        number(&mut directory, 45, 2);
        head(&mut directory, if wide { 5 + 28 } else { 0 });
        for (n, width) in [(0, 2), (0, 2), (0, 2), (0, 4), (narrow(at), 4)] {
            number(&mut directory, n, width);
        }
        directory.extend(name.as_bytes());
        if wide {
            // An extra field of another kind first, then the Zip64 field.
            directory.extend([9, 0, 1, 0, 7]);
            for (n, width) in [(1, 2), (24, 2), (sizes[0], 8), (sizes[1], 8), (at, 8)] {
                number(&mut directory, n, width);
            }
        }
    }
    finish(out, &directory, members.len() as u64, packing == Packing::Wide)
}

fn finish(mut out: Vec<u8>, directory: &[u8], count: u64, wide: bool) -> Vec<u8> {
    let (start, size) = (out.len() as u64, directory.len() as u64);
    out.extend(directory);
    if wide {
        let at = out.len() as u64;
        out.extend(b"PK\x06\x06");
        for (n, width) in [(44, 8), (45, 2), (45, 2), (0, 4), (0, 4)] {
            number(&mut out, n, width);
        }
        for n in [count, count, size, start] {
            number(&mut out, n, 8);
        }
        out.extend(b"PK\x06\x07");
        for (n, width) in [(0, 4), (at, 8), (1, 4)] {
            number(&mut out, n, width);
        }
    }
    let (count, size, start) =
        if wide { (0xffff, 0xffff_ffff, 0xffff_ffff) } else { (count, size, start) };
    out.extend(b"PK\x05\x06");
    for (n, width) in [(0, 2), (0, 2), (count, 2), (count, 2), (size, 4), (start, 4), (3, 2)] {
        number(&mut out, n, width);
    }
    out.extend(b"end");
    out
}
