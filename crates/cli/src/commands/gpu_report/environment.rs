//! What of a machine matters to `gpu-report`: its GPUs, the libraries of CUDA, and Python's packages.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::child::{self, Ended};

/// The libraries that ONNX Runtime needs for CUDA, and what they belong to.
#[cfg(windows)]
pub const LIBRARIES: [(&str, &str); 6] = [
    ("nvcuda.dll", "NVIDIA driver"),
    ("cudart64_13.dll", "CUDA 13"),
    ("cublasLt64_13.dll", "CUDA 13"),
    ("cublas64_13.dll", "CUDA 13"),
    ("curand64_10.dll", "CUDA 13"),
    ("cudnn64_9.dll", "cuDNN 9"),
];
/// The libraries that ONNX Runtime needs for CUDA, and what they belong to. It is linked with all but the last two,
/// which it opens when it needs them: cuDNN for convolutions, nvrtc for some of cuDNN's kernels.
#[cfg(not(windows))]
pub const LIBRARIES: [(&str, &str); 7] = [
    ("libcuda.so.1", "NVIDIA driver"),
    ("libcudart.so.13", "CUDA 13"),
    ("libcublasLt.so.13", "CUDA 13"),
    ("libcublas.so.13", "CUDA 13"),
    ("libcurand.so.10", "CUDA 13"),
    ("libnvrtc.so.13", "CUDA 13"),
    ("libcudnn.so.9", "cuDNN 9"),
];

/// The variable that names more folders of libraries.
pub const SEARCH: &str = if cfg!(windows) { "PATH" } else { "LD_LIBRARY_PATH" };

const GPU_FIELDS: [&str; 11] = [
    "name",
    "driver_version",
    "compute_cap",
    "memory.total",
    "memory.used",
    "utilization.gpu",
    "clocks.sm",
    "clocks.max.sm",
    "power.limit",
    "persistence_mode",
    "mig.mode.current",
];

/// Prints where wheels keep CUDA's libraries, and the versions of the peers. Imports none of them, which takes long.
const ASK_PYTHON: &str = "\
import glob, importlib.metadata as m, json, os, platform, sys
def version(name):
    try:
        return m.version(name)
    except m.PackageNotFoundError:
        return None
folders = [f for p in sys.path if p for f in sorted(glob.glob(os.path.join(p, 'nvidia', '*', 'lib')))]
print(json.dumps({'version': platform.python_version(), 'executable': sys.executable, 'folders': folders,
                  'torch': version('torch'), 'jax': version('jax')}))";

/// The GPUs, as `nvidia-smi` names them.
pub fn gpus(limit: Duration, stop: &AtomicBool) -> Value {
    let query = format!("--query-gpu={}", GPU_FIELDS.join(","));
    let mut command = Command::new("nvidia-smi");
    match child::run(command.args([&query, "--format=csv,noheader,nounits"]), limit, stop) {
        Ended::Answered(text) => json!({ "gpus": text.lines().map(gpu).collect::<Vec<_>>() }),
        other => json!({ "gpus": [], "nvidia_smi": other.state().1 }),
    }
}

/// A line of its answer. MiB, MHz, W and %.
fn gpu(line: &str) -> Value {
    let cells = GPU_FIELDS.iter().zip(line.split(',').map(str::trim));
    let value = |cell: &str| cell.parse::<f64>().map_or_else(|_| json!(cell), |n| json!(n));
    cells
        .map(|(field, cell)| match *field {
            // Not numbers, although they look like some.
            "driver_version" | "compute_cap" | "name" => (field.to_string(), json!(cell)),
            _ => (field.to_string(), value(cell)),
        })
        .collect::<Map<_, _>>()
        .into()
}

/// Python and its packages.
pub fn python(limit: Duration, stop: &AtomicBool) -> Option<Value> {
    ["python3", "python"].into_iter().find_map(|name| {
        child::run(Command::new(name).args(["-c", ASK_PYTHON]), limit, stop).json().ok()
    })
}

/// Folders in which CUDA's libraries often lie, although the system does not look there.
pub fn folders(python: Option<&Value>) -> Vec<PathBuf> {
    let mut roots: Vec<PathBuf> = ["CUDA_HOME", "CUDA_PATH", "CONDA_PREFIX"]
        .iter()
        .filter_map(|name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from))
        .collect();
    for parent in ["/usr/local", "/opt"] {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = entries
            .filter(|e| e.file_name().to_string_lossy().starts_with("cuda"))
            .map(|e| e.path())
            .collect();
        found.sort();
        roots.extend(found);
    }
    let below = ["lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib", "bin"];
    let mut all: Vec<PathBuf> =
        roots.iter().flat_map(|root| below.map(|name| root.join(name))).collect();
    let wheels = python.and_then(|p| p["folders"].as_array()).into_iter().flatten();
    all.extend(wheels.filter_map(Value::as_str).map(PathBuf::from));
    for system in ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"] {
        all.push(PathBuf::from(system));
    }
    all.retain(|folder| folder.is_dir());
    all.dedup();
    all
}

