//! `zoo`, `inspect`, and models given by name and by file.

use pixelrnn::internal::passes::pipeline::passes;
use serde_json::json;

use crate::run::{bad, good, json, model, run_in, tiny};

#[test]
fn the_zoo() {
    let text = good(&["zoo"]);
    assert!(text.lines().count() > 10);
    let line = text.lines().find(|l| l.starts_with("mnist-diagonal ")).unwrap();
    assert!(line.contains("h = 16, layers = 7") && line.ends_with("79.20 nats"), "{line}");
    let object = json(&["zoo"]);
    let models = object["models"].as_array().unwrap();
    assert_eq!(models.len(), text.lines().count() - 1);
    assert!(models.iter().all(|m| m["parameters"].as_u64().unwrap() > 0));
    assert_eq!(json(&["zoo", "digits-diagonal"])["paper"], json!(null));
}

#[test]
fn a_declaration_of_the_zoo_is_a_model_file() {
    let folder = tempfile::tempdir().unwrap();
    for entry in json(&["zoo"])["models"].as_array().unwrap() {
        let name = entry["name"].as_str().unwrap();
        std::fs::write(folder.path().join("my.pixelrnn"), good(&["zoo", name])).unwrap();
        let ran = run_in(folder.path(), &["inspect", "my.pixelrnn", "--json"]);
        let object: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(object["parameters"], entry["parameters"], "{name}");
    }
}

#[test]
fn stages_and_passes() {
    let with = |extra: &[&'static str]| [&tiny("inspect", "digits-row-lstm")[..], extra].concat();
    let declared = good(&with(&["--stage", "declared"]));
    assert!(declared.starts_with("graph \"DigitsRowLstm\" {\n"), "{declared}");
    assert!(declared.contains("row_lstm(") && !declared.contains("scan("), "{declared}");
    let expanded = good(&with(&["--dump-after", "expand"]));
    assert!(!expanded.contains("= row_lstm(") && expanded.contains("scan("), "{expanded}");
    assert_eq!(good(&with(&["--stage", "expanded"])), expanded);
    let lowered = good(&with(&["--stage", "lowered"]));
    assert!(lowered.contains("= Scan(") && lowered.contains("Conv("), "{lowered}");
    // The last pass for an export with f32 and the default image format.
    assert_eq!(good(&with(&["--dump-after", "own_states"])), lowered);
    assert!(good(&with(&["--dump-after", "unroll", "--control-flow", "unroll"])).len() > 1000);
    assert!(good(&with(&["--dump-after", "lower", "--no-simplify"])).contains("= Scan("));
    assert!(good(&with(&["--graph", "nll"])).contains("likelihood \"nll\""));

    let text = bad(&with(&["--dump-after", "expnd"]));
    assert!(text.contains("unknown pass `expnd`; did you mean `expand`?"), "{text}");
    for pass in passes() {
        assert!(
            text.contains(&format!("\n  {} ", pass.name)) && text.contains(pass.about),
            "{text}"
        );
    }
    assert!(bad(&with(&["--dump-after", "unroll"])).contains("`unroll` does not run"));
    assert!(bad(&with(&["--dump-after", "fold", "--no-simplify"])).contains("does not run for"));
    let bind = ["--dump-after", "bind", "--weights-as-inputs"];
    assert!(bad(&with(&bind)).contains("`bind` does not run for"));
}

#[test]
fn sizes() {
    let text = good(&tiny("inspect", "digits-diagonal"));
    assert!(text.contains("\nbody.0.lstm "), "{text}");
    assert!(text.contains(" multiply-adds per image\n"), "{text}");
    let object = json(&tiny("inspect", "digits-diagonal"));
    let layers = object["layers"].as_array().unwrap();
    for key in ["parameters", "multiply_adds"] {
        let sum: u64 = layers.iter().map(|l| l[key].as_u64().unwrap()).sum();
        assert_eq!(json!(sum), object[key], "{key}");
    }
    assert_eq!(object["parameters"], json(&tiny("check", "digits-diagonal"))["parameters"]);
    assert_eq!(object["weight_bytes"], json!(4 * object["parameters"].as_u64().unwrap()));
}

#[test]
fn models_by_name() {
    let text = bad(&["check", "mnist-diagnal"]);
    assert_eq!(text, "error: unknown model `mnist-diagnal`; did you mean `mnist-diagonal`?\n");
    assert!(
        bad(&["check", "qqqqqqqqqqqqqqqqqq"])
            .contains("; expected one of `pixelrnn zoo`, a model file or a run folder")
    );
    assert!(bad(&["zoo", "mnist"]).starts_with("error: unknown model `mnist`"));
    assert!(bad(&["inspect", "none.pixelrnn"]).contains("cannot read none.pixelrnn"));
    assert!(bad(&["inspect", "m.onnx"]).contains("only `pixelrnn check` reads ONNX files"));
    assert!(bad(&["inspect", env!("CARGO_MANIFEST_DIR")]).contains("is a folder"));
}

#[test]
fn settings() {
    let set = |s: &str| bad(&["check", "digits-diagonal", "--set", s]);
    assert!(set("h").contains("expected NAME=NUMBER"));
    assert!(set("h=two").contains("`two` is not a whole number"));
    assert!(set("height=0").starts_with("error: "));
    let text = set("hh=4");
    assert!(text.contains("hh") && text.contains("`h`"), "{text}");
    // A later `--set` overrides an earlier one.
    let twice = json(&["check", "digits-diagonal", "--set", "h=64", "--set", "h=4"]);
    let once = json(&["check", "digits-diagonal", "--set", "h=4"]);
    assert_eq!(twice, once);
}

#[test]
fn model_files() {
    let small = model("small.pixelrnn");
    assert!(good(&["check", &small, "--set", "h=8"]).contains("settings    h = 8, layers = 1"));
    assert!(good(&["compare", &small, "--engine", "reference,tract"]).contains(" agree\n"));
    let text = bad(&["check", &model("broken.pixelrnn")]);
    assert!(text.starts_with("error: "), "{text}");
    assert!(text.contains("broken.pixelrnn:6:7\n"), "{text}");
    assert!(text.contains("6 | stem: maskedconv(3 x 3, A, 2 * h);"), "{text}");
}
