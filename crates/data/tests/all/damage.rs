//! Files of every format, truncated at every byte and with every byte changed. Nothing may panic,
//! and if bytes are missing, the error must name the file.

use std::path::{Path, PathBuf};

use pixelrnn_data::{DataError, Dataset, Split};

use crate::write::jpeg::jpeg;
use crate::write::tar::tar;
use crate::write::zip::{Packing, npz, zip};
use crate::write::{file, grey, gzip, idx, noise, npy, rgb};
use crate::{load, says, spec};

/// For each case: the source, the file to write, the path in `--data`, and the valid bytes.
fn cases(folder: &Path) -> Vec<(&'static str, PathBuf, PathBuf, Vec<u8>)> {
    let array = npy(&[2, 3, 3], &noise(18));
    let blocks: Vec<Vec<Vec<u8>>> = vec![vec![vec![9, 100, 200]; 3]; 2];
    let record = [vec![3], noise(3072)].concat();
    let one = |source, name: &str, bytes| {
        let place = folder.join(name);
        (source, place.join(name), place.join(name), bytes)
    };
    let among = |source, name: &str, bytes| {
        let place = folder.join(format!("in-{name}"));
        (source, place.join(name), place, bytes)
    };
    let members = [("train", array.clone()), ("test", array.clone())];
    vec![
        one("npy", "a.npy", array.clone()),
        one("npy", "a.npy.gz", gzip(&array)),
        one("npz", "stored.npz", npz(&members, Packing::Stored)),
        one("npz", "deflated.npz", npz(&members, Packing::Deflated)),
        one("npz", "wide.npz", npz(&members, Packing::Wide)),
        one("idx", "a.idx", idx(&[2, 3, 3], &noise(18))),
        one("idx", "a.idx.gz", gzip(&idx(&[2, 3, 3], &noise(18)))),
        among("cifar10", "data_batch_1.bin", record),
        among("images", "grey.png", grey((3, 4), &noise(12))),
        among("images", "rgb.png", rgb((3, 4), &noise(36))),
        among("images", "rgb.jpg", jpeg(&blocks)),
    ]
}

fn attempt(source: &str, path: &Path, named: &Path, bytes: &[u8]) -> Result<Dataset, DataError> {
    let folder = path.parent().expect("a folder");
    file(folder, &path.file_name().expect("a name").to_string_lossy(), bytes);
    load(&spec(source, named, ""))
}

#[test]
fn cut_short_anywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    for (source, path, named, good) in cases(folder.path()) {
        let whole = attempt(source, &path, &named, &good);
        assert!(whole.is_ok(), "{}: {:?}", path.display(), whole.err());
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let step = if source == "cifar10" { 97 } else { 1 };
        for length in (0..good.len()).step_by(step) {
            match attempt(source, &path, &named, &good[..length]) {
                Ok(_) => panic!("{name} loads with {length} of {} bytes", good.len()),
                Err(error) => says(&error.to_string(), &[&name]),
            }
        }
    }
}

#[test]
fn changed_anywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    for (source, path, named, good) in cases(folder.path()) {
        let step = if source == "cifar10" { 97 } else { 1 };
        for at in (0..good.len()).step_by(step) {
            for change in [0x01, 0x80, 0xff, good[at]] {
                let mut bytes = good.clone();
                bytes[at] ^= change;
                // Some changes are harmless or give another picture, but nothing worse may happen.
                if let Ok(data) = attempt(source, &path, &named, &bytes) {
                    let Ok(images) = data.images(Split::Train) else { continue };
                    let values = images.shape().values() * images.count();
                    assert_eq!(images.pixels().expect("pixels").len(), values);
                }
            }
        }
    }
}

/// Archives and tables: after some damage, the remaining data are valid.
#[test]
fn archives_and_tables_changed_or_cut_anywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = grey((2, 2), &noise(4));
    let pictures = [("train/a/0.png", picture.clone()), ("train/b/1.png", picture)];
    let images = idx(&[2, 3, 3], &noise(18));
    let sets =
        [("train-images-idx3-ubyte", images), ("train-labels-idx1-ubyte", idx(&[2], &[1, 0]))];
    let table = "label,a,b,c,d\n1,2,3,4,5\n0,1,2,3,255\n";
    let table = table.replace(",a,b,c,d", &",p".repeat(64)).replace(",2,3", &",2,3".repeat(31));
    let files: [(&str, &str, Vec<u8>); 6] = [
        ("images", "a.zip", zip(&pictures, Packing::Deflated)),
        ("images", "a.tar", tar(&pictures)),
        ("idx", "b.zip", zip(&sets, Packing::Stored)),
        ("idx", "b.tar.gz", gzip(&tar(&sets))),
        ("csv", "c.csv", table.into_bytes()),
        ("amat", "c.amat.gz", gzip(b"0 1 1 0\n1 1 0 0\n")),
    ];
    for (source, name, good) in files {
        let path = folder.path().join(name);
        for length in (0..good.len()).step_by(3) {
            let _ = attempt(source, &path, &path, &good[..length]);
        }
        for at in (0..good.len()).step_by(if good.len() > 2000 { 7 } else { 1 }) {
            for change in [0x01, 0x80, 0xff, good[at]] {
                let mut bytes = good.clone();
                bytes[at] ^= change;
                if let Err(error) = attempt(source, &path, &path, &bytes) {
                    says(&error.to_string(), &[name]);
                }
            }
        }
    }
}

#[test]
fn changed_members_do_not_pass_their_checksums() {
    let folder = tempfile::tempdir().expect("a folder");
    let array = npy(&[2, 3, 3], &noise(18));
    let good = npz(&[("train", array.clone())], Packing::Stored);
    let start = good.windows(array.len()).position(|w| w == array).expect("the array");
    let path = folder.path().join("a.npz");
    for at in start..start + array.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        let error = attempt("npz", &path, &path, &bytes).expect_err("a wrong checksum");
        says(&error.to_string(), &["a.npz", "array `train`"]);
    }
    let mut bytes = good.clone();
    bytes[start + array.len() - 1] ^= 1;
    let error = attempt("npz", &path, &path, &bytes).expect_err("a wrong checksum");
    says(&error.to_string(), &["checksum"]);
}

#[test]
fn archives_that_lie() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.npz");
    let try_it = |bytes: &[u8], words: &[&str]| {
        let error = attempt("npz", &path, &path, bytes).expect_err("an error");
        says(&error.to_string(), words);
    };
    let array = npy(&[1 << 33, 1, 1], &noise(100));
    for packing in [Packing::Deflated, Packing::Wide] {
        try_it(&npz(&[("train", array.clone())], packing), &["8589934592", "at most"]);
    }
    try_it(&npz(&[("train", array)], Packing::Stored), &["truncated", "found 100"]);
    try_it(b"PK\x03\x04 and then nothing", &["the directory at its end is missing"]);
    try_it(b"not a zip", &["not an archive of NumPy", "6e 6f 74 20"]);
    try_it(&npy(&[1, 1, 1], &[0]), &["not an archive of NumPy"]);
    try_it(&npz(&[], Packing::Stored), &["no array at all"]);
    let good = npz(&[("train", npy(&[1, 1, 1], &[0]))], Packing::Stored);
    let directory = good.windows(4).position(|w| w == b"PK\x01\x02").expect("a directory");
    let mut encrypted = good.clone();
    encrypted[directory + 8] = 1;
    try_it(&encrypted, &["encrypted"]);
    let mut packed = good;
    packed[directory + 10] = 14;
    try_it(&packed, &["savez_compressed"]);
}
