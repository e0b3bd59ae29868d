//! Runs the program.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The result of running the program.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs the program in a folder, with embedded engines only.
pub fn run_in(folder: &Path, arguments: &[&str]) -> Ran {
    let output = command(folder, arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let Output { status, stdout, stderr } = output;
    let err = text(&stderr);
    assert!(!err.contains("panicked"), "{arguments:?}: {err}");
    Ran { code: status.code().unwrap(), out: text(&stdout), err }
}

/// The command to run the program in a folder.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pixelrnn"));
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        // No ONNX Runtime, whatever the machine has.
        .env("PIXELRNN_OFFLINE", "1")
        .env("XDG_CACHE_HOME", folder)
        .env("PATH", "")
        .env_remove("ORT_DYLIB_PATH");
    command
}

/// Runs the program and checks that it writes no files.
pub fn run(arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let ran = run_in(folder.path(), arguments);
    assert_eq!(names(folder.path()), Vec::<String>::new(), "{arguments:?}");
    ran
}

/// The output of a command that must succeed.
pub fn good(arguments: &[&str]) -> String {
    let ran = run(arguments);
    assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.out, ran.err);
    ran.out
}

/// The output of a command that must succeed, as JSON.
pub fn json(arguments: &[&str]) -> serde_json::Value {
    let mut all = arguments.to_vec();
    all.push("--json");
    serde_json::from_str(&good(&all)).unwrap()
}

/// The error of a command that must fail with exit code 2.
pub fn bad(arguments: &[&str]) -> String {
    let ran = run(arguments);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.err);
    ran.err
}

/// The path of a model file of the tests.
pub fn model(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "models", name].iter().collect();
    path.display().to_string()
}

/// The names of the files in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The arguments of a command for the smallest useful variant of a model in the zoo.
pub fn tiny<'a>(command: &'a str, model: &'a str) -> Vec<&'a str> {
    vec![command, model, "--set", "h=4", "--set", "layers=1"]
}
