//! ONNX Runtime for the web, from its npm package.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::exit::{Failure, usage};

/// The files of the package, and where they go. They end in `.js` because some file servers do not
/// know `.mjs`.
const FILES: [(&str, &str); 2] = [
    ("ort.wasm.bundle.min.mjs", "ort/ort.wasm.bundle.min.js"),
    ("ort-wasm-simd-threaded.wasm", "ort/ort-wasm-simd-threaded.wasm"),
];

/// The files of the package that a page needs.
pub struct OrtWeb {
    /// The paths inside the page, and the contents.
    pub files: Vec<(PathBuf, Vec<u8>)>,
    version: Option<String>,
}

impl OrtWeb {
    /// The version, if the package states it, and the paths at which a page finds the files.
    pub fn json(&self) -> Value {
        let [(_, script), (_, wasm)] = FILES;
        json!({ "version": self.version, "script": script, "wasm": wasm })
    }
}

/// Reads the package, or its folder `dist`.
///
/// # Errors
/// If a file is missing.
pub fn find(package: &Path) -> Result<OrtWeb, Failure> {
    let inside = package.join("dist");
    let dist = if inside.is_dir() { &inside } else { package };
    let mut files = Vec::new();
    for (from, to) in FILES {
        let path = dist.join(from);
        match fs::read(&path) {
            Ok(bytes) => files.push((PathBuf::from(to), bytes)),
            Err(error) => {
                return usage(format!(
                    "cannot read ONNX Runtime for the web: {}: {error}\nfetch it with `npm install \
                     onnxruntime-web`, then give `--ort-web node_modules/onnxruntime-web`",
                    path.display()
                ));
            }
        }
    }
    let version = version(&dist.join("..").join("package.json"));
    Ok(OrtWeb { files, version })
}

/// The version in the package's `package.json`.
fn version(path: &Path) -> Option<String> {
    let package: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let named = package.get("name")?.as_str()? == "onnxruntime-web";
    let version = package.get("version")?.as_str()?;
    named.then(|| version.to_string())
}
