//! Steps that an engine captures and replays, such as CUDA graphs.
//!
//! What is captured has one size. The last batch of an epoch may be smaller, so there is a second program for it, and
//! the state moves from one to the other.

use crate::stepper::{Carried, HostStepper, Stepper, Transfers};
use crate::{Array, Engine, EngineError, Program};

/// Outputs by name, in the order of the program.
type Outputs = Vec<(String, Array)>;

/// One training step in two forms.
#[derive(Clone, Copy, Debug)]
pub struct Captured<'a> {
    /// The step for batches of `images` images, with fixed shapes and without loops.
    pub whole: Program<'a>,
    /// The size of the batches of `whole`.
    pub images: usize,
    /// The step for batches of any other size, if there are any.
    pub other: Option<Program<'a>>,
}

impl Captured<'_> {
    /// Loads both programs as one stepper; see [`Engine::load_stepper`].
    ///
    /// # Errors
    /// As [`Engine::load_stepper`].
    pub fn load_stepper(
        &self,
        engine: &dyn Engine,
        carried: &[Carried],
    ) -> Result<Box<dyn Stepper>, EngineError> {
        let whole = engine.load_stepper(&self.whole, carried)?;
        let Some(program) = &self.other else { return Ok(whole) };
        let session = engine.load(program)?;
        let per_image = session.inputs().iter().filter(|t| t.is_batch());
        let per_image = per_image.map(|t| t.name.clone()).collect();
        let other = HostStepper::new(engine.name(), program, session, carried)?;
        let last = Last::None;
        Ok(Box::new(TwoSizes {
            whole,
            other,
            images: self.images,
            per_image,
            read: Vec::new(),
            last,
        }))
    }
}

/// Which stepper made the last step, as far as it can be undone.
enum Last {
    None,
    Whole,
    /// The other one; with the state before it, and whether its results are the newest that were not read.
    Other {
        before: Outputs,
        waits: bool,
    },
}

/// The state lies in `whole` between steps.
struct TwoSizes {
    whole: Box<dyn Stepper>,
    other: HostStepper,
    images: usize,
    /// The inputs with one value per image.
    per_image: Vec<String>,
    /// Results that are older than those of `whole`, oldest first.
    read: Vec<Outputs>,
    last: Last,
}

fn views(arrays: &[(String, Array)]) -> Vec<(&str, &Array)> {
    arrays.iter().map(|(name, array)| (name.as_str(), array)).collect()
}

impl TwoSizes {
    fn is_whole(&self, feeds: &[(&str, &Array)]) -> bool {
        let per_image = feeds.iter().find(|(name, _)| self.per_image.iter().any(|n| n == name));
        per_image.is_none_or(|(_, array)| array.shape().first() == Some(&self.images))
    }

    /// A step of another size, through host memory.
    fn other_step(&mut self, feeds: &[(&str, &Array)]) -> Result<Outputs, EngineError> {
        let before = self.whole.state()?;
        self.other.set_state(&views(&before))?;
        let results = self.other.step(feeds)?;
        let waiting = self.whole.results()?;
        let after = self.other.state()?;
        self.whole.set_state(&views(&after))?;
        self.read.extend(waiting);
        self.last = Last::Other { before, waits: false };
        Ok(results)
    }
}

impl Stepper for TwoSizes {
    fn set_state(&mut self, state: &[(&str, &Array)]) -> Result<(), EngineError> {
        self.read.clear();
        self.last = Last::None;
        self.whole.set_state(state)
    }

    fn step(&mut self, feeds: &[(&str, &Array)]) -> Result<Outputs, EngineError> {
        if self.is_whole(feeds) {
            let results = self.whole.step(feeds)?;
            self.last = Last::Whole;
            return Ok(results);
        }
        self.other_step(feeds)
    }

    fn advance(&mut self, feeds: &[(&str, &Array)]) -> Result<Option<Outputs>, EngineError> {
        if self.is_whole(feeds) {
            let results = self.whole.advance(feeds)?;
            self.last = Last::Whole;
            return Ok(results);
        }
        let results = self.other_step(feeds)?;
        // In its place among those that wait.
        self.read.push(results);
        if let Last::Other { waits, .. } = &mut self.last {
            *waits = true;
        }
        Ok(None)
    }

    fn results(&mut self) -> Result<Vec<Outputs>, EngineError> {
        let newer = self.whole.results()?;
        if let Last::Other { waits, .. } = &mut self.last {
            *waits = false;
        }
        let mut all = std::mem::take(&mut self.read);
        all.extend(newer);
        Ok(all)
    }

    fn transfers(&self) -> Transfers {
        self.whole.transfers()
    }

    fn state(&mut self) -> Result<Outputs, EngineError> {
        self.whole.state()
    }

    fn undo(&mut self) -> bool {
        match std::mem::replace(&mut self.last, Last::None) {
            Last::None => false,
            Last::Whole => self.whole.undo(),
            Last::Other { before, waits } => {
                let undone = self.whole.set_state(&views(&before)).is_ok();
                if undone && waits {
                    self.read.pop();
                }
                undone
            }
        }
    }
}
