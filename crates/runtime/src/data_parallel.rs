//! Data-parallel steps: the batch is divided among the cores of the CPU, and among the processes of a world.
//!
//! With small operators, as in a recurrence, an engine gains little from intra-operator threads.
//! Instead, every core has its own session and works on a shard of the batch. The results are averaged
//! in a fixed order, and a second program uses the averages.

use std::sync::Arc;
use std::thread;

use ndarray::{Axis, IxDyn, Slice};

use crate::signature::bind;
use crate::stepper::{Carried, HostStepper, Stepper};
use crate::world::{Block, World, shapes_of_first_block, share_arrays, weighted_sum};
use crate::{Array, Engine, EngineError, Program, Session, Tensor};

/// One training step in two programs. Those inputs of the first program that have one value per image are
/// divided.
#[derive(Clone, Copy, Debug)]
pub struct DataParallel<'a> {
    /// Computes averages over a batch. Runs once per shard, on the rank that the shard belongs to.
    pub part: Program<'a>,
    /// Reads the averages. Runs once, on rank 0, whose results all ranks get.
    pub whole: Program<'a>,
    /// The number of shards of a batch, if it has enough images.
    pub shards: usize,
}

impl DataParallel<'_> {
    /// The number of threads of an engine for each of this many shards.
    pub(crate) fn threads(engine: &dyn Engine, parts: usize) -> usize {
        (engine.threads() / parts.max(1)).max(1)
    }

    /// Loads both programs as one session. Its inputs are those of both programs, except for the averages.
    /// Its outputs are the averages that `whole` does not read, and the outputs of `whole`.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn load(&self, engine: &dyn Engine) -> Result<Box<dyn Session>, EngineError> {
        let world = engine.world();
        let block = Block::of(&*world, self.shards);
        // Its signature is needed even by a rank without a shard.
        let count = block.own.len().max(1);
        let threads = DataParallel::threads(engine, count);
        let parts = (0..count).map(|_| engine.load_on(&self.part, threads));
        let parts: Vec<_> = parts.collect::<Result<_, _>>()?;
        // One thread: the program has many small operators.
        let whole = engine.load_on(&self.whole, 1)?;
        let has = |list: &[Tensor], name: &str| list.iter().any(|t| t.name == name);
        let averages = parts[0].outputs();
        let mut inputs = parts[0].inputs().to_vec();
        let more = whole.inputs().iter().filter(|t| !has(averages, &t.name));
        let more: Vec<Tensor> = more.filter(|t| !has(&inputs, &t.name)).cloned().collect();
        inputs.extend(more);
        let seen = averages.iter().filter(|t| !has(whole.inputs(), &t.name));
        let outputs = seen.chain(whole.outputs()).cloned().collect();
        let program = self.part.name.to_owned();
        Ok(Box::new(LoadedStep { program, world, block, parts, whole, inputs, outputs }))
    }

    /// Loads both programs as one stepper; see [`Engine::load_stepper`].
    ///
    /// # Errors
    /// As [`Engine::load_stepper`].
    pub fn load_stepper(
        &self,
        engine: &dyn Engine,
        carried: &[Carried],
    ) -> Result<Box<dyn Stepper>, EngineError> {
        if let Some(stepper) = engine.load_divided(self, carried, &engine.world())? {
            return Ok(stepper);
        }
        let session = self.load(engine)?;
        Ok(Box::new(HostStepper::new(engine.name(), &self.part, session, carried)?))
    }
}

struct LoadedStep {
    program: String,
    world: Arc<dyn World>,
    block: Block,
    /// At least one.
    parts: Vec<Box<dyn Session>>,
    whole: Box<dyn Session>,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
}

impl Session for LoadedStep {
    fn inputs(&self) -> &[Tensor] {
        &self.inputs
    }

    fn outputs(&self) -> &[Tensor] {
        &self.outputs
    }

    fn run(&mut self, inputs: &[(&str, &Array)]) -> Result<Vec<(String, Array)>, EngineError> {
        let signature = self.inputs.clone();
        let bound = bind(&signature, inputs)
            .map_err(|error| EngineError::Input { program: self.program.clone(), error })?;
        let names = signature.iter().map(|t| t.name.as_str());
        let given: Vec<(&str, &Array)> = names.zip(bound.arrays).collect();

        let averages = self.averages(&given)?;
        if !self.world.leads() {
            return Ok(share_arrays(&*self.world, Vec::new())?);
        }
        let mut inputs = of(self.whole.inputs(), &given);
        let read = |name: &str| self.whole.inputs().iter().any(|t| t.name == name);
        let read: Vec<bool> = averages.iter().map(|(name, _)| read(name)).collect();
        for ((name, average), _) in averages.iter().zip(&read).filter(|(_, read)| **read) {
            inputs.push((name, average));
        }
        let results = self.whole.run(&inputs)?;
        let seen = averages.into_iter().zip(read).filter(|(_, read)| !read).map(|(pair, _)| pair);
        Ok(share_arrays(&*self.world, seen.chain(results).collect())?)
    }
}

