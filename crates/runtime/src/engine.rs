//! The engine traits: an engine loads programs and runs them.

use std::sync::Arc;

use pixelrnn_ops::PixelGraph;

use crate::stepper::{Carried, HostStepper, Stepper};
use crate::world::{Alone, World};
use crate::{Array, DataParallel, EngineError, Tensor};

/// A program for an engine.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// The name, for messages.
    pub name: &'a str,
    /// The serialized ONNX model.
    pub onnx: &'a [u8],
    /// The graph that the model was compiled from, with weights, for the reference interpreter.
    pub graph: Option<&'a PixelGraph>,
}

/// An engine that runs programs.
pub trait Engine: Send + Sync {
    /// The name of the engine: `tract`, `ort`, `ort-cuda`.
    fn name(&self) -> &'static str;

    /// Reads, checks and optimizes a program.
    ///
    /// # Errors
    /// [`EngineError::Load`] if the bytes are not a model or the engine does not support it;
    /// [`EngineError::Elements`] if an input is neither f32 nor i64, or an output is not f32.
    fn load(&self, program: &Program) -> Result<Box<dyn Session>, EngineError>;

    /// Whether it needs portable models; see `EncodeOptions::portable`.
    fn portable_only(&self) -> bool {
        false
    }

    /// Whether it has the operators of this project (`pixelrnn_kernels`), which exported models never use.
    fn native(&self) -> bool {
        false
    }

    /// The number of CPU threads that it uses; 1 if it runs on another device or on a single thread.
    fn threads(&self) -> usize {
        1
    }

    /// Whether its steppers capture a step and replay it, as a CUDA graph is replayed. They need programs with fixed
    /// shapes and without loops; see [`Captured`](crate::Captured).
    fn captures(&self) -> bool {
        false
    }

    /// How many images it should evaluate at once, if it trains with batches of `batch` images.
    fn evaluated_at_once(&self, batch: usize) -> usize {
        batch
    }

    /// The processes that share the work of this engine; by default this one alone.
    fn world(&self) -> Arc<dyn World> {
        Arc::new(Alone)
    }

    /// Like [`Engine::load`], with a limit on threads, because other programs run at the same time.
    ///
    /// # Errors
    /// As [`Engine::load`].
    fn load_on(&self, program: &Program, threads: usize) -> Result<Box<dyn Session>, EngineError> {
        let _ = threads;
        self.load(program)
    }

    /// Like [`Engine::load`], for a program with carried state. By default the state is kept in host
    /// memory; an engine may keep it on its device.
    ///
    /// # Errors
    /// As [`Engine::load`]; also [`EngineError::Load`] if a carried input or output does not exist.
    fn load_stepper(
        &self,
        program: &Program,
        carried: &[Carried],
    ) -> Result<Box<dyn Stepper>, EngineError> {
        let session = self.load(program)?;
        Ok(Box::new(HostStepper::new(self.name(), program, session, carried)?))
    }

    /// Like [`Engine::load_stepper`], for a data-parallel step whose shards are divided among the ranks of `world`.
    /// Returns `None` if the engine has no implementation better than [`DataParallel::load`].
    ///
    /// # Errors
    /// As [`Engine::load_stepper`].
    fn load_divided(
        &self,
        step: &DataParallel,
        carried: &[Carried],
        world: &Arc<dyn World>,
    ) -> Result<Option<Box<dyn Stepper>>, EngineError> {
        let _ = (step, carried, world);
        Ok(None)
    }
}

/// A loaded program, which can run many times.
pub trait Session: Send {
    /// The inputs, in the order of the graph. All are passed as f32, whatever their type in the model.
    fn inputs(&self) -> &[Tensor];

    /// The outputs, in the order of the graph and of the result of [`Session::run`].
    fn outputs(&self) -> &[Tensor];

    /// Runs the program once. Inputs may be given in any order, each exactly once.
    ///
    /// # Errors
    /// [`EngineError::Input`] if the inputs do not match the signature, before the engine runs;
    /// [`EngineError::Run`] if the engine fails.
    fn run(&mut self, inputs: &[(&str, &Array)]) -> Result<Vec<(String, Array)>, EngineError>;

    /// The names of the inputs, in the order of the graph.
    fn input_names(&self) -> Vec<&str> {
        self.inputs().iter().map(|t| t.name.as_str()).collect()
    }

    /// The names of the outputs, in the order of the graph.
    fn output_names(&self) -> Vec<&str> {
        self.outputs().iter().map(|t| t.name.as_str()).collect()
    }
}
