//! Folders of pictures as users have them: other formats, orientation, hidden files, names of
//! splits.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat};
use pixelrnn_data::{Dataset, Shape, Split};

use crate::write::jpeg::jpeg;
use crate::write::{file, grey, noise, rgb};
use crate::{complaint, load, pixels, says, spec};

fn encoded(image: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).expect("encoded");
    bytes.into_inner()
}

#[test]
fn webp_bmp_tiff_and_gif() {
    let folder = tempfile::tempdir().expect("a folder");
    let colors = noise(5 * 4 * 3);
    let image = || {
        let image = image::RgbImage::from_raw(4, 5, colors.clone()).expect("an image");
        DynamicImage::ImageRgb8(image)
    };
    for (format, name) in
        [(ImageFormat::WebP, "a.webp"), (ImageFormat::Bmp, "a.BMP"), (ImageFormat::Tiff, "a.tiff")]
    {
        let place = folder.path().join(name);
        let bytes = encoded(image(), format);
        file(&place, name, &bytes);
        let data = load(&spec("images", &place, "")).expect(name);
        assert_eq!(data.shape(), Shape { height: 5, width: 4, colours: 3 }, "{name}");
        assert_eq!(pixels(&data, Split::Train), colors, "{name}");
        assert!(data.warnings().is_empty(), "{name}");
        // A truncated file must not cause a panic. If it can be read nevertheless, it is a picture
        // of some size.
        for length in 0..bytes.len() {
            file(&place, name, &bytes[..length]);
            let _ = load(&spec("images", &place, ""));
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0xff;
            file(&place, name, &bytes);
            let _ = load(&spec("images", &place, ""));
        }
    }
    let gray = image::GrayImage::from_raw(2, 1, vec![0, 255]).expect("an image");
    let gif = encoded(DynamicImage::ImageLuma8(gray).into_rgba8().into(), ImageFormat::Gif);
    file(&folder.path().join("gif"), "a.gif", &gif);
    let data = load(&spec("images", &folder.path().join("gif"), ",colours=1")).expect("a GIF");
    assert_eq!(pixels(&data, Split::Train), [0, 255]);
    let deep: Vec<u16> = vec![0x0102, 0xff00];
    let deep = image::ImageBuffer::from_raw(2, 1, deep).expect("an image");
    let tiff = encoded(DynamicImage::ImageLuma16(deep), ImageFormat::Tiff);
    file(&folder.path().join("tif"), "a.tif", &tiff);
    let data = load(&spec("images", &folder.path().join("tif"), "")).expect("a TIFF");
    assert_eq!(pixels(&data, Split::Train), [1, 255]);
}

/// Exif data with an orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    exif
}

fn turned_jpeg(orientation: u8) -> Vec<u8> {
    let blocks = vec![vec![vec![10], vec![200]]];
    let plain = jpeg(&blocks);
    let segment = [b"Exif\0\0".to_vec(), exif(orientation)].concat();
    let length = (segment.len() as u16 + 2).to_be_bytes();
    [&plain[..2], &[0xff, 0xe1], &length, &segment, &plain[2..]].concat()
}

fn turned_png(orientation: u8) -> Vec<u8> {
    let plain = grey((1, 2), &[10, 200]);
    let chunk = [b"eXIf".to_vec(), exif(orientation)].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&chunk);
    let length = (chunk.len() as u32 - 4).to_be_bytes();
    // Inserted after the header, which has 33 bytes including the signature.
    [&plain[..33], &length, &chunk, &crc.sum().to_be_bytes(), &plain[33..]].concat()
}

#[test]
fn what_cameras_note_about_orientation() {
    let folder = tempfile::tempdir().expect("a folder");
    let shown = |name: &str, bytes: &[u8]| {
        let place = folder.path().join(name);
        file(&place, name, bytes);
        let data = load(&spec("images", &place, "")).expect("data");
        let all = pixels(&data, Split::Train);
        (data.shape().height, data.shape().width, all[0], all[all.len() - 1])
    };
    // 6: rotate clockwise; 8: rotate counterclockwise; 2: mirror; 3: upside down.
    for (orientation, tall, first, last) in [
        (1, false, 10, 200),
        (2, false, 200, 10),
        (3, false, 200, 10),
        (6, true, 10, 200),
        (8, true, 200, 10),
    ] {
        let (long, short) = if tall { (2, 1) } else { (1, 2) };
        assert_eq!(
            shown("a.png", &turned_png(orientation)),
            (long, short, first, last),
            "{orientation}"
        );
        let (height, width) = (long * 8, short * 8);
        assert_eq!(
            shown("a.jpg", &turned_jpeg(orientation)),
            (height, width, first, last),
            "{orientation}"
        );
    }
}

#[test]
fn hidden_files_are_skipped_and_others_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in [
        "0.png",
        "1.png",
        "__MACOSX/._0.png",
        "._0.png",
        ".ipynb_checkpoints/0-checkpoint.png",
        "Thumbs.db",
        ".DS_Store",
        "desktop.ini",
        "@eaDir/0.png",
        "notes.txt",
        "a.heic",
        "b.heic",
        "LICENSE",
    ] {
        let bytes = if name.ends_with("0.png") || name == "1.png" {
            grey((1, 1), &[5])
        } else {
            vec![0, 5]
        };
        file(folder.path(), name, &bytes);
    }
    let data = load(&spec("images", folder.path(), "")).expect("data");
    assert_eq!(pixels(&data, Split::Train), [5, 5]);
    let expected = "4 files are skipped because they are not pictures that are read here: 2 .heic, 1 \
                    .txt, 1 no ending";
    assert_eq!(data.warnings()[0], expected);
    let empty = tempfile::tempdir().expect("a folder");
    file(empty.path(), "a.heic", b"x");
    says(&complaint(&spec("images", empty.path(), "")), &["contains no pictures", "1 .heic"]);
}