/// The state of each library: whether the system opens it (`opened`, by name), in which folder it lies otherwise,
/// and what other versions lie there.
pub fn libraries(opened: &Value, folders: &[PathBuf]) -> Vec<Value> {
    LIBRARIES
        .iter()
        .map(|(name, part)| {
            let error = opened[*name].as_str();
            let opens = opened[*name] == json!(true);
            let folder = folders.iter().find(|folder| folder.join(name).is_file());
            let others: Vec<String> = match opens || folder.is_some() {
                true => Vec::new(),
                false => folders.iter().flat_map(|folder| versions(folder, name)).collect(),
            };
            json!({
                "name": name,
                "part": part,
                "opens": opens,
                "folder": folder.filter(|_| !opens).map(|f| f.display().to_string()),
                "other_versions": others,
                "error": error,
            })
        })
        .collect()
}

/// Files in a folder that are another version of a library, such as `libcudnn.so.8`.
fn versions(folder: &Path, name: &str) -> Vec<String> {
    let Some(stem) = name.find(".so.").map(|at| &name[..at + 4]) else { return Vec::new() };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<String> = entries
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|file| file.starts_with(stem))
        .map(|file| folder.join(file).display().to_string())
        .collect();
    found.sort();
    found
}

/// The folders that children need in [`SEARCH`], so that they open what lies there.
pub fn needed_folders(libraries: &[Value]) -> Vec<String> {
    let mut folders: Vec<String> = Vec::new();
    for folder in libraries.iter().filter_map(|l| l["folder"].as_str()) {
        if !folders.iter().any(|known| known == folder) {
            folders.push(folder.to_string());
        }
    }
    folders
}

/// What is missing for CUDA, a line each, with what to do.
pub fn missing(environment: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let empty = Vec::new();
    let libraries = environment["libraries"].as_array().unwrap_or(&empty);
    for part in ["NVIDIA driver", "CUDA 13", "cuDNN 9"] {
        let gone = libraries.iter().filter(|l| {
            l["part"] == json!(part) && l["opens"] != json!(true) && l["folder"].is_null()
        });
        let names: Vec<&str> = gone.clone().filter_map(|l| l["name"].as_str()).collect();
        if names.is_empty() {
            continue;
        }
        let found: Vec<&str> = gone
            .flat_map(|l| l["other_versions"].as_array().into_iter().flatten())
            .filter_map(Value::as_str)
            .collect();
        let others = match found.is_empty() {
            true => String::new(),
            false => format!("; other versions found: {}", found.join(", ")),
        };
        let remedy = match part {
            "NVIDIA driver" => "install the driver, or give the container access to the GPU",
            _ => "install it (NVIDIA's pip packages will do), or add its folder to the search path",
        };
        lines.push(format!("{part}: {} not found; {remedy}{others}", names.join(", ")));
    }
    if environment["gpus"].as_array().is_none_or(Vec::is_empty) {
        let why = environment["nvidia_smi"].as_str().unwrap_or("it lists none");
        lines.push(format!("no GPU: nvidia-smi: {why}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_read() {
        let line = "NVIDIA H100 80GB HBM3, 570.86.15, 9.0, 81559, 4, 0, 345, 1980, 700.00, Enabled, Disabled";
        let gpu = gpu(line);
        assert_eq!(gpu["name"], "NVIDIA H100 80GB HBM3");
        assert_eq!(gpu["driver_version"], "570.86.15");
        assert_eq!(gpu["compute_cap"], "9.0");
        assert_eq!(gpu["memory.total"], 81559.0);
        assert_eq!(gpu["mig.mode.current"], "Disabled");
    }

    #[test]
    #[cfg(not(windows))]
    fn libraries_are_found_where_the_system_does_not_look() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["libcudnn.so.9", "libcudart.so.12", "libcublas.so"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let mut opened = Map::new();
        for (name, _) in LIBRARIES {
            opened.insert(name.to_string(), json!("no such file"));
        }
        opened.insert("libcuda.so.1".into(), json!(true));
        let here = [folder.path().to_path_buf()];
        let libraries = libraries(&opened.into(), &here);
        let of = |name: &str| libraries.iter().find(|l| l["name"] == name).unwrap();
        assert_eq!(of("libcuda.so.1")["opens"], true);
        assert_eq!(of("libcudnn.so.9")["folder"], folder.path().display().to_string());
        assert_eq!(needed_folders(&libraries), [folder.path().display().to_string()]);
        let environment = json!({ "libraries": libraries, "gpus": [{}] });
        let lines = missing(&environment);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("CUDA 13: libcudart.so.13, libcublasLt.so.13"), "{lines:?}");
        assert!(lines[0].contains("libcudart.so.12"), "{lines:?}");
        let bare = missing(&json!({ "libraries": [], "gpus": [], "nvidia_smi": "not there" }));
        assert_eq!(bare, ["no GPU: nvidia-smi: not there"]);
    }
}
