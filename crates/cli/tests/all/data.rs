//! `data`: how a data set is read.

use pixelrnn::training::data::Spec;
use pixelrnn::training::old_fingerprints;
use serde_json::json;

use crate::run::{bad, good, json, run_in};

#[test]
fn the_digits() {
    let object = json(&["data", "digits"]);
    assert_eq!(object["splits"], json!({"train": 1350, "valid": 150, "test": 297}));
    assert_eq!(object["shape"], json!([8, 8, 1]));
    assert_eq!((&object["classes"], &object["levels"]), (&json!(10), &json!(17)));
    assert_eq!(object["warnings"], json!([]));
    let text = good(&["data", "digits"]);
    assert!(text.contains("8 x 8, 17 levels") && text.contains("train   1,350"), "{text}");
    assert!(text.contains("  9: 134 train, 15 valid, 31 test"), "{text}");
    let two = json(&["data", "digits,limit=20,binarize=threshold,holdout=0"]);
    assert_eq!((&two["splits"], &two["levels"]), (&json!({"train": 20, "test": 20}), &json!(2)));
}

#[test]
fn warnings_and_refusals() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("a.csv"), "7 ".repeat(64) + "\n" + &"7 ".repeat(64)).unwrap();
    let ran = run_in(path, &["data", "csv:a.csv", "--json"]);
    let object: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &object["classes"]), (0, &json!(null)));
    assert!(object["warnings"].to_string().contains("constant"), "{object}");
    let ran = run_in(path, &["data", "csv:a.csv", "--picture", "a.png"]);
    let picture = std::fs::read(path.join("a.png")).unwrap();
    assert!(ran.code == 0 && picture.starts_with(b"\x89PNG"), "{}", ran.err);
    assert!(bad(&["data", "npz:no.npz"]).contains("cannot read no.npz"));
    assert!(bad(&["data", "digits", "--picture", "a.gif"]).contains("must end in .png"));
    assert!(bad(&["data", "digits,size=4x2,fit=crop,array=x"]).contains("does not apply"));
}

/// A run from before images were chosen at random, whose `run.json` has other fields.
#[test]
fn an_old_run_goes_on_with_its_images() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let spec = "digits,limit=90,size=4x4";
    let small = ["--set", "height=4", "--set", "width=4", "--set", "layers=1", "--set", "h=12"];
    let data = format!("{spec},shuffle=off");
    let begin =
        ["train", "digits-diagonal", "--engine=tract", "-q", "--out", "run", "--steps", "2"];
    let ran = run_in(path, &[&begin[..], &small, &["--data", &data]].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let settings = path.join("run/run.json");
    let text = std::fs::read_to_string(&settings).unwrap();
    let mut object: serde_json::Value = serde_json::from_str(&text).unwrap();
    let loaded = data.parse::<Spec>().unwrap().load(0).unwrap().hold_out();
    object["data"] = json!(spec);
    object["data_sha256"] = json!(old_fingerprints(&loaded).unwrap()[1]);
    object.as_object_mut().unwrap().remove("data_selection");
    std::fs::write(&settings, object.to_string()).unwrap();
    let ran = run_in(path, &["eval", "run", "--engine=tract", "--split", "valid", "--json"]);
    assert_eq!((ran.code, ran.err.contains("other images")), (0, false), "{}", ran.err);
    let resume = ["train", "--resume", "--engine=tract", "-q", "--out", "run", "--steps", "4"];
    let ran = run_in(path, &resume);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let text = std::fs::read_to_string(&settings).unwrap();
    let object: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(object["data"], json!("digits,shuffle=off,limit=90,size=4x4"));
    assert_eq!(object["data_sha256"], json!(loaded.fingerprint()));
}

/// A large array in a sparse file is read once; later its fingerprint is cached.
#[test]
fn large_files_are_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (count, values) = (540 << 10, 1024);
    let header =
        format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({count}, 32, 32), }}");
    let header = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(header.as_bytes());
    let file = std::fs::File::create(path.join("a.npy")).unwrap();
    std::io::Write::write_all(&mut &file, &bytes).unwrap();
    file.set_len((bytes.len() + count * values) as u64).unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    file.set_modified(old).unwrap();
    let data = || {
        let ran = run_in(path, &["data", "npy:a.npy", "--json"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out
    };
    let first = data();
    assert_eq!(std::fs::read_dir(path.join("pixelrnn/data")).unwrap().count(), 1);
    assert_eq!(data(), first);
    // A change that keeps the length and the modification time is not noticed, so the file was not
    // read.
    let file = std::fs::File::options().write(true).open(path.join("a.npy")).unwrap();
    std::io::Seek::seek(&mut &file, std::io::SeekFrom::End(-1)).unwrap();
    std::io::Write::write_all(&mut &file, &[9]).unwrap();
    file.set_modified(old).unwrap();
    assert_eq!(data(), first);
    file.set_modified(old + std::time::Duration::from_secs(1)).unwrap();
    assert_ne!(data(), first);
    assert_eq!(std::fs::read_dir(path.join("pixelrnn/data")).unwrap().count(), 2);
}
