//! Arrays as users save them: element types, layouts, names, and suspicious values.

use pixelrnn_data::{Shape, Split};

use crate::write::zip::{Packing, npz};
use crate::write::{file, noise, npy, npy_of};
use crate::{complaint, load, pixels, says, spec};

/// Four bytes per number.
fn floats(values: impl Iterator<Item = f32>) -> Vec<u8> {
    values.flat_map(f32::to_le_bytes).collect()
}

#[test]
fn floats_are_taken_with_a_range_or_refused_with_the_right_advice() {
    let folder = tempfile::tempdir().expect("a folder");
    let levels = noise(4 * 9);
    let of = |scale: fn(f32) -> f32| {
        let bytes = floats(levels.iter().map(|&v| scale(f32::from(v))));
        file(folder.path(), "a.npy", &npy_of("<f4", false, &[4, 3, 3], &bytes))
    };
    let cases: [(fn(f32) -> f32, &str, &str); 3] = [
        (|v| v / 255.0, "range=0:1", "`a = (a * 255).round().astype('uint8')`"),
        (|v| v / 127.5 - 1.0, "range=-1:1", "`a = ((a + 1) * 127.5).round().astype('uint8')`"),
        (|v| v / 255.0 - 0.5, "range=-0.5:0.5", "`a = ((a + 0.5) * 255).round().astype('uint8')`"),
    ];
    for (scale, range, line) in cases {
        let path = of(scale);
        says(&complaint(&spec("npy", &path, "")), &["`<f4`", &format!("`,{range}`"), line]);
        let data = load(&spec("npy", &path, &format!(",{range}"))).expect("data");
        assert_eq!((data.levels(), pixels(&data, Split::Train)), (256, levels.clone()), "{range}");
    }
    let path = of(|v| (v - 131.3) / 67.1);
    says(&complaint(&spec("npy", &path, "")), &["mean", "standard deviation", "`,range=LOW:HIGH`"]);
    let path = of(|v| if v == 60.0 { f32::NAN } else { v });
    says(&complaint(&spec("npy", &path, "")), &["NaN"]);
    let path = of(|v| v / 100.0);
    says(&complaint(&spec("npy", &path, ",range=0:1")), &["the value", "outside of `range=0:1`"]);
}

#[test]
fn whole_numbers_of_any_type_are_levels() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = |elements: &str, bytes: Vec<u8>, options: &str| {
        let path = file(folder.path(), "a.npy", &npy_of(elements, false, &[1, 2, 2], &bytes));
        let data = load(&spec("npy", &path, options)).expect("data");
        (data.levels(), pixels(&data, Split::Train))
    };
    let values = [0u8, 7, 200, 255];
    let doubles = values.iter().flat_map(|&v| f64::from(v).to_le_bytes()).collect();
    assert_eq!(taken("<f8", doubles, ""), (256, values.to_vec()));
    let long = values.iter().flat_map(|&v| i64::from(v).to_le_bytes()).collect();
    assert_eq!(taken("<i8", long, ""), (256, values.to_vec()));
    let big = values.iter().flat_map(|&v| u16::from(v).to_be_bytes()).collect();
    assert_eq!(taken(">u2", big, ""), (256, values.to_vec()));
    assert_eq!(taken("|b1", vec![0, 1, 1, 0], ""), (2, vec![0, 1, 1, 0]));
    let halves = [0u16, 0x3c00, 0x3c00, 0].iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(taken("<f2", halves, ""), (2, vec![0, 1, 1, 0]));
    let sixteen: Vec<u8> =
        values.iter().flat_map(|&v| (u16::from(v) * 257).to_le_bytes()).collect();
    assert_eq!(taken("<u2", sixteen.clone(), ",range=0:65535"), (256, values.to_vec()));
    let path = file(folder.path(), "a.npy", &npy_of("<u2", false, &[1, 2, 2], &sixteen));
    let text = complaint(&spec("npy", &path, ""));
    says(&text, &["`<u2`", "0 to 65535", "`,range=0:65535`", "(a / 257).round().astype('uint8')"]);
}

