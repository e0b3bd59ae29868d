//! `export`, `compare` and `bench`.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::run::{Ran, bad, command, good, json, model, names, run, run_in, tiny};

fn export(folder: &Path, extra: &[&str]) -> Ran {
    let mut arguments = tiny("export", "digits-row-lstm");
    arguments.extend(extra);
    run_in(folder, &arguments)
}

#[test]
fn the_same_bytes_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let ran = export(folder.path(), &["-o", "a.onnx"]);
    assert_eq!(ran.code, 0);
    assert!(ran.err.starts_with("warning: ") && ran.err.contains("fresh weights"), "{}", ran.err);
    assert!(ran.out.starts_with("a.onnx: ") && ran.out.contains(" nodes, opset 18, forward in "));
    assert_eq!(export(folder.path(), &["-o", "b.onnx"]).code, 0);
    assert_eq!(export(folder.path(), &["-o", "c.onnx", "--init-seed", "1"]).code, 0);
    assert!(read("a.onnx").len() > 1000);
    assert!(read("a.onnx") == read("b.onnx"));
    assert!(read("a.onnx") != read("c.onnx"));

    // With `-o -`, only the model is written to standard output.
    let mut piped = tiny("export", "digits-row-lstm");
    piped.extend(["-o", "-", "--init-seed", "0"]);
    let output = command(folder.path(), &piped).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    assert!(output.stdout == read("a.onnx"));
    assert_eq!(names(folder.path()), ["a.onnx", "b.onnx", "c.onnx"]);
}

/// No output replaces an input or another output.
#[test]
fn nothing_is_overwritten_that_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], part: &str| {
        let before = names(folder.path());
        let ran = export(folder.path(), arguments);
        assert!(ran.code == 2 && ran.err.contains(part), "{arguments:?}: {}", ran.err);
        assert_eq!(names(folder.path()), before);
    };
    refused(&["-o", "m.onnx", "--write-weights", "./m.onnx"], "are the same file");
    let data = ["-o", "m.onnx", "--external-data", "--write-weights", "m.onnx.data"];
    refused(&data, "are the same file");
    assert_eq!(export(folder.path(), &["-o", "m.onnx", "--write-weights", "w"]).code, 0);
    refused(&["--weights", "w", "-o", "w"], "would replace what is read from");
    refused(&["-o", "m2.onnx", "--write-weights", "none/w"], "cannot write");
}

/// A checkpoint with more layers than the model does not fit.
#[test]
fn weights_of_other_layers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let train =
        ["train", "digits-pixelcnn", "--set", "layers=2", "--set", "h=4", "--data", "digits"];
    let train = [&train[..], &["--out", "run", "--steps", "1", "--engine", "tract"]].concat();
    let ran = run_in(folder.path(), &train);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ran = run_in(folder.path(), &["export", "run", "--set", "layers=1", "-o", "m.onnx"]);
    assert!(ran.code == 2 && ran.err.contains("unknown weight `body.1."), "{}", ran.err);
    assert!(ran.err.contains("leave out `--set`"), "{}", ran.err);
}

/// f16 has no number for large weights.
#[test]
fn weights_beyond_f16_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    assert_eq!(
        export(folder.path(), &["-o", "m.onnx", "--write-weights", "w.safetensors"]).code,
        0
    );
    let mut weights = pixelrnn::weights::load(&path).unwrap();
    weights.get_mut("logits.bias").unwrap()[0] = 1e5;
    pixelrnn::weights::save(&weights, &path).unwrap();
    let half = ["--weights", "w.safetensors", "-o", "h.onnx", "--dtype"];
    let ran = export(folder.path(), &[&half[..], &["f16"]].concat());
    let expected = "weight `logits.bias` contains 1e5, but f16 ends at 65504";
    assert!(ran.code == 2 && ran.err.contains(expected), "{}", ran.err);
    assert_eq!(export(folder.path(), &[&half[..], &["bf16"]].concat()).code, 0);
}

