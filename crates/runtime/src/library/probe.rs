//! Checks whether a file is ONNX Runtime, and of which version.

use std::ffi::CStr;
use std::fmt;
use std::path::Path;
use std::sync::Once;

/// The oldest supported minor version of ONNX Runtime 1: that of the C interface for which `ort` is built
/// (feature `api-23`).
const OLDEST: u32 = ort::MINOR_VERSION;

/// A version of ONNX Runtime, as reported by its library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// `1`.
    pub major: u32,
    /// `31`.
    pub minor: u32,
    /// `1.31.1`, including any suffix.
    pub text: String,
}

impl Version {
    fn parse(text: &str) -> Option<Version> {
        let mut parts = text.split('.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        Some(Version { major, minor, text: text.to_owned() })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The version of the library in a file.
///
/// # Errors
/// The reason why the library cannot be used: it cannot be opened, is not ONNX Runtime, or is too old.
pub fn probe(path: &Path) -> Result<Version, String> {
    type GetApiBase = unsafe extern "C" fn() -> *const ort::sys::OrtApiBase;
    silence_telemetry();
    // SAFETY: opening a library runs its initializers. The file was chosen by the user or by this project,
    // and this process is going to open it anyway.
    let library = unsafe { libloading::Library::new(path) }.map_err(|e| e.to_string())?;
    let text = {
        // SAFETY: a library that exports this symbol is ONNX Runtime. The symbol is its entry point, with the
        // same type since version 1.0.
        let base = unsafe { library.get::<GetApiBase>(b"OrtGetApiBase\0") }
            .map_err(|_| "it is not ONNX Runtime: it has no `OrtGetApiBase`")?;
        // SAFETY: as above; both pointers are checked, and the string is a constant in the library,
        // which is still open.
        unsafe {
            let base = base().as_ref().ok_or("its `OrtGetApiBase` returns null")?;
            let text = (base.GetVersionString)();
            if text.is_null() {
                return Err("it does not report its version".to_owned());
            }
            CStr::from_ptr(text).to_string_lossy().into_owned()
        }
    };
    let version = Version::parse(&text).ok_or_else(|| format!("unexpected version `{text}`"))?;
    if (version.major, version.minor) < (1, OLDEST) {
        return Err(format!("it is version {version}, expected 1.{OLDEST} or later"));
    }
    if version.major > 1 {
        return Err(format!("it is version {version}, expected 1.{OLDEST} to 1.x"));
    }
    // An accepted library will be used, so it stays open. Its initializers then run only once.
    std::mem::forget(library);
    Ok(version)
}

/// Whether the system finds and opens a library by its name alone. It stays open.
///
/// # Errors
/// In the words of the system, why not.
pub fn opens(name: &str) -> Result<(), String> {
    // SAFETY: opening a library runs its initializers. The caller names a library that ONNX Runtime would open.
    let library = unsafe { libloading::Library::new(name) }.map_err(|e| e.to_string())?;
    // Libraries of drivers do not like to be closed.
    std::mem::forget(library);
    Ok(())
}

/// Official builds of ONNX Runtime send telemetry unless this variable is set when they start. If the user
/// has set it, its value is kept.
pub(crate) fn silence_telemetry() {
    const VARIABLE: &str = "ORT_DISABLE_TELEMETRY";
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if std::env::var_os(VARIABLE).is_none() {
            // SAFETY: Rust's own readers of the environment take the same lock as this call. What remains is
            // foreign code that reads the environment in another thread at this moment. ONNX Runtime is not
            // open yet, and tract reads it from Rust. A program that must exclude this sets the variable
            // before it starts its first thread.
            unsafe { std::env::set_var(VARIABLE, "1") };
        }
    });
}
