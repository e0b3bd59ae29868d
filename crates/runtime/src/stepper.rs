//! Programs with carried state: outputs of one run are inputs of the next, as in a training step.

use std::collections::BTreeSet;

use crate::signature::bind;
use crate::{Array, EngineError, Program, Session, Tensor};

/// An output, and the input that receives it in the next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The input.
    pub input: String,
    /// The output with the value for the next step.
    pub output: String,
}

/// A loaded program whose state stays in the engine between steps.
///
/// The results equal those of [`Session::run`], bit for bit.
pub trait Stepper: Send {
    /// Replaces the whole state: one array per carried input.
    ///
    /// # Errors
    /// [`EngineError::Input`] if an array is missing, unknown or has a wrong shape; [`EngineError::Run`] if
    /// the engine has not enough memory.
    fn set_state(&mut self, state: &[(&str, &Array)]) -> Result<(), EngineError>;

    /// Runs the program once on the state and the inputs that are not carried. Returns the outputs that are
    /// not carried.
    ///
    /// # Errors
    /// As [`Session::run`]; the state is then unchanged.
    fn step(&mut self, feeds: &[(&str, &Array)]) -> Result<Vec<(String, Array)>, EngineError>;

    /// Like [`Stepper::step`], but does not wait for the outputs if they lie on a device: then returns `None`, and
    /// [`Stepper::results`] returns them later. So steps follow each other without a copy to the host.
    ///
    /// # Errors
    /// As [`Stepper::step`].
    fn advance(
        &mut self,
        feeds: &[(&str, &Array)],
    ) -> Result<Option<Vec<(String, Array)>>, EngineError> {
        self.step(feeds).map(Some)
    }

    /// The outputs of the steps for which [`Stepper::advance`] returned `None`, oldest first. Each is returned once.
    ///
    /// # Errors
    /// [`EngineError::Run`] if they cannot be read.
    fn results(&mut self) -> Result<Vec<Vec<(String, Array)>>, EngineError> {
        Ok(Vec::new())
    }

    /// What was copied between the host and the memory of the device so far; zero if all of it is host memory.
    fn transfers(&self) -> Transfers {
        Transfers::default()
    }

    /// The state, by the names of the inputs and in their order.
    ///
    /// # Errors
    /// [`EngineError::Run`] if no state is set or it cannot be read.
    fn state(&mut self) -> Result<Vec<(String, Array)>, EngineError>;

    /// Undoes the last step, at most once. Returns whether it did. Outputs of that step that were not read yet are
    /// dropped.
    fn undo(&mut self) -> bool;
}

/// Bytes that a [`Stepper`] has copied between the host and the memory of its device, in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transfers {
    /// To the device: states that were set, and the inputs of each step.
    pub to_device: u64,
    /// To the host: states and outputs that were read.
    pub to_host: u64,
    /// Whether the inputs of steps are written to page-locked memory, from which a GPU reads directly.
    pub pinned: bool,
}

/// The signature of a program that carries state.
#[derive(Debug)]
pub(crate) struct Split {
    /// Carried inputs, in the order of the graph.
    pub state: Vec<Tensor>,
    /// The outputs that they receive, in the same order.
    pub next: Vec<String>,
    /// The other inputs, which the session checks.
    #[cfg_attr(not(feature = "ort"), expect(dead_code))]
    pub feeds: Vec<Tensor>,
    /// The other outputs.
    pub results: Vec<Tensor>,
}

impl Split {
    pub(crate) fn new(
        inputs: &[Tensor],
        outputs: &[Tensor],
        carried: &[Carried],
    ) -> Result<Split, String> {
        let known = |list: &[Tensor], name: &str| list.iter().any(|t| t.name == name);
        for Carried { input, output } in carried {
            if !known(inputs, input) {
                return Err(format!("missing state input `{input}`"));
            }
            if !known(outputs, output) {
                return Err(format!("missing state output `{output}`"));
            }
        }
        let next: BTreeSet<&str> = carried.iter().map(|c| c.output.as_str()).collect();
        let output = |t: &Tensor| carried.iter().find(|c| c.input == t.name).map(|c| &c.output);
        let (state, feeds) = inputs.iter().cloned().partition(|t| output(t).is_some());
        Ok(Split {
            next: inputs.iter().filter_map(|t| output(t).cloned()).collect(),
            state,
            feeds,
            results: outputs.iter().filter(|t| !next.contains(t.name.as_str())).cloned().collect(),
        })
    }
}

/// A stepper for any session, with the state in host memory.
pub(crate) struct HostStepper {
    engine: &'static str,
    program: String,
    session: Box<dyn Session>,
    split: Split,
    state: Option<Vec<Array>>,
    before: Option<Vec<Array>>,
}

impl HostStepper {
    pub(crate) fn new(
        engine: &'static str,
        program: &Program,
        session: Box<dyn Session>,
        carried: &[Carried],
    ) -> Result<HostStepper, EngineError> {
        let program = program.name.to_owned();
        match Split::new(session.inputs(), session.outputs(), carried) {
            Ok(split) => {
                Ok(HostStepper { engine, program, session, split, state: None, before: None })
            }
            Err(reason) => Err(EngineError::Load { engine, program, reason }),
        }
    }

    fn fail(&self, reason: impl Into<String>) -> EngineError {
        let (engine, program) = (self.engine, self.program.clone());
        EngineError::Run { engine, program, reason: reason.into() }
    }
}

/// The error message of a step without state.
pub(crate) const NO_STATE: &str = "no state has been set";

impl Stepper for HostStepper {
    fn set_state(&mut self, state: &[(&str, &Array)]) -> Result<(), EngineError> {
        let bound = bind(&self.split.state, state)
            .map_err(|error| EngineError::Input { program: self.program.clone(), error })?;
        self.state = Some(bound.arrays.into_iter().cloned().collect());
        self.before = None;
        Ok(())
    }

    fn step(&mut self, feeds: &[(&str, &Array)]) -> Result<Vec<(String, Array)>, EngineError> {
        let Some(state) = &self.state else { return Err(self.fail(NO_STATE)) };
        let mut inputs = feeds.to_vec();
        inputs.extend(self.split.state.iter().map(|t| t.name.as_str()).zip(state));
        let mut results = self.session.run(&inputs)?;
        let mut take = |name: &String| {
            let at = results.iter().position(|(n, _)| n == name)?;
            Some(results.swap_remove(at).1)
        };
        let next: Option<Vec<Array>> = self.split.next.iter().map(&mut take).collect();
        let Some(next) = next else { return Err(self.fail("an output is missing")) };
        let rest = self.split.results.iter();
        let rest = rest.filter_map(|t| Some((t.name.clone(), take(&t.name)?))).collect();
        self.before = self.state.replace(next);
        Ok(rest)
    }

    fn state(&mut self) -> Result<Vec<(String, Array)>, EngineError> {
        let Some(state) = &self.state else { return Err(self.fail(NO_STATE)) };
        Ok(self.split.state.iter().map(|t| t.name.clone()).zip(state.iter().cloned()).collect())
    }

    fn undo(&mut self) -> bool {
        match self.before.take() {
            Some(before) => {
                self.state = Some(before);
                true
            }
            None => false,
        }
    }
}
