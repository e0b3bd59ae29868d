//! Layouts: where colors, rows, columns and levels are.

use pixelrnn_check::{CheckError, Layout, Options, check_bytes, trace};

use super::build::{Net, ints, reads};

/// Two levels for each of three colors of 4 x 5 pixels; every logit depends on its own value only.
fn logits(perm: &[i64], shape: &[i64]) -> Vec<u8> {
    let mut net = Net::image(3, 4, 5);
    let y = net.reshape("x", &[1, 3, 1, 4, 5]);
    let twice = net.whole(&[1, 1, 2, 1, 1]);
    let y = net.node("Tile", &[&y, &twice], &[]);
    let y = net.node("Transpose", &[&y], &[ints("perm", perm)]);
    let y = net.reshape(&y, shape);
    net.bytes(&y)
}

fn with_layout(text: &str) -> Options {
    Options { output_layout: Some(text.parse().expect("a layout")), ..Default::default() }
}

#[test]
fn usual_layouts_are_found() {
    for (perm, shape, layout) in [
        ([0, 1, 2, 3, 4], &[1, 6, 4, 5][..], "(cl)hw"),
        ([0, 1, 2, 3, 4], &[1, 3, 2, 4, 5], "clhw"),
        ([0, 2, 1, 3, 4], &[1, 2, 3, 4, 5], "lchw"),
        ([0, 1, 3, 4, 2], &[1, 3, 4, 5, 2], "chwl"),
        ([0, 3, 4, 1, 2], &[1, 4, 5, 3, 2], "hwcl"),
        ([0, 3, 4, 1, 2], &[1, 4, 5, 6], "hw(cl)"),
        ([0, 3, 4, 1, 2], &[1, 60, 2], "(hwc)l"),
        ([0, 3, 4, 1, 2], &[1, 20, 6], "(hw)(cl)"),
    ] {
        let d = check_bytes(&logits(&perm, shape), &Options::default()).expect(layout);
        assert_eq!(d.output_layout.to_string(), layout);
        assert_eq!(d.levels, 2);
        assert!((0..60).all(|r| reads(&d, r) == [r]), "{layout}");
    }
}

#[test]
fn an_unusual_layout_can_be_given() {
    let bytes = logits(&[0, 2, 1, 3, 4], &[1, 6, 4, 5]);
    let d = check_bytes(&bytes, &with_layout("(lc)hw")).expect("given");
    assert!((0..60).all(|r| reads(&d, r) == [r]));
    // With the default layout, it looks like a leak.
    let d = check_bytes(&bytes, &Options::default()).expect("usual");
    assert!((0..60).any(|r| reads(&d, r) != [r]));
}

#[test]
fn ambiguity_is_an_error() {
    let mut net = Net::image(2, 4, 4);
    let y = net.reshape("x", &[1, 2, 1, 4, 4]);
    let twice = net.whole(&[1, 1, 2, 1, 1]);
    let y = net.node("Tile", &[&y, &twice], &[]);
    let bytes = net.bytes(&y);
    match check_bytes(&bytes, &Options::default()) {
        Err(CheckError::Ambiguous { layouts, .. }) => assert_eq!(layouts, ["clhw", "lchw"]),
        other => panic!("{other:?}"),
    }
    assert!(check_bytes(&bytes, &with_layout("clhw")).is_ok());
    match check_bytes(&bytes, &with_layout("chw")) {
        Err(CheckError::OutputShape { shape, .. }) => assert_eq!(shape, [1, 2, 2, 4, 4]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn layouts_are_checked() {
    for text in ["", "h", "hh", "cw", "(hw", "hw)", "()hw", "h((w))", "chwx", "hwc(c)"] {
        assert!(text.parse::<Layout>().is_err(), "{text}");
    }
    assert_eq!("(c)hw".parse::<Layout>().expect("a layout").to_string(), "chw");
}

#[test]
fn open_extents_need_the_size() {
    let mut net = Net::image(1, -1, -1);
    let y = net.node("Relu", &["x"], &[]);
    let bytes = net.bytes(&y);
    match check_bytes(&bytes, &Options::default()) {
        Err(CheckError::OpenExtent { axis, .. }) => assert_eq!(axis, 2),
        other => panic!("{other:?}"),
    }
    let sized = Options { image: Some([1, 3, 7]), ..Default::default() };
    let d = check_bytes(&bytes, &sized).expect("sized");
    assert_eq!((d.height, d.width), (3, 7));
}

#[test]
fn channels_last_is_noticed() {
    let mut net = Net::image(8, 9, 3);
    let y = net.node("Relu", &["x"], &[]);
    let d = net.check(&y);
    assert_eq!((d.colours, d.height, d.width), (3, 8, 9));
    assert!((0..216).all(|r| reads(&d, r) == [r]));
}

/// A batch size that is fixed in the file is kept.
#[test]
fn a_fixed_batch_is_kept() {
    let mut net = Net::image(1, 2, 2);
    net.graph.input.clear();
    net.input("x", &[3, 1, 2, 2]);
    let y = net.reshape("x", &[12]);
    let y = net.node("Relu", &[&y], &[]);
    let y = net.reshape(&y, &[3, 1, 2, 2]);
    let d = net.check(&y);
    assert!((0..4).all(|r| reads(&d, r) == [r]));
}

/// Every image of a fixed batch is checked, not only the first.
#[test]
fn all_images_of_a_batch_are_checked() {
    // Each image minus its first row: only the outputs of image `leaking` also read their own pixel.
    for leaking in 0..3 {
        let mut net = Net::image(1, 3, 2);
        net.graph.input.clear();
        net.input("x", &[3, 1, 3, 2]);
        let above = net.pad("x", &[0, 0, 1, 0, 0, 0, 0, 0]);
        let above = net.slice(&above, 2, 0, 3, 1);
        let mut mask = [0.0; 3];
        mask[leaking] = 1.0;
        let mask = net.floats(&[3, 1, 1, 1], &mask);
        let own = net.node("Mul", &["x", &mask], &[]);
        let y = net.node("Add", &[&above, &own], &[]);
        let bytes = net.bytes(&y);
        let options = Options::default();
        let report = check_bytes(&bytes, &options).expect("checks");
        assert_eq!(report.leaking_outputs, 6, "image {leaking}");
        let leak = report.leak.expect("a leak");
        assert_eq!(leak.output, leak.input);
        // The path is that of the image that leaks.
        let hops = trace(&bytes, &options, &report, leak.output, leak.input).expect("a path");
        assert!(hops.iter().all(|hop| hop.element[0] == leaking), "{hops:?}");
        assert_eq!(hops.last().map(|hop| hop.op_type.as_str()), Some("Mul"));
    }
}
