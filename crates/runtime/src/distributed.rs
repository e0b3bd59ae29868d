//! An engine whose work is divided among the processes of a world.

use std::sync::Arc;

use crate::world::World;
use crate::{Carried, DataParallel, Engine, EngineError, Program, Session, Stepper};

/// An engine, and the processes that share its work: training steps that are data-parallel, evaluation and sampling.
/// Each process has an engine of its own, of the same kind and with the same number of threads.
pub struct DistributedEngine<'a> {
    engine: &'a dyn Engine,
    world: Arc<dyn World>,
    plain: bool,
}

impl<'a> DistributedEngine<'a> {
    /// Divides the work of an engine among the ranks of a world.
    pub fn new(engine: &'a dyn Engine, world: Arc<dyn World>) -> DistributedEngine<'a> {
        DistributedEngine { engine, world, plain: false }
    }

    /// With `plain`, graphs for this engine are of plain operators only, also if it has operators of its own.
    pub fn plain(self, plain: bool) -> DistributedEngine<'a> {
        DistributedEngine { plain, ..self }
    }
}

impl Engine for DistributedEngine<'_> {
    fn name(&self) -> &'static str {
        self.engine.name()
    }

    fn load(&self, program: &Program) -> Result<Box<dyn Session>, EngineError> {
        self.engine.load(program)
    }

    fn portable_only(&self) -> bool {
        self.engine.portable_only()
    }

    fn native(&self) -> bool {
        self.engine.native() && !self.plain
    }

    fn threads(&self) -> usize {
        self.engine.threads()
    }

    fn captures(&self) -> bool {
        self.engine.captures()
    }

    fn evaluated_at_once(&self, batch: usize) -> usize {
        self.engine.evaluated_at_once(batch)
    }

    fn world(&self) -> Arc<dyn World> {
        Arc::clone(&self.world)
    }

    fn load_on(&self, program: &Program, threads: usize) -> Result<Box<dyn Session>, EngineError> {
        self.engine.load_on(program, threads)
    }

    fn load_stepper(
        &self,
        program: &Program,
        carried: &[Carried],
    ) -> Result<Box<dyn Stepper>, EngineError> {
        self.engine.load_stepper(program, carried)
    }

    fn load_divided(
        &self,
        step: &DataParallel,
        carried: &[Carried],
        world: &Arc<dyn World>,
    ) -> Result<Option<Box<dyn Stepper>>, EngineError> {
        self.engine.load_divided(step, carried, world)
    }
}
