//! Writers of all formats, as simple as possible.

pub mod jpeg;
pub mod tar;
pub mod zip;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

/// `count` pseudorandom bytes.
pub fn noise(count: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..count).map(|_| next()).collect()
}

/// Writes a file into a folder, and returns its path.
pub fn file(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    // Some file systems wait for the disk when a file is overwritten.
    let _ = fs::remove_file(&path);
    fs::write(&path, bytes).expect("a file");
    path
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// A NumPy array of any element type and memory order.
pub fn npy_of(elements: &str, fortran: bool, dims: &[usize], bytes: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let comma = if dims.len() == 1 { "," } else { "" };
    let dims = dims.iter().map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let text =
        format!("'descr': '{elements}', 'fortran_order': {order}, 'shape': ({dims}{comma}), ");
    let mut text = format!("{{{text}}}");
    while (10 + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend((text.len() as u16).to_le_bytes());
    npy.extend(text.as_bytes());
    npy.extend(bytes);
    npy
}

/// A NumPy array of bytes.
pub fn npy(dims: &[usize], bytes: &[u8]) -> Vec<u8> {
    npy_of("|u1", false, dims, bytes)
}

/// An IDX file.
pub fn idx(dims: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut idx = vec![0, 0, 8, dims.len() as u8];
    idx.extend(dims.iter().flat_map(|n| n.to_be_bytes()));
    idx.extend(bytes);
    idx
}

/// A PNG of any color type and depth.
pub fn png_of(
    size: (u32, u32),
    colour: png::ColorType,
    depth: png::BitDepth,
    data: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size.1, size.0);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if colour == png::ColorType::Indexed {
        encoder.set_palette(vec![0, 0, 0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
    }
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(data).expect("an image");
    writer.finish().expect("an end");
    bytes
}

/// A gray PNG, height x width.
pub fn grey(size: (u32, u32), data: &[u8]) -> Vec<u8> {
    png_of(size, png::ColorType::Grayscale, png::BitDepth::Eight, data)
}

/// A color PNG, height x width.
pub fn rgb(size: (u32, u32), data: &[u8]) -> Vec<u8> {
    png_of(size, png::ColorType::Rgb, png::BitDepth::Eight, data)
}
