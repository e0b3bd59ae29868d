//! Opens engines by name, and lists those that work on this machine.

use crate::{Engine, EngineError};

/// All engines, whether compiled in or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EngineKind {
    /// The reference interpreter.
    Reference,
    /// tract, with the feature of this name.
    Tract,
    /// ONNX Runtime on the CPU, with the feature `ort`.
    Ort,
    /// ONNX Runtime on CUDA, with the feature `ort`.
    OrtCuda,
}

impl EngineKind {
    /// Every engine.
    pub const ALL: [EngineKind; 4] =
        [EngineKind::Reference, EngineKind::Tract, EngineKind::Ort, EngineKind::OrtCuda];

    /// The name on the command line: `reference`, `tract`, `ort`, `ort-cuda`.
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::Reference => "reference",
            EngineKind::Tract => "tract",
            EngineKind::Ort => "ort",
            EngineKind::OrtCuda => "ort-cuda",
        }
    }
}

pixelrnn_graph::named!(EngineKind, "engine");

/// Options of the engines.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Options of `ort` and `ort-cuda`.
    #[cfg(feature = "ort")]
    pub ort: crate::OrtOptions,
    /// Options of `ort-cuda`.
    #[cfg(feature = "ort")]
    pub cuda: crate::CudaOptions,
}

/// Opens engines, and returns them in the order given.
///
/// `ort-cuda` is always opened before `ort`, since a process can load only one ONNX Runtime library, and
/// a library with CUDA works for both.
///
/// # Errors
/// The first engine that is not compiled in, or does not work on this machine.
pub fn open(kinds: &[EngineKind], options: &Options) -> Result<Vec<Box<dyn Engine>>, EngineError> {
    let mut order: Vec<usize> = (0..kinds.len()).collect();
    order.sort_by_key(|&at| kinds[at] != EngineKind::OrtCuda);
    let mut engines = Vec::with_capacity(kinds.len());
    for at in order {
        engines.push((at, open_one(kinds[at], options)?));
    }
    engines.sort_by_key(|(at, _)| *at);
    Ok(engines.into_iter().map(|(_, engine)| engine).collect())
}

/// Opens one engine.
///
/// # Errors
/// The engine is not compiled in, or does not work on this machine.
pub fn open_one(kind: EngineKind, options: &Options) -> Result<Box<dyn Engine>, EngineError> {
    match kind {
        EngineKind::Reference => Ok(Box::new(crate::ReferenceEngine::default())),
        EngineKind::Tract => tract(),
        EngineKind::Ort => ort(options),
        EngineKind::OrtCuda => cuda(options),
    }
}

/// The version of tract that is compiled in.
#[cfg(feature = "tract")]
const TRACT: &str = "0.23.9";

/// The version of an engine's library: for ONNX Runtime that of the loaded library, which must have been
/// opened; for other engines that of the crate that is compiled in.
pub fn version(engine: &str, options: &Options) -> String {
    #[cfg(feature = "ort")]
    if engine.starts_with("ort") {
        return match crate::OrtEngine::cpu(options.ort.clone()) {
            Ok(engine) => engine.library().version.to_string(),
            Err(_) => "unknown".to_owned(),
        };
    }
    #[cfg(feature = "tract")]
    if engine == "tract" {
        return TRACT.to_owned();
    }
    let _ = (engine, options);
    env!("CARGO_PKG_VERSION").to_owned()
}

#[cfg(feature = "tract")]
fn tract() -> Result<Box<dyn Engine>, EngineError> {
    Ok(Box::new(crate::TractEngine))
}

#[cfg(not(feature = "tract"))]
fn tract() -> Result<Box<dyn Engine>, EngineError> {
    Err(EngineError::NotCompiled { engine: "tract", feature: "tract" })
}

#[cfg(feature = "ort")]
fn ort(options: &Options) -> Result<Box<dyn Engine>, EngineError> {
    Ok(Box::new(crate::OrtEngine::cpu(options.ort.clone())?))
}

#[cfg(feature = "ort")]
fn cuda(options: &Options) -> Result<Box<dyn Engine>, EngineError> {
    Ok(Box::new(crate::OrtEngine::cuda(options.ort.clone(), options.cuda)?))
}

#[cfg(not(feature = "ort"))]
fn ort(_: &Options) -> Result<Box<dyn Engine>, EngineError> {
    Err(EngineError::NotCompiled { engine: "ort", feature: "ort" })
}

#[cfg(not(feature = "ort"))]
fn cuda(_: &Options) -> Result<Box<dyn Engine>, EngineError> {
    Err(EngineError::NotCompiled { engine: "ort-cuda", feature: "ort" })
}

