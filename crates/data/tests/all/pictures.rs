//! `images`.

use png::{BitDepth, ColorType};

use pixelrnn_data::{Shape, Split};

use crate::write::jpeg::jpeg;
use crate::write::{file, grey, noise, png_of, rgb};
use crate::{complaint, load, pixels, says, spec};

#[test]
fn folders_in_folders_in_the_order_of_their_paths() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, value) in [("b/1.PNG", 3), ("a.png", 1), ("c.png", 4), ("b/0.png", 2)] {
        file(folder.path(), name, &grey((2, 3), &[value; 6]));
    }
    file(folder.path(), "notes.txt", b"not a picture");
    let data = load(&spec("images", folder.path(), "")).expect("data");
    assert_eq!(data.shape(), Shape { height: 2, width: 3, colours: 1 });
    assert_eq!((data.levels(), data.splits().as_slice()), (256, &[Split::Train][..]));
    let first: Vec<u8> = pixels(&data, Split::Train).iter().step_by(6).copied().collect();
    assert_eq!(first, [1, 2, 3, 4]);
    let text = data.images(Split::Test).expect_err("no test").to_string();
    says(&text, &["the folder `test` is missing in"]);
}

#[test]
fn folders_of_splits() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, value) in [("train/x/0.png", 1), ("val/0.png", 2), ("test/0.png", 3), ("4.png", 4)] {
        file(folder.path(), name, &grey((1, 1), &[value]));
    }
    let data = load(&spec("images", folder.path(), "")).expect("data");
    for (split, value) in Split::ALL.into_iter().zip([1, 2, 3]) {
        assert_eq!(pixels(&data, split), [value], "{split:?}");
    }
    assert_eq!(data.shared(), 0);
}

#[test]
fn a_limit_saves_decoding() {
    let folder = tempfile::tempdir().expect("a folder");
    for n in 0..20 {
        file(folder.path(), &format!("{n:02}.png"), &grey((1, 1), &[n]));
    }
    let all = load(&spec("images", folder.path(), ",shuffle=off")).expect("data");
    assert_eq!((all.shared(), pixels(&all, Split::Valid)), (2, vec![18, 19]));
    file(folder.path(), "05.png", b"no picture");
    says(&complaint(&spec("images", folder.path(), "")), &["05.png", "a PNG, JPEG, WebP"]);
    let some = load(&spec("images", folder.path(), ",limit=3,shuffle=off")).expect("data");
    assert_eq!(pixels(&some, Split::Train), [0, 1, 2]);
    assert_eq!(pixels(&some, Split::Valid), [18, 19]);
}

#[test]
fn every_kind_of_png() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = |bytes: Vec<u8>| {
        file(folder.path(), "a.png", &bytes);
        let data = load(&spec("images", folder.path(), "")).expect("data");
        (data.shape().colours, pixels(&data, Split::Train).to_vec())
    };
    let size = (1, 2);
    let grey_of = |depth, data: &[u8]| png_of(size, ColorType::Grayscale, depth, data);
    assert_eq!(one(grey_of(BitDepth::Eight, &[7, 9])), (1, vec![7, 9]));
    assert_eq!(one(grey_of(BitDepth::One, &[0b0100_0000])), (1, vec![0, 255]));
    assert_eq!(one(grey_of(BitDepth::Sixteen, &[1, 2, 3, 4])), (1, vec![1, 3]));
    let colours = [1, 2, 3, 4, 5, 6];
    assert_eq!(one(rgb(size, &colours)), (3, colours.to_vec()));
    let palette = png_of(size, ColorType::Indexed, BitDepth::Eight, &[1, 2]);
    assert_eq!(one(palette), (3, vec![10, 20, 30, 40, 50, 60]));
    let alpha = |a| png_of(size, ColorType::Rgba, BitDepth::Eight, &[1, 2, 3, a, 4, 5, 6, 255]);
    assert_eq!(one(alpha(255)), (3, colours.to_vec()));
    file(folder.path(), "a.png", &alpha(254));
    says(&complaint(&spec("images", folder.path(), "")), &["a.png", "transparent pixels"]);
}

