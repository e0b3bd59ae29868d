//! MNIST and CIFAR as downloaded archives, and files that are downloaded by mistake.

use std::path::Path;

use pixelrnn_data::{Shape, Split};

use crate::write::tar::tar;
use crate::write::zip::{Packing, zip};
use crate::write::{file, grey, gzip, idx, noise};
use crate::{complaint, load, pixels, says, spec};

fn mnist() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("train-images-idx3-ubyte", idx(&[20, 2, 3], &noise(120))),
        ("train-labels-idx1-ubyte", idx(&[20], &[7; 20])),
        ("t10k-images-idx3-ubyte", idx(&[4, 2, 3], &noise(24))),
        ("t10k-labels-idx1-ubyte", idx(&[4], &[3; 4])),
    ]
}

fn is_mnist(text: &str) {
    let data = load(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(pixels(&data, Split::Train), noise(120), "{text}");
    assert_eq!(pixels(&data, Split::Test), noise(24), "{text}");
    assert_eq!(data.classes(), Some(8), "{text}");
}

#[test]
fn mnist_where_people_have_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    for (name, bytes) in mnist() {
        file(&path.join("torchvision/MNIST/raw"), name, &bytes);
        file(&path.join("torchvision/MNIST/raw"), &format!("{name}.gz"), &gzip(&bytes));
        file(&path.join("torchvision/__MACOSX"), name, b"not this one");
    }
    is_mnist(&spec("idx", &path.join("torchvision"), ""));
    // Kaggle's archive, with a folder for each file, and an archive of gzipped files.
    let names =
        mnist().into_iter().map(|(name, _)| format!("{0}/{0}", name.replace("-idx", ".idx")));
    let names: Vec<String> = names.collect();
    let files: Vec<(&str, Vec<u8>)> =
        names.iter().zip(mnist()).map(|(name, (_, bytes))| (name.as_str(), bytes)).collect();
    for packing in [Packing::Stored, Packing::Deflated] {
        is_mnist(&spec("idx", &file(path, "archive.zip", &zip(&files, packing)), ""));
    }
    let names: Vec<String> = mnist().iter().map(|(name, _)| format!("mnist/{name}.gz")).collect();
    let files: Vec<(&str, Vec<u8>)> =
        names.iter().zip(mnist()).map(|(name, (_, bytes))| (name.as_str(), gzip(&bytes))).collect();
    is_mnist(&spec("idx", &file(path, "gzip.zip", &zip(&files, Packing::Stored)), ""));
    is_mnist(&spec("idx", &file(path, "mnist.tar", &tar(&files)), ""));
    is_mnist(&spec("idx", &file(path, "mnist.tar.gz", &gzip(&tar(&files))), ""));
}

#[test]
fn emnist_is_turned_and_its_sets_are_chosen() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("gzip");
    for set in ["letters", "digits"] {
        let images = idx(&[2, 2, 3], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        file(&place, &format!("emnist-{set}-train-images-idx3-ubyte.gz"), &gzip(&images));
        file(&place, &format!("emnist-{set}-test-images-idx3-ubyte.gz"), &gzip(&images));
        file(
            &place,
            &format!("emnist-{set}-train-labels-idx1-ubyte.gz"),
            &gzip(&idx(&[2], &[26, 1])),
        );
    }
    let text = complaint(&spec("idx", folder.path(), ""));
    says(&text, &["several sets", "`emnist-digits`, `emnist-letters`", "`,array=emnist-digits`"]);
    let data = load(&spec("idx", folder.path(), ",array=letters")).expect("data");
    assert_eq!(data.shape(), Shape { height: 3, width: 2, colours: 1 });
    assert_eq!(pixels(&data, Split::Train)[..6], [1, 4, 2, 5, 3, 6]);
    assert_eq!(data.images(Split::Train).expect("train").labels(), Some(&[25, 0][..]));
    says(&data.warnings().join("\n"), &["turned upright"]);
    let one = place.join("emnist-letters-test-images-idx3-ubyte.gz");
    assert_eq!(load(&spec("idx", &one, "")).expect("data").splits(), [Split::Test]);
}

#[test]
fn what_was_downloaded_instead() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = b"<!DOCTYPE html><html><title>404 Not Found</title></html>";
    let name = "train-images-idx3-ubyte.gz";
    file(folder.path(), name, page);
    says(&complaint(&spec("idx", folder.path(), "")), &[name, "a web page", "download it again"]);
    let beginnings: [(&[u8], &str); 4] = [
        (b"version https:", "git lfs pull"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\xfd7zXZ\x00", "unpack it"),
        (b"\n\n<html>", "a web page"),
    ];
    for (bytes, words) in beginnings {
        let path = file(folder.path(), "a.npy", bytes);
        says(&complaint(&spec("npy", &path, "")), &["a.npy", words]);
        says(&complaint(&spec("cifar10", &path, "")), &["a.npy", words]);
    }
}

/// Records whose classes are 0, 1, 2 and so on.
fn records(labels: usize, count: u8) -> Vec<u8> {
    (0..count).flat_map(|n| [vec![n; labels], noise(3072)].concat()).collect()
}

