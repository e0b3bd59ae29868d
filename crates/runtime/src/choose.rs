//! Opens engines by name, and lists those that work on this machine.

use crate::{Engine, EngineError};

/// The names of the engines.
pub const NAMES: [&str; 4] = ["reference", "tract", "ort", "ort-cuda"];

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

/// Opens engines, in the order of their names.
///
/// `ort-cuda` is always opened before `ort`, since a process can load only one ONNX Runtime library, and
/// a library with CUDA works for both.
///
/// # Errors
/// The first engine that is unknown, not compiled in, or does not work on this machine.
pub fn open(names: &[&str], options: &Options) -> Result<Vec<Box<dyn Engine>>, EngineError> {
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by_key(|&at| names[at] != "ort-cuda");
    let mut engines = Vec::with_capacity(names.len());
    for at in order {
        engines.push((at, open_one(names[at], options)?));
    }
    engines.sort_by_key(|(at, _)| *at);
    Ok(engines.into_iter().map(|(_, engine)| engine).collect())
}

fn open_one(name: &str, options: &Options) -> Result<Box<dyn Engine>, EngineError> {
    match name {
        "reference" => Ok(Box::new(crate::ReferenceEngine::default())),
        "tract" => tract(),
        "ort" => ort(options),
        "ort-cuda" => cuda(options),
        _ => Err(EngineError::UnknownEngine {
            name: name.to_owned(),
            known: NAMES.iter().map(|&n| n.to_owned()).collect(),
        }),
    }
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
pub struct Status {
    /// The engine.
    pub engine: &'static str,
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
    // With CUDA first: see `open`.
    let cuda = survey_cuda(options);
    vec![
        Status { engine: "reference", state: Ok(State::Works("compiled in, slow".to_owned())) },
        Status {
            engine: "tract",
            state: tract().map(|_| State::Works("tract 0.23.9, compiled in".to_owned())),
        },
        Status { engine: "ort", state: survey_ort(options) },
        Status { engine: "ort-cuda", state: cuda },
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
        // It was the survey that forbade it, unless the user did too.
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

/// Where a library was sought, with the places that were looked at without opening anything.
#[cfg(feature = "ort")]
fn tried_all(mut tried: Vec<String>, searched: bool) -> Vec<String> {
    if searched {
        tried.push("beside the program: no libonnxruntime in its folder".to_owned());
        tried.push("Python's packages: no libonnxruntime in them".to_owned());
    }
    tried
}

/// What to say of a library that merely happens to be there.
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
