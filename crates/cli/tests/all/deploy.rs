//! The deployment options of `export`.

use std::fs;

use serde_json::json;

use crate::run::{Ran, bad, names, run_in, tiny};

fn export(folder: &std::path::Path, extra: &[&str]) -> Ran {
    let mut arguments = tiny("export", "digits-diagonal");
    arguments.extend(["--set", "height=3", "--set", "width=4", "--init-seed", "0"]);
    arguments.extend(extra);
    run_in(folder, &arguments)
}

#[test]
fn fewer_bits_make_smaller_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut sizes = Vec::new();
    for dtype in ["f32", "f16", "bf16", "int8"] {
        let file = format!("{dtype}.onnx");
        let large = ["--set", "h=32", "--graph", "nll", "--dtype", dtype, "-o", &file];
        assert_eq!(export(folder.path(), &large).code, 0);
        sizes.push(fs::metadata(folder.path().join(&file)).unwrap().len());
    }
    assert!(sizes[0] > sizes[1] && sizes[0] > sizes[2] && sizes[2] > sizes[3], "{sizes:?}");
    // The default is f32: giving it explicitly changes nothing.
    assert_eq!(export(folder.path(), &["--graph", "nll", "-o", "a.onnx"]).code, 0);
    assert_eq!(
        export(folder.path(), &["--graph", "nll", "--dtype", "f32", "-o", "b.onnx"]).code,
        0
    );
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(read("a.onnx") == read("b.onnx"));
}

#[test]
fn a_repository_is_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let ran = export(folder.path(), &["--triton", "models", "--image", "uint8", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let object: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(object, json!({ "triton": "models", "models": ["sampler", "nll"] }));
    let inside = |path: &str| folder.path().join("models").join(path);
    assert_eq!(names(&inside("")), ["nll", "sampler"]);
    for model in ["nll", "sampler"] {
        assert_eq!(names(&inside(model)), ["1", "config.pbtxt"]);
        assert_eq!(names(&inside(model).join("1")), ["model.onnx"]);
        assert!(fs::metadata(inside(model).join("1/model.onnx")).unwrap().len() > 1000);
    }
    let config = fs::read_to_string(inside("sampler/config.pbtxt")).unwrap();
    assert!(config.contains("TYPE_UINT8\n    dims: [ -1, 1, 3, 4 ]"), "{config}");

    // An empty folder can be used. Anything else stays unchanged.
    fs::create_dir(folder.path().join("empty")).unwrap();
    assert_eq!(export(folder.path(), &["--triton", "empty"]).code, 0);
    fs::write(folder.path().join("file"), "mine").unwrap();
    for (taken, why) in [("models", "not empty"), ("file", "not a directory"), ("no/dir", "o such")]
    {
        let ran = export(folder.path(), &["--triton", taken]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        assert!(ran.err.contains(&format!("cannot write {taken}")), "{}", ran.err);
        assert!(ran.err.contains(why), "{}", ran.err);
    }
    assert_eq!(fs::read_to_string(folder.path().join("file")).unwrap(), "mine");
    // An error after the start leaves nothing behind, either.
    let ran =
        export(folder.path(), &["--triton", "late", "--set", "levels=300", "--image", "uint8"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("256 levels"), "{}", ran.err);
    assert_eq!(names(folder.path()), ["empty", "file", "models"]);
}

#[test]
fn options_that_do_not_go_together() {
    let with = |extra: &[&str]| bad(&[&tiny("export", "digits-diagonal")[..], extra].concat());
    assert!(with(&["-o", "a", "--dtype", "f8"]).contains("f32, f16, bf16, int8"));
    assert!(with(&["-o", "a", "--layout", "chw"]).contains("nhwc, nchw"));
    assert!(with(&["-o", "a", "--image", "u8"]).contains("f32, uint8"));
    for (graph, extra) in [("train", ["--dtype", "f16"]), ("step", ["--layout", "nchw"])] {
        let text = with(&[&["-o", "a", "--graph", graph][..], &extra].concat());
        assert!(text.contains("forward, nll") && text.contains(graph), "{text}");
    }
    assert!(with(&["-o", "a", "--weights-as-inputs", "--dtype", "int8"]).contains("as inputs"));
    assert!(with(&["-o", "a", "--triton", "b"]).contains("cannot be used with"));
    assert!(with(&["--graph", "nll", "--triton", "b"]).contains("cannot be used with"));
    assert!(
        with(&["--triton", "b", "--weights-as-inputs"]).contains("leave out `--weights-as-inputs`")
    );
}
