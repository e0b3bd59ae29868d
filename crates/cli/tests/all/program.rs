//! The program as a whole: help, usage, pipes, `quickstart`, `runtime`.

use std::io::Read;
use std::process::Stdio;

use serde_json::json;

use crate::run::{bad, command, good, json, names, run, run_in};

/// The headings of options.
const OPTIONS: [&str; 9] = [
    "Options:",
    "Model and weights:",
    "Budget:",
    "Recipe:",
    "Completion:",
    "Validation, checkpoints and records:",
    "Form of the file:",
    "For an ONNX file:",
    "Common options:",
];

#[test]
fn help_ends_with_an_example() {
    let commands: [&[&str]; 21] = [
        &[],
        &["quickstart"],
        &["zoo"],
        &["layers"],
        &["check"],
        &["inspect"],
        &["export"],
        &["compare"],
        &["data"],
        &["train"],
        &["curve"],
        &["lr-find"],
        &["eval"],
        &["sample"],
        &["bench"],
        &["runtime"],
        &["runtime", "list"],
        &["runtime", "install"],
        &["completions"],
        &["man"],
        &["web"],
    ];
    for path in commands {
        let text = good(&[path, &["--help"]].concat());
        let last = text.trim_end().lines().next_back().unwrap();
        let start = format!("  pixelrnn {}", path.join(" "));
        assert!(text.contains("\nExample:\n") && last.starts_with(&start), "{path:?}: {text}");
        assert!(text.lines().all(|l| l.len() <= 100), "{path:?}: {text}");
        // The options that all commands share come last.
        let headings: Vec<&str> = text.lines().filter(|l| OPTIONS.contains(l)).collect();
        assert_eq!(headings.last(), Some(&"Common options:"), "{path:?}: {text}");
        assert!(!text.contains('\u{1b}'), "{path:?}");
    }
    assert!(good(&["--version"]).starts_with("pixelrnn "));
}

#[test]
fn wrong_usage() {
    assert!(bad(&[]).contains("Usage: pixelrnn"));
    assert!(bad(&["chek"]).contains("a similar subcommand exists: 'check'"));
    assert!(bad(&["check"]).contains("required arguments"));
    assert!(bad(&["check", "digits-diagonal", "--nonsense"]).contains("--nonsense"));
    assert!(bad(&["train"]).contains("required arguments"));
    assert!(bad(&["sample", "digits-diagonal"]).contains("required arguments"));
    assert!(bad(&["sample", "digits-diagonal", "-o", "x.gif"]).contains(".png or .npy"));
}

#[test]
fn quickstart_with_nothing_installed() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run_in(folder.path(), &["quickstart", "--epochs", "1"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.err.contains("engine `ort` is not available, continuing without it"),
        "{}",
        ran.err
    );
    for word in [
        "1. declared",
        "2. checked",
        "3. trained",
        "4. evaluated",
        "5. sampled",
        "6. exported",
        "7. compared",
        "To try next:",
    ] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
    let files = ["context.png", "model.onnx", "run", "sample.onnx", "samples.png"];
    assert_eq!(names(&folder.path().join("pixelrnn-quickstart")), files);
    // A second time, over the existing files.
    let ran = run_in(folder.path(), &["quickstart", "--epochs", "1", "--json", "-q"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let object: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(object["run"], json!("pixelrnn-quickstart/run"));
    // An untrained model has about log2(17) = 4.09 bits.
    let bits = object["bits_per_dim"].as_f64().unwrap();
    assert!((1.5..3.2).contains(&bits), "{bits}");
    assert_eq!(object["within"], json!(true));
    assert!(object["seconds"].as_f64().unwrap() > 0.0);
    // `check` can read the file that it wrote.
    let onnx = "pixelrnn-quickstart/model.onnx";
    assert_eq!(run_in(folder.path(), &["check", onnx]).code, 0);

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pixelrnn-quickstart"), "in the way").unwrap();
    let ran = run_in(folder.path(), &["quickstart", "--epochs", "1"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("cannot create pixelrnn-quickstart"), "{}", ran.err);
}

#[test]
fn engines_that_work_here() {
    let object = json(&["runtime", "list"]);
    let engines = object["engines"].as_array().unwrap();
    let works: Vec<_> = engines.iter().map(|e| (e["engine"].as_str(), &e["works"])).collect();
    let (yes, no) = (json!(true), json!(false));
    let expected = [("reference", &yes), ("tract", &yes), ("ort", &no), ("ort-cuda", &no)];
    assert_eq!(works, expected.map(|(name, works)| (Some(name), works)));
    assert!(good(&["runtime", "list"]).contains("Run `pixelrnn runtime install` once"));
    // Python is hidden, so nothing can be downloaded. The message is that of the program.
    let folder = tempfile::tempdir().unwrap();
    let ran = run_in(folder.path(), &["runtime", "install", "-q"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.starts_with("error: "), "{}", ran.err);
}

#[test]
fn a_reader_who_stops_listening() {
    let folder = tempfile::tempdir().unwrap();
    // More than fits into a pipe, so that writing must fail.
    let arguments = ["inspect", "mnist-diagonal", "--dump-after", "unroll", "--control-flow"];
    let mut child = command(folder.path(), &[&arguments[..], &["unroll"]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 5];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"graph");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command(folder.path(), &["zoo"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.starts_with("error: cannot write to standard output: "), "{text}");
}

#[test]
fn nobody_hears_the_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut child =
        command(folder.path(), &["check", "nothing"]).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert_eq!(run(&["check", "nothing"]).code, 2);
}

#[test]
fn layers_are_described() {
    let all = good(&["layers"]);
    for layer in pixelrnn::internal::syntax::layers::LAYERS {
        assert!(all.contains(layer.name), "{all}");
        let one = good(&["layers", layer.name]);
        assert!(one.starts_with(&format!("`{}", layer.name)), "{one}");
        assert!(one.len() > layer.name.len() + 10 && !one.contains("]("), "{one}");
    }
    assert!(all.contains("collect { ... }"), "{all}");
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = good(&["completions", shell]);
        assert!(script.contains("quickstart") && script.contains("layers"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("man1");
    good(&["man", "-o", target.to_str().unwrap()]);
    for name in ["pixelrnn.1", "pixelrnn-train.1", "pixelrnn-runtime-install.1"] {
        let page = std::fs::read_to_string(target.join(name)).unwrap();
        assert!(page.contains(".SH NAME") && page.contains("Example"), "{name}");
    }
}
