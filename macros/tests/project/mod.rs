//! A project of a user's own, beside this one.

use std::path::{Path, PathBuf};

/// Writes a project with `src/main.rs` that depends on `pixelrnn` under `name`, without engines, and
/// returns its folder. The versions of all crates are those of this workspace, so that nothing is
/// downloaded; what it builds stays from one run of a test to the next.
pub fn write(folder: &str, name: &str, main: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    std::fs::create_dir_all(project.join("src")).expect("a folder");
    let facade = root.join("crates").join("pixelrnn");
    let manifest = format!(
        "[package]\nname = \"user\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n\
        {name} = {{ package = \"pixelrnn\", path = {facade:?}, default-features = false }}\n\n\
        [workspace]\n"
    );
    std::fs::write(project.join("Cargo.toml"), manifest).expect("to write");
    std::fs::copy(root.join("Cargo.lock"), project.join("Cargo.lock")).expect("to copy");
    std::fs::write(project.join("src").join("main.rs"), main).expect("to write");
    project
}

/// Where such projects build: one folder for all.
pub fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("built")
}
