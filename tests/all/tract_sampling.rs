//! tract draws the same images as the other engines, for images with a single row, column or pixel and for
//! larger ones, and for calls of several sizes.
//!
//! tract rearranges the states of loops when it optimizes a model; see the pass `own_states`.

use pixelrnn::runtime::Engine;
use pixelrnn::sampling::{SampleMethod, Sampling, draw, uniform};
use pixelrnn::{Array, Declaration, Source, Weights};

use crate::common::{engines, weights};

/// Layers after an image. In several of them, different states that are carried from row to row have the same
/// shape.
const BODIES: [&str; 5] = [
    "stem: masked_conv(5 x 1, A, 2); l2: row_lstm(2); logits;",
    "stem: masked_conv(5 x 1, A, 2); l2: masked_conv(3 x 3, B, 2); logits;",
    "stem: masked_conv(5 x 1, A, 2); l2: diagonal_bilstm(2); logits;",
    "stem: masked_conv(3 x 3, A, 1); l2: row_lstm(1); l3: row_lstm(1); logits;",
    "condition label: classes 3; stem: masked_conv(5 x 1, A, 2); l2: row_lstm(2, bias = label.conv(1 x 1, 8)); logits;",
];
const SIZES: [&str; 4] = ["1 x 1", "1 x 5", "4 x 1", "3 x 3"];

fn images(engine: &dyn Engine, model: &Declaration, weights: &Weights, count: usize) -> Array {
    let numbers = uniform(model, count, 7);
    let labels: Vec<u32> = (0..count as u32).map(|i| i % 3).collect();
    let request = Sampling {
        method: SampleMethod::Cached,
        temperature: 1.0,
        uniform: &numbers,
        given: None,
        labels: model.label().map(|_| &labels[..]),
        conditions: &[],
    };
    draw(model, weights, engine, &request, &mut |_| {})
        .unwrap_or_else(|e| panic!("{}, {count} images: {e}", engine.name()))
}

#[test]
fn tract_draws_what_the_reference_draws() {
    let engine = |name: &str| &**engines().iter().find(|e| e.name() == name).expect("compiled in");
    for body in BODIES {
        for size in SIZES {
            let text = format!("pub M {{ }}\nimage {size}, colors 1, levels 2;\n{body}\n");
            let model = Declaration::from_source(Source::new("m", text), &[])
                .unwrap_or_else(|e| panic!("{size}, {body}: {e}"));
            let weights = weights(&model, 5);
            for count in [1, 2] {
                let expected = images(engine("reference"), &model, &weights, count);
                let found = images(engine("tract"), &model, &weights, count);
                assert_eq!(found, expected, "{size}, {count} images, {body}");
            }
        }
    }
}
