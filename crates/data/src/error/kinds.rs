//! Recognizes files of other formats by their first bytes.

/// First bytes of a file, its format, and what to do about it.
const KINDS: [(&[u8], &str); 20] = [
    (b"<!DOCTYPE", "a web page: the download failed, or needs a login; download it again"),
    (b"<!doctype", "a web page: the download failed, or needs a login; download it again"),
    (b"<html", "a web page: the download failed, or needs a login; download it again"),
    (b"<HTML", "a web page: the download failed, or needs a login; download it again"),
    (b"<?xml", "an XML document, often an error of a download; download it again"),
    (b"version https:", "a pointer of Git LFS: fetch the file with `git lfs pull`"),
    (b"\x89HDF", "an HDF5 file (.h5, .mat): save its images as .npy or .npz"),
    (b"MATLAB", "a MATLAB file: save its images with scipy.io.loadmat and numpy.savez"),
    (b"PAR1", "a Parquet file: write `parquet:FILE-or-FOLDER`"),
    (b"\x80\x04", "a Python pickle, which can run code and is not read: save arrays as .npz"),
    (b"\x80\x03", "a Python pickle, which can run code and is not read: save arrays as .npz"),
    (b"\x80\x02", "a Python pickle, which can run code and is not read: save arrays as .npz"),
    (b"\x93NUMPY", "an array of NumPy: write `npy:FILE`"),
    (b"PK\x03\x04", "a zip archive: unpack it; if it is an .npz, write `npz:FILE`"),
    (b"\x89PNG", "a PNG picture: write `images:FOLDER` with its folder"),
    (b"\xff\xd8\xff", "a JPEG picture: write `images:FOLDER` with its folder"),
    (b"\xfd7zXZ", "compressed with xz: unpack it"),
    (b"BZh", "compressed with bzip2: unpack it"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it"),
    (b"Rar!", "a RAR archive: unpack it"),
];

/// What a file is, to follow "is not ...: " in an error.
pub fn what(found: &[u8]) -> String {
    let blank = found.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let text = found.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&found[blank..]);
    match KINDS.iter().find(|(mark, _)| text.starts_with(&mark[..mark.len().min(16)])) {
        Some((_, kind)) => format!("it is {kind}"),
        None => format!("it begins with the bytes {}", hex(found)),
    }
}

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().take(4).map(|b| format!("{b:02x}")).collect();
    if bytes.is_empty() { "none at all".to_string() } else { bytes.join(" ") }
}
