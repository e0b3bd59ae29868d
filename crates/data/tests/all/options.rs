//! `size`, `levels`, `binarize`.

use pixelrnn_data::{Position, Split};

use crate::write::{file, idx, noise, npy};
use crate::{complaint, load, pixels, says, spec};

#[test]
fn shrinking_is_the_mean_of_the_area() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = [[0, 10, 20], [30, 40, 50], [60, 70, 80]];
    let path = file(folder.path(), "a.idx", &idx(&[1, 3, 3], rows.as_flattened()));
    let shrunk = |size: &str| {
        let data = load(&spec("idx", &path, &format!(",size={size}"))).expect("data");
        pixels(&data, Split::Train).to_vec()
    };
    assert_eq!(shrunk("1x1"), [40]);
    assert_eq!(shrunk("3x1"), [10, 40, 70]);
    assert_eq!(shrunk("1x3"), [30, 40, 50]);
    assert_eq!(shrunk("3x3"), rows.as_flattened());
    // Half of the middle column belongs to each side: (2*0 + 10) / 3 = 3.3, rounded.
    assert_eq!(shrunk("3x2"), [3, 17, 33, 47, 63, 77]);
    says(&complaint(&spec("idx", &path, ",size=4x3")), &["a.idx is 3 x 3", "4x3", "smaller"]);
    // Colors are not mixed; halves are rounded up.
    let path = file(folder.path(), "a.npy", &npy(&[1, 1, 2, 2], &[1, 200, 2, 255]));
    let data = load(&spec("npy", &path, ",size=1x1")).expect("data");
    assert_eq!(pixels(&data, Split::Train), [2, 228]);
}

#[test]
fn shrinking_keeps_the_mean() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(folder.path(), "a.npy", &npy(&[7, 13, 11, 3], &noise(7 * 13 * 11 * 3)));
    let mean = |options: &str| {
        let data = load(&spec("npy", &path, options)).expect("data");
        let pixels = pixels(&data, Split::Train);
        pixels.iter().map(|&v| f64::from(v)).sum::<f64>() / pixels.len() as f64 / 255.0
    };
    for size in ["5x7", "12x3", "1x11"] {
        let difference = mean(&format!(",size={size}")) - mean("");
        assert!(difference.abs() < 0.002, "{size}: {difference}");
    }
}

#[test]
fn options_that_mean_nothing_are_refused() {
    for option in ["array=x", "labels=y", "range=0:1"] {
        let text = complaint(&format!("digits,{option}"));
        let word = option.split('=').next().expect("a word");
        says(&text, &[&format!("`{word}` does not apply to `digits`"), "it applies to `npz`"]);
    }
}

#[test]
fn requantising_and_thresholds() {
    let folder = tempfile::tempdir().expect("a folder");
    let all: Vec<u8> = (0..=255).collect();
    let path = file(folder.path(), "a.idx", &idx(&[256, 1, 1], &all));
    let made = |options: &str| {
        let data = load(&spec("idx", &path, options)).expect("data");
        (data.levels(), pixels(&data, Split::Train).to_vec())
    };
    for levels in [2, 3, 16, 17, 256] {
        let expected = all.iter().map(|&v| (usize::from(v) * levels / 256) as u8).collect();
        assert_eq!(made(&format!(",levels={levels}")), (levels, expected));
    }
    let half: Vec<u8> = all.iter().map(|&v| u8::from(f64::from(v) / 255.0 >= 0.5)).collect();
    assert_eq!(made(",binarize=threshold"), (2, half.clone()));
    assert_eq!(made(",levels=2,binarize=sample"), (2, half), "two levels stay as they are");
    let digits = load("digits,binarize=threshold").expect("digits");
    let raw = load("digits").expect("digits");
    let pairs = pixels(&digits, Split::Test).into_iter().zip(pixels(&raw, Split::Test));
    assert!(pairs.into_iter().all(|(bit, v)| bit == u8::from(v >= 8)));
}

