//! Running the program.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What a run left.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs the program in a folder, without any engine but those that are compiled in.
pub fn run_in(folder: &Path, arguments: &[&str]) -> Ran {
    let output = command(folder, arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let Output { status, stdout, stderr } = output;
    let err = text(&stderr);
    assert!(!err.contains("panicked"), "{arguments:?}: {err}");
    Ran { code: status.code().unwrap(), out: text(&stdout), err }
}

/// The program, ready to be run.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pixelrnn"));
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        // No ONNX Runtime, wherever this runs.
        .env("PIXELRNN_OFFLINE", "1")
        .env("XDG_CACHE_HOME", folder)
        .env("PATH", "")
        .env_remove("ORT_DYLIB_PATH");
    command
}

/// Runs the program where it should write nothing.
pub fn run(arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let ran = run_in(folder.path(), arguments);
    assert_eq!(names(folder.path()), Vec::<String>::new(), "{arguments:?}");
    ran
}

/// A run that should go well; its answer.
pub fn good(arguments: &[&str]) -> String {
    let ran = run(arguments);
    assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.out, ran.err);
    ran.out
}

/// A run that should go well; its answer as JSON.
pub fn json(arguments: &[&str]) -> serde_json::Value {
    let mut all = arguments.to_vec();
    all.push("--json");
    serde_json::from_str(&good(&all)).unwrap()
}

/// A run that cannot be done; what it complains of.
pub fn bad(arguments: &[&str]) -> String {
    let ran = run(arguments);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.err);
    ran.err
}

/// A model of the tests.
pub fn model(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "models", name].iter().collect();
    path.display().to_string()
}

/// The files of a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The smallest useful variant of a model of the zoo.
pub fn tiny<'a>(command: &'a str, model: &'a str) -> Vec<&'a str> {
    vec![command, model, "--set", "h=4", "--set", "layers=1"]
}