/// Whether an engine works on this machine.
#[derive(Debug)]
#[non_exhaustive]
pub struct Status {
    /// The engine.
    pub engine: EngineKind,
    /// Its version and library, otherwise the reason why it does not work.
    pub state: Result<State, EngineError>,
}

/// The state of an engine without a known error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It was opened; with its version and library.
    Works(String),
    /// A library was found that the user did not name. It was not opened, so it may not work.
    Found(String),
}

/// Tries every engine. Nothing is downloaded, and a library of ONNX Runtime that was neither
/// named nor fetched by [`library::install`](crate::library::install) is not opened.
pub fn survey(options: &Options) -> Vec<Status> {
    // The engine with CUDA first; see [`open`].
    let cuda = survey_cuda(options);
    vec![
        Status {
            engine: EngineKind::Reference,
            state: Ok(State::Works("compiled in, slow".to_owned())),
        },
        Status {
            engine: EngineKind::Tract,
            state: tract()
                .map(|_| State::Works(format!("tract {}, compiled in", version("tract", options)))),
        },
        Status { engine: EngineKind::Ort, state: survey_ort(options) },
        Status { engine: EngineKind::OrtCuda, state: cuda },
    ]
}

#[cfg(feature = "ort")]
fn without_fetching(options: &Options) -> crate::OrtOptions {
    let mut ort = options.ort.clone();
    ort.library.offline = true;
    ort
}

#[cfg(feature = "ort")]
fn survey_ort(options: &Options) -> Result<State, EngineError> {
    use crate::LibraryError::Missing;
    use crate::library::Place;
    let mut ort = without_fetching(options);
    if let Some(text) = unopened(&ort.library, Place::BesideProgram) {
        return Ok(State::Found(text));
    }
    let searched = std::mem::replace(&mut ort.library.search, false);
    let opened = crate::OrtEngine::cpu(ort.clone());
    if let Err(EngineError::Library(Missing { .. })) = &opened {
        ort.library.search = searched;
        if let Some(text) = unopened(&ort.library, Place::Python) {
            return Ok(State::Found(text));
        }
    }
    match opened {
        Ok(engine) => Ok(State::Works(engine.library().to_string())),
        // Report the user's own setting of `offline`, since the survey always forbids fetching.
        Err(EngineError::Library(Missing { cuda, tried, .. })) => {
            let tried = tried_all(tried, searched);
            Err(Missing { cuda, tried, offline: options.ort.library.offline }.into())
        }
        Err(error) => Err(error),
    }
}

#[cfg(feature = "ort")]
fn survey_cuda(options: &Options) -> Result<State, EngineError> {
    use crate::library::Place;
    let mut ort = without_fetching(options);
    let wanted = ort.library.clone().with_cuda(true);
    if let Some(text) = unopened(&wanted, Place::BesideProgram) {
        return Ok(State::Found(text));
    }
    ort.library.search = false;
    match crate::OrtEngine::cuda(ort, options.cuda) {
        Ok(engine) => {
            Ok(State::Works(format!("{}, device {}", engine.library(), options.cuda.device)))
        }
        Err(EngineError::Library(crate::LibraryError::Missing { cuda, tried, offline })) => {
            let tried = tried_all(tried, wanted.search);
            let missing = crate::LibraryError::Missing { cuda, tried, offline };
            unopened(&wanted, Place::Python).map(State::Found).ok_or(missing.into())
        }
        Err(error) => Err(error),
    }
}

/// The places where a library was searched, including those where nothing is opened.
#[cfg(feature = "ort")]
fn tried_all(mut tried: Vec<String>, searched: bool) -> Vec<String> {
    if searched {
        tried.push("beside the program: no libonnxruntime in its folder".to_owned());
        tried.push("Python's packages: no libonnxruntime in them".to_owned());
    }
    tried
}

/// A message about a library that was found but not opened.
#[cfg(feature = "ort")]
fn unopened(request: &crate::library::Request, place: crate::library::Place) -> Option<String> {
    let path = crate::library::found(request, place)?;
    let path = path.display();
    Some(format!("ONNX Runtime at {path} ({place}); not opened, so its version is not known yet"))
}

#[cfg(not(feature = "ort"))]
fn survey_ort(options: &Options) -> Result<State, EngineError> {
    ort(options).map(|engine| State::Works(engine.name().to_owned()))
}

#[cfg(not(feature = "ort"))]
fn survey_cuda(options: &Options) -> Result<State, EngineError> {
    cuda(options).map(|engine| State::Works(engine.name().to_owned()))
}
