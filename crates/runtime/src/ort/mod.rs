//! Engines `ort` and `ort-cuda`: ONNX Runtime.

mod data_parallel;
mod device;
mod environment;
mod operators;
mod ring;
mod session;
mod smoke;
mod stepper;

use std::path::Path;

use ort::ep;
use ort::session::Session as OrtSession;
use ort::session::builder::{AutoDevicePolicy, GraphOptimizationLevel, SessionBuilder};

use crate::library::{Library, Request};
use crate::stepper::Split;
use crate::{Array, Carried, DataParallel, Engine, EngineError, Program, Session, Stepper};
use device::Place;
use environment::LoadedLibrary;

/// How ONNX Runtime is to run, on whatever device.
#[derive(Clone, Debug, Default)]
pub struct OrtOptions {
    /// Where its library comes from. What it says of CUDA is ignored: the engine knows.
    pub library: Request,
    /// Threads within one operator; as many as cores if not given.
    pub intra_threads: Option<usize>,
    /// How much of the graph may be rewritten.
    pub optimization: Optimization,
    /// Whether training and evaluation are to use plain operators only, like exported models.
    pub plain: bool,
}

/// What more there is to say for CUDA.
#[derive(Clone, Copy, Debug, Default)]
pub struct CudaOptions {
    /// Which GPU.
    pub device: i32,
    /// Whether products may be rounded to TF32. ONNX Runtime would do so by default, against
    /// which no number can be compared.
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

/// How much ONNX Runtime rewrites a graph before it runs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Optimization {
    /// Nothing: runs what the file says, for finding out who is at fault.
    None,
    /// Folds constants and drops what is of no effect.
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
    /// ONNX Runtime on the CPU. Its library is fetched if it is nowhere.
    ///
    /// # Errors
    /// [`EngineError::Library`].
    pub fn cpu(options: OrtOptions) -> Result<OrtEngine, EngineError> {
        let loaded = environment::load(&options.library.clone().with_cuda(false))?;
        Ok(OrtEngine { loaded, options, target: Target::Cpu })
    }

    /// ONNX Runtime on a GPU. A small convolution is run there at once, since a missing cuDNN
    /// shows no sooner.
    ///
    /// A process has one library. To use both engines in one, open this one first.
    ///
    /// # Errors
    /// [`EngineError::Library`]; [`EngineError::ProviderUnavailable`] if the library does not work
    /// on the GPU.
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

    /// The library in use.
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
        let session = self
            .builder(threads, stepping)
            .and_then(|mut builder| builder.commit_from_memory(program.onnx))
            .map_err(|e| self.refusal(program, e.to_string()))?;
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
            // Else a second run would reserve all it needs once more, beside the memory of the first.
            .with_memory_pattern(false)?;
        if let Some(threads) = threads.or(self.options.intra_threads) {
            builder = builder.with_intra_threads(threads)?;
        }
        match self.target {
            // Left to itself, `ort` lets ONNX Runtime choose an accelerator.
            Target::Cpu | Target::StandIn(_) => Ok(builder
                .with_auto_device(AutoDevicePolicy::PreferCPU)?
                .with_operators(operators::domain()?)?),
            Target::Cuda(CudaOptions { device, tf32, graph }) => {
                let provider = ep::CUDA::default().with_device_id(device).with_tf32(tf32);
                let provider = provider.with_cuda_graph(graph && stepping);
                // Else it would be skipped without a word, and the CPU used.
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
    ) -> Result<Option<Box<dyn Stepper>>, EngineError> {
        // On a GPU parts would only wait for each other.
        if self.away() {
            return Ok(None);
        }
        let parts =
            (0..step.shards).map(|_| self.loaded(&step.part, Some(step.threads(self)), false));
        let parts: Vec<session::LoadedProgram> = parts.collect::<Result<_, _>>()?;
        // Many small operators.
        let whole = self.bindings(&step.whole, Some(1), carried)?;
        let divided = data_parallel::OrtDataParallel::new(whole, parts, step.part.name);
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
