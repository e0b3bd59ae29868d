//! The embedded digits.

use pixelrnn_data::{Shape, Split};

use crate::{load, pixels};

#[test]
fn they_are_the_published_ones_in_their_order() {
    let data = load("digits").expect("digits");
    assert_eq!(data.shape(), Shape { height: 8, width: 8, colours: 1 });
    assert_eq!((data.levels(), data.name()), (17, "digits"));
    let counts = Split::ALL.map(|s| data.images(s).expect("a split").count());
    assert_eq!(counts, [1500, 150, 297]);
    let all = [pixels(&data, Split::Train), pixels(&data, Split::Test)].concat();
    // The zero that opens the published file; the sum of scikit-learn's copy; FNV-1a of everything.
    let zero = [0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0];
    assert_eq!(all[..16], zero);
    assert_eq!(all.iter().map(|&v| u64::from(v)).sum::<u64>(), 561718);
    let step = |h: u64, b: &u8| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
    assert_eq!(all.iter().fold(0xcbf2_9ce4_8422_2325, step), 0x493f_a2f6_7df5_50a1);
}

#[test]
fn validation_is_the_tail_of_training_until_it_is_held_out() {
    let data = load("digits").expect("digits");
    assert_eq!(data.shared(), 150);
    assert_eq!(pixels(&data, Split::Train)[1350 * 64..], *pixels(&data, Split::Valid));
    let test = pixels(&data, Split::Test).to_vec();
    let held = data.clone().hold_out();
    assert_eq!(held.shared(), 0);
    assert_eq!(held.images(Split::Train).expect("train").count(), 1350);
    assert_eq!(pixels(&held, Split::Valid), pixels(&data, Split::Valid));
    assert_eq!(pixels(&held, Split::Test), test);
    // Once is enough.
    assert_eq!(held.hold_out().images(Split::Train).expect("train").count(), 1350);
}

#[test]
fn a_limit_moves_no_image_between_splits() {
    let all = load("digits").expect("digits");
    let some = load("digits,limit=200").expect("digits");
    for split in Split::ALL {
        let (all, some) = (pixels(&all, split), pixels(&some, split));
        assert_eq!(some, &all[..all.len().min(200 * 64)], "{split:?}");
    }
    assert_eq!(some.shared(), 0);
    assert_eq!(some.hold_out().images(Split::Train).expect("train").count(), 200);
    let most = load("digits,limit=1400").expect("digits");
    assert_eq!(most.shared(), 50);
    assert_eq!(most.hold_out().images(Split::Train).expect("train").count(), 1350);
}
