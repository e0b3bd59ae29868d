//! `check`.

use pixelrnn::{Declaration, ExportOptions, GraphKind};
use serde_json::json;

use crate::run::{bad, good, json, model, run, run_in, tiny};

#[test]
fn a_causal_model() {
    let text = good(&tiny("check", "digits-diagonal"));
    assert!(text.starts_with("digits-diagonal: causal\n"), "{text}");
    assert!(text.contains("output (4, 3) never reads: (3, 7)\n"), "{text}");
    let object = json(&tiny("check", "digits-diagonal"));
    let keys: Vec<&String> = object.as_object().unwrap().keys().collect();
    let expected = ["causal", "outputs", "leaking_outputs", "witness", "blind_share", "parameters"];
    assert_eq!(keys, expected);
    assert_eq!(object["causal"], json!(true));
    assert_eq!(object["outputs"], json!(64));
    assert_eq!(object["leaking_outputs"], json!(0));
    assert_eq!(object["witness"], json!(null));
    let blind = object["blind_share"].as_f64().unwrap();
    assert!(blind > 0.01 && blind < 0.02, "{blind}");
}

#[test]
fn a_leaking_model() {
    let path = model("leaking.pixelrnn");
    let ran = run(&["check", &path]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    assert!(ran.out.starts_with("error: this layer leaks"), "{}", ran.out);
    assert!(ran.out.contains("leaking.pixelrnn:7:9\n"), "{}", ran.out);
    assert!(ran.out.contains("NOT CAUSAL"), "{}", ran.out);

    let ran = run(&["check", &path, "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    let object: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(object["causal"], json!(false));
    assert!(object["leaking_outputs"].as_u64().unwrap() > 20);
    let witness = &object["witness"];
    assert_eq!((&witness["output"], &witness["input"]), (&json!([0, 0, 0]), &json!([0, 0, 0])));
    let path: Vec<&str> =
        witness["path"].as_array().unwrap().iter().filter_map(|hop| hop.as_str()).collect();
    assert!(path.iter().any(|hop| hop.starts_with("smooth (0, 0)")), "{path:?}");
    assert_eq!(path.last(), Some(&"image (0, 0)"));
}

#[test]
fn what_was_exported_is_as_causal_as_what_was_declared() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["digits-diagonal", "digits-row-lstm", "digits-pixelcnn"] {
        for extra in [&["--control-flow", "unroll"][..], &["--weights-as-inputs"]] {
            let mut export = tiny("export", name);
            export.extend(["-o", "model.onnx"]);
            export.extend(extra);
            assert_eq!(run_in(folder.path(), &export).code, 0);
            let ran = run_in(folder.path(), &["check", "model.onnx", "--json"]);
            assert_eq!(ran.code, 0, "{}", ran.err);
            let found: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
            let declared = json(&tiny("check", name));
            for key in ["causal", "outputs", "leaking_outputs", "witness", "blind_share"] {
                assert_eq!(found[key], declared[key], "{name} {key}");
            }
        }
    }
}

#[test]
fn a_leaking_file() {
    // `export` refuses to write it.
    let path = model("leaking.pixelrnn");
    let leaking = Declaration::from_file(path.as_ref(), &[]).unwrap();
    let onnx = leaking.export(GraphKind::Forward, &ExportOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("leak.onnx"), onnx).unwrap();
    let ran = run_in(folder.path(), &["check", "leak.onnx", "--json", "--output", "logits"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    let found: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let declared: serde_json::Value =
        serde_json::from_str(&run(&["check", &path, "--json"]).out).unwrap();
    for key in ["leaking_outputs", "blind_share", "outputs", "parameters"] {
        assert_eq!(found[key], declared[key], "{key}");
    }
    for end in ["output", "input"] {
        assert_eq!(found["witness"][end], declared["witness"][end]);
    }
    // The node, and its place in the text it was compiled from.
    let path = found["witness"]["path"].as_array().unwrap();
    let through = |hop: &&serde_json::Value| hop.as_str().unwrap().contains("`smooth");
    let hop = path.iter().find(through).unwrap_or_else(|| panic!("{path:?}"));
    assert!(hop.as_str().unwrap().contains("leaking.pixelrnn:7:9"), "{hop}");
    assert_eq!(path.last(), Some(&json!("image (0, 0)")));
    let ran = run_in(folder.path(), &["check", "leak.onnx"]);
    assert!(ran.out.contains("witness     output (0, 0) reads input (0, 0)\n"), "{}", ran.out);
}

#[test]
fn pictures() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (tiny("check", "digits-diagonal"), 0),
        (vec!["check", "digits-pixelcnn", "--set", "colours=3", "--set", "levels=4"], 0),
        // The smallest image there is, and one too wide for a line between the cells.
        (vec!["check", "digits-pixelcnn", "--set", "height=1", "--set", "width=1"], 0),
        (vec!["check", "digits-pixelcnn", "--set", "width=100", "--at", "1,99"], 0),
    ];
    for (mut arguments, code) in cases {
        arguments.extend(["--picture", "context.png"]);
        let ran = run_in(folder.path(), &arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.err);
        assert!(ran.out.contains("context.png: one panel for each output"), "{}", ran.out);
        let file = std::fs::File::open(folder.path().join("context.png")).unwrap();
        let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        assert!(frame.width > 100 && frame.height > 100, "{arguments:?}");
        // Nothing leaks, so red stands in the legend alone: 11 x 11.
        let red = pixels.chunks(3).filter(|p| *p == [0xd6, 0x27, 0x28]).count();
        assert_eq!(red, 121, "{arguments:?}");
    }
    let leaking = model("leaking.pixelrnn");
    let ran = run_in(folder.path(), &["check", &leaking, "--picture", "leak.png"]);
    assert_eq!(ran.code, 1);
    assert!(folder.path().join("leak.png").exists());
}

#[test]
fn chosen_outputs() {
    let mut arguments = tiny("check", "digits-row-lstm");
    arguments.extend(["--at", "2,3", "--at", "0,0"]);
    let text = good(&arguments);
    assert!(text.contains("output (2, 3) never reads: "), "{text}");
    assert!(text.contains("output (0, 0) reads every earlier value"), "{text}");
    let text = bad(&["check", "digits-diagonal", "--at", "8,0"]);
    assert!(text.contains("`--at 8,0` is outside of the image: 8 x 8, 1 color"), "{text}");
    assert!(bad(&["check", "digits-diagonal", "--at", "8"]).contains("ROW,COLUMN"));
}

#[test]
fn files_that_are_no_model() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("noise.onnx"), "this is no model").unwrap();
    let ran = run_in(folder.path(), &["check", "noise.onnx"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.starts_with("error: noise.onnx: "), "{}", ran.err);
    assert!(bad(&["check", "none.onnx"]).contains("cannot read none.onnx"));
    assert!(
        bad(&["check", "none.onnx", "--set", "h=4"]).contains("`--set` applies to declarations")
    );
    assert!(
        bad(&["check", "digits-diagonal", "--levels", "17"]).contains("`--levels` applies to ONNX")
    );
    let text = bad(&["check", "none.onnx", "--output-layout", "xyz"]);
    assert!(text.contains("invalid layout `xyz`"), "{text}");
    let huge = ["check", "digits-diagonal", "--set", "height=200", "--set", "width=200"];
    assert!(bad(&huge).contains("too large for the causality proof"));
}
