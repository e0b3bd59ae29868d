//! Test projects outside this workspace.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace")
}

/// A line of a manifest: the dependency `pixelrnn`, without engines, under the name `name`.
pub fn facade(name: &str) -> String {
    let path = root().join("crates").join("pixelrnn");
    format!("{name} = {{ package = \"pixelrnn\", path = {path:?}, default-features = false }}")
}

/// Writes a project with one source file, and returns its folder. It uses the versions of all crates of this
/// workspace, so that nothing is downloaded. Its build output is kept between runs of a test.
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

/// The target folder that these projects share.
pub fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("built")
}
