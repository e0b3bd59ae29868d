//! Classes of images.

use pixelrnn_data::{Batch, Position, Split};

use crate::write::zip::{Packing, npz};
use crate::write::{file, gzip, idx, noise, npy, npy_of};
use crate::{complaint, load, says, spec};

#[test]
fn the_digits_know_their_classes() {
    let data = load("digits").expect("digits");
    assert_eq!(data.classes(), Some(10));
    let train = data.images(Split::Train).expect("train").labels().expect("labels");
    assert_eq!(train.len(), 1500);
    assert_eq!(train[..12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    let test = data.images(Split::Test).expect("test").labels().expect("labels");
    assert_eq!(test[..6], [1, 7, 4, 6, 3, 1]);
    let counts: Vec<usize> =
        (0..10).map(|class| train.iter().filter(|&&label| label == class).count()).collect();
    assert!(counts.iter().all(|&n| (140..=160).contains(&n)), "{counts:?}");
}

#[test]
fn batches_carry_the_labels_of_their_images() {
    let data = load("digits").expect("digits").hold_out();
    let labels = data.images(Split::Train).expect("train").labels().expect("labels");
    let first = Position { epoch: 1, step: 2 };
    let batches = data.shuffled(Split::Train, 100, first).expect("batches");
    let sequential = data.sequential(Split::Train, 64).expect("batches");
    let batches: Vec<Batch> =
        batches.take(30).chain(sequential).map(|batch| batch.expect("read")).collect();
    for batch in batches {
        let expected: Vec<u32> = batch.indices.iter().map(|&i| labels[i]).collect();
        assert_eq!(batch.labels, Some(expected));
    }
}

#[test]
fn idx_labels_lie_beside_the_images() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let images = file(path, "train-images-idx3-ubyte", &idx(&[4, 2, 2], &noise(16)));
    let data = load(&spec("idx", path, "")).expect("data");
    assert_eq!((data.classes(), data.images(Split::Train).expect("train").labels()), (None, None));
    file(path, "train-labels-idx1-ubyte.gz", &gzip(&idx(&[4], &[3, 1, 0, 6])));
    for named in [path, &images] {
        let data = load(&spec("idx", named, "")).expect("data");
        assert_eq!(data.classes(), Some(7));
        assert_eq!(data.images(Split::Train).expect("train").labels(), Some(&[3, 1, 0, 6][..]));
    }
    file(path, "train-labels-idx1-ubyte.gz", &gzip(&idx(&[3], &[3, 1, 0])));
    says(&complaint(&spec("idx", path, "")), &["train-labels", "3 labels for 4 images"]);
}

#[test]
fn archives_of_numpy_with_labels() {
    let folder = tempfile::tempdir().expect("a folder");
    let labels = |label: i64| [label.to_le_bytes(), 2i64.to_le_bytes()].concat();
    let archive = |elements: &str, bytes: &[u8]| {
        let members = [
            ("train", npy(&[2, 1, 2], &[0, 1, 2, 3])),
            ("train_labels", npy_of(elements, false, &[2], bytes)),
        ];
        spec("npz", &file(folder.path(), "a.npz", &npz(&members, Packing::Deflated)), "")
    };
    let data = load(&archive("<i8", &labels(5))).expect("data");
    assert_eq!(data.classes(), Some(6));
    assert_eq!(data.images(Split::Train).expect("train").labels(), Some(&[5, 2][..]));
    says(&complaint(&archive("<i8", &labels(-1))), &["`train_labels`", "0 to 16,777,215"]);
    says(&complaint(&archive("<f8", &labels(1))), &["`train_labels`", "astype('int64')"]);
}

#[test]
fn odd_labels_are_pointed_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let warnings = |labels: &[u8]| {
        let count = labels.len();
        let members = [("x", npy(&[count, 2, 2], &noise(count * 4))), ("y", npy(&[count], labels))];
        let path = file(folder.path(), "a.npz", &npz(&members, Packing::Stored));
        load(&spec("npz", &path, "")).expect("data").warnings().join("\n")
    };
    says(&warnings(&[1, 2, 3, 1]), &["no image has the label 0", "subtract 1"]);
    says(&warnings(&[0, 200, 3, 1]), &["labels go up to 200 for 4 images"]);
    assert_eq!(warnings(&[0, 1, 2, 1]), "");
}