impl LoadedStep {
    /// The averages over all images of the batch, on rank 0.
    fn averages(&mut self, given: &[(&str, &Array)]) -> Result<Vec<(String, Array)>, EngineError> {
        let (count, found) = run_parts(&mut self.parts, given, &self.block);
        let mut own = Vec::new();
        let mut shapes: Vec<(String, Vec<usize>)> = Vec::new();
        for (size, results) in found {
            let results = results?;
            if shapes.is_empty() {
                shapes = results.iter().map(|(n, a)| (n.clone(), a.shape().to_vec())).collect();
            }
            let values = results.into_iter().flat_map(|(_, array)| array.into_iter());
            own.push((size as f32 / count as f32, values.collect::<Vec<f32>>()));
        }
        // A rank without a shard, which passes on the sums of the others, must know their shapes, too.
        let shapes = shapes_of_first_block(&*self.world, shapes)?;
        let length = |shape: &[usize]| shape.iter().product::<usize>();
        let all = shapes.iter().map(|(_, shape)| length(shape)).sum();
        let mut sum = weighted_sum(&*self.world, &own, all)?.into_iter();
        let array = |(name, shape): (String, Vec<usize>)| {
            let own: Vec<f32> = sum.by_ref().take(length(&shape)).collect();
            let array = Array::from_shape_vec(IxDyn(&shape), own);
            Ok((name, array.map_err(|e| self.fail(e.to_string()))?))
        };
        shapes.into_iter().map(array).collect()
    }

    fn fail(&self, reason: String) -> EngineError {
        EngineError::Run { engine: "a data-parallel step", program: self.program.clone(), reason }
    }
}

/// Those of the given inputs that a program reads.
fn of<'a>(signature: &[Tensor], given: &[(&'a str, &'a Array)]) -> Vec<(&'a str, &'a Array)> {
    let wanted = |name: &str| signature.iter().any(|t| t.name == name);
    given.iter().filter(|(name, _)| wanted(name)).copied().collect()
}

/// Outputs by name, in the order of the program.
pub(crate) type Results = Result<Vec<(String, Array)>, EngineError>;

/// Runs sessions of one program at the same time, each on a part of the batch: those of this process's block. Returns
/// the number of images of the batch, and the number of images of each part with its results; there are fewer parts
/// than sessions if there are fewer images.
///
/// `given` must match the signature of the program. Other inputs are ignored.
pub(crate) fn run_parts(
    sessions: &mut [Box<dyn Session>],
    given: &[(&str, &Array)],
    block: &Block,
) -> (usize, Vec<(usize, Results)>) {
    let signature = sessions.first().map_or_else(Vec::new, |first| first.inputs().to_vec());
    let is_batch = |name: &str| signature.iter().any(|t| t.name == name && t.is_batch());
    let (batch, others): (Vec<_>, Vec<_>) =
        of(&signature, given).into_iter().partition(|(name, _)| is_batch(name));
    let (count, shares) = divide(&batch, block);
    let run = |session: &mut Box<dyn Session>, share: &Vec<(&str, Array)>| {
        let mut inputs = others.clone();
        inputs.extend(share.iter().map(|(name, array)| (*name, array)));
        let size = share.first().map_or(0, |(_, array)| array.shape()[0]);
        (size, session.run(&inputs))
    };
    let found = thread::scope(|scope| {
        let mut work = sessions.iter_mut().zip(&shares);
        let first = work.next();
        let beside: Vec<_> =
            work.map(|(session, share)| scope.spawn(|| run(session, share))).collect();
        let own = first.map(|(session, share)| run(session, share));
        let beside = beside
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        own.into_iter().chain(beside).collect()
    });
    (count, found)
}

/// Divides the inputs of a batch into shards, at most one per image. Returns the number of images of the batch, and
/// the shards of this process. The sizes of shards differ by at most one. No shard is empty, unless the batch is.
pub(crate) fn divide<K: Copy>(
    batch: &[(K, &Array)],
    block: &Block,
) -> (usize, Vec<Vec<(K, Array)>>) {
    let count = batch.first().and_then(|(_, array)| array.shape().first().copied()).unwrap_or(0);
    let parts = block.all.min(count).max(1);
    let bounds: Vec<usize> = (0..=parts).map(|i| i * count / parts).collect();
    let part = |w: &[usize]| {
        let rows = |array: &Array| array.slice_axis(Axis(0), Slice::from(w[0]..w[1])).to_owned();
        batch.iter().map(|(key, array)| (*key, rows(array))).collect()
    };
    let own = bounds.windows(2).take(block.own.end).skip(block.own.start);
    (count, own.map(part).collect())
}
