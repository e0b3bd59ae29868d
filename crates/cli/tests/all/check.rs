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
    let mut expected =
        vec!["causal", "outputs", "leaking_outputs", "witness", "blind_share", "parameters"];
    expected.push("hint");
    assert_eq!(keys, expected);
    assert_eq!(object["causal"], json!(true));
    assert_eq!(object["outputs"], json!(64));
    assert_eq!(object["leaking_outputs"], json!(0));
    assert_eq!(object["witness"], json!(null));
    let blind = object["blind_share"].as_f64().unwrap();
    assert!(blind > 0.01 && blind < 0.02, "{blind}");
}

/// Mask A behind the first layer only leaves out what may be read, unless the image comes in again.
#[test]
fn mask_a_behind_the_first_layer() {
    let folder = tempfile::tempdir().unwrap();
    let hint = |layers: &str| {
        let head = "pub M { h: usize = 4 }\nimage 4 x 4, colors 1, levels 2;\n";
        std::fs::write(folder.path().join("m.pixelrnn"), [head, layers].concat()).unwrap();
        let ran = run_in(folder.path(), &["check", "m.pixelrnn", "--json"]);
        let object: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        object["hint"].as_str().map(str::to_string)
    };
    let stem = "stem: masked_conv(3 x 3, A, h);\n";
    let found = hint(&format!("{stem}second: masked_conv(3 x 3, A, h); logits;"));
    assert!(found.is_some_and(|text| text.contains("Mask B in `second`")));
    assert_eq!(hint(&format!("{stem}second: masked_conv(3 x 3, B, h); logits;")), None);
    let with_image = "one: masked_conv(3 x 3, A, 1); both = one + image;\n";
    assert_eq!(hint(&format!("{with_image}b: both.masked_conv(3 x 3, A, h); logits;")), None);
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
    // The command `export` refuses to write a leaking model, so the library exports it.
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
    // A hop of the path names the node and its position in the source text.
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
        // The smallest possible image, and one that is too wide for grid lines.
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
        // Nothing leaks, so red occurs only in the legend: 11 x 11.
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
    assert!(
        text.contains("invalid --at 8,0: expected row 0 to 7, column 0 to 7, color 0"),
        "{text}"
    );
    let text = bad(&["check", "digits-diagonal", "--at", "1,1,3"]);
    assert!(text.contains("invalid --at 1,1,3: expected row 0 to 7"), "{text}");
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

/// `check` proves files that `export` writes, for all distributions, layouts and element types of
/// images.
#[test]
fn files_of_every_form_are_proved() {
    let folder = tempfile::tempdir().unwrap();
    let models: [(&str, &[&str]); 3] = [
        ("digits-gated-mixture", &["h=4", "layers=1", "components=2", "height=3", "width=4"]),
        ("cifar-pixelcnn", &["h=6", "layers=1", "height=3", "width=5", "levels=4"]),
        ("digits-multiscale", &["h=4", "height=4", "width=4"]),
    ];
    let forms: [&[&str]; 4] =
        [&[], &["--layout", "nhwc"], &["--layout", "nchw"], &["--image", "uint8"]];
    for (model, settings) in models {
        for kind in ["forward", "nll", "sample", "grad"] {
            for form in forms.iter().filter(|form| kind != "grad" || form.is_empty()) {
                let mut export = vec!["export", model, "--graph", kind, "-o", "m.onnx", "-q"];
                settings.iter().for_each(|set| export.extend(["--set", set]));
                let ran = run_in(folder.path(), &[&export[..], form].concat());
                assert_eq!(ran.code, 0, "{}", ran.err);
                let ran = run_in(folder.path(), &["check", "m.onnx"]);
                assert_eq!(ran.code, 0, "{model} {kind} {form:?}: {}{}", ran.out, ran.err);
            }
        }
    }
}

#[test]
fn pipes_and_control_characters_are_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("p.pixelrnn")).status();
    if made.is_ok_and(|status| status.success()) {
        let ran = run_in(folder.path(), &["inspect", "p.pixelrnn"]);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains("expected a regular file"), "{}", ran.err);
    }
    let ran = run_in(folder.path(), &["check", "a\u{1b}[2Jb.pixelrnn"]);
    assert!(ran.code == 2 && !ran.err.contains('\u{1b}'), "{:?}", ran.err);
}
