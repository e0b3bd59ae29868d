//! Writes NumPy arrays for tests.

/// An `.npy` file of f32 or u8 (`<f4`, `|u1`).
pub fn npy(elements: &str, dims: &[usize], bytes: &[u8]) -> Vec<u8> {
    let dims: Vec<String> = dims.iter().map(|n| format!("{n},")).collect();
    let dims = dims.join(" ");
    let mut text =
        format!("{{'descr': '{elements}', 'fortran_order': False, 'shape': ({dims}), }}");
    text.push_str(&" ".repeat(63 - (10 + text.len()) % 64));
    text.push('\n');
    let length = u16::try_from(text.len()).unwrap();
    [b"\x93NUMPY\x01\x00", &length.to_le_bytes()[..], text.as_bytes(), bytes].concat()
}

/// An `.npy` file of f32.
pub fn floats(dims: &[usize], value: impl Fn(usize) -> f32) -> Vec<u8> {
    let bytes: Vec<u8> = (0..dims.iter().product()).flat_map(|i| value(i).to_le_bytes()).collect();
    npy("<f4", dims, &bytes)
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| (c >> 1) ^ (0xedb8_8320 & (c & 1).wrapping_neg()))
    })
}

/// An uncompressed archive of arrays, as `numpy.savez` writes it.
pub fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in arrays {
        let (name, at) = (format!("{name}.npy"), out.len() as u32);
        let mut head = [20u16, 0, 0, 0, 0].map(u16::to_le_bytes).concat();
        for n in [crc(bytes), bytes.len() as u32, bytes.len() as u32] {
            head.extend(n.to_le_bytes());
        }
        head.extend([name.len() as u16, 0].map(u16::to_le_bytes).concat());
        out.extend([b"PK\x03\x04", &head[..], name.as_bytes(), bytes].concat());
        // Comment, disk, attributes; then the offset of the member.
        let rest = [&[0; 10][..], &at.to_le_bytes(), name.as_bytes()].concat();
        directory.extend([b"PK\x01\x02\x14\x00", &head[..], &rest].concat());
    }
    let (count, at) = (arrays.len() as u16, out.len() as u32);
    let counts = [0, 0, count, count].map(u16::to_le_bytes).concat();
    let places = [directory.len() as u32, at].map(u32::to_le_bytes).concat();
    out.extend([&directory[..], b"PK\x05\x06", &counts, &places, &[0, 0]].concat());
    out
}

/// Writes an archive of 8 x 8 images with 17 levels and a map of edges, 24 for training and 8 for
/// testing, and a file with 5 maps.
pub fn edges(folder: &std::path::Path) {
    let images = |count: usize| {
        let bytes: Vec<u8> = (0..count * 64).map(|i| (i * 7 % 17) as u8).collect();
        npy("|u1", &[count, 8, 8], &bytes)
    };
    let maps = |count: usize| floats(&[count, 8, 8], |i| (i * 5 % 16) as f32 / 16.0);
    let arrays = [
        ("train", images(24)),
        ("train_edges", maps(24)),
        ("test", images(8)),
        ("test_edges", maps(8)),
        ("levels", npy("|u1", &[], &[17])),
    ];
    std::fs::write(folder.join("edges.npz"), npz(&arrays)).unwrap();
    std::fs::write(folder.join("edges.npy"), maps(5)).unwrap();
}
