//! `npz` and `npy`.

use pixelrnn_data::{Shape, Split};

use crate::write::zip::{Packing, npz};
use crate::write::{file, gzip, noise, npy, npy_of};
use crate::{complaint, load, pixels, says, spec};

#[test]
fn archives_however_they_are_packed() {
    let folder = tempfile::tempdir().expect("a folder");
    let [train, valid, test] = [11, 3, 2].map(|n| noise(n * 4 * 5 * 3));
    let members = [
        ("labels", npy_of("<i8", false, &[2], &[0; 16])),
        ("train", npy(&[11, 4, 5, 3], &train)),
        ("valid", npy(&[3, 4, 5, 3], &valid)),
        ("test", npy(&[2, 4, 5, 3], &test)),
    ];
    for packing in [Packing::Stored, Packing::Deflated, Packing::Wide] {
        let path = file(folder.path(), "a.npz", &npz(&members, packing));
        let data = load(&spec("npz", &path, "")).unwrap_or_else(|e| panic!("{packing:?}: {e}"));
        assert_eq!(data.shape(), Shape { height: 4, width: 5, colours: 3 });
        assert_eq!((data.levels(), data.shared()), (256, 0));
        assert_eq!(pixels(&data, Split::Train), train);
        assert_eq!(pixels(&data, Split::Valid), valid);
        assert_eq!(pixels(&data, Split::Test), test);
        assert_eq!(data.hold_out().images(Split::Train).expect("train").count(), 11);
    }
}

#[test]
fn splits_that_are_not_there_are_named_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let some = |n: usize| npy(&[n, 1, 2], &noise(n * 2));
    let path = file(folder.path(), "a.npz", &npz(&[("test", some(2))], Packing::Deflated));
    let data = load(&spec("npz", &path, "")).expect("data");
    assert_eq!(data.splits(), [Split::Test]);
    let missing = |split| data.images(split).expect_err("no split").to_string();
    says(
        &missing(Split::Train),
        &["no `train`", "array `train` is missing", "a.npz", "its splits: `test`"],
    );
    says(&missing(Split::Valid), &["no `valid`", "no training images to take them from"]);

    let path = file(folder.path(), "a.npy", &some(9));
    let data = load(&spec("npy", &path, "")).expect("data");
    let missing = |split| data.images(split).expect_err("no split").to_string();
    says(&missing(Split::Test), &["no `test`", "all of", "is `train`"]);
    says(
        &missing(Split::Valid),
        &["no `valid`", "0.1 of 9 training images", "less than one image", "`,holdout=SHARE`"],
    );

    let members = [("Train1", some(2)), ("other", some(2))];
    let path = file(folder.path(), "b.npz", &npz(&members, Packing::Stored));
    says(
        &complaint(&spec("npz", &path, "")),
        &["b.npz", "none of the arrays", "`Train1 (2 x 1 x 2, |u1)`", "`,array=Train1`"],
    );
}

#[test]
fn levels_of_arrays() {
    let folder = tempfile::tempdir().expect("a folder");
    let levels = |bytes: &[u8], options: &str| {
        let path = file(folder.path(), "a.npy", &npy(&[bytes.len(), 1, 1], bytes));
        let data = load(&spec("npy", &path, options)).expect("data");
        (data.levels(), pixels(&data, Split::Train).to_vec())
    };
    assert_eq!(levels(&[0, 1], ""), (2, vec![0, 1]));
    assert_eq!(levels(&[0, 16], ""), (256, vec![0, 16]));
    assert_eq!(levels(&[0, 16], ",levels=17"), (17, vec![0, 16]), "they are levels already");
    assert_eq!(levels(&[0, 17, 255], ",levels=17"), (17, vec![0, 1, 16]), "of 256");
    assert_eq!(levels(&[0, 1], ",levels=4"), (4, vec![0, 2]), "of 2");
    assert_eq!(
        levels(&[0, 1, 16], ",limit=2,shuffle=off"),
        (256, vec![0, 1]),
        "a limit changes nothing"
    );
    assert_eq!(levels(&[0, 4, 8, 16], ",levels=17,binarize=threshold"), (2, vec![0, 0, 1, 1]));

    let archive = |levels: u64, value: u8| {
        let members = [
            ("train", npy(&[2, 1, 2], &[0, 1, 2, value])),
            ("levels", npy_of("<i8", false, &[], &levels.to_le_bytes())),
        ];
        let path = file(folder.path(), "a.npz", &npz(&members, Packing::Stored));
        spec("npz", &path, "")
    };
    assert_eq!(load(&archive(17, 16)).expect("data").levels(), 17);
    let text = complaint(&archive(17, 17));
    says(&text, &["array `train`", "image 1", "value 17", "0 to 16 for 17 levels"]);
    says(&complaint(&archive(1000, 16)), &["array `levels`", "2 to 256"]);
    says(&complaint(&archive(u64::MAX, 16)), &["2 to 256"]);
}

