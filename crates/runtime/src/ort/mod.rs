//! The engines `ort` and `ort-cuda`: ONNX Runtime.

mod data_parallel;
mod device;
mod environment;
mod operators;
mod ring;
mod session;
mod smoke;
mod stepper;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use ort::ep;
use ort::session::Session as OrtSession;
use ort::session::builder::{AutoDevicePolicy, GraphOptimizationLevel, SessionBuilder};

use crate::library::{Library, Request};
use crate::stepper::Split;
use crate::world::{Block, World};
use crate::{Array, Carried, DataParallel, Engine, EngineError, Program, Session, Stepper};
use device::Place;
use environment::LoadedLibrary;

/// Options of ONNX Runtime for all devices.
#[derive(Clone, Debug, Default)]
pub struct OrtOptions {
    /// Where the library comes from. `cuda` is ignored: each engine sets it.
    pub library: Request,
    /// The number of threads within an operator. `None`: as many as cores.
    pub intra_threads: Option<usize>,
    /// Which graph optimizations are allowed.
    pub optimization: Optimization,
    /// Whether training and evaluation use only plain operators, as exported models do.
    pub plain: bool,
}

/// Options for CUDA.
#[derive(Clone, Copy, Debug, Default)]
pub struct CudaOptions {
    /// The index of the GPU.
    pub device: i32,
    /// Whether products may be rounded to TF32. This is the default of ONNX Runtime, but makes results too
    /// inexact to compare.
    pub tf32: bool,
    /// Whether steppers capture a step as a CUDA graph and replay it. It needs a program with fixed shapes and
    /// without loops, of which every operator runs on the GPU.
    pub graph: bool,
}

/// What the engine computes on.
#[derive(Clone, Copy, Debug)]
enum Target {
    Cpu,
    Cuda(CudaOptions),
    StandIn(CudaOptions),
}

/// ONNX Runtime's level of graph optimization.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Optimization {
    /// Runs the graph as it is in the file, for debugging.
    None,
    /// Folds constants and removes nodes without effect.
    Basic,
    /// Also fuses operators.
    Extended,
    /// Also changes layouts.
    #[default]
    All,
}

/// The engine `ort`, or `ort-cuda`.
#[derive(Debug)]
pub struct OrtEngine {
    loaded: &'static LoadedLibrary,
    options: OrtOptions,
    target: Target,
}

impl OrtEngine {
    /// ONNX Runtime on the CPU. If its library is not found, it is downloaded.
    ///
    /// # Errors
    /// [`EngineError::Library`] if the library is not available.
    pub fn cpu(options: OrtOptions) -> Result<OrtEngine, EngineError> {
        let loaded = environment::load(&options.library.clone().with_cuda(false))?;
        Ok(OrtEngine { loaded, options, target: Target::Cpu })
    }

    /// ONNX Runtime on a GPU. Runs a small convolution, since a missing cuDNN would otherwise be noticed only
    /// later.
    ///
    /// A process can load only one library. To use both engines, open this one first.
    ///
    /// # Errors
    /// [`EngineError::Library`] if the library is not available; [`EngineError::ProviderUnavailable`] if it
    /// does not work on the GPU.
    pub fn cuda(options: OrtOptions, cuda: CudaOptions) -> Result<OrtEngine, EngineError> {
        let loaded = environment::load(&options.library.clone().with_cuda(true))?;
        let engine = OrtEngine { loaded, options, target: Target::Cuda(cuda) };
        smoke::run(&engine).map_err(|reason| EngineError::ProviderUnavailable {
            provider: "CUDA",
            library: loaded.library.path.clone(),
            reason: format!(
                "{reason}\nONNX Runtime {} for CUDA needs an NVIDIA driver, and CUDA 13 and cuDNN 9 \
                 where the system looks for libraries (LD_LIBRARY_PATH on Linux, PATH on Windows)",
                loaded.library.version
            ),
        })?;
        Ok(engine)
    }