#[test]
fn samples_are_drawn_once_with_the_probability_of_the_intensity() {
    let folder = tempfile::tempdir().expect("a folder");
    let values: Vec<u8> = [0, 51, 204, 255].repeat(20_000);
    let path = file(folder.path(), "train", &idx(&[20_000, 2, 2], &values));
    let data = load(&spec("idx", &path, ",binarize=sample")).expect("data");
    assert_eq!((data.levels(), data.resamples()), (2, false));
    let bits = pixels(&data, Split::Train);
    let share =
        |at: usize| bits.iter().skip(at).step_by(4).map(|&v| f64::from(v)).sum::<f64>() / 20_000.0;
    assert_eq!((share(0), share(3)), (0.0, 1.0));
    assert!((share(1) - 0.2).abs() < 0.01 && (share(2) - 0.8).abs() < 0.01);
    let again = load(&spec("idx", &path, ",binarize=sample")).expect("data");
    assert_eq!(bits, pixels(&again, Split::Train));
    // A limit does not change the samples of the remaining images; another seed does.
    let some = load(&spec("idx", &path, ",limit=9,shuffle=off,binarize=sample")).expect("data");
    assert_eq!(pixels(&some, Split::Train), &bits[..36]);
    let other: pixelrnn_data::Spec =
        spec("idx", &path, ",binarize=sample").parse().expect("a spec");
    assert_ne!(bits, pixels(&other.load(1).expect("data"), Split::Train));
}

#[test]
fn resampled_images_change_with_the_epoch_and_others_do_not() {
    let data = load("digits,binarize=resample").expect("digits");
    assert_eq!((data.levels(), data.resamples()), (2, true));
    assert_eq!(data.images(Split::Train).expect("train").levels(), 17);
    let once = load("digits,binarize=sample").expect("digits");
    assert_eq!(pixels(&data, Split::Test), pixels(&once, Split::Test));
    assert_eq!(pixels(&data, Split::Valid), pixels(&once, Split::Valid));
    // The samples of an image depend on its index, but not on the batch or its place in it.
    let image = |epoch: u64, size: usize, index: usize| -> Vec<f32> {
        let batches = data.shuffled(Split::Train, size, Position { epoch, step: 0 });
        let mut batches = batches.expect("batches").take(1500usize.div_ceil(size));
        let found = batches.find_map(|batch| {
            let batch = batch.expect("read");
            let row = batch.indices.iter().position(|&i| i == index)?;
            Some(batch.images.outer_iter().nth(row)?.iter().copied().collect())
        });
        found.expect("every image is in every epoch")
    };
    let first = image(0, 7, 3);
    assert!(first.iter().all(|&v| v == 0.0 || v == 1.0));
    assert_eq!(first, image(0, 64, 3));
    assert_ne!(first, image(1, 7, 3));
    assert_ne!(first, image(0, 7, 4));
    // An image that is in both splits has the same samples in both.
    let once = load("digits,binarize=sample,shuffle=off").expect("digits");
    assert_eq!(pixels(&once, Split::Train)[1350 * 64..], *pixels(&once, Split::Valid));
    // Over many epochs, the mean of the samples is the intensity.
    let intensities = data.images(Split::Train).expect("train").image(3).expect("an image");
    let mut sums = vec![0.0; 64];
    for epoch in 0..200 {
        let batches = data.shuffled(Split::Train, 1500, Position { epoch, step: 0 });
        let batch = batches.expect("batches").next().expect("a batch").expect("read");
        let row = batch.indices.iter().position(|&i| i == 3).expect("every image");
        let drawn: Vec<f32> =
            batch.images.outer_iter().nth(row).expect("a row").iter().copied().collect();
        sums.iter_mut().zip(drawn).for_each(|(sum, v)| *sum += f64::from(v) / 200.0);
    }
    for (sum, v) in sums.iter().zip(intensities) {
        assert!((sum - f64::from(v) / 16.0).abs() < 0.15, "{sum} for {v}");
    }
}