#[test]
fn layouts_that_can_be_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let planes: Vec<u8> = noise(2 * 3 * 5 * 6);
    let path = file(folder.path(), "a.npy", &npy(&[2, 3, 5, 6], &planes));
    let data = load(&spec("npy", &path, "")).expect("data");
    assert_eq!(data.shape(), Shape { height: 5, width: 6, colours: 3 });
    assert_eq!(pixels(&data, Split::Train)[..3], [planes[0], planes[30], planes[60]]);
    says(&data.warnings().join("\n"), &["[2, 3, 5, 6] is taken as [N, C, H, W]"]);
    let shape = |dims: &[usize]| {
        let bytes = noise(dims.iter().product());
        let data = load(&spec("npy", &file(folder.path(), "a.npy", &npy(dims, &bytes)), ""));
        data.map(|data| data.shape().to_string())
    };
    assert_eq!(shape(&[5, 784]).expect("data"), "28 x 28");
    assert_eq!(shape(&[5, 3072]).expect("data"), "32 x 32 x 3");
    assert_eq!(shape(&[5, 1, 28, 28]).expect("data"), "28 x 28");
    says(&shape(&[5, 700]).expect_err("no square").to_string(), &["reshape(-1, H, W)"]);
}

#[test]
fn names_of_arrays() {
    let folder = tempfile::tempdir().expect("a folder");
    let images = |n: usize| npy(&[n, 2, 2], &noise(n * 4));
    let labels = |n: usize| npy(&[n], &(0..n).map(|i| (i % 3) as u8).collect::<Vec<_>>());
    let archive = |members: &[(&str, Vec<u8>)], options: &str| {
        let path = file(folder.path(), "a.npz", &npz(members, Packing::Deflated));
        spec("npz", &path, options)
    };
    let names = [
        ["x_train", "y_train", "x_val", "y_val", "x_test", "y_test"],
        ["train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"],
        ["X_train", "Y_train", "X_valid", "Y_valid", "X_test", "Y_test"],
        ["train", "train_y", "dev", "dev_y", "testing", "testing_y"],
    ];
    for names in names {
        let members: Vec<(&str, Vec<u8>)> = names
            .into_iter()
            .zip([12, 12, 4, 4, 3, 3])
            .enumerate()
            .map(|(at, (name, n))| (name, if at % 2 == 0 { images(n) } else { labels(n) }))
            .collect();
        let data = load(&archive(&members, "")).expect("data");
        let counts = Split::ALL.map(|s| data.images(s).expect("a split").count());
        assert_eq!((counts, data.classes()), ([12, 4, 3], Some(3)), "{names:?}");
    }
    // A single array, whatever its name.
    let one = [("x", images(20)), ("labels", labels(20))];
    let data = load(&archive(&one, "")).expect("data");
    assert_eq!(
        (data.classes(), data.hold_out().images(Split::Train).expect("train").count()),
        (Some(3), 18)
    );
    let two = [("a", images(20)), ("b", images(4)), ("kinds", labels(4))];
    let text = complaint(&archive(&two, ""));
    says(&text, &["none of the arrays", "`b (4 x 2 x 2, |u1)`", "`,array=a`"]);
    let data = load(&archive(&two, ",array=b,labels=kinds")).expect("data");
    assert_eq!((data.classes(), data.images(Split::Train).expect("train").count()), (Some(3), 4));
    says(&complaint(&archive(&two, ",array=c")), &["no array `c`", "`a (20 x"]);
    says(&complaint(&archive(&two, ",array=a,labels=kinds")), &["4 labels for 20 images"]);
    says(&complaint(&archive(&two, ",array=a,labels=no")), &["no array `no`", "`kinds`"]);
    // Downsampled ImageNet: flat, planar, classes from 1, an array `mean`, several files.
    let batch = |n: usize| {
        let bytes: Vec<u8> =
            (0..n).flat_map(|i| noise(192).into_iter().map(move |v| v ^ i as u8)).collect();
        let classes: Vec<u8> = (0..n).flat_map(|i| (1 + i as i64 % 5).to_le_bytes()).collect();
        let members = [
            ("data", npy(&[n, 192], &bytes)),
            ("labels", npy_of("<i8", false, &[n], &classes)),
            ("mean", npy_of("<f8", false, &[192], &[0; 192 * 8])),
        ];
        npz(&members, Packing::Stored)
    };
    let place = folder.path().join("imagenet8");
    for (name, n) in
        [("train_data_batch_10.npz", 5), ("train_data_batch_2.npz", 10), ("val_data.npz", 5)]
    {
        file(&place, name, &batch(n));
    }
    let data = load(&spec("npz", &place, "")).expect("data");
    assert_eq!(data.shape().to_string(), "8 x 8 x 3");
    assert_eq!((data.splits(), data.classes()), (vec![Split::Train, Split::Valid], Some(5)));
    let labels = data.images(Split::Train).expect("train").labels().expect("labels");
    assert_eq!(labels[..6], [0, 1, 2, 3, 4, 0]);
    assert_eq!(data.images(Split::Train).expect("train").count(), 15);
}

