//! Projects of a user's own, beside this one.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace")
}

/// A line of a manifest: `pixelrnn`, without engines, under the name `name`.
pub fn facade(name: &str) -> String {
    let path = root().join("crates").join("pixelrnn");
    format!("{name} = {{ package = \"pixelrnn\", path = {path:?}, default-features = false }}")
}

/// Writes a project of one source file, and returns its folder. The versions of all crates are those
/// of this workspace, so that nothing is downloaded; what it builds stays from one run of a test to
/// the next.
pub fn write(name: &str, dependency: &str, file: &str, text: &str) -> PathBuf {
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
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

/// Where such projects build: one folder for all.
pub fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("built")
}
