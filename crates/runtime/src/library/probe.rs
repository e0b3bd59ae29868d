//! Asks a file whether it is ONNX Runtime, and of which version.

use std::ffi::CStr;
use std::fmt;
use std::path::Path;
use std::sync::Once;

/// The oldest minor version of ONNX Runtime 1 that works: that of the C interface which `ort` is
/// built for (feature `api-23`).
const OLDEST: u32 = ort::MINOR_VERSION;

/// A version of ONNX Runtime, as its library tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// `1`.
    pub major: u32,
    /// `31`.
    pub minor: u32,
    /// `1.31.1`, with whatever is appended to it.
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
/// In words, why it is of no use: it does not open, is something else, or is too old.
pub fn probe(path: &Path) -> Result<Version, String> {
    type GetApiBase = unsafe extern "C" fn() -> *const ort::sys::OrtApiBase;
    silence_telemetry();
    // SAFETY: opening a library runs its initializers. The file is the user's own choice, or ours,
    // and that is what the process is about to do with it anyway.
    let library = unsafe { libloading::Library::new(path) }.map_err(|e| e.to_string())?;
    let text = {
        // SAFETY: any library that exports this symbol is ONNX Runtime, of which it is the entry
        // point, unchanged since 1.0.
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
    // What was accepted will be used: it stays open, so that its initializers run once.
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

/// Official builds of ONNX Runtime send telemetry unless this variable is set when they start. Who
/// has set it, to whatever, is left alone.
pub(crate) fn silence_telemetry() {
    const VARIABLE: &str = "ORT_DISABLE_TELEMETRY";
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if std::env::var_os(VARIABLE).is_none() {
            // SAFETY: Rust's own readers of the environment take a lock that this call takes too.
            // Left is foreign code that reads it in another thread at this very moment; ONNX
            // Runtime is not open yet, and tract reads it from Rust. A program that wants no such
            // risk sets the variable before it starts its first thread.
            unsafe { std::env::set_var(VARIABLE, "1") };
        }
    });
}
