//! One text file for each pass: a small graph, and the result of the pass. A pass that changes nothing fails,
//! and so does one whose result differs from the file.
//!
//! A file of `tests/passes` begins with a graph of the pixel IR (for `merge_scales` one for each scale). For
//! a pass on ONNX graphs, its input follows after `---- before`: that graph, lowered and transformed by the
//! earlier passes. The result of the pass follows after `---- after`. `PIXELRNN_BLESS=1` rewrites everything
//! except the beginning.

use std::borrow::Cow;
use std::fs;

use pixelrnn::internal::graph::text::read;
use pixelrnn::internal::graph::{Operation, verify};
use pixelrnn::internal::ops::{Op, PixelGraph, lower_graph};
use pixelrnn::internal::passes::bind::bind_onnx;
use pixelrnn::internal::passes::pipeline::{LOWERING, Pass, Step, passes};
use pixelrnn::internal::passes::{
    ImageFormat, ImageLayout, Job, Optimizer, Scale, initialize, merge_scales, verify_causality,
};
use pixelrnn::{Batch, GraphKind};

use crate::common::root;

const BEFORE: &str = "---- before\n";
const AFTER: &str = "---- after\n";
const SCALE: &str = "---- scale 1\n";

fn graph(text: &str, name: &str) -> PixelGraph {
    read::<Op>(text).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The text of a graph. Runs the structural verifier first.
fn shown<O: Operation>(graph: &pixelrnn::internal::graph::Graph<O>, name: &str) -> String {
    verify(graph).unwrap_or_else(|e| panic!("{name}: {e}"));
    graph.to_string()
}

/// The input of a pass on ONNX graphs: the graph lowered and transformed by each earlier pass.
fn onnx(pass: &Pass, graph: &PixelGraph, job: &Job, name: &str) -> (String, String) {
    let mut onnx = lower_graph(graph, Batch::Symbolic).unwrap_or_else(|e| panic!("{name}: {e}"));
    for step in LOWERING {
        // Skips passes that do not run for this job.
        if !(step.when)(job) && step.name != pass.name {
            continue;
        }
        // Parameters stay inputs: the files state which values are constant.
        if step.name == "bind" && pass.name != "bind" {
            continue;
        }
        let next = match step.step {
            Step::Onnx(run) => run(&onnx),
            Step::OnnxJob(run) => run(&onnx, job),
            Step::OnnxOwned(run) => run(onnx.clone()),
            Step::Bind => {
                let weights = job.weights.clone().expect("has weights");
                Ok(bind_onnx(&onnx, weights).unwrap_or_else(|e| panic!("{name}: {e}")))
            }
            _ => continue,
        };
        let next = next.unwrap_or_else(|e| panic!("{name}: {e}"));
        if step.name == pass.name {
            return (shown(&onnx, name), shown(&next, name));
        }
        onnx = next;
    }
    panic!("{name} is not a pass on ONNX graphs")
}

/// The texts before and after a pass. For a pass on pixel graphs, the text before is that of the file.
fn run(pass: &Pass, texts: &[&str]) -> (String, String) {
    let name = pass.name;
    let first = graph(texts[0], name);
    let scales = [Scale::whole(first.clone())];
    let proof = verify_causality(&first);
    let weights = initialize(&first, 7);
    let job = Job {
        proof: proof.as_ref().ok(),
        weights: Some(Cow::Borrowed(&weights)),
        optimizer: Optimizer { clip: Some(1.0), ema: Some(0.5), ..Optimizer::ADAM },
        images: ImageFormat { layout: Some(ImageLayout::Nchw), bytes: true },
        ..Job::new(&scales, GraphKind::Sample)
    };
    let after = match pass.step {
        Step::Scale(run) => run(&first, &job, 0).map(|g| shown(&g, name)),
        Step::Merge => {
            let small = Scale { name: "small".into(), factor: 2, graph: first };
            let both = [small, Scale::whole(graph(texts[1], name))];
            Ok(shown(&merge_scales(&both).unwrap_or_else(|e| panic!("{name}: {e}")), name))
        }
        Step::Pixel(run) => Ok(shown(&run(&first).unwrap_or_else(|e| panic!("{name}: {e}")), name)),
        Step::Make(run) => run(&first, &job).map(|g| shown(&g, name)),
        Step::Lower => Ok(shown(&lower_graph(&first, Batch::Symbolic).expect("lowers"), name)),
        Step::Onnx(_) | Step::OnnxJob(_) | Step::OnnxOwned(_) | Step::Bind => {
            return onnx(pass, &first, &job, name);
        }
    };
    (first_text(texts), after.unwrap_or_else(|e| panic!("{name}: {e}")))
}

fn first_text(texts: &[&str]) -> String {
    texts.concat()
}

#[test]
fn every_pass_does_what_its_file_says() {
    let bless = std::env::var_os("PIXELRNN_BLESS").is_some();
    let mut wrong = Vec::new();
    for pass in passes() {
        let path = root().join(format!("tests/passes/{}.txt", pass.name));
        let file = fs::read_to_string(&path)
            .unwrap_or_else(|e| panic!("the pass `{}` needs {}: {e}", pass.name, path.display()));
        let given = file.split(BEFORE).next().and_then(|text| text.split(AFTER).next());
        let given = given.expect("a graph");
        let texts: Vec<&str> = given.split(SCALE).collect();
        let (before, after) = run(pass, &texts);
        assert_ne!(before, after, "{} changes nothing in its own file", pass.name);
        let shown = match pass.step {
            Step::Onnx(_) | Step::OnnxJob(_) | Step::OnnxOwned(_) | Step::Bind => {
                format!("{given}{BEFORE}{before}{AFTER}{after}")
            }
            _ => format!("{given}{AFTER}{after}"),
        };
        if bless {
            fs::write(&path, shown).expect("to bless");
        } else if file != shown {
            wrong.push(format!("{} now makes:\n{after}", pass.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
