//! The Python packages that can be downloaded, each pinned by its hash.

use std::env;

/// The release of ONNX Runtime that is downloaded.
pub const RELEASE: &str = "1.31.1";

/// A file of a Python package that contains the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Operating system and processor, as [`std::env::consts`] names them.
    pub machine: (&'static str, &'static str),
    /// Whether it supports CUDA.
    pub cuda: bool,
    /// The package.
    pub package: &'static str,
    /// The platform by which pip selects this file.
    pub platform: &'static str,
    /// The SHA-256 of the file.
    pub sha256: &'static str,
    /// Its size in MB, to report before the download.
    pub megabytes: u32,
}

/// All files are for CPython 3.12, whatever version of Python downloads them. They contain the same library,
/// and one file per platform needs only one hash.
const PINS: &[Pin] = &[
    Pin {
        machine: ("linux", "x86_64"),
        cuda: false,
        package: "onnxruntime",
        platform: "manylinux_2_28_x86_64",
        sha256: "1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536",
        megabytes: 24,
    },
    Pin {
        machine: ("linux", "aarch64"),
        cuda: false,
        package: "onnxruntime",
        platform: "manylinux_2_28_aarch64",
        sha256: "0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc",
        megabytes: 21,
    },
    Pin {
        machine: ("macos", "aarch64"),
        cuda: false,
        package: "onnxruntime",
        platform: "macosx_14_0_arm64",
        sha256: "96dd2564b10ea7153ad9c207e7cd8e5917cb3ba521e0e0a62ac03486fdc8d56c",
        megabytes: 21,
    },
    Pin {
        machine: ("windows", "x86_64"),
        cuda: false,
        package: "onnxruntime",
        platform: "win_amd64",
        sha256: "ae8a9a351efda685cc59a66226cdefaa37a126c1d66872ca23a2de9425326130",
        megabytes: 15,
    },
    Pin {
        machine: ("windows", "aarch64"),
        cuda: false,
        package: "onnxruntime",
        platform: "win_arm64",
        sha256: "fe8b9ac1ae8e894e12c47ee82e4f6dfc1835768133687257866469fda80d0bf1",
        megabytes: 15,
    },
    Pin {
        machine: ("linux", "x86_64"),
        cuda: true,
        package: "onnxruntime-gpu",
        platform: "manylinux_2_28_x86_64",
        sha256: "05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7",
        megabytes: 256,
    },
];

/// The file for this machine, if one is pinned.
pub fn pin(cuda: bool) -> Option<&'static Pin> {
    let machine = (env::consts::OS, env::consts::ARCH);
    // A program built for musl cannot open a library built for glibc.
    let musl = cfg!(target_env = "musl");
    PINS.iter().find(|pin| pin.machine == machine && pin.cuda == cuda && !musl)
}
