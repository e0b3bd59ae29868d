//! Refuses outputs that would replace what a command reads, or another of its outputs.

use std::path::{Path, PathBuf};

use pixelrnn::files;
use pixelrnn::training::data::Spec;

use crate::exit::{Failure, usage};

/// The files and folders of a data set specification.
pub fn of_data(spec: &Spec) -> Vec<PathBuf> {
    let own = spec.source.path.as_ref().map(PathBuf::from);
    own.into_iter().chain(spec.labels.as_ref().map(PathBuf::from)).collect()
}

/// Checks the name of a picture that is always a PNG.
pub fn png(path: &Path) -> Result<(), Failure> {
    match path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png")) {
        true => Ok(()),
        false => usage(format!("{}: the name must end in .png", path.display())),
    }
}

/// Checks the files that a command will write. `inputs` are what it reads; in a folder among them, no file that
/// exists may be replaced.
///
/// # Errors
/// An output is an input, or two outputs are the same file.
pub fn check(outputs: &[&Path], inputs: &[PathBuf]) -> Result<(), Failure> {
    // What is written to a device or a pipe replaces nothing.
    let is_file = |path: &&&Path| !path.exists() || path.is_file();
    let outputs: Vec<&&Path> = outputs.iter().filter(is_file).collect();
    for (i, output) in outputs.iter().enumerate() {
        if let Some(other) = outputs[..i].iter().find(|other| files::is_same(other, output)) {
            return usage(format!(
                "{} and {} are the same file: give two names",
                other.display(),
                output.display()
            ));
        }
        let place = files::resolved(output);
        let replaces = |input: &&PathBuf| {
            let input = files::resolved(input);
            place == input || (output.exists() && input.is_dir() && place.starts_with(&input))
        };
        if let Some(input) = inputs.iter().find(replaces) {
            return usage(format!(
                "writing {} would replace what is read from {}: give another name",
                output.display(),
                input.display()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_replace_no_input_and_no_output() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("data")).expect("a folder");
        std::fs::write(at("data/a.png"), "a").expect("a file");
        std::fs::write(at("w"), "w").expect("a file");
        let inputs = [at("data"), at("w")];
        let refused = |outputs: &[PathBuf]| {
            let outputs: Vec<&Path> = outputs.iter().map(PathBuf::as_path).collect();
            check(&outputs, &inputs).is_err()
        };
        assert!(!refused(&[at("m.onnx"), at("m.onnx.data"), at("data/new.png")]));
        assert!(refused(&[at("w")]));
        assert!(refused(&[at("data/../w")]));
        assert!(refused(&[at("data/a.png")]));
        assert!(refused(&[at("x"), at("data/../x")]));
    }
}
