//! Models that are conditioned on a map: from the declaration to samples.

use std::path::Path;

use serde_json::Value;

use crate::npz::{edges, floats};
use crate::run::{Ran, run_in};

const MODEL: &str = "pub Edges { h: usize = 4 }\nimage 8 x 8, colors 1, levels 17;\n\
    condition edges: map 1;\nstem: masked_conv(3 x 3, A, 2 * h);\n\
    stem + edges.conv(1 x 1, 2 * h, bias = none);\n\
    lstm: row_lstm(h, bias = edges.conv(1 x 1, 4 * h, bias = none)); relu; logits;\n";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("edges.pixelrnn"), MODEL).unwrap();
    edges(folder.path());
    folder
}

fn good(folder: &Path, line: &str) -> String {
    let ran = ran(folder, line);
    assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
    ran.out
}

fn json(folder: &Path, line: &str) -> Value {
    serde_json::from_str(&good(folder, &format!("{line} --json"))).unwrap()
}

fn ran(folder: &Path, line: &str) -> Ran {
    run_in(folder, &line.split_whitespace().collect::<Vec<_>>())
}

/// The error of a command that must fail.
fn bad(folder: &Path, line: &str, parts: &[&str]) {
    let ran = ran(folder, line);
    assert_eq!(ran.code, 2, "{line}: {}{}", ran.out, ran.err);
    for part in parts {
        assert!(ran.err.contains(part), "{line}: no `{part}` in {}", ran.err);
    }
}

#[test]
fn from_the_declaration_to_samples() {
    let folder = folder();
    let path = folder.path();
    good(path, "check edges.pixelrnn");
    assert!(good(path, "inspect edges.pixelrnn").contains("edges"));
    let object = json(path, "data npz:edges.npz,conditions=edges");
    assert_eq!(object["conditions"]["test"]["edges"], serde_json::json!([8, 8]));
    assert!(
        good(path, "data npz:edges.npz,conditions=edges").contains("condition edges (test): 8 x 8")
    );
    for graph in ["forward", "nll", "grad", "train"] {
        let line =
            format!("compare edges.pixelrnn --engine reference,tract --graph {graph} --batch 3");
        good(path, &line);
    }
    good(path, "train edges.pixelrnn --data npz:edges.npz --steps 2 --engine tract --out run -q");
    good(path, "train --resume --steps 4 --engine tract --out run -q");
    let split = |split: &str| json(path, &format!("eval run --split {split} --engine tract"));
    assert_eq!((&split("test")["images"], &split("valid")["images"]), (&8.into(), &2.into()));
    let sample = |rest: &str| json(path, &format!("sample run --engine tract {rest}"));
    let object = sample("--condition edges=edges.npy -o a.npy");
    assert_eq!((&object["images"], &object["conditions"][0]), (&5.into(), &"edges".into()));
    sample("--condition edges=edges.npy -o b.npy -n 5 --method naive");
    let read = |name: &str| std::fs::read(path.join(name)).unwrap();
    assert_eq!(read("a.npy"), read("b.npy"));
    std::fs::write(path.join("flat.npy"), floats(&[5, 1, 8, 8], |_| 40.0)).unwrap();
    sample("--condition edges=flat.npy -o c.npy");
    assert_ne!(read("a.npy"), read("c.npy"));
    let object = sample("--complete npz:edges.npz -n 2 --keep-rows 4 --completions 3 -o d.npy");
    assert_eq!(object["images"], 6);
}

/// The metadata state which input is the condition, even if its shape looks like that of weights.
#[test]
fn exported_files_know_their_conditions() {
    let folder = folder();
    let path = folder.path();
    for (graph, batch) in
        [("forward", "dynamic"), ("forward", "2"), ("nll", "2"), ("grad", "2"), ("sample", "2")]
    {
        let line = format!("export edges.pixelrnn --graph {graph} --batch {batch} -o a.onnx");
        good(path, &line);
        let object = json(path, "check a.onnx");
        assert_eq!(object["causal"], true, "{graph}");
        let inputs = object["inputs"].to_string();
        assert!(inputs.contains("edges") && inputs.contains("condition"), "{graph}: {inputs}");
        let bytes = std::fs::read(path.join("a.onnx")).unwrap();
        assert!(String::from_utf8_lossy(&bytes).contains("edges: map 1"), "{graph}");
    }
    good(path, "export edges.pixelrnn --graph train -o a.onnx");
    bad(path, "export edges.pixelrnn --graph step -o a.onnx", &["a map to condition on"]);
    bad(path, "web edges.pixelrnn -o page", &["`edges`", "can only ask for a class"]);
}

#[test]
fn what_does_not_suit_is_refused() {
    let folder = folder();
    let path = folder.path();
    std::fs::write(path.join("small.npy"), floats(&[3, 4, 4], |_| 0.0)).unwrap();
    std::fs::write(path.join("nan.npy"), floats(&[3, 8, 8], |_| f32::NAN)).unwrap();
    let edges = "sample edges.pixelrnn -o a.png";
    bad(path, edges, &["missing --condition", "`edges`", "[N, 1, 8, 8]"]);
    bad(path, &format!("{edges} --condition edges"), &["NAME=FILE"]);
    bad(
        path,
        &format!("{edges} --condition depth=edges.npy"),
        &["no condition `depth`", "`edges`"],
    );
    bad(path, &format!("{edges} --condition edges=no.npy"), &["no.npy"]);
    bad(path, &format!("{edges} --condition edges=small.npy"), &["[N, 1, 8, 8]", "[3, 4, 4]"]);
    bad(path, &format!("{edges} --condition edges=nan.npy"), &["nan.npy", "NaN"]);
    let twice = "--condition edges=edges.npy --condition edges=edges.npy";
    bad(path, &format!("{edges} {twice}"), &["twice"]);
    bad(path, &format!("{edges} --condition edges=edges.npy -n 4"), &["5 rows", "-n 4"]);
    bad(
        path,
        &format!("{edges} --condition edges=edges.npy --label 1"),
        &["not class-conditional"],
    );
    bad(path, "sample digits-gated -o a.png --condition edges=edges.npy", &["reads no arrays"]);
    let train = "train edges.pixelrnn --steps 1 --engine tract --out run --data";
    bad(path, &format!("{train} digits"), &["conditioned on `edges`", "train_edges"]);
    bad(
        path,
        &format!("{train} npz:edges.npz,size=4x4 --set height=4 --set width=4"),
        &["`edges`", "[N, 1, 4, 4]"],
    );
}
