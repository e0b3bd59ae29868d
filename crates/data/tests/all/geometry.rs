//! `crop`, `fit`, `colours`, and warnings about proportions.

use pixelrnn_data::{Shape, Split};

use crate::write::{file, grey, npy, rgb};
use crate::{complaint, load, pixels, says, spec};

#[test]
fn crops_and_fits() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows: Vec<u8> = (0..6).flat_map(|y| (0..4).map(move |x| 10 * y + x)).collect();
    let path = file(folder.path(), "a.npy", &npy(&[1, 6, 4], &rows));
    let made = |options: &str| {
        let data = load(&spec("npy", &path, options)).expect("data");
        let Shape { height, width, .. } = data.shape();
        (height, width, pixels(&data, Split::Train), data.warnings().join("\n"))
    };
    let oddities = ["images are squashed", "6 x 4", "2 x 2", "`fit=crop`"];
    assert_eq!(made(",crop=2x2"), (2, 2, vec![21, 22, 31, 32], String::new()));
    assert_eq!(made(",crop=3x1").2, [11, 21, 31]);
    assert_eq!(made(",fit=crop,size=4x4").2[..4], [10, 11, 12, 13]);
    assert_eq!(made(",fit=crop,size=2x2").2, [16, 18, 36, 38], "means of 2 x 2, halves up");
    assert_eq!(made(",fit=pad,size=6x6").2[..6], [0, 0, 1, 2, 3, 0]);
    let padded = made(",fit=pad,size=3x3");
    assert_eq!(padded.2, [3, 7, 4, 13, 27, 14, 23, 47, 24], "black on both sides");
    assert_eq!(padded.3, "");
    let squashed = made(",size=2x2");
    says(&squashed.3, &oddities);
    assert_eq!(made(",fit=squash,size=2x2").2, squashed.2);
    assert_eq!(made(",size=3x2").3, "", "the same proportions");
    says(&complaint(&spec("npy", &path, ",crop=7x2")), &["6 x 4", "7x2", "smaller crop"]);
    says(&complaint(&spec("npy", &path, ",fit=crop")), &["`fit`", "`,size=HxW`"]);
}

#[test]
fn pictures_of_all_sizes_become_one() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, size) in [("0.png", (218, 178)), ("1.png", (178, 218)), ("2.png", (300, 300))] {
        file(folder.path(), name, &grey(size, &vec![7; (size.0 * size.1) as usize]));
    }
    let data = load(&spec("images", folder.path(), ",crop=140x140,size=64x64")).expect("data");
    assert_eq!(data.shape(), Shape { height: 64, width: 64, colours: 1 });
    assert!(pixels(&data, Split::Train).iter().all(|&v| v == 7));
    let text = complaint(&spec("images", folder.path(), ""));
    says(&text, &["1.png is 178 x 218", "`,size=HxW` or `,crop=HxW`"]);
    let data = load(&spec("images", folder.path(), ",fit=crop,size=64x64")).expect("data");
    assert!(!data.warnings().join("\n").contains("squashed"));
    let data = load(&spec("images", folder.path(), ",size=64x64")).expect("data");
    assert_eq!(data.warnings().iter().filter(|w| w.contains("squashed")).count(), 1);
}

#[test]
fn gray_by_the_stated_formula() {
    let folder = tempfile::tempdir().expect("a folder");
    let colors = [255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30, 255, 255, 255];
    file(folder.path(), "0.png", &rgb((1, 5), &colors));
    let data = load(&spec("images", folder.path(), ",colours=1")).expect("data");
    let luma = |p: &[u8]| {
        let [r, g, b] = [p[0], p[1], p[2]].map(f64::from);
        ((299.0 * r + 587.0 * g + 114.0 * b) / 1000.0).round() as u8
    };
    assert_eq!(pixels(&data, Split::Train), colors.chunks(3).map(luma).collect::<Vec<_>>());
    let path = file(folder.path(), "a.npy", &npy(&[1, 1, 2], &[3, 4]));
    let data = load(&spec("npy", &path, ",colors=3")).expect("data");
    assert_eq!(pixels(&data, Split::Train), [3, 3, 3, 4, 4, 4]);
    let path = file(folder.path(), "a.npy", &npy(&[1, 1, 1, 2], &[3, 4]));
    says(&complaint(&spec("npy", &path, ",colours=1")), &["2 channels", "between 1 and 3"]);
}