#[test]
fn arrays_that_are_no_images() {
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = |bytes: Vec<u8>, words: &[&str]| {
        let path = file(folder.path(), "a.npy", &bytes);
        let text = complaint(&spec("npy", &path, ""));
        says(&text, words);
        says(&text, &["a.npy"]);
    };
    wrong(npy_of("<U4", false, &[1, 1, 1], &[0; 16]), &["`<U4`", "not numbers"]);
    wrong(npy(&[4, 4], &[0; 16]), &["[4, 4]", "[N, H, W]"]);
    wrong(npy(&[16], &[0; 16]), &["[16]"]);
    wrong(npy(&[0, 4, 4], &[]), &["[0, 4, 4]", "no empty axis"]);
    wrong(npy(&[1, 0, 4], &[]), &["[1, 0, 4]"]);
    wrong(npy(&[1, 5, 32, 32], &[0; 5120]), &["[1, 5, 32, 32]", "C from 1 to 4"]);
    wrong(npy_of("|u1", true, &[2, 2, 2], &[0; 8]), &["Fortran", "ascontiguousarray"]);
    wrong(npy(&[2, 2, 2], &[0; 7]), &["truncated", "8 bytes", "found 7"]);
    wrong(npy(&[2, 2, 2], &[0; 9]), &["continues after the expected 8 bytes"]);
    wrong(npy(&[usize::MAX, usize::MAX, 2], &[0; 9]), &["declares", "9"]);
    wrong(npy(&[1 << 40, 1 << 20, 2], &[0; 9]), &["truncated"]);
    wrong(npy(&[1 << 40, 1, 1], &[0; 9]), &["truncated", "found 9"]);
    wrong(
        b"PK\x03\x04 and so on".to_vec(),
        &["not an array of NumPy", "a zip archive", "`npz:FILE`"],
    );
    wrong(Vec::new(), &["none at all"]);
    wrong(b"\x93NUMPY\x09\x00\x00\x00".to_vec(), &["newer than 3"]);
    wrong(b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(), &["header is longer"]);
    wrong(b"\x93NUMPY\x01\x00\x02\x00{}".to_vec(), &["`descr`"]);
    wrong(gzip(&npy(&[1 << 40, 1, 1], &[0; 9])), &["declares 1099511627776", "at most"]);
    let record = npy(&[1, 1, 1], &[0]);
    let record = String::from_utf8_lossy(&record[10..]).replace("'|u1'", "[('a', '|u1')]");
    let head = [b"\x93NUMPY\x01\x00", &(record.len() as u16).to_le_bytes()[..]].concat();
    wrong([head, record.into_bytes()].concat(), &["several fields"]);
    // With two axes of extent one, both memory orders are the same. The file may be gzipped.
    let path = file(folder.path(), "a.npy", &gzip(&npy_of("|u1", true, &[1, 1, 3], &[1, 2, 3])));
    assert_eq!(pixels(&load(&spec("npy", &path, "")).expect("data"), Split::Train), [1, 2, 3]);
}

#[test]
fn splits_of_different_sizes() {
    let folder = tempfile::tempdir().expect("a folder");
    let members = [("train", npy(&[1, 2, 2], &[0; 4])), ("test", npy(&[1, 2, 3], &[0; 6]))];
    let path = file(folder.path(), "a.npz", &npz(&members, Packing::Stored));
    let text = complaint(&spec("npz", &path, ""));
    says(&text, &["array `test`", "2 x 3", "array `train`", "2 x 2", "size=HxW"]);
    assert!(load(&spec("npz", &path, ",size=2x2")).is_ok());
    let members = [("train", npy(&[1, 2, 2], &[0; 4])), ("test", npy(&[1, 2, 2, 3], &[0; 12]))];
    let path = file(folder.path(), "a.npz", &npz(&members, Packing::Stored));
    let text = complaint(&spec("npz", &path, ",size=1x1"));
    says(&text, &["1 x 1 x 3", "all images must have the same colors", "`,colors=1`"]);
}
