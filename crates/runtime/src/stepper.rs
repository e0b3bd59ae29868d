//! Programs that hand their state on: what a run gives under one name, the next run takes under
//! another. An optimizer's step is one.

use std::collections::BTreeSet;

use crate::signature::bind;
use crate::{Array, EngineError, Program, Session, Tensor};

/// An output, and the input that takes it in the next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Read in a step.
    pub input: String,
    /// Its value after the step.
    pub output: String,
}

/// A loaded program whose state stays with the engine from step to step.
///
/// The numbers are those of [`Session::run`], bit for bit.
pub trait Stepper: Send {
    /// Replaces the whole state: one array for each carried input.
    ///
    /// # Errors
    /// [`EngineError::Input`] if an array is missing, unknown or misshapen; [`EngineError::Run`] if
    /// the engine has no room for it.
    fn set_state(&mut self, state: &[(&str, &Array)]) -> Result<(), EngineError>;

    /// Runs the program once on the state and the inputs that are not carried; gives the outputs
    /// that are not carried.
    ///
    /// # Errors
    /// As [`Session::run`]. The state is then as it was.
    fn step(&mut self, feeds: &[(&str, &Array)]) -> Result<Vec<(String, Array)>, EngineError>;

    /// The state, by the names of the inputs and in their order.
    ///
    /// # Errors
    /// [`EngineError::Run`] if there is none yet or it cannot be fetched.
    fn state(&mut self) -> Result<Vec<(String, Array)>, EngineError>;

    /// Takes the last step back, once, and says whether it did.
    fn undo(&mut self) -> bool;
}

/// The signature of a program that carries state.
#[derive(Debug)]
pub(crate) struct Split {
    /// Carried inputs, in the order of the graph.
    pub state: Vec<Tensor>,
    /// The outputs that they take, in the same order.
    pub next: Vec<String>,
    /// The other inputs; a session checks its own.
    #[cfg_attr(not(feature = "ort"), expect(dead_code))]
    pub feeds: Vec<Tensor>,
    /// The other outputs.
    pub results: Vec<String>,
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
            results: outputs
                .iter()
                .map(|t| t.name.clone())
                .filter(|name| !next.contains(name.as_str()))
                .collect(),
        })
    }
}

/// A stepper over any session; the state lies here.
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

/// What is wrong with a step before there is state.
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
        let rest = self.split.results.iter().filter_map(|n| Some((n.clone(), take(n)?))).collect();
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