    /// ONNX Runtime on the CPU, used like a GPU: steppers bind, keep and count what they would on
    /// [`OrtEngine::cuda`], in host memory. For tests of how data move.
    ///
    /// # Errors
    /// [`EngineError::Library`].
    pub fn stand_in(options: OrtOptions, cuda: CudaOptions) -> Result<OrtEngine, EngineError> {
        let engine = OrtEngine::cpu(options)?;
        Ok(OrtEngine { target: Target::StandIn(cuda), ..engine })
    }

    /// Runs a program once and returns ONNX Runtime's own record of it: JSON in the format of Chrome's traces, with an
    /// event for each node that ran, its operator and the provider that ran it. The record is written to `folder`
    /// first, and removed.
    ///
    /// # Errors
    /// As [`Engine::load`] and [`Session::run`]; [`EngineError::Run`] if the record cannot be read.
    pub fn profile(
        &self,
        program: &Program,
        inputs: &[(&str, &Array)],
        folder: &Path,
    ) -> Result<String, EngineError> {
        let prefix = folder.join(format!("pixelrnn-profile-{}", std::process::id()));
        let session = self
            .builder(None, false)
            .and_then(|builder| Ok(builder.with_profiling(&prefix)?))
            .and_then(|mut builder| builder.commit_from_memory(program.onnx))
            .map_err(|e| self.refusal(program, e.to_string()))?;
        let mut loaded = session::LoadedProgram::new(self.name(), program.name, session)?;
        let ran = loaded.run(inputs);
        // In any case: it writes the file, which would stay otherwise.
        let written = loaded.into_session().end_profiling();
        let fail = |reason: String| {
            let program = program.name.to_owned();
            EngineError::Run { engine: self.name(), program, reason }
        };
        let path = written.map_err(|e| fail(e.to_string()))?;
        let text = std::fs::read_to_string(&path);
        let removed = std::fs::remove_file(&path);
        ran?;
        let unread = |e| fail(format!("the profile {path}: {e}"));
        removed.map_err(unread)?;
        text.map_err(unread)
    }

    /// Whether it computes on a GPU, or as if it did.
    fn away(&self) -> bool {
        !matches!(self.target, Target::Cpu)
    }

    /// The loaded library.
    pub fn library(&self) -> &Library {
        &self.loaded.library
    }

    fn refusal(&self, program: &Program, reason: String) -> EngineError {
        EngineError::Load { engine: self.name(), program: program.name.to_owned(), reason }
    }

    /// `stepping`: whether it is for a stepper, which alone can replay CUDA graphs.
    fn loaded(
        &self,
        program: &Program,
        threads: Option<usize>,
        stepping: bool,
    ) -> Result<session::LoadedProgram, EngineError> {
        let create = || {
            self.builder(threads, stepping)
                .and_then(|mut builder| builder.commit_from_memory(program.onnx))
                .map_err(|e| self.refusal(program, e.to_string()))
        };
        // The first session of a process adds the domain of our operators to a table of ONNX Runtime, which
        // sees whether it is there and adds it without a lock of its own: two first sessions at the same time
        // may both add it, and one fails.
        static KNOWN: Mutex<bool> = Mutex::new(false);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let session = if *known {
            drop(known);
            create()?
        } else {
            let session = create()?;
            *known = !matches!(self.target, Target::Cuda(_));
            session
        };
        session::LoadedProgram::new(self.name(), program.name, session)
    }

    fn bindings(
        &self,
        program: &Program,
        threads: Option<usize>,
        carried: &[Carried],
    ) -> Result<stepper::Bindings, EngineError> {
        let loaded = self.loaded(program, threads, true)?;
        let split = Split::new(loaded.inputs(), loaded.outputs(), carried)
            .map_err(|reason| self.refusal(program, reason))?;
        let place = match self.target {
            Target::Cpu => (Place::Host, false),
            Target::StandIn(cuda) => (Place::StandIn, cuda.graph),
            Target::Cuda(cuda) => (Place::Cuda(cuda.device), cuda.graph),
        };
        let session = loaded.into_session();
        stepper::Bindings::new(self.name(), program.name, split, place, session)
            .map_err(|e| self.refusal(program, e.to_string()))
    }

