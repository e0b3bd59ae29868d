//! Calls Python: to find its packages, to download a wheel, and to unpack it.
//!
//! Python never runs code from the current folder. Only absolute folders of `PATH` are searched for the
//! interpreter. It is started isolated (`-I`, which excludes the current folder, `PYTHONPATH` and the like
//! from its search path) and in the root folder.

use std::env;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::{Pin, RELEASE};
use crate::LibraryError;

/// Tried in this order. Windows has only the second, many Linux systems only the first.
const NAMES: [&str; 2] = ["python3", "python"];

const INSTALL_PYTHON: &str = "install Python 3 with pip (a virtual environment will do), or get \
    ONNX Runtime 1.23 or later otherwise and name its library in ORT_DYLIB_PATH";
const CHECK_PIP: &str = "see whether `python3 -m pip --version` works and whether this machine \
    reaches its package index, or get ONNX Runtime 1.23 or later otherwise and name its library \
    in ORT_DYLIB_PATH";

/// Finds the package without importing it. An import would take a second and load the library.
const LOCATE: &str = "\
import importlib.util as u, os
s = u.find_spec('onnxruntime')
print(os.path.join(os.path.dirname(s.origin), 'capi') if s and s.origin else '')";

/// Extracts the libraries and the licenses from a wheel, without their folders.
const UNPACK: &str = "\
import os, shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    for name in wheel.namelist():
        base = os.path.basename(name)
        library = name.startswith('onnxruntime/capi/') and 'pybind' not in base \\
            and 'tensorrt' not in base and base.removeprefix('lib').startswith('onnxruntime') \\
            and ('.so' in base or base.endswith(('.dylib', '.dll')))
        if library or name in ('onnxruntime/LICENSE', 'onnxruntime/ThirdPartyNotices.txt'):
            with wheel.open(name) as source, open(os.path.join(sys.argv[2], base), 'wb') as target:
                shutil.copyfileobj(source, target)";

/// The folder of the installed package `onnxruntime` that contains the library.
pub(super) fn package() -> Option<PathBuf> {
    let output = run(&["-c", LOCATE]).ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let folder = PathBuf::from(text.trim());
    (output.status.success() && folder.is_absolute() && folder.is_dir()).then_some(folder)
}

/// Downloads the pinned file into a folder, which pip creates.
pub(super) fn download(pin: &Pin, folder: &Path) -> Result<(), LibraryError> {
    let requirement = format!("{}=={RELEASE}", pin.package);
    let folder = absolute(folder)?;
    let folder = folder.to_string_lossy();
    let output = run(&[
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary=:all:",
        "--python-version=3.12",
        "--implementation=cp",
        "--abi=cp312",
        "--platform",
        pin.platform,
        "--dest",
        &folder,
        &requirement,
    ])?;
    checked(&format!("pip could not fetch {requirement}"), output)
}

/// Unpacks the libraries of a wheel into a folder.
pub(super) fn unpack(wheel: &Path, folder: &Path) -> Result<(), LibraryError> {
    let (from, to) = (absolute(wheel)?, absolute(folder)?);
    let output = run(&["-c", UNPACK, &from.to_string_lossy(), &to.to_string_lossy()])?;
    checked(&format!("Python could not unpack {}", wheel.display()), output)
}

/// Converts a path to an absolute one.
fn absolute(path: &Path) -> Result<PathBuf, LibraryError> {
    std::path::absolute(path).map_err(super::io("find", path))
}

fn run(arguments: &[&str]) -> Result<Output, LibraryError> {
    let mut reason = "neither `python3` nor `python` is on the PATH".to_owned();
    for program in interpreters(&env::var_os("PATH").unwrap_or_default()) {
        let mut command = Command::new(&program);
        command.arg("-I").args(arguments).current_dir("/").stdin(Stdio::null());
        match command.output() {
            Ok(output) => return Ok(output),
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => reason = format!("{} does not start: {e}", program.display()),
        }
    }
    Err(LibraryError::Python { reason, hint: INSTALL_PYTHON })
}

/// The interpreters in the absolute folders of a search path. Empty and relative entries are skipped: they
/// refer to the current folder, where anybody may have put files.
fn interpreters(path: &OsStr) -> Vec<PathBuf> {
    let folders: Vec<PathBuf> = env::split_paths(path).filter(|f| f.is_absolute()).collect();
    let files = |name: &'static str| {
        let file = format!("{name}{}", env::consts::EXE_SUFFIX);
        folders.iter().map(move |folder| folder.join(&file))
    };
    NAMES.into_iter().flat_map(files).filter(|file| file.is_file()).collect()
}

fn checked(what: &str, output: Output) -> Result<(), LibraryError> {
    if output.status.success() {
        return Ok(());
    }
    // The last lines contain the error.
    let words = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = words.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = &lines[lines.len().saturating_sub(5)..];
    Err(LibraryError::Python { reason: format!("{what}:\n{}", tail.join("\n")), hint: CHECK_PIP })
}