#[test]
fn weights_there_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let seed = ["--init-seed", "7", "-o", "a.onnx", "--write-weights", "w.safetensors"];
    assert_eq!(export(folder.path(), &seed).code, 0);
    let ran = export(folder.path(), &["--weights", "w.safetensors", "-o", "b.onnx", "-q"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    assert!(fs::read(path("a.onnx")).unwrap() == fs::read(path("b.onnx")).unwrap());

    let as_inputs = ["--weights-as-inputs", "-o", "c.onnx", "--json"];
    let ran = export(folder.path(), &as_inputs);
    let object: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(object["bytes"], json!(fs::metadata(path("c.onnx")).unwrap().len()));
    assert!(
        fs::metadata(path("c.onnx")).unwrap().len() < fs::metadata(path("a.onnx")).unwrap().len()
    );

    // Weights of another model are an error.
    let other = ["export", "digits-diagonal", "--weights", "w.safetensors", "-o", "d.onnx"];
    for extra in [&[][..], &["--weights-as-inputs", "--write-weights", "e.safetensors"]] {
        let ran = run_in(folder.path(), &[&other[..], extra].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        assert!(ran.err.starts_with("error: weight `stem.weight` has shape ["), "{}", ran.err);
    }
    fs::write(path("noise.safetensors"), "noise").unwrap();
    let ran = export(folder.path(), &["--weights", "noise.safetensors", "-o", "d.onnx"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("noise.safetensors: not a complete safetensors file"), "{}", ran.err);
    assert!(!path("d.onnx").exists());
}

#[test]
fn what_cannot_be_written_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ran = export(folder.path(), &["-o", "missing/a.onnx"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.starts_with("error: cannot write missing/a.onnx: "), "{}", ran.err);
    fs::create_dir(folder.path().join("taken.onnx")).unwrap();
    assert_eq!(export(folder.path(), &["-o", "taken.onnx"]).code, 2);
    assert_eq!(names(folder.path()), ["taken.onnx"]);
}

#[test]
fn what_leaks_is_not_exported() {
    let text = bad(&["export", &model("leaking.pixelrnn"), "-o", "a.onnx"]);
    assert!(text.starts_with("error: this layer leaks"), "{text}");
}

#[test]
fn options_that_make_no_sense() {
    let with = |extra: &[&str]| bad(&[&tiny("export", "digits-row-lstm")[..], extra].concat());
    assert!(with(&[]).contains("--output"));
    assert!(with(&["-o", "a", "--opset", "23"]).contains("a whole number from 17 to 22"));
    assert!(with(&["-o", "a", "--graph", "back"]).contains("forward, nll, grad"));
    assert!(with(&["-o", "a", "--batch", "0"]).contains("expected a number from 1 to"));
    assert!(with(&["-o", "a", "--control-flow", "loop"]).contains("scan, unroll"));
    assert!(with(&["-o", "-", "--json"]).contains("both write to standard output"));
    assert!(with(&["-o", "a", "--write-weights", "a"]).contains("are the same file"));
    let unused = ["-o", "a", "--weights-as-inputs", "--weights", "w"];
    assert!(with(&unused).contains("has no effect"));
    let both = ["-o", "a", "--init-seed", "1", "--weights", "w"];
    assert!(with(&both).contains("cannot be used with"));
}

#[test]
fn engines_agree() {
    let with = |extra: &[&'static str]| [&tiny("compare", "digits-diagonal")[..], extra].concat();
    let object = json(&with(&["--engine", "reference,tract", "--graph", "nll", "--batch", "3"]));
    assert_eq!(object["within"], json!(true));
    assert_eq!(object["engines"], json!(["reference", "tract"]));
    let difference = &object["differences"][0];
    assert_eq!(difference["output"], json!("nll"));
    assert_eq!(difference["engines"], json!(["reference", "tract"]));
    assert!(difference["absolute"].as_f64().unwrap() < 1e-3);

    // By default, the engines that work on this machine are compared.
    let ran = run(&with(&["--batch", "dynamic:1"]));
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("batch dynamic:1: reference, tract agree\n"), "{}", ran.out);
    assert!(
        ran.err.starts_with("warning: engine `ort` is not available, continuing without it: "),
        "{}",
        ran.err
    );
    assert_eq!(run(&with(&["-q"])).err, "");
    // An engine that the user names must be available.
    assert!(
        bad(&with(&["--engine", "tract,ort"])).starts_with("error: ONNX Runtime was not found")
    );
    assert!(bad(&with(&["--ort-lib", "nowhere"])).contains("cannot use nowhere (from --ort-lib)"));
    assert!(bad(&with(&["--engine", "tract"])).contains("found only `tract`"));
    assert!(bad(&with(&["--engine", "tensorflow"])).contains("reference, tract, ort, ort-cuda"));
}

#[test]
fn bench_says_what_it_measured() {
    let with = |extra: &[&'static str]| [&tiny("bench", "digits-pixelcnn")[..], extra].concat();
    let object = json(&with(&["--engine", "tract", "--runs", "2", "--batch", "2"]));
    for (result, graph) in object["results"].as_array().unwrap().iter().zip(["forward", "nll"]) {
        assert_eq!(result["graph"], json!(graph));
        assert_eq!(result["engine"], json!("tract"));
        assert!(result["images_per_second"].as_f64().unwrap() > 0.0);
        assert!(result["least_ms"].as_f64() <= result["median_ms"].as_f64());
    }
    for key in ["batch", "runs", "cores", "processor", "parameters", "settings"] {
        assert!(!object[key].is_null(), "{key}");
    }
    let text = good(&with(&["--engine", "tract", "--runs", "1", "--graph", "nll"]));
    assert!(text.contains("batch 16, median of 1 runs") && text.contains("images/s"), "{text}");
    assert!(bad(&with(&["--runs", "0"])).contains("from 1 to 1000000"));
}

/// With external data, either both files are written or none.
#[test]
fn external_data_stand_beside_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let seed = ["--init-seed", "7", "--graph", "nll", "--json"];
    let ran = export(path, &[&seed[..], &["-o", "a.onnx", "--external-data"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(names(path), ["a.onnx", "a.onnx.data"]);
    let object: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let size = |name: &str| fs::metadata(path.join(name)).unwrap().len();
    let data = json!({ "file": "a.onnx.data", "bytes": size("a.onnx.data") });
    assert_eq!((&object["external_data"], &object["bytes"]), (&data, &json!(size("a.onnx"))));
    let ran = export(path, &[&seed[..], &["-o", "whole.onnx"]].concat());
    assert_eq!(ran.code, 0);
    assert!(size("a.onnx") < size("whole.onnx"));
    // Another program finds the weights, whatever its working directory.
    let elsewhere = tempfile::tempdir().unwrap();
    let model = path.join("a.onnx").display().to_string();
    let check = ["check", &model, "--json"];
    let ran = run_in(elsewhere.path(), &check);
    assert!(!ran.err.contains("external"), "{}", ran.err);
    let known = ran.code;
    fs::remove_file(path.join("a.onnx.data")).unwrap();
    let ran = run_in(elsewhere.path(), &check);
    assert!(ran.code == 2 && ran.err.contains("a.onnx.data"), "{known} {}", ran.err);

    // If the two files cannot both be written, the old ones stay.
    fs::remove_file(path.join("a.onnx")).unwrap();
    fs::create_dir(path.join("b.onnx.data")).unwrap();
    fs::write(path.join("b.onnx"), "old").unwrap();
    let ran = export(path, &["-o", "b.onnx", "--external-data"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("b.onnx.data is a folder"), "{}", ran.err);
    assert_eq!(fs::read(path.join("b.onnx")).unwrap(), b"old");
    let ran = export(path, &["-o", "-", "--external-data"]);
    assert!(ran.code == 2 && ran.err.contains("standard output"), "{}", ran.err);
    assert_eq!(names(path), ["b.onnx", "b.onnx.data", "whole.onnx"]);
}

/// A limit on the file size simulates a full disk: neither file is left.
#[cfg(target_os = "linux")]
#[test]
fn external_data_that_do_not_fit_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$@\"";
    let export = "export digits-diagonal --set h=24 --external-data -q --init-seed 0 -o a.onnx";
    let output = std::process::Command::new("/bin/sh")
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_pixelrnn")])
        .args(export.split(' '))
        .current_dir(path)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("cannot write a.onnx: File too large"), "{error}");
    assert_eq!(names(path), Vec::<String>::new());
}

/// Exported files are published: they must not contain paths of the machine they were written on.
#[test]
fn no_path_of_this_machine_is_exported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let text = "pub M { }\nimage 4 x 4, colors 1, levels 2;\nmasked_conv(3 x 3, A, 2); logits;\n";
    let file = path.join("mine.pixelrnn");
    fs::write(&file, text).unwrap();
    let named = file.display().to_string();
    for kind in ["forward", "nll", "grad", "train", "update", "sample", "step", "row"] {
        let ran = run_in(path, &["export", &named, "--graph", kind, "-q", "-o", "a.onnx"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let bytes = fs::read(path.join("a.onnx")).unwrap();
        let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(!holds(&path.display().to_string()), "{kind}");
        assert!(holds("mine.pixelrnn:3:") || kind == "update", "{kind}");
    }
}
