//! Which input is the image, in which order its colors are, and the roles of other inputs.

use pixelrnn_check::{Options, Order, Position, Role, Unseen, Verdict, check_bytes, explain};
use pixelrnn_onnx::proto::tensor_proto::DataType;

use super::build::{Net, info, mask};

fn order(order: Order) -> Options {
    Options { order: Some(order), ..Options::default() }
}

/// A map of features next to the image is a condition, and so is a label.
#[test]
fn conditions_are_told_from_the_image() {
    let mut net = Net::empty();
    net.graph.input.push(info("features", DataType::Float, &[-1, 16, 6, 6]));
    net.graph.input.push(info("x", DataType::Float, &[-1, 1, 6, 6]));
    net.graph.input.push(info("label", DataType::Int64, &[-1]));
    net.graph.input.push(info("unused", DataType::Float, &[3]));
    let h = net.conv("x", [16, 1, 3], mask([16, 1, 3], 1, false));
    let h = net.node("Add", &[&h, "features"], &[]);
    let table = net.floats(&[10, 16], &[0.5; 160]);
    let e = net.node("Gather", &[&table, "label"], &[]);
    let e = net.reshape(&e, &[1, 16, 1, 1]);
    let h = net.node("Add", &[&h, &e], &[]);
    let y = net.conv(&h, [4, 16, 1], |_, _, _, _| true);
    let r = check_bytes(&net.bytes(&y), &Options::default()).expect("runs");
    assert_eq!((r.verdict, r.input.as_str()), (Verdict::Causal, "x"));
    let roles: Vec<(&str, Role)> = r.inputs.iter().map(|i| (i.name.as_str(), i.role)).collect();
    let expected = [
        ("features", Role::Condition),
        ("x", Role::Image),
        ("label", Role::Condition),
        ("unused", Role::Unused),
    ];
    assert_eq!(roles, expected);
}

#[test]
fn colors_may_come_in_any_order() {
    // Each color depends on later colors: causal from blue to red.
    let reversed =
        |o: usize, i: usize, y: usize, x: usize| y < 1 || y == 1 && (x < 1 || x == 1 && i > o);
    let net = || {
        let mut net = Net::image(3, 4, 4);
        let y = net.conv("x", [3, 3, 3], reversed);
        net.bytes(&y)
    };
    let r = check_bytes(&net(), &Options::default()).expect("runs");
    assert_eq!((r.verdict, r.leaking_outputs), (Verdict::Leaks, 32));
    assert!(r.hint.as_deref().is_some_and(|h| h.contains("--order bgr")), "{:?}", r.hint);
    let r = check_bytes(&net(), &order(Order::Bgr)).expect("runs");
    assert_eq!((r.verdict, r.blind_share > 0.0), (Verdict::Causal, true));
    // With pixels as a whole, each depends on itself.
    let r = check_bytes(&net(), &order(Order::Pixel)).expect("runs");
    assert_eq!((r.verdict, r.leaking_outputs), (Verdict::Leaks, 16));
}

#[test]
fn whole_pixels_may_read_no_color_of_their_own() {
    let file = |center: bool| {
        let mut net = Net::image(3, 4, 4);
        // 6 parameters per pixel, which could also be 2 per color.
        let open = move |_, _, y: usize, x: usize| y < 1 || y == 1 && (x < 1 || x == 1 && center);
        let y = net.conv("x", [6, 3, 3], open);
        net.bytes(&y)
    };
    let r = check_bytes(&file(false), &order(Order::Pixel)).expect("runs");
    assert_eq!((r.verdict, r.outputs(), r.whole_pixels), (Verdict::Causal, 16, true));
    let r = check_bytes(&file(true), &order(Order::Pixel)).expect("runs");
    assert_eq!((r.verdict, r.leaking_outputs), (Verdict::Leaks, 16));
}

#[test]
fn what_is_not_seen_is_explained() {
    let mut net = Net::image(1, 8, 8);
    let h = net.conv("x", [4, 1, 3], mask([4, 1, 3], 1, false));
    let h = net.node("Relu", &[&h], &[]);
    let y = net.conv(&h, [4, 4, 1], |_, _, _, _| true);
    let bytes = net.bytes(&y);
    let options = Options { output_layout: "lhw".parse().ok(), ..Options::default() };
    let r = check_bytes(&bytes, &options).expect("runs");
    let p = |row, column| Position { colour: 0, row, column };
    let why = |to, from| explain(&bytes, &options, &r, to, from).expect("a reason");
    // To the right of the pixel, the mask has zeros. Two rows above it, the kernel has no taps.
    match why(p(4, 4), p(4, 5)) {
        Unseen::Stopped(hop) => assert_eq!(hop.op_type, "Conv"),
        Unseen::OutOfReach => panic!("connected"),
    }
    assert_eq!(why(p(4, 4), p(2, 4)), Unseen::OutOfReach);
    assert!(explain(&bytes, &options, &r, p(4, 4), p(3, 4)).is_err());
}
