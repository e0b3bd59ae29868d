//! Random graphs, which must not make the analysis fail. Where ONNX Runtime is available,
//! `runtime.rs` compares the results with it.

use std::fmt::Write;

use pixelrnn_check::{Options, check_bytes};

use super::generate::{Random, all, graph};

#[test]
fn there_are_enough_patterns() {
    let names: std::collections::BTreeSet<&str> = all().iter().map(|p| p.0).collect();
    assert_eq!(names.len(), all().len());
    assert!(names.len() >= 60, "{}", names.len());
}

/// If `PIXELRNN_CHECK_DUMP` is set, the graphs and their sets are written to that folder.
#[test]
fn random_graphs_are_analyzed() {
    let folder = std::env::var("PIXELRNN_CHECK_DUMP").ok();
    let count = if folder.is_some() { 6000 } else { 200 };
    for seed in 0..count {
        let (bytes, [c, h, w], names) = graph(seed);
        let chw = || "chw".parse().ok();
        let options = Options {
            conditions: false,
            input_layout: chw(),
            output_layout: chw(),
            ..Options::default()
        };
        let r = check_bytes(&bytes, &options).unwrap_or_else(|e| panic!("{seed} {names:?}: {e}"));
        assert_eq!((r.colours, r.height, r.width), (c, h, w), "{seed}");
        if let Some(folder) = &folder {
            let mut text = format!("{names:?}\n");
            for output in 0..r.outputs() {
                for value in 0..r.values() {
                    let _ = write!(text, "{}", u8::from(r.depends(output, value)));
                }
                text.push('\n');
            }
            std::fs::write(format!("{folder}/{seed}.txt"), text).expect("written");
            std::fs::write(format!("{folder}/{seed}.onnx"), bytes).expect("written");
        }
    }
}

/// Any change to the bytes of a graph leads to a report or an error.
#[test]
fn broken_graphs_never_panic() {
    let mut random = Random(7);
    let options = Options {
        memory: 1 << 26,
        time: std::time::Duration::from_millis(300),
        ..Options::default()
    };
    for seed in 0..120 {
        let (bytes, ..) = graph(seed);
        for _ in 0..25 {
            let mut broken = bytes.clone();
            for _ in 0..1 + random.below(3) {
                let at = random.below(broken.len());
                broken[at] = random.pick(&[0, 1, 2, 5, 10, 127, 128, 255]);
            }
            let _ = check_bytes(&broken, &options);
        }
    }
}