#[test]
fn names_of_split_folders() {
    for (train, valid, test) in [
        ("Train", "Val", "Test"),
        ("TRAINING", "Validation", "testing"),
        ("train", "dev", "test"),
        ("set/training", "set/valid", "set/Testing"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        for (split, value) in [(train, 1), (valid, 2), (test, 3)] {
            file(folder.path(), &format!("{split}/a/0.png"), &grey((1, 1), &[value]));
            file(folder.path(), &format!("{split}/b/0.png"), &grey((1, 1), &[value + 10]));
        }
        let data = load(&spec("images", folder.path(), "")).expect("data");
        for (split, value) in Split::ALL.into_iter().zip([1, 2, 3]) {
            assert_eq!(pixels(&data, split), [value, value + 10], "{train}");
            let labels = data.images(split).expect("a split").labels();
            assert_eq!(labels, Some(&[0, 1][..]), "{train}");
        }
        assert_eq!(data.class_names(), ["a", "b"]);
    }
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["train/0.png", "1.png", "other/2.png"] {
        file(folder.path(), name, &grey((1, 1), &[1]));
    }
    let data = load(&spec("images", folder.path(), "")).expect("data");
    says(&data.warnings().join("\n"), &["2 pictures outside of the folders of splits"]);
}

#[test]
fn class_folders_give_labels_to_every_split() {
    let folder = tempfile::tempdir().expect("a folder");
    for class in 0..10u8 {
        for image in 0..10u8 {
            let name = format!("photos/{class}_class/{image:03}.png");
            file(folder.path(), &name, &grey((1, 2), &[25 * class, image]));
        }
    }
    for options in ["", ",limit=10"] {
        let data = load(&spec("images", folder.path(), options)).expect("data").hold_out();
        assert_eq!((data.classes(), data.class_names()[9].as_str()), (Some(10), "9_class"));
        for split in [Split::Train, Split::Valid] {
            let images = data.images(split).expect("a split");
            let labels = images.labels().expect("labels").to_vec();
            let values: Vec<u8> = pixels(&data, split).chunks(2).map(|p| p[0]).collect();
            assert_eq!(values, labels.iter().map(|&l| 25 * l as u8).collect::<Vec<_>>());
            let mut classes = labels.clone();
            classes.dedup();
            assert_eq!(classes.len(), 10, "{options} {split:?}: {labels:?}");
        }
    }
    // Numbered by the names of other data, of which these are a part.
    let data = load(&spec("images", folder.path(), "")).expect("data").hold_out();
    let mut names = vec!["first".to_string()];
    names.extend(data.class_names().iter().rev().cloned());
    let again = data.clone().numbered_by(&names).expect("all known");
    assert_eq!((again.classes(), again.class_names()), (Some(11), &names[..]));
    for split in [Split::Train, Split::Valid] {
        let labels = |data: &Dataset| data.images(split).unwrap().labels().unwrap().to_vec();
        let reversed: Vec<u32> = labels(&data).into_iter().map(|label| 10 - label).collect();
        assert_eq!(labels(&again), reversed);
    }
    let error = data.numbered_by(&names[..10]).expect_err("one is missing").to_string();
    assert!(error.contains("class `0_class` is unknown"), "{error}");
    // With pictures next to the folders, the folders are not classes.
    file(folder.path(), "photos/cover.png", &grey((1, 2), &[1, 2]));
    assert_eq!(load(&spec("images", folder.path(), "")).expect("data").classes(), None);
}

#[test]
fn a_colored_picture_after_gray_ones_makes_all_colored_in_every_split() {
    let folder = tempfile::tempdir().expect("a folder");
    file(folder.path(), "train/0.png", &grey((1, 1), &[9]));
    file(folder.path(), "train/1.png", &grey((1, 1), &[8]));
    file(folder.path(), "test/0.png", &rgb((1, 1), &[1, 2, 3]));
    let data = load(&spec("images", folder.path(), "")).expect("data");
    assert_eq!(pixels(&data, Split::Train), [9, 9, 9, 8, 8, 8]);
    assert_eq!(pixels(&data, Split::Test), [1, 2, 3]);
    let gray = load(&spec("images", folder.path(), ",colors=1")).expect("data");
    assert_eq!(pixels(&gray, Split::Test), [2]);
    assert_eq!(gray.name(), spec("images", folder.path(), ",colors=1"));
}

/// Like Tiny ImageNet: validation and test pictures are in a folder that is not a class.
#[test]
fn splits_without_the_folders_of_classes_have_no_labels() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in
        ["train/cat/images/0.png", "train/dog/images/0.png", "val/images/0.png", "test/0.png"]
    {
        file(folder.path(), name, &grey((1, 1), &[1]));
    }
    let data = load(&spec("images", folder.path(), "")).expect("data");
    assert_eq!((data.classes(), data.class_names().len()), (Some(2), 2));
    let labels = Split::ALL.map(|split| data.images(split).expect("a split").labels().is_some());
    assert_eq!(labels, [true, false, false]);
    let warnings = data.warnings().join("\n");
    says(
        &warnings,
        &["the valid pictures have no labels", "the test pictures have no labels", "2 classes"],
    );
}