    fn builder(&self, threads: Option<usize>, stepping: bool) -> ort::Result<SessionBuilder> {
        let mut builder = OrtSession::builder(&self.loaded.environment)?
            .with_optimization_level(self.options.optimization.into())?
            // Otherwise, a second run would allocate all its memory in addition to that of the first.
            .with_memory_pattern(false)?;
        if let Some(threads) = threads.or(self.options.intra_threads) {
            builder = builder.with_intra_threads(threads)?;
        }
        match self.target {
            // By default, `ort` lets ONNX Runtime choose an accelerator.
            Target::Cpu | Target::StandIn(_) => Ok(builder
                .with_auto_device(AutoDevicePolicy::PreferCPU)?
                .with_operators(operators::domain()?)?),
            Target::Cuda(CudaOptions { device, tf32, graph }) => {
                let provider = ep::CUDA::default().with_device_id(device).with_tf32(tf32);
                let provider = provider.with_cuda_graph(graph && stepping);
                // Otherwise, an unavailable provider would be skipped silently, and the CPU used.
                Ok(builder.with_execution_providers([provider.build().error_on_failure()])?)
            }
        }
    }
}

impl Engine for OrtEngine {
    fn name(&self) -> &'static str {
        if matches!(self.target, Target::Cuda(_)) { "ort-cuda" } else { "ort" }
    }

    fn load(&self, program: &Program) -> Result<Box<dyn Session>, EngineError> {
        Ok(Box::new(self.loaded(program, None, false)?))
    }

    fn native(&self) -> bool {
        !self.away() && !self.options.plain
    }

    fn captures(&self) -> bool {
        match self.target {
            Target::Cpu => false,
            Target::Cuda(cuda) | Target::StandIn(cuda) => cuda.graph,
        }
    }

    fn evaluated_at_once(&self, batch: usize) -> usize {
        // A step of a recurrence takes a GPU as long for many images as for a few. A training step of the batch
        // stores the activations of all layers, so the memory is there.
        if matches!(self.target, Target::Cuda(_)) { 8 * batch } else { batch }
    }

    fn threads(&self) -> usize {
        if self.away() {
            return 1;
        }
        self.options
            .intra_threads
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }

    fn load_on(&self, program: &Program, threads: usize) -> Result<Box<dyn Session>, EngineError> {
        Ok(Box::new(self.loaded(program, Some(threads), false)?))
    }

    fn load_stepper(
        &self,
        program: &Program,
        carried: &[Carried],
    ) -> Result<Box<dyn Stepper>, EngineError> {
        Ok(Box::new(self.bindings(program, None, carried)?))
    }

    fn load_divided(
        &self,
        step: &DataParallel,
        carried: &[Carried],
        world: &Arc<dyn World>,
    ) -> Result<Option<Box<dyn Stepper>>, EngineError> {
        // On a GPU, shards would only wait for each other.
        if self.away() {
            return Ok(None);
        }
        let block = Block::of(&**world, step.shards);
        let count = block.own.len().max(1);
        let threads = DataParallel::threads(self, count);
        let parts = (0..count).map(|_| self.loaded(&step.part, Some(threads), false));
        let parts: Vec<session::LoadedProgram> = parts.collect::<Result<_, _>>()?;
        // One thread: the program has many small operators.
        let whole = self.bindings(&step.whole, Some(1), carried)?;
        let ranks = (Arc::clone(world), block);
        let divided = data_parallel::OrtDataParallel::new(whole, parts, ranks, step.part.name);
        let divided = divided.transpose().map_err(|e| self.refusal(&step.part, e.to_string()))?;
        Ok(divided.map(|divided| Box::new(divided) as Box<dyn Stepper>))
    }
}

impl From<Optimization> for GraphOptimizationLevel {
    fn from(level: Optimization) -> Self {
        match level {
            Optimization::None => GraphOptimizationLevel::Disable,
            Optimization::Basic => GraphOptimizationLevel::Level1,
            Optimization::Extended => GraphOptimizationLevel::Level2,
            Optimization::All => GraphOptimizationLevel::All,
        }
    }
}
