//! `web`: the page is a complete folder whose files refer to each other, or it is not written at
//! all. `tests/web/run.mjs` opens one in a browser.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::run::{Ran, names, run_in, tiny};

/// A replacement for the npm package.
fn package(folder: &Path) {
    let dist = folder.join("node_modules/onnxruntime-web/dist");
    fs::create_dir_all(&dist).unwrap();
    fs::write(dist.join("ort.wasm.bundle.min.mjs"), "export const env = {};\n").unwrap();
    fs::write(dist.join("ort-wasm-simd-threaded.wasm"), b"\0asm").unwrap();
    fs::write(dist.join("ort.min.js"), "not for us").unwrap();
    let about = r#"{ "name": "onnxruntime-web", "version": "1.30.0" }"#;
    fs::write(dist.join("../package.json"), about).unwrap();
}

fn web(folder: &Path, model: &str, extra: &[&str]) -> Ran {
    let mut arguments = tiny("web", model);
    arguments.extend(["--init-seed", "0"]);
    arguments.extend(extra);
    run_in(folder, &arguments)
}

/// The paths of all files below a folder, with `/` as the separator.
fn files(folder: &Path, before: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for name in names(folder) {
        let path = folder.join(&name);
        match path.is_dir() {
            true => found.extend(files(&path, &format!("{before}{name}/"))),
            false => drop(found.insert(format!("{before}{name}"))),
        }
    }
    found
}

/// Quoted words in a text that look like file names.
fn named(text: &str) -> BTreeSet<String> {
    let endings = [".js", ".css", ".json", ".onnx", ".wasm", ".html"];
    let quoted = text.split(['"', '\'']).map(|part| part.trim_start_matches("./"));
    let file =
        |part: &&str| endings.iter().any(|end| part.ends_with(end) && part.len() > end.len());
    quoted
        .filter(file)
        .filter(|part| !part.contains(char::is_whitespace))
        .map(String::from)
        .collect()
}

#[test]
fn a_page_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    package(folder.path());
    let ran = web(folder.path(), "digits-gated-class", &["-o", "page", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let page = folder.path().join("page");
    let there = files(&page, "");
    let answer: Value = serde_json::from_str(&ran.out).unwrap();
    let told: BTreeSet<String> = serde_json::from_value(answer["files"].clone()).unwrap();
    assert_eq!((&answer["output"], &told), (&json!("page"), &there));

    // Each file except the first is referred to by another one, and no other names occur.
    let mut all = BTreeSet::from(["index.html".to_string()]);
    for name in &there {
        if name.starts_with("ort/") || name.ends_with(".onnx") {
            continue;
        }
        let text = fs::read_to_string(page.join(name)).unwrap();
        assert!(!text.contains("://"), "{name} names an address");
        all.extend(named(&text));
    }
    assert_eq!(all, there);

    let text = fs::read_to_string(page.join("model.json")).unwrap();
    let model: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(model["label"], json!({ "name": "label", "classes": 10 }));
    assert_eq!(model["image"]["levels"], json!(17));
    assert_eq!(model["onnxruntime"]["version"], json!("1.30.0"));
    let inputs = |graph: &str| -> Vec<String> {
        let ports = model[graph]["inputs"].as_array().unwrap();
        ports.iter().map(|port| port["name"].as_str().unwrap().to_string()).collect()
    };
    for name in ["uniform", "given", "mask", "label", "inverse_temperature"] {
        assert!(inputs("step").iter().any(|input| input == name), "{name}: {:?}", inputs("step"));
    }
    assert!(inputs("row").iter().any(|input| input == "begun"));
}

/// In all distributions, the logits are multiplied by the input, once per color.
#[test]
fn the_temperature_is_an_input() {
    let folder = tempfile::tempdir().unwrap();
    package(folder.path());
    let models: [(&str, &[&str]); 4] = [
        ("mnist-diagonal", &[]),
        ("digits-row-lstm", &[]),
        ("digits-gated-mixture", &[]),
        ("digits-diagonal", &["--set", "colours=3"]),
    ];
    for (model, set) in models {
        let at = format!("page-{model}");
        let ran = web(folder.path(), model, &[&["-o", &at], set].concat());
        assert_eq!(ran.code, 0, "{model}: {}", ran.err);
        let step = fs::read(folder.path().join(at).join("step.onnx")).unwrap();
        let count = |text: &[u8]| step.windows(text.len()).filter(|part| *part == text).count();
        // The name occurs as an input of the graph and of each product. The constant is gone.
        let products = if set.is_empty() { 1 } else { 3 };
        assert_eq!(count(b"inverse_temperature"), 1 + products, "{model}");
        assert_eq!(count(b"draw/level/factor"), 0, "{model}");
    }
}

#[test]
fn what_stands_in_the_way_is_said_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |model: &str, extra: &[&str]| {
        let ran = web(folder.path(), model, extra);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        ran.err
    };
    let missing = fails("digits-diagonal", &["-o", "page"]);
    assert!(missing.contains("ort.wasm.bundle.min.mjs"), "{missing}");
    assert!(missing.contains("npm install onnxruntime-web"), "{missing}");
    fs::create_dir(folder.path().join("other")).unwrap();
    let missing = fails("digits-diagonal", &["-o", "page", "--ort-web", "other"]);
    assert!(missing.contains("other") && missing.contains("--ort-web"), "{missing}");
    package(folder.path());
    let scales = fails("digits-multiscale", &["-o", "page"]);
    assert!(scales.contains("one scale"), "{scales}");
    assert!(fails("digits-diagonal", &["-o", "no/page"]).contains("no/page"));
    fs::create_dir(folder.path().join("full")).unwrap();
    fs::write(folder.path().join("full/mine.txt"), "mine").unwrap();
    assert!(fails("digits-diagonal", &["-o", "full"]).contains("not empty"));
    assert_eq!(names(folder.path()), ["full", "node_modules", "other"]);
    assert_eq!(names(&folder.path().join("full")), ["mine.txt"]);
}

/// `examples/web/mnist` is up to date; `PIXELRNN_BLESS=1` rewrites it.
#[test]
fn the_example_is_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    package(folder.path());
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("trained/mnist-diagonal");
    let ran = run_in(folder.path(), &["web", run.to_str().unwrap(), "-o", "page"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let (page, example) = (folder.path().join("page"), examples.join("web/mnist"));
    let bless = std::env::var_os("PIXELRNN_BLESS").is_some();
    for name in names(&page).iter().filter(|name| *name != "ort") {
        let now = fs::read(page.join(name)).unwrap();
        if bless {
            fs::create_dir_all(&example).unwrap();
            fs::write(example.join(name), &now).unwrap();
        }
        let same = fs::read(example.join(name)).is_ok_and(|old| old == now);
        assert!(same, "examples/web/mnist/{name} is out of date: rewrite it with PIXELRNN_BLESS=1");
    }
}
