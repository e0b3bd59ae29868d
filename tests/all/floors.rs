//! The layers of the project: a crate depends only on crates on lower floors, and the macro has few
//! dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::common::root;

/// The floor of each crate.
const FLOORS: [(&str, u32); 15] = [
    ("pixelrnn-kernels", 0),
    ("pixelrnn-files", 0),
    ("pixelrnn-graph", 0),
    ("pixelrnn-onnx", 1),
    ("pixelrnn-check", 2),
    ("pixelrnn-ops", 3),
    ("pixelrnn-passes", 4),
    ("pixelrnn-syntax", 5),
    ("pixelrnn-macros", 6),
    ("pixelrnn-runtime", 7),
    ("pixelrnn-data", 7),
    ("pixelrnn-train", 8),
    ("pixelrnn", 9),
    ("pixelrnn-cli", 10),
    ("pixelrnn-macro-tests", 10),
];

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        // For `--unit-graph`.
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(root())
        .output()
        .unwrap_or_else(|e| panic!("cargo {arguments:?}: {e}"));
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "cargo {arguments:?}: {complaint}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn dependencies_go_down() {
    let floors = BTreeMap::from(FLOORS);
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1", "--offline"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    let text = |v: &Value| v.as_str().unwrap_or_default().to_string();
    let mut seen = 0;
    for package in metadata["packages"].as_array().expect("packages") {
        let name = text(&package["name"]);
        let floor = floors.get(name.as_str()).unwrap_or_else(|| panic!("`{name}` has no floor"));
        seen += 1;
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let other = text(&dependency["name"]);
            // `kind` is `dev` for a dependency of tests, and null for one of the program.
            if dependency["kind"].is_null() && dependency["path"].is_string() {
                let below = floors[other.as_str()];
                assert!(below < *floor, "`{name}` (floor {floor}) uses `{other}` (floor {below})");
            }
        }
    }
    assert!(seen >= 9, "{seen} crates");
}

#[test]
fn the_macro_stays_light() {
    let tree = cargo(&[
        "tree",
        "--package",
        "pixelrnn-macros",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--offline",
    ]);
    let mut crates: Vec<&str> = tree.lines().filter_map(|l| l.split(' ').next()).collect();
    crates.sort_unstable();
    crates.dedup();
    assert!(crates.contains(&"pixelrnn-syntax"), "{crates:?}");
    let heavy = |name: &&&str| {
        name.starts_with("ort") || name.starts_with("tract") || **name == "pixelrnn-runtime"
    };
    assert_eq!(crates.iter().find(heavy), None);
    // The crates that a user compiles before the first model: their number should stay small.
    assert!(crates.len() < 40, "{} crates: {crates:?}", crates.len());
}

/// A crate that the macro and the program share is compiled only once, since it has the same features for
/// both (see the workspace's Cargo.toml). Otherwise, everything below the macro is compiled twice.
#[test]
fn the_macro_and_the_program_share_one_build() {
    // `cargo tree` shows a crate of the macro and of the program as one, even if features below it differ. Only
    // the plan of the build tells, which a stable Cargo, too, writes when asked like this.
    let build =
        ["build", "--bin", "pixelrnn", "--offline", "--unit-graph", "-Z", "unstable-options"];
    for profile in [&["--release"][..], &[]] {
        let plan = cargo(&[&build, profile].concat());
        let plan: Value = serde_json::from_str(&plan).expect("JSON");
        let (mut built, mut twice) = (BTreeSet::new(), BTreeSet::new());
        for unit in plan["units"].as_array().expect("units") {
            let package = unit["pkg_id"].as_str().expect("a package");
            // `serde` depends on its macros in the program only, and is small.
            let small = package.contains("#serde");
            if unit["target"]["kind"][0] == "lib" && !built.insert(package) && !small {
                twice.insert(package);
            }
        }
        assert!(built.iter().any(|package| package.contains("pixelrnn-passes")), "{built:?}");
        assert!(twice.is_empty(), "built twice, {profile:?}: {twice:#?}");
    }
}

/// The stated Rust version is the one that is tested and documented.
#[test]
fn one_oldest_rust() {
    let read = |name: &str| std::fs::read_to_string(root().join(name)).expect("a file");
    let manifest = read("Cargo.toml");
    let line = manifest.lines().find(|line| line.starts_with("rust-version")).expect("a version");
    let version = line.split('"').nth(1).expect("a version");
    for (file, text) in [
        (".github/workflows/ci.yml", format!("\"{version}\"")),
        (".ci/run", format!("Rust {version} or newer")),
        ("README.md", format!("Rust {version} or newer")),
        ("CONTRIBUTING.md", format!("Rust {version} or newer")),
    ] {
        assert!(read(file).contains(&text), "{file} does not say {text}");
    }
}
