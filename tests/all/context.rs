//! The receptive fields: the exact blind spots of the paper's models, and a proof for every model of the zoo.

use pixelrnn::internal::passes::{Causality, Place};

use crate::common::zoo;

fn judged(name: &str, list: &[(&str, usize)]) -> Causality {
    let proof = zoo(name, list).prove().unwrap_or_else(|e| panic!("{name}: {e}"));
    proof.causality().clone()
}

/// A Diagonal BiLSTM sees every earlier pixel except one: output (y, x) with x <= W - 5 does not see (y - 1,
/// W - 1), for any number of layers.
#[test]
fn the_one_pixel_that_a_diagonal_bilstm_never_sees() {
    for layers in [1, 7] {
        let found = judged("mnist-diagonal", &[("layers", layers), ("h", 1)]);
        assert_eq!((found.height, found.width, found.outputs()), (28, 28, 784));
        for y in 0..28 {
            for x in 0..28 {
                let expected = match y > 0 && x + 5 <= 28 {
                    true => vec![Place { y: y - 1, x: 27, colour: 0 }],
                    false => vec![],
                };
                assert_eq!(found.unseen(28 * y + x), expected, "({y}, {x}), {layers} layers");
            }
        }
    }
}

#[test]
fn blind_spots() {
    for (name, layers, share) in [
        ("mnist-pixelcnn", 15, "34.7"),
        ("mnist-row-lstm", 12, "21.0"),
        ("mnist-row-lstm", 1, "34.9"),
    ] {
        let found = judged(name, &[("layers", layers), ("h", 1)]);
        let blind = 100.0 * found.blind_share;
        assert_eq!(format!("{blind:.1}"), share, "{name}, {layers} layers: {blind}");
    }
}

/// All models in full size. Only the number of features is small, which does not change what outputs read.
#[test]
fn the_whole_zoo_is_causal() {
    for entry in pixelrnn::zoo::ZOO {
        let declared = entry.declare(&[]).expect("declares");
        let i = declared.image();
        let found = judged(entry.name, &[("h", 3 * i.colours)]);
        assert!(found.causal());
        if entry.name.contains("diagonal") {
            let blind: usize = (0..found.outputs()).map(|o| found.unseen(o).len()).sum();
            let (h, w, c) = (found.height, found.width, found.colours);
            // Only the last color of that pixel is not seen: the later groups of the stem have seen the
            // others.
            assert_eq!(blind, (h - 1) * (w - 4) * c, "{}", entry.name);
        }
    }
}
