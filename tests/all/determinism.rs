//! The same declaration gives the same bytes, and a parameter has one name everywhere.

use std::collections::BTreeSet;

use pixelrnn::prelude::*;
use pixelrnn::weights::{from_bytes, to_bytes};
use pixelrnn::{Declaration, Weights};

use crate::common::{weights, zoo};
use crate::declared::declared;
use crate::second_reader::decode;

fn models() -> Vec<Declaration> {
    let size = [("h", 4), ("layers", 2), ("height", 5), ("width", 4)];
    let mut models: Vec<Declaration> =
        ["digits-pixelcnn", "digits-row-lstm", "digits-diagonal"].map(|n| zoo(n, &size)).into();
    models.extend(["row", "diagonal", "mixed"].map(|name| declared(name, &[])));
    models
}

/// All exports of a model.
fn exports(model: &Declaration, weights: &Weights) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for kind in GraphKind::ALL {
        for weights in [None, Some(weights)] {
            for simplify in [false, true] {
                let options = ExportOptions { weights, simplify, ..ExportOptions::default() };
                all.push(model.export(kind, &options).unwrap_or_else(|e| panic!("{e}")));
            }
        }
    }
    all
}

/// FNV-1a.
fn digest(bytes: &[u8]) -> u64 {
    let step = |h: u64, b: &u8| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

fn digests() -> Vec<u64> {
    let mut all = Vec::new();
    for model in models() {
        let weights = model.initialize(3);
        all.push(digest(&to_bytes(&weights).expect("bytes")));
        all.extend(exports(&model, &weights).iter().map(|bytes| digest(bytes)));
    }
    all
}

#[test]
fn twice_the_same() {
    assert_eq!(digests(), digests());
    for (a, b) in models().into_iter().zip(models()) {
        assert_eq!(a.initialize(5), b.initialize(5));
        assert_ne!(a.initialize(5), a.initialize(6));
    }
}

/// Prints the digests for another test, which runs this in a second process.
#[test]
#[ignore = "run by `the_same_in_another_process`"]
fn print_digests() {
    println!("digests: {:?}", digests());
}

#[test]
fn the_same_in_another_process() {
    let program = std::env::current_exe().expect("this program");
    let arguments = ["--exact", "determinism::print_digests", "--ignored", "--nocapture"];
    let output = std::process::Command::new(program).args(arguments).output().expect("runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let expected = format!("digests: {:?}", digests());
    assert!(printed.contains(&expected), "{expected}\n{printed}");
}

/// A parameter has the same path in the graph, in a file of weights, and in the exported model.
#[test]
fn one_name_everywhere() {
    for model in models() {
        let weights = weights(&model, 2);
        let graph = model.graph();
        let paths: BTreeSet<&str> = graph.parameters().map(|(i, _)| i.name.as_str()).collect();
        assert_eq!(paths, weights.keys().map(String::as_str).collect());
        let file = to_bytes(&weights).expect("bytes");
        assert_eq!(from_bytes(file).expect("reads"), weights);
        for (path, array) in &weights {
            let input = graph.inputs().iter().find(|i| i.name == *path).expect("is an input");
            assert_eq!(graph.ty(input.value).extents(1), array.shape());
        }
        for (kind, data) in [
            (GraphKind::Forward, "image"),
            (GraphKind::Nll, "image"),
            (GraphKind::Grad, "image"),
            (GraphKind::Sample, "uniform"),
        ] {
            for simplify in [false, true] {
                let options = ExportOptions { simplify, ..ExportOptions::default() };
                let open = decode(&model.export(kind, &options).expect("exports"));
                let open = open.graph.expect("a graph");
                let inputs: BTreeSet<&str> = open.input.iter().map(|i| i.name()).collect();
                let expected: BTreeSet<&str> = paths.iter().copied().chain([data]).collect();
                assert_eq!(inputs, expected, "{} {kind:?}", model.name());

                let options = ExportOptions { weights: Some(&weights), ..options };
                let bound = decode(&model.export(kind, &options).expect("exports"));
                let bound = bound.graph.expect("a graph");
                assert_eq!(bound.input.len(), 1);
                let named: BTreeSet<&str> = bound.initializer.iter().map(|t| t.name()).collect();
                let missing: Vec<&&str> = paths.iter().filter(|p| !named.contains(**p)).collect();
                // After simplification, the two directions of a diagonal layer are one constant. In training
                // and sampling graphs, a weight keeps its name only if it is used in a single form.
                let joined = |path: &str| path.contains(".left.") || path.contains(".right.");
                let free = !matches!(kind, GraphKind::Forward | GraphKind::Nll);
                let excused = |path: &str| simplify && (free || joined(path));
                let lost = missing.iter().find(|path| !excused(path));
                assert_eq!(lost, None, "{} {kind:?} {simplify}", model.name());
            }
        }
    }
}
