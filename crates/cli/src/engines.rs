//! Opens engines by name.

use pixelrnn::runtime::{Engine, EngineKind, Options, library, open, open_one};

pub use pixelrnn::runtime::version;

use crate::arguments::Global;
use crate::exit::Failure;
use crate::out::Out;
use crate::ranks;

/// The options of the engines, from the global options.
pub fn options(global: &Global, threads: Option<usize>) -> Options {
    let mut options = Options::default();
    options.ort.library.explicit.clone_from(&global.ort_lib);
    options.ort.library.progress =
        (!global.quiet && ranks::leads()).then_some(library::to_stderr as fn(&str));
    options.ort.intra_threads = threads.or(ranks::threads());
    options.ort.plain = global.plain;
    options
}

/// The engines that the user named. Without names: those of `default` that work on this machine.
///
/// # Errors
/// If a named engine cannot be opened, or if the user gave a library that cannot be loaded.
pub fn choose(
    asked: Option<&[EngineKind]>,
    default: &[EngineKind],
    options: &Options,
    out: &Out,
) -> Result<Vec<Box<dyn Engine>>, Failure> {
    if let Some(asked) = asked {
        let mut kinds: Vec<EngineKind> = Vec::new();
        for &kind in asked {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        return Ok(open(&kinds, options)?);
    }
    let mut engines = Vec::new();
    for &kind in default {
        match open_one(kind, options) {
            Ok(engine) => engines.push(engine),
            // If the user gave a library, it must be used.
            Err(error) if options.ort.library.explicit.is_some() => return Err(error.into()),
            Err(error) => out
                .warn(&format!("engine `{kind}` is not available, continuing without it: {error}")),
        }
    }
    Ok(engines)
}

/// Opens an engine.
fn one(kind: EngineKind, global: &Global) -> Result<Box<dyn Engine>, Failure> {
    Ok(open_one(kind, &options(global, None))?)
}

/// The engine that the user named. Without a name: ONNX Runtime, or tract if it is not available.
pub fn best(
    asked: Option<EngineKind>,
    global: &Global,
    out: &Out,
) -> Result<Box<dyn Engine>, Failure> {
    if let Some(kind) = asked {
        return one(kind, global);
    }
    let options = options(global, None);
    match choose(None, &[EngineKind::Ort], &options, out)?.pop() {
        Some(engine) => Ok(engine),
        None => one(EngineKind::Tract, global),
    }
}