#[test]
fn jpegs_and_what_they_are_beside() {
    let folder = tempfile::tempdir().expect("a folder");
    let value = |y: usize, x: usize| (20 + 50 * y + 90 * x) as u8;
    let blocks: Vec<Vec<Vec<u8>>> =
        (0..2).map(|y| (0..3).map(|x| vec![value(y, x)]).collect()).collect();
    // The content determines the format, not the name.
    file(folder.path(), "0.png", &jpeg(&blocks));
    let data = load(&spec("images", folder.path(), "")).expect("data");
    assert_eq!(data.shape(), Shape { height: 16, width: 24, colours: 1 });
    let image = pixels(&data, Split::Train).to_vec();
    for (at, &found) in image.iter().enumerate() {
        assert_eq!(found, value(at / 24 / 8, at % 24 / 8), "{at}");
    }
    // A color JPEG without chroma is gray, and gray pictures next to it are converted to color.
    let coloured: Vec<Vec<Vec<u8>>> =
        (0..2).map(|_| (0..3).map(|_| vec![77, 128, 128]).collect()).collect();
    file(folder.path(), "1.jpeg", &jpeg(&coloured));
    let data = load(&spec("images", folder.path(), "")).expect("data");
    assert_eq!(data.shape().colours, 3);
    let both = pixels(&data, Split::Train);
    assert_eq!(both[..6], [20; 6]);
    assert_eq!(both[image.len() * 3..], vec![77; image.len() * 3]);
}

#[test]
fn sizes_must_agree_or_be_made_to() {
    let folder = tempfile::tempdir().expect("a folder");
    file(folder.path(), "0.png", &grey((4, 4), &[8; 16]));
    file(folder.path(), "1.png", &grey((2, 4), &[6; 8]));
    let text = complaint(&spec("images", folder.path(), ""));
    says(&text, &["1.png is 2 x 4", "0.png is 4 x 4", "`,size=HxW`"]);
    let data = load(&spec("images", folder.path(), ",size=2x2")).expect("data");
    assert_eq!(pixels(&data, Split::Train), [8, 8, 8, 8, 6, 6, 6, 6]);
    let text = complaint(&spec("images", folder.path(), ",size=3x3"));
    says(&text, &["1.png is 2 x 4", "size=3x3", "enlarge"]);
}

#[test]
fn folders_without_pictures_and_pictures_that_are_none() {
    let folder = tempfile::tempdir().expect("a folder");
    says(&complaint(&spec("images", folder.path(), "")), &["contains no pictures"]);
    says(&complaint("images:no/such"), &["cannot read no/such"]);
    let wrong = |bytes: &[u8], words: &[&str]| {
        file(folder.path(), "a.jpg", bytes);
        let text = complaint(&spec("images", folder.path(), ""));
        says(&text, words);
        says(&text, &["a.jpg"]);
    };
    wrong(b"", &["none at all"]);
    wrong(b"GIG89a", &["not a PNG, JPEG", "47 49 47 38"]);
    wrong(b"GIF89a", &["damaged GIF"]);
    wrong(b"\xff\xd8\xff\xd9", &["damaged JPEG"]);
    wrong(b"\x89PNG\r\n\x1a\n", &["damaged PNG"]);
    // A size that a file of this length cannot contain.
    let mut huge = grey((1, 1), &[0]);
    huge[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
    let mut crc = flate2::Crc::new();
    crc.update(&huge[12..29]);
    huge[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    wrong(&huge, &["declares 4611686014132420609"]);
    let mut huge = jpeg(&[vec![vec![1]]]);
    let frame = huge.windows(2).position(|w| w == [0xff, 0xc0]).expect("a frame");
    huge[frame + 5..frame + 9].copy_from_slice(&[0x3f, 0xff, 0x3f, 0xff]);
    wrong(&huge, &["it declares 268402689"]);
    // Noise after valid first bytes.
    wrong(&[&b"\xff\xd8\xff"[..], &noise(500)].concat(), &["damaged JPEG"]);
}
