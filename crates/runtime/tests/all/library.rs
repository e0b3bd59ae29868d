//! Tests of finding and downloading ONNX Runtime.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use pixelrnn_runtime::library::{Place, RELEASE, Request, ensure, find, install, pin};
use pixelrnn_runtime::{EngineKind, LibraryError};

/// An empty folder for one test.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("runtime").join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// A request that ignores the libraries of this machine.
fn sealed(name: &str) -> Request {
    Request {
        explicit: None,
        environment: None,
        cache: Some(folder(name)),
        search: false,
        cuda: false,
        offline: true,
        progress: None,
    }
}

#[test]
fn a_missing_library_says_where_it_was_sought_and_what_to_do() {
    let request = sealed("missing");
    let error = ensure(&request).unwrap_err();
    assert!(matches!(error, LibraryError::Missing { offline: true, cuda: false, .. }));
    let text = error.to_string();
    for part in [
        &*request.folder().unwrap().to_string_lossy(),
        "it does not exist",
        "`pixelrnn runtime install`",
        "ORT_DYLIB_PATH",
        "--ort-lib",
        "PIXELRNN_OFFLINE",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn cuda_is_never_fetched_unasked() {
    let request = Request { offline: false, cuda: true, ..sealed("cuda") };
    let text = ensure(&request).unwrap_err().to_string();
    assert!(text.contains("`pixelrnn runtime install --cuda`"), "{text}");
    assert!(!text.contains("PIXELRNN_OFFLINE"), "{text}");
}

#[test]
fn without_a_cache_the_error_says_so() {
    let request = Request { offline: false, cache: None, ..sealed("no-cache") };
    assert!(matches!(ensure(&request), Err(LibraryError::NoCache)));
}

#[test]
fn a_named_library_is_used_or_refused_but_never_passed_over() {
    let home = folder("named");
    let garbage = home.join("libonnxruntime.so");
    fs::write(&garbage, "no library").unwrap();
    for (path, reason) in
        [(home.join("nowhere.so"), "it does not exist"), (garbage, "libonnxruntime.so")]
    {
        let request = Request { explicit: Some(path.clone()), ..sealed("named-cache") };
        let text = find(&request).unwrap_err().to_string();
        assert!(text.contains("(from --ort-lib)") && text.contains(reason), "{text}");
        let request = Request { environment: Some(path), offline: false, ..request.clone() };
        let request = Request { explicit: None, ..request };
        let text = ensure(&request).unwrap_err().to_string();
        assert!(text.contains("(from ORT_DYLIB_PATH)") && text.contains(reason), "{text}");
    }
    let request = Request { explicit: Some(folder("empty")), ..sealed("named-cache") };
    let text = find(&request).unwrap_err().to_string();
    assert!(text.contains("no libonnxruntime in it"), "{text}");
}

/// Builds a library that reports to be ONNX Runtime of a given version.
fn pretender(home: &Path, version: &str) -> PathBuf {
    let source = home.join("fake.rs");
    let code = format!(
        r#"use std::ffi::c_char;
        #[repr(C)] pub struct Base(extern "C" fn(u32) -> *const u8, extern "C" fn() -> *const c_char);
        extern "C" fn api(_: u32) -> *const u8 {{ std::ptr::null() }}
        extern "C" fn version() -> *const c_char {{ c"{version}".as_ptr() }}
        static BASE: Base = Base(api, version);
        #[unsafe(no_mangle)] pub extern "C" fn OrtGetApiBase() -> *const Base {{ &BASE }}"#
    );
    fs::write(&source, code).unwrap();
    let library = home.join(format!("pretender-{version}.so"));
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let status = Command::new(rustc)
        .args(["--edition=2024", "--crate-type=cdylib", "-o"])
        .args([&library, &source])
        .status()
        .unwrap();
    assert!(status.success());
    library
}

#[test]
fn a_version_that_is_too_old_or_unheard_of_is_refused() {
    let home = folder("versions");
    for (version, reason) in [
        ("1.22.3", "it is version 1.22.3, expected 1.23 or later"),
        ("2.0.0", "it is version 2.0.0, expected 1.23 to 1.x"),
        ("nightly", "unexpected version `nightly`"),
    ] {
        let request = Request { explicit: Some(pretender(&home, version)), ..sealed("old") };
        let text = find(&request).unwrap_err().to_string();
        assert!(text.ends_with(reason), "{text}");
    }
    let path = pretender(&home, "1.23.0");
    let request = Request { explicit: Some(path.clone()), ..sealed("old") };
    let library = find(&request).unwrap();
    assert_eq!((library.version.major, library.version.minor), (1, 23));
    assert_eq!(library.path, path.canonicalize().unwrap());
    let text = find(&request.with_cuda(true)).unwrap_err().to_string();
    assert!(text.ends_with("it comes without CUDA"), "{text}");
}

static FETCHED: AtomicUsize = AtomicUsize::new(0);

#[test]
fn many_may_ensure_at_once_and_one_fetches() {
    if pin(false).is_none() {
        let error = install(&sealed("no-pin")).unwrap_err();
        assert!(matches!(error, LibraryError::NoWheel { .. }));
        return;
    }
    let count: fn(&str) = |line| {
        FETCHED.fetch_add(usize::from(line.starts_with("downloading")), Ordering::Relaxed);
    };
    let request = Request { offline: false, progress: Some(count), ..sealed("parallel") };
    // A partial download, as left by a process that was killed.
    let leftover = request.cache.as_ref().unwrap().join(format!("onnxruntime-{RELEASE}.partial"));
    fs::create_dir_all(leftover.join("wheel/half.whl")).unwrap();
    // A file at the place of the library that is not a library.
    let damaged = request.folder().unwrap();
    fs::create_dir_all(&damaged).unwrap();
    fs::write(damaged.join("libonnxruntime.so.0.damaged"), "no library").unwrap();

    let libraries = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| ensure(&request))).collect();
        threads.into_iter().map(|t| t.join().unwrap().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(FETCHED.load(Ordering::Relaxed), 1);
    for library in &libraries {
        assert_eq!(library, &libraries[0]);
        assert_eq!(library.place, Place::Cache);
        assert_eq!(library.version.text, RELEASE);
        assert!(!library.has_cuda());
    }
    assert!(!leftover.exists());
    let kept = fs::read_dir(request.folder().unwrap()).unwrap();
    let kept: Vec<_> = kept.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(kept.iter().any(|name| name == "LICENSE"), "{kept:?}");
    assert!(!kept.iter().any(|name| name.contains("pybind")), "{kept:?}");
    assert!(!kept.iter().any(|name| name.contains("damaged")), "{kept:?}");

    find(&Request { offline: true, ..request }).unwrap();
}

/// Folders with malicious content: Python modules and programs that leave a mark when they run. Nothing that
/// calls Python may run them.
#[cfg(unix)]
mod hostile {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder whose contents are run by a program that searches the current folder first.
    fn trap(name: &str) -> PathBuf {
        let home = folder(name);
        let mark = home.join("mark").display().to_string();
        for module in ["onnxruntime", "pip", "zipfile", "shutil", "importlib"] {
            fs::create_dir(home.join(module)).unwrap();
            for file in ["__init__.py", "__main__.py"] {
                let code = format!("open({mark:?}, 'w').write('run')\n");
                fs::write(home.join(module).join(file), code).unwrap();
            }
        }
        fs::create_dir(home.join("onnxruntime/capi")).unwrap();
        fs::write(home.join("onnxruntime/capi/libonnxruntime.so.1.31.1"), "no library").unwrap();
        for program in ["python3", "python"] {
            script(&home.join(program), &format!("#!/bin/sh\necho run > {mark}\n"));
        }
        home
    }

    fn script(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs the ignored test [`ask`] in its own process, whose current folder is the trap.
    fn asked(home: &Path, path: &str) -> String {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "library::hostile::ask", "--ignored", "--nocapture"])
            .current_dir(home)
            .env("PATH", path)
            .env("PYTHONPATH", home)
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env_remove("ORT_DYLIB_PATH")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// Prints the result of the survey for `ort`, for [`asked`].
    #[test]
    #[ignore = "a process of its own for the tests beside it"]
    fn ask() {
        let statuses = pixelrnn_runtime::survey(&pixelrnn_runtime::Options::default());
        let ort = statuses.iter().find(|status| status.engine == EngineKind::Ort).unwrap();
        println!("{:?}", ort.state.as_ref().map_err(ToString::to_string));
    }

    #[test]
    fn the_current_folder_is_neither_imported_nor_searched() {
        let home = trap("trap");
        let real = std::env::var("PATH").unwrap_or_default();
        for path in [real.clone(), format!(".:{real}"), format!(":{real}"), "bin/..:.".to_owned()] {
            let said = asked(&home, &path);
            assert!(!home.join("mark").exists(), "PATH={path}: {said}");
            let here = home.canonicalize().unwrap().join("onnxruntime").display().to_string();
            assert!(!said.contains(&here), "PATH={path}: {said}");
        }
    }

    /// A library in a package is reported, but not opened: opening this one would fail.
    #[test]
    fn a_survey_opens_nothing_that_it_found() {
        let home = folder("package");
        let capi = home.join("capi");
        fs::create_dir(&capi).unwrap();
        fs::write(capi.join("libonnxruntime.so.1.31.1"), "no library").unwrap();
        script(&home.join("python3"), &format!("#!/bin/sh\necho {}\n", capi.display()));
        let said = asked(&home, &home.display().to_string());
        assert!(said.contains("not opened") && said.contains("libonnxruntime.so.1.31.1"), "{said}");
    }
}
