//! Causal self-attention over pixels, in the ways that exporters write its mask.

use super::build::{Net, blind, int, ints, leaks, reads};

/// Self-attention with every pixel as a token; `mask` adds the mask to the scores.
fn attention(mask: impl Fn(&mut Net, &str) -> String) -> (Net, String) {
    let mut net = Net::image(1, 4, 4);
    let t = net.reshape("x", &[1, 1, 16]);
    let t = net.node("Transpose", &[&t], &[ints("perm", &[0, 2, 1])]);
    let w = net.floats(&[1, 4], &[1.0; 4]);
    let q = net.node("MatMul", &[&t, &w], &[]);
    let k = net.node("Transpose", &[&q], &[ints("perm", &[0, 2, 1])]);
    let scores = net.node("MatMul", &[&q, &k], &[]);
    let scores = mask(&mut net, &scores);
    let p = net.node("Softmax", &[&scores], &[int("axis", -1)]);
    let y = net.node("MatMul", &[&p, &q], &[]);
    let w = net.floats(&[4, 1], &[1.0; 4]);
    let y = net.node("MatMul", &[&y, &w], &[]);
    let y = net.reshape(&y, &[1, 1, 4, 4]);
    (net, y)
}

fn triangle(inside: f32, outside: f32) -> Vec<f32> {
    (0..256).map(|i| if i % 16 <= i / 16 { inside } else { outside }).collect()
}

#[test]
fn masks_of_minus_infinity_are_exact() {
    for outside in [f32::NEG_INFINITY, f32::MIN, -1e9] {
        let added = attention(|net, scores| {
            let m = net.floats(&[16, 16], &triangle(0.0, outside));
            net.node("Add", &[scores, &m], &[])
        });
        let chosen = attention(|net, scores| {
            let m = net.floats(&[16, 16], &triangle(1.0, 0.0));
            let m = net.node("Cast", &[&m], &[int("to", 9)]);
            let low = net.floats(&[], &[outside]);
            net.node("Where", &[&m, scores, &low], &[])
        });
        for (net, y) in [added, chosen] {
            let d = net.check(&y);
            for row in 0..16 {
                assert_eq!(reads(&d, row), (0..=row).collect::<Vec<_>>());
            }
        }
    }
}

/// Where the sum is zero, 0 / 0 is NaN. That is a condition, not a leak: it depends on earlier pixels alone.
#[test]
fn masked_weights_divided_by_their_sum() {
    for scaled in ["Mul", "Sigmoid"] {
        let mut net = Net::image(1, 4, 4);
        let t = net.reshape("x", &[1, 16, 1]);
        let k = net.node("Transpose", &[&t], &[ints("perm", &[0, 2, 1])]);
        let weights = match scaled {
            "Mul" => net.node("Mul", &[&k, &k], &[]),
            _ => net.node("Sigmoid", &[&k], &[]),
        };
        let earlier: Vec<f32> = (0..256).map(|i| f32::from(i % 16 < i / 16)).collect();
        let m = net.floats(&[16, 16], &earlier);
        let weights = net.node("Mul", &[&weights, &m], &[]);
        let axes = net.whole(&[2]);
        let sum = net.node("ReduceSum", &[&weights, &axes], &[int("keepdims", 1)]);
        let p = net.node("Div", &[&weights, &sum], &[]);
        let y = net.node("MatMul", &[&p, &t], &[]);
        let y = net.reshape(&y, &[1, 1, 4, 4]);
        let d = net.check(&y);
        assert!(d.conditions.iter().any(|c| c.contains("NaN")), "{scaled}: {:?}", d.conditions);
        for row in 0..16 {
            assert_eq!(reads(&d, row), (0..row).collect::<Vec<_>>(), "{scaled}");
        }
    }
}

#[test]
fn no_mask_reads_everything() {
    let (net, y) = attention(|_, scores| scores.to_string());
    let d = net.check(&y);
    assert_eq!(leaks(&d).len(), 16);
    assert_eq!(blind(&d), 0.0);
}

/// With a single unmasked token, the attention weight is one, whatever its score.
#[test]
fn a_mask_of_self_alone_reads_self_alone() {
    let (net, y) = attention(|net, scores| {
        let eye: Vec<f32> =
            (0..256).map(|i| if i % 17 == 0 { 0.0 } else { f32::NEG_INFINITY }).collect();
        let m = net.floats(&[16, 16], &eye);
        net.node("Add", &[scores, &m], &[])
    });
    let d = net.check(&y);
    assert!((0..16).all(|r| reads(&d, r) == [r]));
}
