//! Crates of users: projects outside this workspace, which cargo checks.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("a workspace")
}

/// A line of a manifest: the dependency `pixelrnn`, without engines, under the name `name`.
pub fn facade(name: &str) -> String {
    let path = root().join("crates").join("pixelrnn");
    format!("{name} = {{ package = \"pixelrnn\", path = {path:?}, default-features = false }}")
}

/// The target folder that all projects share, and trybuild with them.
pub fn target() -> PathBuf {
    // A test is `target/debug/deps/name`.
    let test = std::env::current_exe().expect("the path of this test");
    test.ancestors().nth(3).expect("a target folder").join("tests").join("trybuild")
}

/// Writes a project with one source file, and returns its folder. It uses the versions of all crates of this
/// workspace, so that nothing is downloaded. Its build output is kept between runs of a test.
pub fn write(name: &str, dependency: &str, file: &str, text: &str) -> PathBuf {
    let project = target().with_file_name("projects").join(name);
    std::fs::create_dir_all(project.join("src")).expect("a folder");
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
        [dependencies]\n{dependency}\n\n[workspace]\n"
    );
    std::fs::write(project.join("Cargo.toml"), manifest).expect("to write");
    std::fs::copy(root().join("Cargo.lock"), project.join("Cargo.lock")).expect("to copy");
    std::fs::write(project.join("src").join(file), text).expect("to write");
    project
}

/// Runs cargo in a project. Returns whether it succeeded, its output, and its error output.
pub fn cargo(project: &Path, arguments: &[&str]) -> (bool, String, String) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(&cargo)
        .args(arguments)
        .args(["--offline", "--quiet"])
        .current_dir(project)
        .env("CARGO_TARGET_DIR", target())
        // Needed once by each crate: as in trybuild, which builds the macro for these projects, too.
        .env("CARGO_INCREMENTAL", "0")
        .output()
        .expect("cargo");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// Checks a project. Returns whether it has no errors, and the messages of cargo.
pub fn check(project: &Path) -> (bool, String) {
    // With a target and flags as trybuild has them: then all crates are built once for all.
    let flags = r#"build.rustflags=["--cfg", "trybuild", "--verbose", "-A", "dead_code"]"#;
    let (good, _, complaint) = cargo(project, &["check", "--target", &host(), "--config", flags]);
    (good, complaint)
}

/// The platform of this machine.
fn host() -> String {
    let (_, output, complaint) = cargo(root(), &["--version", "--verbose"]);
    let host = output.lines().find_map(|line| line.strip_prefix("host: "));
    host.unwrap_or_else(|| panic!("{output}{complaint}")).to_string()
}
