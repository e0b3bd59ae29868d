//! Batches.

use pixelrnn_data::{Batch, DataError, Position, Shuffled, Split};

use crate::write::zip::{Packing, npz};
use crate::write::{file, noise, npy};
use crate::{load, pixels, spec};

#[test]
fn the_layout_is_colours_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let image: Vec<u8> = (0..12).map(|v| 100 + v).collect();
    let path = file(folder.path(), "a.npy", &npy(&[1, 2, 2, 3], &image));
    let data = load(&spec("npy", &path, "")).expect("data");
    let batch =
        data.sequential(Split::Train, 5).expect("batches").next().expect("a batch").expect("read");
    assert_eq!(batch.images.shape(), [1, 3, 2, 2]);
    for (at, &value) in image.iter().enumerate() {
        let (y, x, colour) = (at / 6, at / 3 % 2, at % 3);
        assert_eq!(batch.images[[0, colour, y, x]], f32::from(value));
    }
}

#[test]
fn sequential_batches_are_all_images_in_order() {
    let data = load("digits").expect("digits");
    let batches = data.sequential(Split::Test, 64).expect("batches");
    assert_eq!(batches.len(), 5);
    let batches: Vec<Batch> = batches.map(read).collect();
    let sizes: Vec<usize> = batches.iter().map(|b| b.images.shape()[0]).collect();
    assert_eq!(sizes, [64, 64, 64, 64, 41]);
    let values: Vec<u8> = batches.iter().flat_map(|b| b.images.iter().map(|&v| v as u8)).collect();
    assert_eq!(values, pixels(&data, Split::Test));
    let indices: Vec<usize> = batches.iter().flat_map(|b| b.indices.clone()).collect();
    assert_eq!(indices, (0..297).collect::<Vec<_>>());
}

fn read(batch: Result<Batch, DataError>) -> Batch {
    batch.unwrap_or_else(|e| panic!("{e}"))
}

fn shuffled(data: &pixelrnn_data::Dataset, size: usize, from: Position) -> Shuffled<'_> {
    data.shuffled(Split::Train, size, from).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn every_epoch_is_all_images_in_an_order_of_its_own() {
    let data = load("digits").expect("digits");
    let mut batches = shuffled(&data, 128, Position::default());
    assert_eq!(batches.steps_per_epoch(), 12);
    let mut epoch = || -> Vec<usize> {
        let batches: Vec<Batch> = batches.by_ref().take(12).map(read).collect();
        assert_eq!(batches[11].images.shape(), [1500 - 11 * 128, 1, 8, 8]);
        batches.iter().flat_map(|b| b.indices.clone()).collect()
    };
    let (first, second) = (epoch(), epoch());
    assert_ne!(first, second);
    for order in [&first, &second] {
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1500).collect::<Vec<_>>());
        // A uniform shuffle: on average, early images come in the middle, and few stay in their
        // place.
        let early: usize = order[..750].iter().sum();
        assert!(early.abs_diff(750 * 750) < 40_000, "{early}");
        assert!(order.iter().enumerate().filter(|(at, i)| at == *i).count() < 10);
    }
    // The order must never change, on any machine: a run must continue after an update of the
    // program.
    assert_eq!(first[..6], [960, 497, 1266, 1426, 1387, 1032]);
    let other = "digits".parse::<pixelrnn_data::Spec>().expect("a spec").load(1).expect("digits");
    let other = shuffled(&other, 1500, Position::default()).next().map(read).expect("a batch");
    assert_ne!(other.indices, first);
}

#[test]
fn a_run_goes_on_where_it_stopped() {
    for name in ["digits", "digits,binarize=resample"] {
        let data = load(name).expect("digits");
        let mut batches = shuffled(&data, 100, Position::default());
        let whole: Vec<Batch> = batches.by_ref().take(40).map(read).collect();
        assert_eq!(batches.position(), Position { epoch: 2, step: 10 });
        for stop in [0, 1, 14, 15, 16, 31] {
            let from = whole[stop].position;
            assert_eq!(from, Position { epoch: stop as u64 / 15, step: stop % 15 });
            let rest: Vec<Batch> = shuffled(&data, 100, from).take(40 - stop).map(read).collect();
            assert_eq!(rest, whole[stop..], "{name} from {stop}");
        }
    }
}

#[test]
fn what_cannot_be_asked_for() {
    let data = load("digits").expect("digits");
    assert!(matches!(data.sequential(Split::Test, 0), Err(DataError::EmptyBatch)));
    let zero = data.shuffled(Split::Train, 0, Position::default());
    assert!(matches!(zero, Err(DataError::EmptyBatch)));
    let late = data.shuffled(Split::Train, 100, Position { epoch: 3, step: 15 });
    assert!(matches!(late, Err(DataError::Position { step: 15, steps: 15 })));
    let large = shuffled(&data, usize::MAX, Position { epoch: u64::MAX, step: 0 });
    let sizes: Vec<usize> = large.take(2).map(|b| read(b).indices.len()).collect();
    assert_eq!(sizes, [1500, 1500]);
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = npz(&[("test", npy(&[1, 2, 2], &noise(4)))], Packing::Stored);
    let data = load(&spec("npz", &file(folder.path(), "a.npz", &bytes), "")).expect("data");
    let absent = data.shuffled(Split::Train, 1, Position::default());
    assert!(matches!(absent, Err(DataError::NoSplit { split: Split::Train, .. })));
}
