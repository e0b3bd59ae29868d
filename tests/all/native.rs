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

/// A run that begins with plain graphs goes on with them, bit for bit, and one that does not says so.
#[test]
fn a_run_keeps_to_its_operators() {
    use pixelrnn::runtime::{Engine, OrtEngine, OrtOptions};
    use pixelrnn::training::Trainer;
    let engine = |plain| -> Box<dyn Engine> {
        Box::new(
            OrtEngine::cpu(OrtOptions { plain, ..OrtOptions::default() }).expect("ONNX Runtime"),
        )
    };
    let model = pixelrnn::zoo::find("digits-diagonal").expect("a model");
    let small =
        [("height", 4), ("width", 4), ("h", 4), ("layers", 1)].map(|(n, x)| (n.to_string(), x));
    let model = model.declare(&small).expect("declared");
    let folder = tempfile::tempdir().expect("a folder");
    let begin = |name: &str, plain| {
        Trainer::new(folder.path().join(name))
            .model(&model)
            .data("digits,limit=90,size=4x4")
            .opened_engine(engine(plain))
    };
    let go_on = |name: &str, plain| {
        Trainer::new(folder.path().join(name)).resume().opened_engine(engine(plain)).steps(9)
    };
    let whole = begin("whole", true).steps(9).train().expect("trains");
    begin("parts", true).steps(4).train().expect("trains");
    let parts = go_on("parts", false).prepare().expect("goes on");
    assert_eq!((parts.recipe().plain, parts.warning()), (true, None));
    let parts = go_on("parts", false).train().expect("goes on");
    assert_eq!(whole.weights, parts.weights);

    begin("native", false).steps(4).train().expect("trains");
    let same = go_on("native", false).prepare().expect("goes on");
    assert_eq!((same.recipe().plain, same.warning()), (false, None));
    let other = go_on("native", true).prepare().expect("goes on");
    assert!(other.recipe().plain && other.warning().expect("a warning").contains("plain"));
}
