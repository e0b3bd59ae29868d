//! `gpu-report`, with the CPU in the place of the GPU, and the options of `bench` for CUDA.

use std::path::Path;

use pixelrnn::runtime::{OrtEngine, OrtOptions};
use serde_json::{Value, json};

use crate::run::{Ran, bad, command, names, run_in};

/// ONNX Runtime for the CPU, as the other tests use it.
fn library() -> String {
    let engine = OrtEngine::cpu(OrtOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    engine.library().path.display().to_string()
}

const SMALL: [&str; 11] = [
    "gpu-report",
    "digits-row-lstm",
    "--set",
    "h=4",
    "--set",
    "layers=1",
    "--set",
    "height=4",
    "--set",
    "width=4",
    "--no-peers",
];

fn report(folder: &Path, more: &[&str]) -> Ran {
    let mut arguments = SMALL.to_vec();
    arguments.extend(["-o", "out", "--batch", "4", "--json"]);
    arguments.extend(more);
    run_in(folder, &arguments)
}

fn read(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("out").join("report.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn everything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let ran =
        report(folder.path(), &["--engine", "ort", "--ort-lib", &library(), "--minutes", "9"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let answer: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(answer, read(folder.path()));
    assert_eq!(names(folder.path()), ["out"]);
    assert_eq!(names(&folder.path().join("out")), ["report.json", "report.txt"]);
    assert_eq!(answer["complete"], true, "{answer:#}");
    assert!(answer["environment"]["onnx_runtime"]["version"].is_string());

    let items = answer["items"].as_array().unwrap();
    let of = |kind: &str| -> Vec<&Value> { items.iter().filter(|i| i["kind"] == kind).collect() };
    let graphs = |kind: &str| -> Vec<&str> {
        of(kind).iter().map(|i| i["graph"].as_str().unwrap()).collect()
    };
    assert_eq!(graphs("compare"), ["grad", "forward"]);
    for item in of("compare") {
        assert_eq!(item["result"]["within"], true, "{item:#}");
        let engines = &item["result"]["engines"];
        assert_eq!(*engines, json!(["reference", "ort"]));
    }
    assert_eq!(graphs("nodes"), ["train", "forward", "sample"]);
    for item in of("nodes") {
        let result = &item["result"];
        let nodes = result["nodes"].as_u64().unwrap();
        assert_eq!(result["providers"], json!({ "CPUExecutionProvider": nodes }), "{item:#}");
        // The nodes of loops are among them, and run more than once.
        assert!(result["runs"]["CPUExecutionProvider"].as_u64().unwrap() > nodes, "{item:#}");
        assert!(result["on_cpu"]["Scan"].as_u64().unwrap() >= 1, "{item:#}");
        assert!(result["on_cpu"]["Tanh"].as_u64().unwrap() >= 1, "{item:#}");
    }
    assert_eq!(graphs("bench"), ["train", "forward", "sample", "train", "forward"]);
    for item in of("bench") {
        let row = &item["result"]["results"][0];
        assert!(row["median_ms"].as_f64().unwrap() > 0.0, "{item:#}");
        let flow = if item["variant"] == "unroll" { "unroll" } else { "scan" };
        assert_eq!(item["result"]["control_flow"], flow);
    }
    let text = std::fs::read_to_string(folder.path().join("out").join("report.txt")).unwrap();
    for part in ["Numbers beside `reference`", "Nodes by provider", "Speed", "ort unroll"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("Not measured"), "{text}");
}

#[test]
fn what_is_missing_is_told() {
    let folder = tempfile::tempdir().unwrap();
    // No ONNX Runtime is found, with or without a GPU.
    let ran = report(folder.path(), &[]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    let answer: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(answer, read(folder.path()));
    let environment = &answer["environment"];
    let error = environment["onnx_runtime"]["error"].as_str().unwrap();
    assert!(error.contains("pixelrnn runtime install --cuda"), "{error}");
    // Without `nvidia-smi`, which lies in no folder of an empty PATH.
    let missing = environment["missing"].to_string();
    assert!(missing.contains("no GPU: nvidia-smi: cannot start nvidia-smi"), "{missing}");
    assert_eq!(
        environment["libraries"].as_array().unwrap().len(),
        if cfg!(windows) { 6 } else { 7 }
    );
    assert_eq!((&answer["complete"], &answer["items"]), (&json!(false), &json!([])));
    assert_eq!(names(&folder.path().join("out")), ["report.json", "report.txt"]);
}

#[test]
fn a_budget_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let more = ["--engine", "ort", "--ort-lib", &library, "--minutes", "0.00001"];
    let begun = std::time::Instant::now();
    let ran = report(folder.path(), &more);
    assert!(begun.elapsed().as_secs() < 60);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert_eq!(read(folder.path())["complete"], false);
}

#[test]
#[cfg(unix)]
fn an_interrupt_leaves_a_report_and_nothing_else() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let mut arguments = SMALL.to_vec();
    arguments.extend(["-o", "out", "--engine", "ort", "--ort-lib", &library, "--minutes", "9"]);
    let mut program = command(folder.path(), &arguments);
    let mut child = program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    // Until something was measured.
    let measured = || {
        let path = folder.path().join("out").join("report.json");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.contains("\"state\"")
    };
    while !measured() {
        assert!(begun.elapsed() < Duration::from_secs(300), "nothing was measured");
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::sleep(Duration::from_millis(50));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0), "what was measured is good");
    let answer = read(folder.path());
    assert_eq!(answer["complete"], false);
    assert!(!answer["items"].as_array().unwrap().is_empty());
    assert_eq!(names(&folder.path().join("out")), ["report.json", "report.txt"]);
}

#[test]
fn wrong_options_are_told() {
    assert!(bad(&["gpu-report", "--set", "h=4"]).contains("models that are named"));
    assert!(bad(&["gpu-report", "mnist-diagonl"]).contains("did you mean `mnist-diagonal`"));
    assert!(bad(&["gpu-report", "--engine", "tract"]).contains("ort-cuda"));
    let bench = |more: &[&str]| {
        let mut all = vec!["bench", "digits-row-lstm"];
        all.extend(more);
        bad(&all)
    };
    let needs = "needs `--engine ort-cuda` alone";
    assert!(bench(&["--tf32"]).contains(&format!("`--tf32` {needs}")));
    assert!(
        bench(&["--cuda-graph", "--engine", "tract"]).contains(&format!("`--cuda-graph` {needs}"))
    );
    let cuda = ["--cuda-graph", "--engine", "ort-cuda"];
    assert!(bench(&[&cuda[..], &["--batch", "dynamic"]].concat()).contains("a fixed batch"));
    let row = [&cuda[..], &["--graph", "row"]].concat();
    assert!(bench(&row).contains("does not apply to `--graph row`"));
    assert!(bench(&["--control-flow", "loop"]).contains("scan, unroll"));
}
