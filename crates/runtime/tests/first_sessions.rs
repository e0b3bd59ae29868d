//! The first sessions of a process, created at the same time. A test binary of its own, since the first
//! session of a process makes it easy for all others.

use std::process::Command;
use std::sync::Barrier;

use pixelrnn_runtime::{Engine, OrtEngine, OrtOptions, Program};

#[path = "all/models.rs"]
#[allow(dead_code)]
mod models;

/// Without a lock, one process in ten failed.
#[test]
fn many_first_sessions_at_once() {
    let test = std::env::current_exe().expect("the path of this test");
    for _ in 0..25 {
        let arguments = ["--exact", "in_a_fresh_process", "--ignored", "--nocapture"];
        let output = Command::new(&test).args(arguments).output().expect("this test");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }
}

#[test]
#[ignore = "run by `many_first_sessions_at_once`"]
fn in_a_fresh_process() {
    let engine = OrtEngine::cpu(OrtOptions::default())
        .unwrap_or_else(|e| panic!("this test needs ONNX Runtime: {e}"));
    let onnx = models::running_sum();
    let start = Barrier::new(16);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                start.wait();
                let program = Program { name: "test", onnx: &onnx, graph: None };
                engine.load(&program).map(drop).unwrap_or_else(|e| panic!("{e}"));
            });
        }
    });
}
