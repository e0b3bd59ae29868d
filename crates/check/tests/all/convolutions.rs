//! Masked convolutions, correct and faulty.

use pixelrnn_check::{Options, Position, condense};
use pixelrnn_onnx::proto::tensor_proto::DataType;

use super::build::{Net, blind, info, ints, leaks, mask, reads, way, weights};

/// 28 x 28, one color: mask A, then a layer with the given taps.
fn two_layers(live: impl Fn(usize, usize, usize, usize) -> bool) -> (Net, String) {
    let mut net = Net::image(1, 28, 28);
    let a = [4, 1, 7];
    let y = net.conv("x", a, mask(a, 1, false));
    let y = net.node("Relu", &[&y], &[]);
    let y = net.conv(&y, [1, 4, 3], live);
    (net, y)
}

#[test]
fn masks_a_and_b_are_causal() {
    let (net, y) = two_layers(mask([1, 4, 3], 1, true));
    let d = net.check(&y);
    assert_eq!(leaks(&d), []);
    assert_eq!((d.colours, d.height, d.width, d.levels), (1, 28, 28, 1));
    // 7 x 7 mask A sees three rows up and three columns left; 3 x 3 adds one more of each.
    let at = |row, column| d.value(Position { colour: 0, row, column });
    assert!(d.depends(at(10, 10), at(6, 6)));
    assert!(d.depends(at(10, 10), at(10, 6)));
    assert!(!d.depends(at(10, 10), at(5, 10)));
    assert!(!d.depends(at(10, 10), at(10, 5)));
    assert!(blind(&d) > 0.5);
}

#[test]
fn colours_inside_a_pixel_keep_their_order() {
    let mut net = Net::image(3, 5, 4);
    let a = [6, 3, 3];
    let y = net.conv("x", a, mask(a, 3, false));
    let b = [12, 6, 1];
    let y = net.conv(&y, b, mask(b, 3, true));
    let d = net.check(&y);
    assert_eq!(d.levels, 4);
    assert_eq!(leaks(&d), []);
    assert!(reads(&d, 0).is_empty());
    assert_eq!(reads(&d, 1), [0]);
    assert_eq!(reads(&d, 2), [0, 1]);
    assert_eq!(reads(&d, 3), [0, 1, 2]);
}

#[test]
fn mask_b_that_keeps_the_rows_below_leaks() {
    let (net, y) = two_layers(|_, _, row, _| row != 1);
    assert_eq!(leaks(&net.check(&y)).len(), 756);
}

#[test]
fn mask_a_with_the_lower_left_open_leaks() {
    let mut net = Net::image(1, 28, 28);
    let y = net.conv("x", [1, 1, 7], |_, _, y, x| y < 3 || x < 3);
    let leaks = leaks(&net.check(&y));
    // All but the last row and the first column leak. The first is (0, 1), which depends on (1, 0).
    assert_eq!(leaks.len(), 729);
    assert_eq!(leaks.first(), Some(&(1, 28)));
}

#[test]
fn an_unshifted_target_reads_itself() {
    let mut net = Net::image(1, 6, 6);
    let b = [1, 1, 3];
    let y = net.conv("x", b, mask(b, 1, true));
    let d = net.check(&y);
    assert!((0..36).all(|r| d.first_from(r, r) == Some(r)));
}

/// A mask counts if it is multiplied by a weight that is an input of the graph.
#[test]
fn a_mask_multiplied_into_an_unknown_weight_counts() {
    let shape = [3, 3, 3];
    let build = |masked: bool| {
        let mut net = Net::image(3, 6, 6);
        net.graph.input.push(info("w", DataType::Float, &[3, 3, 3, 3]));
        let mut w = "w".to_string();
        if masked {
            let ones: Vec<f32> =
                weights(shape, mask(shape, 3, false)).iter().map(|w| w * 4.0).collect();
            let m = net.floats(&[3, 3, 3, 3], &ones);
            w = net.node("Mul", &[&m, "w"], &[]);
        }
        let y = net.node("Conv", &["x", &w], &[ints("pads", &[1; 4])]);
        net.check(&y)
    };
    let d = build(true);
    assert_eq!(leaks(&d), []);
    assert_eq!(reads(&d, 1), [0]);
    assert_eq!(d.parameters, 81);
    assert_eq!(leaks(&build(false)).len(), 108);
}

#[test]
fn groups_strides_and_transposes() {
    // Depthwise: each color depends on itself only.
    let mut net = Net::image(3, 4, 4);
    let w = net.floats(&[3, 1, 1, 1], &[1.0; 3]);
    let y = net.node("Conv", &["x", &w], &[super::build::int("group", 3)]);
    let d = net.check(&y);
    assert!((0..48).all(|r| reads(&d, r) == [r]));
    // Downsampling by two and upsampling: each 2 x 2 block depends on its upper left pixel.
    let mut net = Net::image(1, 4, 4);
    let w = net.floats(&[1, 1, 1, 1], &[1.0]);
    let y = net.node("Conv", &["x", &w], &[ints("strides", &[2, 2])]);
    let w = net.floats(&[1, 1, 2, 2], &[1.0; 4]);
    let y = net.node("ConvTranspose", &[&y, &w], &[ints("strides", &[2, 2])]);
    let d = net.check(&y);
    let upper_left = |r: usize| r / 8 * 8 + r % 4 / 2 * 2;
    assert!((0..16).all(|r| reads(&d, r) == [upper_left(r)]));
}

#[test]
fn a_leak_has_a_way_back() {
    let (net, y) = two_layers(|_, _, row, _| row != 1);
    let bytes = net.bytes(&y);
    let p = |row, column| Position { colour: 0, row, column };
    let hops = way(&bytes, &Options::default(), p(3, 3), p(4, 2)).expect("a way");
    let ops: Vec<&str> = hops.iter().map(|h| h.op_type.as_str()).collect();
    assert_eq!(ops, ["Conv", "Relu", "Conv"]);
    assert_eq!(hops[0].element, [0, 0, 3, 3]);
    // The only path is through the row below.
    assert_eq!(hops[1].element[2..], [4, 3]);
    assert!(!hops[0].passes && hops[1].passes);
    assert_eq!(condense(&hops, 2).len(), 2);
    let none = way(&bytes, &Options::default(), p(3, 3), p(20, 20));
    assert_eq!(none, Err(pixelrnn_check::CheckError::Independent));
}
