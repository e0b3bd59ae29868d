//! Rules of this project that a compiler does not check.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::root;

/// Generated files.
const GENERATED: [&str; 1] = ["crates/onnx/src/proto.rs"];

/// The largest number of lines of a file.
const LINES: usize = 600;

/// The hosts to which links may lead.
const HOSTS: [&str; 13] = [
    "arxiv.org",
    "crates.io",
    "docs.rs",
    "doc.rust-lang.org",
    "github.com",
    "onnx.ai",
    "onnxruntime.ai",
    "pypi.org",
    "rust-lang.org",
    "www.cs.toronto.edu",
    "archive.ics.uci.edu",
    "www.apache.org",
    // The namespace of SVG.
    "www.w3.org",
];

/// The files under version control or, without git, all files that are not hidden.
fn files() -> Vec<PathBuf> {
    let git = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let listed = match git {
        Ok(output) if output.status.success() => output.stdout,
        _ => Vec::new(),
    };
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let mut files: Vec<PathBuf> =
        listed.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect();
    if files.is_empty() {
        walk(Path::new(""), &mut files);
    }
    files.retain(|file| root().join(file).is_file());
    files.sort();
    files
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(root().join(folder)).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = folder.join(&name);
        match entry.file_type().expect("a type").is_dir() {
            _ if name.starts_with('.') || name == "target" => {}
            true => walk(&path, files),
            false => files.push(path),
        }
    }
}

/// The text files, with their text.
fn texts() -> Vec<(String, String)> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(root().join(&path)).ok()?;
        Some((path.to_string_lossy().replace('\\', "/"), text))
    };
    files().into_iter().filter_map(read).collect()
}

#[test]
fn every_file_says_what_it_is_and_is_short() {
    let mut wrong = Vec::new();
    for (name, text) in texts() {
        if !name.ends_with(".rs") || GENERATED.contains(&name.as_str()) {
            continue;
        }
        // Cases that must fail to compile are models, not modules.
        if !text.starts_with("//!") && !name.contains("/ui/") {
            wrong.push(format!("{name} does not begin with `//!`"));
        }
        let lines = text.lines().count();
        if lines > LINES {
            wrong.push(format!("{name} has {lines} lines"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_layer_is_in_the_documentation() {
    let language = fs::read_to_string(root().join("docs/src/language.md")).expect("a file");
    for layer in pixelrnn::internal::syntax::layers::LAYERS {
        let name = layer.name;
        let path = root().join(format!("crates/syntax/src/layers/{name}.rs"));
        let file = fs::read_to_string(path).expect("the layer's file");
        assert!(file.contains(&format!("pub struct {name};")), "`{name}` has no item");
        assert!(file.contains(&format!("/// `{name}")), "`{name}` does not begin its own page");
        assert!(
            language.contains(&format!("`{name}")),
            "`{name}` is not in the language's reference"
        );
    }
}

#[test]
fn nothing_knows_the_machine_it_was_written_on() {
    // Assembled here, so that this file does not contain them.
    let places = [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"], ["/Us", "ers/"], ["C:", "\\"]];
    let places = places.map(|parts| parts.concat());
    let mut wrong = Vec::new();
    for (name, text) in texts() {
        for (number, line) in text.lines().enumerate() {
            let at = format!("{name}:{}", number + 1);
            for place in places.iter().filter(|place| line.contains(place.as_str())) {
                wrong.push(format!("{at} holds the path `{place}`"));
            }
            for (end, _) in line.match_indices("://") {
                let scheme = line[..end].ends_with("http") || line[..end].ends_with("https");
                let rest = &line[end + 3..];
                let over = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-');
                let host = rest.split(over).next().unwrap_or_default().trim_end_matches('.');
                if scheme && !host.is_empty() && !HOSTS.contains(&host) {
                    wrong.push(format!("{at} names the host `{host}`"));
                }
            }
        }
        if name.ends_with("Cargo.lock") {
            // All packages come from a single registry, and none from a repository or a mirror.
            let sources: std::collections::BTreeSet<&str> =
                text.lines().filter(|l| l.starts_with("source = ")).collect();
            let registry = |s: &&str| s.starts_with("source = \"registry+");
            if sources.len() > 1 || !sources.iter().all(registry) {
                wrong.push(format!("{name}: {sources:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A published package contains only its own folder.
#[test]
fn no_package_includes_files_of_another() {
    let mut outside = Vec::new();
    for (path, text) in texts().into_iter().filter(|(path, _)| path.ends_with(".rs")) {
        let Some((before, inside)) = path.split_once("/src/") else { continue };
        let depth = 1 + inside.matches('/').count();
        // The text of documentation tests is not compiled into the package.
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("#[doc"));
        for line in
            lines.filter(|line| line.contains("include_str!") || line.contains("include_bytes!"))
        {
            if line.matches("../").count() > depth {
                outside.push(format!("{before}/src/{inside}: {}", line.trim()));
            }
        }
    }
    assert!(outside.is_empty(), "{outside:#?}");
}

/// The model of the slow test of pages, which nothing else runs.
#[test]
fn the_page_has_its_model() {
    let script = std::fs::read_to_string(root().join("tests/web/run.mjs")).expect("a script");
    let model = script.split("model: { ...text, default: \"").nth(1).expect("a default");
    let model = model.split('"').next().expect("a path");
    assert!(root().join(model).join("run.json").is_file(), "{model} is no run");
}