fn is_cifar(name: &str, path: &Path, classes: usize) {
    let data = load(&spec(name, path, "")).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(data.shape(), Shape { height: 32, width: 32, colours: 3 });
    let counts = [Split::Train, Split::Test].map(|s| data.images(s).expect("a split").count());
    assert_eq!((counts, data.classes()), ([10, 5], Some(classes)), "{}", path.display());
    let noise = noise(3072);
    assert_eq!(pixels(&data, Split::Train)[..3], [noise[0], noise[1024], noise[2048]]);
    let labels = data.images(Split::Test).expect("test").labels().expect("labels");
    assert_eq!(labels, [0, 1, 2, 3, 4]);
}

#[test]
fn cifar_as_it_is_downloaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let names = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";
    let files = [
        ("cifar-10-batches-bin/data_batch_1.bin", records(1, 5)),
        ("cifar-10-batches-bin/data_batch_2.bin", records(1, 5)),
        ("cifar-10-batches-bin/test_batch.bin", records(1, 5)),
        ("cifar-10-batches-bin/batches.meta.txt", names.as_bytes().to_vec()),
    ];
    for (name, bytes) in &files {
        file(&path.join("parent"), name, bytes);
    }
    is_cifar("cifar10", &path.join("parent"), 10);
    is_cifar("cifar10", &path.join("parent/cifar-10-batches-bin"), 10);
    let archive = file(path, "cifar-10-binary.tar.gz", &gzip(&tar(&files)));
    is_cifar("cifar10", &archive, 10);
    let data = load(&spec("cifar10", &archive, ",limit=2")).expect("data");
    assert_eq!(data.class_names()[9], "truck");
    assert_eq!(data.images(Split::Train).expect("train").count(), 2);
    is_cifar("cifar10", &file(path, "cifar.zip", &zip(&files, Packing::Deflated)), 10);
    let text =
        complaint(&spec("cifar10", &file(path, "cut.tar.gz", &gzip(&tar(&files)[..9000])), ""));
    says(&text, &["cut.tar.gz", "truncated"]);

    let hundred = [
        ("cifar-100-binary/train.bin", records(2, 10)),
        ("cifar-100-binary/test.bin", records(2, 5)),
    ];
    let data =
        load(&spec("cifar10", &file(path, "unnamed.tar", &tar(&files[..3])), "")).expect("data");
    assert_eq!(data.class_names()[..2], ["airplane", "automobile"]);
    is_cifar("cifar100", &file(path, "cifar-100-binary.tar.gz", &gzip(&tar(&hundred))), 100);
    let python = [("cifar-100-python/train", vec![0x80, 2]), ("cifar-100-python/meta", vec![0x80])];
    let archive = file(path, "cifar-100-python.tar.gz", &gzip(&tar(&python)));
    let text = complaint(&spec("cifar100", &archive, ""));
    says(&text, &["the pickled Python version of CIFAR-100", "cifar-100-binary.tar.gz"]);
    let wrong = [("train.bin", [vec![1, 100], noise(3072)].concat())];
    let text = complaint(&spec("cifar100", &file(path, "w.tar", &tar(&wrong)), ""));
    says(&text, &["w.tar (train.bin)", "label above 99"]);
}

#[test]
fn archives_of_pictures_with_long_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = format!("data/train/{}/0.png", "x".repeat(120));
    let files = [
        (long.as_str(), grey((1, 2), &[1, 2])),
        ("data/train/y/1.png", grey((1, 2), &[3, 4])),
        ("data/Test/y/2.png", grey((1, 2), &[5, 6])),
        ("__MACOSX/data/train/y/._1.png", b"no picture".to_vec()),
    ];
    for (name, bytes) in [
        ("a.tar.gz", gzip(&tar(&files))),
        ("a.tar", tar(&files)),
        ("a.zip", zip(&files, Packing::Deflated)),
    ] {
        let data = load(&spec("images", &file(folder.path(), name, &bytes), "")).expect(name);
        assert_eq!(pixels(&data, Split::Train), [1, 2, 3, 4], "{name}");
        assert_eq!(pixels(&data, Split::Test), [5, 6], "{name}");
        assert_eq!((data.classes(), data.warnings()), (Some(2), &[][..]), "{name}");
    }
}

#[test]
#[cfg(unix)]
fn pipes_and_devices_are_refused() {
    use std::process::Command;
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    for source in ["npy", "npz", "idx", "cifar10", "csv", "images"] {
        let device = Path::new("/dev/zero");
        says(&complaint(&spec(source, device, "")), &["/dev/zero", "a device", "expected a file"]);
        if made.as_ref().is_ok_and(|status| status.success()) {
            says(&complaint(&spec(source, &pipe, "")), &["a pipe", "expected a file"]);
        }
    }
    if made.is_ok_and(|status| status.success()) {
        std::fs::rename(&pipe, folder.path().join("0.png")).expect("renamed");
        file(folder.path(), "1.png", &grey((1, 1), &[1]));
        let data = load(&spec("images", folder.path(), "")).expect("data");
        assert_eq!(pixels(&data, Split::Train), [1]);
        says(&data.warnings().join("\n"), &["1 file is skipped", "1 .png"]);
    }
}