/// KMNIST has separate archives for the images and the labels of each split.
#[test]
fn labels_in_archives_of_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    for (split, n) in [("train", 12), ("test", 3)] {
        let images = npz(&[("arr_0", npy(&[n, 2, 2], &noise(n * 4)))], Packing::Deflated);
        let labels: Vec<u8> = (0..n).map(|i| i as u8 % 3).collect();
        let labels = npz(&[("arr_0", npy(&[n], &labels))], Packing::Deflated);
        file(folder.path(), &format!("kmnist-{split}-imgs.npz"), &images);
        file(folder.path(), &format!("kmnist-{split}-labels.npz"), &labels);
    }
    let data = load(&spec("npz", folder.path(), "")).expect("data");
    assert_eq!((data.classes(), data.splits().len()), (Some(3), 3));
    assert_eq!(data.images(Split::Test).expect("test").labels(), Some(&[0, 1, 2][..]));
}

#[test]
fn data_sorted_by_class_give_all_classes_to_every_split() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes: Vec<u8> = (0..100u8).flat_map(|i| [i / 10 * 25 + i % 2, i]).collect();
    let array = npy(&[100, 1, 2], &bytes);
    let labels: Vec<u8> = (0..100).map(|i| i / 10).collect();
    let plain = file(folder.path(), "a.npy", &array);
    let members = [("images", array), ("labels", npy(&[100], &labels))];
    let labeled = file(folder.path(), "a.npz", &npz(&members, Packing::Deflated));
    let classes = |text: &str, split| {
        let data = load(text).expect("data").hold_out();
        let mut classes: Vec<u8> = pixels(&data, split).chunks(2).map(|p| p[0] / 25).collect();
        classes.sort_unstable();
        classes.dedup();
        classes.len()
    };
    for options in ["", ",limit=10"] {
        for split in [Split::Train, Split::Valid] {
            assert_eq!(classes(&spec("npz", &labeled, options), split), 10, "{options}");
            assert_eq!(classes(&spec("npy", &plain, options), split), 10, "{options}");
        }
    }
}

#[test]
fn data_that_are_constant_are_said_to_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let warned = |bytes: &[u8]| {
        let path = file(folder.path(), "a.npy", &npy(&[bytes.len() / 64, 8, 8], bytes));
        load(&spec("npy", &path, "")).expect("data").warnings().join("\n")
    };
    says(&warned(&[0; 64 * 64]), &["the training images are constant", "every value is 0"]);
    let mut nearly = vec![3; 64 * 64];
    nearly[100] = 200;
    says(&warned(&nearly), &["nearly constant", "99.976 % of all values are 3"]);
    let flat: Vec<u8> = (0..8).flat_map(|i| [i * 25; 64]).collect();
    says(&warned(&flat), &["each image has one value only"]);
    says(&warned(&noise(64).repeat(8)), &["all the same image"]);
    assert_eq!(warned(&noise(64 * 8)), "");
}

#[test]
fn large_arrays_stay_in_their_file_and_small_limits_read_little() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large.npy");
    let (count, values) = (600 << 10, 1024usize);
    let head = npy(&[count, 32, 32], &[]);
    let file = std::fs::File::create(&path).expect("a file");
    std::io::Write::write_all(&mut &file, &head).expect("written");
    // A sparse file, which takes no disk space.
    file.set_len((head.len() + count * values) as u64).expect("a length");
    let data = load(&spec("npy", &path, ",limit=4")).expect("data");
    assert_eq!(data.images(Split::Train).expect("train").count(), 4);
    assert_eq!(data.images(Split::Train).expect("train").image(3).expect("read"), [0; 1024]);
}
