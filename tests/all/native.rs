//! The operators that this process adds to ONNX Runtime compute the same as the plain graphs, and no exported
//! model contains them.

use pixelrnn::compare::{Prepared, prepare};
use pixelrnn::internal::onnx::Native;
use pixelrnn::runtime::Program;
use pixelrnn::{Array, ExportOptions, GraphKind};

use crate::common::{Numbers, Outputs, assert_same, engines, refer, small_zoo, weights};
use crate::declared::declared;

/// The results of a graph on ONNX Runtime, and whether it contains such operators.
fn found(model: &pixelrnn::Declaration, kind: GraphKind, native: bool) -> (Outputs, bool) {
    let options = ExportOptions { native, ..ExportOptions::default() };
    let weights = weights(model, 3);
    let compiled = model.compile(kind, &options, &mut |_, _| {}).expect("compiles");
    let Prepared { onnx, feeds, graph } =
        prepare(model, kind, &weights, &options).expect("compiles");
    let inputs = Numbers::new(8).batch(&graph, model.image().levels, 3);
    let program = Program { name: model.name(), onnx: &onnx, graph: Some(&graph) };
    let inputs: Vec<(&str, &Array)> = refer(&inputs).into_iter().chain(refer(&feeds)).collect();
    let ort = engines().iter().find(|engine| engine.native()).expect("ONNX Runtime");
    let mut session = ort.load(&program).unwrap_or_else(|e| panic!("{}: {e}", model.name()));
    let results = session.run(&inputs).unwrap_or_else(|e| panic!("{}: {e}", model.name()));
    (results, Native::is_in(&compiled))
}

#[test]
fn they_agree_with_the_plain_graphs() {
    let mut used = 0;
    let learned = ["row", "diagonal", "mixed"].map(|name| declared(name, &[]));
    for model in small_zoo(|_| true, None).into_iter().chain(learned) {
        for kind in [GraphKind::Forward, GraphKind::Nll, GraphKind::Grad] {
            let (plain, has) = found(&model, kind, false);
            assert!(!has, "{} {kind}: not plain", model.name());
            let (native, has) = found(&model, kind, true);
            used += usize::from(has);
            assert_same(&format!("{} {kind}", model.name()), &plain, &native);
        }
    }
    assert!(used > 30, "{used} graphs with operators of the engine");
}
