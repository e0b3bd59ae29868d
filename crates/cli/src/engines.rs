//! Engines by name.

use pixelrnn::runtime::{Engine, Options, OrtEngine, library, open};

use crate::arguments::Global;
use crate::exit::Failure;
use crate::out::Out;

/// The options of the engines.
pub fn options(global: &Global, threads: Option<usize>) -> Options {
    let mut options = Options::default();
    options.ort.library.explicit.clone_from(&global.ort_lib);
    options.ort.library.progress = (!global.quiet).then_some(library::to_stderr as fn(&str));
    options.ort.intra_threads = threads;
    options.ort.plain = global.plain;
    options
}

/// The engines that the user named; without names, those of `default` that work on this machine.
///
/// # Errors
/// A named engine does not open, or a library was given explicitly and does not load.
pub fn choose(
    asked: Option<&[String]>,
    default: &[&str],
    options: &Options,
    out: &Out,
) -> Result<Vec<Box<dyn Engine>>, Failure> {
    if let Some(asked) = asked {
        let mut names: Vec<&str> = Vec::new();
        for name in asked {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        return Ok(open(&names, options)?);
    }
    let mut engines = Vec::new();
    for name in default {
        match open(&[name], options) {
            Ok(mut engine) => engines.append(&mut engine),
            // A library that the user names must be used.
            Err(error) if options.ort.library.explicit.is_some() => return Err(error.into()),
            Err(error) => out
                .warn(&format!("engine `{name}` is not available, continuing without it: {error}")),
        }
    }
    Ok(engines)
}

/// The engine of this name.
pub fn one(name: &str, global: &Global) -> Result<Box<dyn Engine>, Failure> {
    let mut engines = open(&[name], &options(global, None))?;
    // One name opens one engine.
    engines.pop().ok_or_else(|| Failure::Usage(format!("engine `{name}` cannot be opened")))
}

/// The engine that the user named; without a name ONNX Runtime, or tract if it is not available.
pub fn best(asked: Option<&str>, global: &Global, out: &Out) -> Result<Box<dyn Engine>, Failure> {
    if let Some(name) = asked {
        return one(name, global);
    }
    let options = options(global, None);
    match choose(None, &["ort"], &options, out)?.pop() {
        Some(engine) => Ok(engine),
        None => one("tract", global),
    }
}

/// The version of an engine's library.
pub fn version(name: &str, options: &Options) -> String {
    match name {
        "tract" => "0.23.9".to_string(),
        // The library is already open: this only reads its version.
        "ort" | "ort-cuda" => match OrtEngine::cpu(options.ort.clone()) {
            Ok(engine) => engine.library().version.to_string(),
            Err(_) => "unknown".to_string(),
        },
        _ => env!("CARGO_PKG_VERSION").to_string(),
    }
}
