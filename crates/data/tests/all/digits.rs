//! The embedded digits.

use pixelrnn_data::{Dataset, Shape, Spec, Split};

use crate::{load, pixels, says};

#[test]
fn they_are_the_published_ones_in_their_order() {
    let data = load("digits").expect("digits");
    assert_eq!(data.shape(), Shape { height: 8, width: 8, colours: 1 });
    assert_eq!((data.levels(), data.name()), (17, "digits"));
    let counts = Split::ALL.map(|s| data.images(s).expect("a split").count());
    assert_eq!(counts, [1500, 150, 297]);
    let all = [pixels(&data, Split::Train), pixels(&data, Split::Test)].concat();
    // The zero with which the published file begins, the sum in scikit-learn's copy, and an FNV-1a
    // hash of everything.
    let zero = [0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0];
    assert_eq!(all[..16], zero);
    assert_eq!(all.iter().map(|&v| u64::from(v)).sum::<u64>(), 561718);
    let step = |h: u64, b: &u8| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
    assert_eq!(all.iter().fold(0xcbf2_9ce4_8422_2325, step), 0x493f_a2f6_7df5_50a1);
}

/// The indices of the images `some` among `all`, found by their pixels.
fn among(all: &Dataset, some: &Dataset, split: Split, of: Split) -> Vec<usize> {
    let all = pixels(all, of);
    let all: Vec<&[u8]> = all.chunks_exact(64).collect();
    let some = pixels(some, split);
    let find = |image: &[u8]| all.iter().position(|other| *other == image).expect("it is there");
    some.chunks_exact(64).map(find).collect()
}

fn count(data: &Dataset, split: Split) -> usize {
    data.images(split).expect("a split").count()
}

#[test]
fn validation_images_are_training_images_until_they_are_held_out() {
    let data = load("digits").expect("digits");
    assert_eq!(data.shared(), 150);
    let valid = among(&data, &data, Split::Valid, Split::Train);
    assert!(valid.is_sorted() && valid[0] < 30 && valid[149] > 1450, "spread: {valid:?}");
    let test = pixels(&data, Split::Test);
    let held = data.clone().hold_out();
    assert_eq!((held.shared(), count(&held, Split::Train)), (0, 1350));
    let train = among(&data, &held, Split::Train, Split::Train);
    assert!(train.is_sorted() && train.iter().all(|image| !valid.contains(image)));
    assert_eq!(pixels(&held, Split::Valid), pixels(&data, Split::Valid));
    assert_eq!(pixels(&held, Split::Test), test);
    // Labels move with their images, and a tenth of every class is held out.
    let all = data.images(Split::Train).expect("train").labels().expect("labels").to_vec();
    let labels = held.images(Split::Train).expect("train").labels().expect("labels");
    assert_eq!(labels, train.iter().map(|&i| all[i]).collect::<Vec<_>>());
    let labels = held.images(Split::Valid).expect("valid").labels().expect("labels");
    for class in 0..10 {
        let n = |labels: &[u32]| labels.iter().filter(|&&l| l == class).count() as f64;
        assert!((n(labels) - n(&all) / 10.0).abs() < 1.0, "{class}");
    }
    // Holding out a second time changes nothing.
    assert_eq!(count(&held.hold_out(), Split::Train), 1350);
    let about = "held out for validation: 150 of 1,500 training images, chosen at random (seed 0), the same \
                 share of every class";
    assert_eq!(data.selection(), Some(about));
}

#[test]
fn the_choice_does_not_change_with_the_seed_of_the_run_and_does_with_its_own() {
    let data = load("digits").expect("digits");
    let spec: Spec = "digits".parse().expect("a spec");
    let other = spec.load(7).expect("digits");
    assert_eq!(pixels(&data, Split::Valid), pixels(&other, Split::Valid));
    assert_eq!(data.fingerprint(), other.fingerprint());
    let shuffled = load("digits,shuffle=1").expect("digits");
    assert_ne!(pixels(&data, Split::Valid), pixels(&shuffled, Split::Valid));
    assert_ne!(data.fingerprint(), shuffled.fingerprint());
    // The choice must never change: resumed runs must find the same validation images.
    let first = &among(&data, &data, Split::Valid, Split::Train)[..6];
    assert_eq!(first, FIRST);
}

const FIRST: [usize; 6] = [1, 17, 26, 32, 49, 53];

#[test]
fn without_a_shuffle_the_last_validate_and_a_limit_keeps_the_first() {
    let data = load("digits,shuffle=off").expect("digits");
    assert_eq!(pixels(&data, Split::Train)[1350 * 64..], *pixels(&data, Split::Valid));
    let some = load("digits,shuffle=off,limit=200").expect("digits");
    for split in Split::ALL {
        let (all, some) = (pixels(&data, split), pixels(&some, split));
        assert_eq!(some, &all[..all.len().min(200 * 64)], "{split:?}");
    }
    assert_eq!(
        data.selection(),
        Some("held out for validation: the last 150 of 1,500 training images")
    );
}

#[test]
fn shares_to_hold_out() {
    let counts = |options: &str| {
        let data = load(&format!("digits{options}")).expect("digits").hold_out();
        (count(&data, Split::Train), data.images(Split::Valid).map_or(0, |v| v.count()))
    };
    assert_eq!(counts(",holdout=0.2"), (1200, 300));
    assert_eq!(counts(",holdout=0"), (1500, 0));
    assert_eq!(counts(",holdout=0.0001"), (1500, 0));
    let data = load("digits,holdout=0").expect("digits");
    let text = data.images(Split::Valid).expect_err("none").to_string();
    says(&text, &["no `valid` images", "`holdout=0` keeps all"]);
}

#[test]
fn a_limit_moves_no_image_between_splits() {
    let all = load("digits").expect("digits");
    let held = all.clone().hold_out();
    let some = load("digits,limit=200").expect("digits");
    let counts = Split::ALL.map(|split| count(&some, split));
    assert_eq!((counts, some.shared()), ([200, 150, 200], 0));
    for split in Split::ALL {
        among(&held, &some, split, split);
    }
    let labels = some.images(Split::Train).expect("train").labels().expect("labels");
    for class in 0..10 {
        let n = labels.iter().filter(|&&l| l == class).count();
        assert!((19..=21).contains(&n), "{class}: {n}");
    }
    let most = load("digits,limit=1400").expect("digits");
    assert_eq!((most.shared(), count(&most, Split::Train)), (50, 1400));
    assert_eq!(count(&most.hold_out(), Split::Train), 1350);
    let few = load("digits,limit=4").expect("digits");
    let labels = few.images(Split::Train).expect("train").labels().expect("labels").to_vec();
    assert_eq!(labels.iter().collect::<std::collections::BTreeSet<_>>().len(), 4, "{labels:?}");
}
