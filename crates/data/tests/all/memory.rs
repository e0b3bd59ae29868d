//! Images that do not fit into memory are read correctly.

use std::path::{Path, PathBuf};

use pixelrnn_data::{Dataset, Position, Spec, Split};

use crate::spec;
use crate::write::tar::tar;
use crate::write::zip::{Packing, npz};
use crate::write::{file, grey, gzip, idx, noise, npy, rgb};

/// The same data set in every format.
fn cases(folder: &Path) -> Vec<(&'static str, PathBuf)> {
    let array = npy(&[30, 4, 3], &noise(360));
    let members = [("train", array.clone()), ("test", npy(&[5, 4, 3], &noise(60)))];
    let pictures: Vec<(String, Vec<u8>)> = noise(360)
        .chunks(12)
        .enumerate()
        .map(|(at, pixels)| (format!("{}/{at:02}.png", at % 3), grey((4, 3), pixels)))
        .collect();
    for (name, bytes) in &pictures {
        file(&folder.join("pictures"), name, bytes);
    }
    file(&folder.join("mixed"), "0.png", &grey((4, 3), &noise(12)));
    file(&folder.join("mixed"), "1.png", &rgb((4, 3), &noise(36)));
    let packed: Vec<(&str, Vec<u8>)> =
        pictures.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    vec![
        ("npy", file(folder, "a.npy", &array)),
        ("npy", file(folder, "a.npy.gz", &gzip(&array))),
        ("npz", file(folder, "stored.npz", &npz(&members, Packing::Stored))),
        ("npz", file(folder, "deflated.npz", &npz(&members, Packing::Deflated))),
        ("idx", file(folder, "a.idx", &idx(&[30, 4, 3], &noise(360)))),
        ("images", folder.join("pictures")),
        ("images", folder.join("mixed")),
        ("images", file(folder, "a.tar.gz", &gzip(&tar(&packed)))),
        ("digits", PathBuf::new()),
    ]
}

/// Everything that can be read from a data set.
fn seen(data: &Dataset) -> Vec<(Split, Vec<u8>, Option<Vec<u32>>)> {
    let split = |split| {
        let images = data.images(split).expect("a split");
        (split, images.pixels().expect("read"), images.labels().map(<[u32]>::to_vec))
    };
    data.splits().into_iter().map(split).collect()
}

#[test]
fn the_same_images_wherever_they_lie() {
    let folder = tempfile::tempdir().expect("a folder");
    for (source, path) in cases(folder.path()) {
        for options in ["", ",limit=3", ",size=2x2", ",binarize=sample", ",colours=3,levels=5"] {
            let text = match source {
                "digits" => format!("digits{options}"),
                _ => spec(source, &path, options),
            };
            let spec: Spec = text.parse().expect("a spec");
            let load =
                |memory| spec.load_within(3, memory).unwrap_or_else(|e| panic!("{text}: {e}"));
            let all = load(u64::MAX);
            for memory in [0, 100, 400] {
                let some = load(memory);
                assert_eq!(seen(&some), seen(&all), "{text} in {memory}");
                assert_eq!(some.fingerprint(), all.fingerprint(), "{text} in {memory}");
                let (some, all) = (some.hold_out(), all.clone().hold_out());
                assert_eq!(seen(&some), seen(&all), "{text} in {memory}, held out");
                let batch = |data: &Dataset| {
                    let batches = data.shuffled(Split::Train, 4, Position::default());
                    batches.expect("batches").nth(5).expect("a batch").expect("read")
                };
                assert_eq!(batch(&some), batch(&all), "{text} in {memory}");
            }
        }
    }
}

#[test]
fn a_file_that_goes_away_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(folder.path(), "a.npy", &npy(&[30, 4, 3], &noise(360)));
    let spec: Spec = spec("npy", &path, "").parse().expect("a spec");
    let data = spec.load_within(0, 0).expect("data");
    std::fs::OpenOptions::new().write(true).open(&path).and_then(|f| f.set_len(200)).expect("cut");
    let mut batches = data.sequential(Split::Train, 30).expect("batches");
    let error = batches.next().expect("a batch").expect_err("cut short").to_string();
    crate::says(&error, &["a.npy"]);
}
