//! Invalid models: for each file of `tests/errors`, the whole message as a user sees it.
//! `PIXELRNN_BLESS=1` rewrites the messages.

use std::fs;

use pixelrnn::{Declaration, Error, Source};

use crate::common::{root, settings, zoo};

/// All errors of a model, including leaks.
fn judge(source: Source) -> Result<(), Error> {
    Declaration::from_source(source, &[])?.prove().map(|_| ())
}

#[test]
fn messages() {
    let folder = root().join("tests/errors");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the folder of models")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "pixelrnn"))
        .collect();
    files.sort();
    assert!(files.len() >= 20, "models are missing");
    let bless = std::env::var_os("PIXELRNN_BLESS").is_some();
    let mut differ = Vec::new();
    for path in files {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a model");
        let found = match judge(Source::new(name.clone(), text)) {
            Ok(()) => panic!("{name} is not refused"),
            Err(error) => format!("{error}\n"),
        };
        let expected = path.with_extension("txt");
        if bless {
            fs::write(&expected, found).expect("to bless");
        } else if fs::read_to_string(&expected).ok().as_deref() != Some(&found) {
            differ.push(format!("{name} now says:\n{found}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn settings_that_there_are_not() {
    let message = |list: &[(&str, usize)]| {
        let entry = pixelrnn::zoo::find("digits-diagonal").expect("is there");
        entry.declare(&settings(list)).expect_err("refused").to_string()
    };
    let unknown = message(&[("layer", 3)]);
    assert_eq!(unknown, "DigitsDiagonal has no hyper-parameter `layer`; did you mean `layers`?");
    assert!(message(&[("h", 0)]).contains("cannot be 0"));
    assert!(message(&[("levels", 1)]).contains("`levels` cannot be 1"));
    assert!(message(&[("height", 0)]).contains("`height` cannot be 0"));
    assert!(message(&[("layers", usize::MAX)]).contains("cannot be repeated"));
    let unknown = pixelrnn::zoo::find("mnist-diagnal").err().expect("refused").to_string();
    assert_eq!(unknown, "unknown model `mnist-diagnal`; did you mean `mnist-diagonal`?");
}

#[test]
fn weights_that_do_not_fit() {
    use pixelrnn::prelude::*;
    let model = zoo("digits-row-lstm", &[("h", 2), ("layers", 1)]);
    let message = |change: &dyn Fn(&mut Weights)| {
        let mut weights = model.initialize(0);
        change(&mut weights);
        let options = ExportOptions::with_weights(&weights);
        model.export(GraphKind::Forward, &options).expect_err("refused").to_string()
    };
    let missing = message(&|w| drop(w.remove("stem.bias")));
    assert_eq!(missing, "missing weight `stem.bias`, shape [4]");
    let unknown = message(&|w| drop(w.insert("x".into(), pixelrnn::Array::zeros(vec![1]))));
    assert_eq!(unknown, "unknown weight `x`: the model has no such parameter");
    let shape = message(&|w| drop(w.insert("stem.bias".into(), pixelrnn::Array::zeros(vec![3]))));
    assert_eq!(shape, "weight `stem.bias` has shape [3], expected [4]");
    let nan = message(&|w| w.get_mut("stem.bias").expect("is there").fill(f32::NAN));
    assert_eq!(nan, "weight `stem.bias` contains the non-finite value NaN");
}
