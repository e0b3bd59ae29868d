//! The engine of a [`Trainer`](super::Trainer).

use pixelrnn_runtime::{Engine, EngineKind, Options, open_one, version};

use crate::Error;

/// The engine to train with.
pub(super) enum Choice {
    /// The default: ONNX Runtime, or tract if that is not available.
    Usual(Options),
    Kind(EngineKind, Options),
    Opened(Box<dyn Engine>),
}

/// An engine, its version, and a warning if it is not the one that is usually taken.
pub(super) struct Opened {
    pub engine: Box<dyn Engine>,
    pub version: String,
    pub warning: Option<String>,
}

impl Choice {
    pub(super) fn open(self) -> Result<Opened, Error> {
        let (engine, options, warning) = match self {
            Choice::Opened(engine) => (engine, Options::default(), None),
            Choice::Kind(kind, options) => (open_one(kind, &options)?, options, None),
            Choice::Usual(options) => match open_one(EngineKind::Ort, &options) {
                Ok(engine) => (engine, options, None),
                // A library that was named must be used.
                Err(error) if is_named(&options) => return Err(error.into()),
                Err(error) => match open_one(EngineKind::Tract, &options) {
                    Ok(engine) => {
                        let warning = format!(
                            "engine `ort` is not available, so tract trains, which is slower: {error}"
                        );
                        (engine, options, Some(warning))
                    }
                    Err(_) => return Err(error.into()),
                },
            },
        };
        let version = version(engine.name(), &options);
        Ok(Opened { engine, version, warning })
    }
}

#[cfg(feature = "ort")]
fn is_named(options: &Options) -> bool {
    options.ort.library.explicit.is_some()
}

#[cfg(not(feature = "ort"))]
fn is_named(_: &Options) -> bool {
    false
}
