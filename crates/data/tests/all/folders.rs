//! `idx` and `cifar10`.

use std::fs;

use pixelrnn_data::{Shape, Split};

use crate::write::{file, gzip, idx, noise};
use crate::{complaint, load, pixels, says, spec};

const TRAIN: &str = "train-images-idx3-ubyte";
const TEST: &str = "t10k-images-idx3-ubyte";

#[test]
fn idx_files_and_folders_gzipped_or_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let (train, test) = (noise(20 * 6), noise(5 * 6));
    let (a, b) = (idx(&[20, 2, 3], &train), idx(&[5, 2, 3], &test));
    for (name, bytes) in [(TRAIN.to_string(), a.clone()), (format!("{TRAIN}.gz"), gzip(&a))] {
        let place = folder.path().join(format!("to-{name}"));
        let train_path = file(&place, &name, &bytes);
        file(&place, &format!("{TEST}.gz"), &gzip(&b));
        let data = load(&spec("idx", &place, "")).expect("data");
        assert_eq!(data.shape(), Shape { height: 2, width: 3, colours: 1 });
        assert_eq!((data.levels(), data.shared()), (256, 2));
        assert_eq!(pixels(&data, Split::Train), train);
        let data = load(&spec("idx", &place, ",shuffle=off")).expect("data");
        assert_eq!(pixels(&data, Split::Valid), &train[18 * 6..]);
        assert_eq!(pixels(&data, Split::Test), test);
        let alone = load(&spec("idx", &train_path, "")).expect("data");
        assert_eq!(pixels(&alone, Split::Train), train);
        let text = alone.images(Split::Test).expect_err("no test").to_string();
        says(&text, &["no `test`", "is `train`"]);
    }
    // A file name of the test split determines the split; a fourth dimension is the color.
    let path = file(folder.path(), TEST, &idx(&[2, 1, 1, 3], &[1, 2, 3, 4, 5, 6]));
    let alone = load(&spec("idx", &path, "")).expect("data");
    assert_eq!(alone.splits(), [Split::Test]);
    assert_eq!(alone.shape().colours, 3);
}

#[test]
fn a_folder_with_the_test_file_alone_says_what_is_missing_for_which_split() {
    let folder = tempfile::tempdir().expect("a folder");
    file(folder.path(), &format!("{TEST}.gz"), &gzip(&idx(&[5, 2, 3], &noise(30))));
    let data = load(&spec("idx", folder.path(), "")).expect("data");
    assert_eq!(data.splits(), [Split::Test]);
    let text = data.images(Split::Train).expect_err("no train").to_string();
    says(&text, &["no `train` images", "`train-images-idx3-ubyte[.gz]` is missing in", "`test`"]);
    says(&data.images(Split::Valid).expect_err("no valid").to_string(), &["no `valid` images"]);
    let empty = tempfile::tempdir().expect("a folder");
    let text = complaint(&spec("idx", empty.path(), ""));
    says(&text, &["contains no `train-images-idx3-ubyte` or `t10k-images-idx3-ubyte`"]);
    says(&complaint("idx:no/such/file"), &["cannot read no/such/file"]);
}

#[test]
fn idx_files_that_are_no_images() {
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = |bytes: &[u8], words: &[&str]| {
        let path = file(folder.path(), "a", bytes);
        says(&complaint(&spec("idx", &path, "")), words);
    };
    wrong(&idx(&[3], &[1, 2, 3]), &["labels", "`images`"]);
    wrong(&[0, 0, 13, 3, 0], &["not unsigned bytes"]);
    wrong(b"MNIST", &["not a file of images in IDX", "4d 4e 49 53"]);
    wrong(&gzip(b"MNIST"), &["not a file of images in IDX"]);
    wrong(&[0x1f, 0x8b, 8, 0, 1, 2], &["compressed data are truncated or invalid"]);
    wrong(&idx(&[2, 2, 2], &[0; 7]), &["8 bytes", "found 7"]);
    wrong(&idx(&[2, 2, 2], &[0; 9]), &["continues after"]);
    wrong(&idx(&[u32::MAX, u32::MAX, u32::MAX], &[0; 9]), &["it declares"]);
    wrong(&gzip(&idx(&[u32::MAX, 64, 64], &[0; 9])), &["it declares", "at most"]);
    wrong(&idx(&[0, 2, 2], &[]), &["[0, 2, 2]"]);
    wrong(&[0, 0, 8, 3, 0, 0], &["truncated"]);
}

/// Records whose colors differ: red is `n`, green `n + 1`, blue `n + 2`.
fn records(numbers: std::ops::Range<u8>) -> Vec<u8> {
    let planes = |n| [vec![n; 1024], vec![n + 1; 1024], vec![n + 2; 1024]].concat();
    numbers.flat_map(|n| [vec![n % 10], planes(n)].concat()).collect()
}

#[test]
fn cifar_batches_in_the_order_of_their_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, numbers) in [("data_batch_10.bin", 20..25), ("data_batch_2.bin", 0..6)] {
        file(folder.path(), name, &records(numbers));
    }
    file(folder.path(), "batches.meta.txt", b"airplane");
    let path = folder.path();
    let data = load(&spec("cifar10", path, "")).expect("data");
    assert_eq!(data.shape(), Shape { height: 32, width: 32, colours: 3 });
    let train = pixels(&data, Split::Train);
    assert_eq!(train.len(), 11 * 3072);
    assert_eq!(train[..6], [0, 1, 2, 0, 1, 2]);
    assert_eq!(train[6 * 3072..][..3], [20, 21, 22]);
    let text = data.images(Split::Test).expect_err("no test").to_string();
    says(&text, &["`test_batch.bin` is missing in"]);
    let test = file(path, "test_batch.bin", &records(3..5));
    let data = load(&spec("cifar10", path, ",size=1x1")).expect("data");
    assert_eq!(pixels(&data, Split::Test), [3, 4, 5, 4, 5, 6]);

    let wrong = |bytes: &[u8], words: &[&str]| {
        file(path, "test_batch.bin", bytes);
        let text = complaint(&spec("cifar10", path, ""));
        says(&text, words);
        says(&text, &["test_batch.bin"]);
    };
    wrong(&records(0..1)[..3072], &["multiple of 3,073"]);
    wrong(&[records(0..1), vec![1]].concat(), &["multiple of 3,073"]);
    wrong(&[vec![200], vec![0; 3072]].concat(), &["label above 9"]);
    wrong(&[], &["no record"]);
    fs::remove_file(test).expect("a file");
    let empty = tempfile::tempdir().expect("a folder");
    file(empty.path(), "data_batch_1", b"the version for Python");
    let text = complaint(&spec("cifar10", empty.path(), ""));
    says(&text, &["is the pickled Python version of CIFAR-10", "cifar-10-binary.tar.gz"]);
    let empty = tempfile::tempdir().expect("a folder");
    says(&complaint(&spec("cifar10", empty.path(), "")), &["`data_batch_1.bin`", "download"]);
    says(&complaint("cifar10:no/such"), &["cannot read no/such"]);
}
