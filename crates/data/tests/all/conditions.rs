//! Conditions: arrays in addition to the images, with a row per image.

use pixelrnn_data::{Position, Split, numbers};

use crate::write::zip::{Packing, npz};
use crate::write::{file, noise, npy, npy_of};
use crate::{complaint, load, says, spec};

fn floats(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

/// Image `i` has the value `i` everywhere. So have its rows of both conditions, plus one half in
/// the second.
fn archive(count: usize) -> Vec<(&'static str, Vec<u8>)> {
    let images: Vec<u8> = (0..count).flat_map(|i| [i as u8; 6]).collect();
    let halves = (0..count).flat_map(|i| [i as f32 + 0.5; 12]);
    vec![
        ("train", npy(&[count, 2, 3], &images)),
        ("train_edges", npy(&[count, 2, 3], &images)),
        ("depth-train", npy_of("<f4", false, &[count, 2, 2, 3], &floats(halves))),
        ("test", npy(&[2, 2, 3], &[7; 12])),
        ("x_test_edges", npy(&[9, 2, 3], &[1; 54])),
        ("edges_test", npy(&[2, 2, 3], &[7; 12])),
    ]
}

#[test]
fn rows_stay_with_their_images() {
    let folder = tempfile::tempdir().expect("a folder");
    for packing in [Packing::Stored, Packing::Deflated] {
        let path = file(folder.path(), "a.npz", &npz(&archive(40), packing));
        let data = load(&spec("npz", &path, ",conditions=edges+depth,limit=30")).expect("data");
        let data = data.hold_out();
        let train = data.images(Split::Train).expect("images");
        let shapes: [(&str, &[usize]); 2] = [("edges", &[2, 3]), ("depth", &[2, 2, 3])];
        assert_eq!(train.conditions().collect::<Vec<_>>(), shapes);
        let mut seen = 0;
        for split in [Split::Train, Split::Valid] {
            for batch in data.shuffled(split, 5, Position::default()).expect("batches").take(6) {
                let batch = batch.expect("a batch");
                let [(edges, all), (depth, more)] = &batch.conditions[..] else { panic!() };
                assert_eq!((edges.as_str(), depth.as_str()), ("edges", "depth"));
                assert_eq!(all.shape()[1..], [2, 3]);
                assert_eq!(more.shape()[1..], [2, 2, 3]);
                for (i, image) in batch.images.outer_iter().enumerate() {
                    let level = image[[0, 0, 0]];
                    assert!(all.outer_iter().nth(i).expect("a row").iter().all(|&x| x == level));
                    let more = more.outer_iter().nth(i).expect("a row");
                    assert!(more.iter().all(|&x| x == level + 0.5));
                    seen += 1;
                }
            }
        }
        assert!(seen > 30, "{seen}");
        let test = data.images(Split::Test).expect("images");
        assert_eq!(test.conditions().collect::<Vec<_>>(), shapes[..1]);
        let rows = test.condition("edges", &[1, 0, 1]).expect("rows").expect("an array");
        assert_eq!((rows.shape(), rows.sum()), (&[3, 2, 3][..], 126.0));
        assert!(test.condition("depth", &[0]).expect("none").is_none());
        assert!(test.condition("edges", &[2]).is_err());
    }
}

/// Conditions are part of the fingerprint. Without conditions, the fingerprint is the same as
/// before they existed.
#[test]
fn fingerprints_know_conditions() {
    let folder = tempfile::tempdir().expect("a folder");
    let print = |arrays: &[(&str, Vec<u8>)], options: &str| {
        let path = file(folder.path(), "a.npz", &npz(arrays, Packing::Stored));
        load(&spec("npz", &path, options)).expect("data").fingerprint()
    };
    let first = archive(9);
    let mut second = archive(9);
    second[1].1 = npy(&[9, 2, 3], &noise(54));
    assert_eq!(print(&first, ""), print(&second, ""));
    assert_ne!(print(&first, ",conditions=edges"), print(&first, ""));
    assert_ne!(print(&first, ",conditions=edges"), print(&second, ",conditions=edges"));
}

#[test]
fn arrays_that_do_not_suit_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let with = |array: Vec<u8>| {
        let arrays = [("images", npy(&[3, 2, 2], &noise(12))), ("edges", array)];
        file(folder.path(), "b.npz", &npz(&arrays, Packing::Stored))
    };
    let wrong = |array: Vec<u8>| complaint(&spec("npz", &with(array), ",conditions=edges"));
    let good = with(npy(&[3, 2, 2], &noise(12)));
    // `images` is the only remaining array.
    assert_eq!(load(&spec("npz", &good, ",conditions=edges")).expect("data").levels(), 256);
    says(
        &complaint(&spec("npz", &good, ",conditions=depth,array=images")),
        &["no array for the condition `depth`", "`train_depth`", "it has `images`, `edges`"],
    );
    says(&wrong(npy(&[4, 2, 2], &noise(16))), &["edges", "4 rows for 3 images"]);
    says(&wrong(npy(&[3, 0, 2], &[])), &["edges", "empty"]);
    let values = floats([0.0, 1.0, f32::NAN]);
    says(&wrong(npy_of("<f4", false, &[3, 1], &values)), &["row 2 contains NaN", "finite"]);
    says(&wrong(npy_of("<f4", true, &[3, 2], &floats([0.0; 6]))), &["Fortran"]);
    says(&wrong(npy_of("<U3", false, &[3, 1], &[0; 36])), &["<U3", "f32 or u8"]);
    says(&complaint("digits,conditions=edges"), &["conditions", "digits"]);
    says(
        &complaint(&spec("npz", folder.path(), ",conditions=edges")),
        &["one archive", "name the .npz file"],
    );
}

#[test]
fn numbers_of_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let array = npy_of(
        ">f4",
        false,
        &[2, 3],
        &[0.5f32, 1.0, 2.0, -1.0, 0.0, 4.0].map(f32::to_be_bytes).concat(),
    );
    let path = file(folder.path(), "a.npy", &array);
    let numbers_of_it = numbers(&path).expect("numbers");
    assert_eq!(numbers_of_it.shape(), [2, 3]);
    assert_eq!(numbers_of_it.iter().copied().collect::<Vec<_>>(), [0.5, 1.0, 2.0, -1.0, 0.0, 4.0]);
    let path = file(folder.path(), "b.npy", &array[..array.len() - 1]);
    says(&numbers(&path).expect_err("cut off").to_string(), &["b.npy"]);
    let path = file(folder.path(), "c.npy", &npy(&[], &[1]));
    says(&numbers(&path).expect_err("a number").to_string(), &["one number"]);
}
