//! What an engine is: something that loads a program and runs it.

use pixelrnn_ops::PixelGraph;

use crate::stepper::{Carried, HostStepper, Stepper};
use crate::{Array, DataParallel, EngineError, Tensor};

/// What an engine is asked to run.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// Its name in messages.
    pub name: &'a str,
    /// The model, serialised.
    pub onnx: &'a [u8],
    /// The graph that the model was compiled from, weights bound, for the reference interpreter.
    pub graph: Option<&'a PixelGraph>,
}

/// Something that can run programs.
pub trait Engine: Send + Sync {
    /// The name by which a user asks for it: `tract`, `ort`, `ort-cuda`.
    fn name(&self) -> &'static str;

    /// Reads, checks and optimizes a program.
    ///
    /// # Errors
    /// [`EngineError::Load`] if the bytes are no model or hold what the engine cannot run;
    /// [`EngineError::Elements`] if an input is neither f32 nor i64, or an output is not f32.
    fn load(&self, program: &Program) -> Result<Box<dyn Session>, EngineError>;

    /// Whether it needs models in the form that other engines than ONNX Runtime do; see
    /// `EncodeOptions::portable`.
    fn portable_only(&self) -> bool {
        false
    }

    /// How many threads of the CPU it uses; 1 if it computes elsewhere or does not share its work.
    fn threads(&self) -> usize {
        1
    }

    /// Like [`Engine::load`], with a limit on threads, because other programs run at the same time.
    ///
    /// # Errors
    /// As [`Engine::load`].
    fn load_on(&self, program: &Program, threads: usize) -> Result<Box<dyn Session>, EngineError> {
        let _ = threads;
        self.load(program)
    }

    /// As [`Engine::load`], for a program that hands its state on. Here the state lies with the
    /// caller's memory; an engine that can keep it nearer does.
    ///
    /// # Errors
    /// As [`Engine::load`]; also [`EngineError::Load`] if an input or output to carry is not there.
    fn load_stepper(
        &self,
        program: &Program,
        carried: &[Carried],
    ) -> Result<Box<dyn Stepper>, EngineError> {
        let session = self.load(program)?;
        Ok(Box::new(HostStepper::new(self.name(), program, session, carried)?))
    }

    /// As [`Engine::load_stepper`], for a step that is divided; nothing if the engine has no better
    /// way than [`DataParallel::load`].
    ///
    /// # Errors
    /// As [`Engine::load_stepper`].
    fn load_divided(
        &self,
        step: &DataParallel,
        carried: &[Carried],
    ) -> Result<Option<Box<dyn Stepper>>, EngineError> {
        let _ = (step, carried);
        Ok(None)
    }
}

/// A loaded program, ready to be run many times.
pub trait Session: Send {
    /// The inputs, in the order of the graph. All are given as f32, whatever they hold in the model.
    fn inputs(&self) -> &[Tensor];

    /// The outputs, in the order of the graph and of what [`Session::run`] gives.
    fn outputs(&self) -> &[Tensor];

    /// Runs the program once. Inputs may be given in any order, each exactly once.
    ///
    /// # Errors
    /// [`EngineError::Input`] if the inputs do not fit the signature (then the engine was not
    /// called); [`EngineError::Run`] if the engine failed.
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
