//! A data-parallel step whose state stays in ONNX Runtime, in host memory.
//!
//! The update ([`Bindings`]) has two sets of buffers for the state. Every shard has its own result buffers
//! and two bindings, which read the parameters from one set or the other. The result buffers of the first
//! shard receive the average, which the update reads. Only the images are copied.
//!
//! With several processes, each has the shards of its [`Block`]. Rank 0 gets the averages, runs the update, and sends
//! the new parameters to the others: these need no equal processors, since nobody repeats the update. The rest of the
//! state is on rank 0 alone.

use std::sync::Arc;
use std::thread;

use ort::memory::Allocator;
use ort::session::{IoBinding, Session as OrtSession};
use ort::value::Tensor as OrtTensor;

use super::session::LoadedProgram;
use super::stepper::{Bindings, array, bind_feed};
use crate::data_parallel::divide;
use crate::signature::bind;
use crate::stepper::NO_STATE;
use crate::world::{Block, World, share_arrays, weighted_sum};
use crate::{Array, EngineError, Stepper, Tensor};

/// The stepper of a [`DataParallel`](crate::DataParallel) step.
pub(super) struct OrtDataParallel {
    whole: Bindings,
    parts: Vec<Part>,
    /// The results of a shard, in the order of its buffers, and whether the update reads each.
    found: Vec<(Tensor, bool)>,
    /// The inputs that are not carried.
    feeds: Vec<Tensor>,
    /// The parameters: the places in the state of what the parts read.
    read: Vec<usize>,
    world: Arc<dyn World>,
    block: Block,
    program: String,
}

/// The session for one shard of the batch.
struct Part {
    session: OrtSession,
    /// One binding for each set of state buffers that it can read.
    bindings: Option<[IoBinding; 2]>,
    found: Vec<OrtTensor<f32>>,
}

impl Part {
    /// Allocates the result buffers. All have fixed shapes.
    fn new(session: OrtSession, found: &[(Tensor, bool)]) -> ort::Result<Part> {
        let allocator = Allocator::default();
        let buffer = |(tensor, _): &(Tensor, bool)| {
            OrtTensor::new(&allocator, tensor.fixed_shape().unwrap_or_default())
        };
        let found = found.iter().map(buffer).collect::<ort::Result<_>>()?;
        Ok(Part { session, bindings: None, found })
    }

    /// Runs the session on its shard of the batch.
    fn run(&mut self, side: usize, share: &[(&Tensor, Array)]) -> ort::Result<()> {
        let Some(bindings) = &mut self.bindings else { return Err(ort::Error::new(NO_STATE)) };
        for (tensor, array) in share {
            bind_feed(&mut bindings[side], &tensor.name, tensor.elements, array)?;
        }
        self.session.run_binding(&bindings[side]).map(drop)
    }
}

impl OrtDataParallel {
    /// `None` if the programs do not have the required form: all inputs of a shard must be divided or
    /// carried, and all its results must have fixed shapes.
    pub(super) fn new(
        whole: Bindings,
        parts: Vec<LoadedProgram>,
        (world, block): (Arc<dyn World>, Block),
        program: &str,
    ) -> Option<ort::Result<OrtDataParallel>> {
        use crate::Session;
        let first = parts.first()?;
        let of = |list: &[Tensor], name: &str| list.iter().any(|t| t.name == name);
        let reads = |name: &str| of(&whole.split().feeds, name);
        let found: Vec<(Tensor, bool)> =
            first.outputs().iter().map(|t| (t.clone(), reads(&t.name))).collect();
        let (mut feeds, carried): (Vec<Tensor>, Vec<Tensor>) =
            first.inputs().iter().cloned().partition(Tensor::is_batch);
        let suits = carried.iter().all(|t| of(&whole.split().state, &t.name))
            && found.iter().all(|(t, _)| t.fixed_shape().is_some());
        if !suits || feeds.is_empty() {
            return None;
        }
        let given = |t: &&Tensor| !found.iter().any(|(found, _)| found.name == t.name);
        feeds.extend(whole.split().feeds.iter().filter(given).cloned());
        let state = whole.split().state.iter().enumerate();
        let read = state.filter(|(_, t)| of(&carried, &t.name)).map(|(i, _)| i).collect();
        let part = |part: LoadedProgram| Part::new(part.into_session(), &found);
        let parts = parts.into_iter().map(part).collect::<ort::Result<_>>();
        let program = program.to_owned();
        Some(parts.map(|parts| OrtDataParallel {
            whole,
            parts,
            found,
            feeds,
            read,
            world,
            block,
            program,
        }))
    }

    /// Binds the shards to the buffers of the state, and the update to the result buffers of the first shard.
    fn bind(&mut self) -> ort::Result<()> {
        let carried: Vec<String> =
            self.whole.split().state.iter().map(|t| t.name.clone()).collect();
        let Some((sides, _)) = self.whole.sides() else { return Ok(()) };
        for part in &mut self.parts {
            let inputs: Vec<String> =
                part.session.inputs().iter().map(|i| i.name().to_owned()).collect();
            let mut both = Vec::new();
            for side in &*sides {
                let mut binding = part.session.create_binding()?;
                for (name, buffer) in carried.iter().zip(&side.state) {
                    if inputs.contains(name) {
                        binding.bind_input(name.as_str(), buffer.tensor())?;
                    }
                }
                for ((tensor, _), buffer) in self.found.iter().zip(&mut part.found) {
                    binding.bind_output(tensor.name.as_str(), buffer)?;
                }
                both.push(binding);
            }
            part.bindings = <[IoBinding; 2]>::try_from(both).ok();
        }
        let Some(first) = self.parts.first() else { return Ok(()) };
        for side in sides {
            for ((tensor, read), buffer) in self.found.iter().zip(&first.found) {
                if *read {
                    side.binding.bind_input(tensor.name.as_str(), buffer)?;
                }
            }
        }
        Ok(())
    }
}

/// Runs every part on its shard of the batch. Returns the fraction of the batch in each shard; there may be fewer
/// shards than parts.
fn run_shares(
    parts: &mut [Part],
    side: usize,
    batch: &[(&Tensor, &Array)],
    block: &Block,
) -> ort::Result<Vec<f32>> {
    let (count, shares) = divide(batch, block);
    thread::scope(|scope| {
        let mut work = parts.iter_mut().zip(&shares);
        let first = work.next();
        let run = |(part, share): (&mut Part, &Vec<(&Tensor, Array)>)| part.run(side, share);
        let beside: Vec<_> = work.map(|pair| scope.spawn(move || run(pair))).collect();
        let mut done = first.map_or(Ok(()), run);
        for thread in beside {
            let other = thread.join().unwrap_or_else(|p| std::panic::resume_unwind(p));
            done = done.and(other);
        }
        done
    })?;
    let size = |share: &Vec<(&Tensor, Array)>| share.first().map_or(0, |(_, a)| a.shape()[0]);
    Ok(shares.iter().map(|share| size(share) as f32 / count as f32).collect())
}

/// The average over all images, in the first part's buffers. The order of the sum is that of the parts.
fn average(parts: &mut [Part], shares: &[f32]) {
    let Some((first, others)) = parts.split_first_mut() else { return };
    let Some((own, shares)) = shares.split_first() else { return };
    for (i, sum) in first.found.iter_mut().enumerate() {
        let sum = sum.extract_tensor_mut().1;
        sum.iter_mut().for_each(|sum| *sum *= own);
        for (share, part) in shares.iter().zip(others.iter()) {
            let more = part.found[i].extract_tensor().1;
            sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += share * more);
        }
    }
}

/// The same average, over all ranks; it arrives at rank 0.
fn average_of_ranks(
    world: &dyn World,
    parts: &mut [Part],
    shares: &[f32],
) -> Result<(), EngineError> {
    let own = parts.iter().zip(shares).map(|(part, share)| (*share, flat(&part.found)));
    let own: Vec<(f32, Vec<f32>)> = own.collect();
    let Some(first) = parts.first_mut() else { return Ok(()) };
    let length = first.found.iter().map(|tensor| tensor.extract_tensor().1.len()).sum();
    let sum = weighted_sum(world, &own, length)?;
    fill(first.found.iter_mut(), &sum);
    Ok(())
}

/// The numbers of all tensors, one after the other.
fn flat<'a>(tensors: impl IntoIterator<Item = &'a OrtTensor<f32>>) -> Vec<f32> {
    tensors.into_iter().flat_map(|tensor| tensor.extract_tensor().1).copied().collect()
}

/// The reverse of [`flat`].
fn fill<'a>(tensors: impl Iterator<Item = &'a mut OrtTensor<f32>>, mut values: &[f32]) {
    for tensor in tensors {
        let to = tensor.extract_tensor_mut().1;
        let (own, rest) = values.split_at(to.len().min(values.len()));
        to.iter_mut().zip(own).for_each(|(to, x)| *to = *x);
        values = rest;
    }
}

impl Stepper for OrtDataParallel {
    fn set_state(&mut self, state: &[(&str, &Array)]) -> Result<(), EngineError> {
        self.whole.set_state(state)?;
        self.bind().map_err(|e| self.whole.fail(e))
    }

    fn step(&mut self, feeds: &[(&str, &Array)]) -> Result<Vec<(String, Array)>, EngineError> {
        let signature = self.feeds.clone();
        let bound = bind(&signature, feeds)
            .map_err(|error| EngineError::Input { program: self.program.clone(), error })?;
        let given = signature.iter().zip(bound.arrays);
        let (batch, rest): (Vec<_>, Vec<_>) = given.partition(|(t, _)| t.is_batch());
        let rest: Vec<(&str, &Array)> = rest.iter().map(|(t, a)| (t.name.as_str(), *a)).collect();
        let Some((_, side)) = self.whole.sides() else { return Err(self.whole.fail(NO_STATE)) };
        let shares = run_shares(&mut self.parts, side, &batch, &self.block);
        let shares = shares.map_err(|error| self.whole.fail(error))?;
        if self.world.size() == 1 {
            average(&mut self.parts, &shares);
            return self.update(&rest);
        }
        average_of_ranks(&*self.world, &mut self.parts, &shares)?;
        let results = match self.world.leads() {
            true => self.update(&rest)?,
            false => Vec::new(),
        };
        self.share_parameters()?;
        Ok(share_arrays(&*self.world, results)?)
    }

    fn state(&mut self) -> Result<Vec<(String, Array)>, EngineError> {
        self.whole.state()
    }

    fn undo(&mut self) -> bool {
        self.whole.undo()
    }
}

impl OrtDataParallel {
    /// Runs the update on the averages. Returns those that it does not read, and its own results.
    fn update(&mut self, rest: &[(&str, &Array)]) -> Result<Vec<(String, Array)>, EngineError> {
        let updated = self.whole.update(rest)?;
        let mut results = Vec::new();
        let buffers = self.parts.first().map_or(&[][..], |part| &part.found);
        for ((tensor, _), buffer) in self.found.iter().zip(buffers).filter(|((_, read), _)| !read) {
            let (shape, data) = buffer.extract_tensor();
            let value = array(shape, data).map_err(|e| self.whole.fail(e))?;
            results.push((tensor.name.clone(), value));
        }
        results.extend(updated);
        Ok(results)
    }

    /// Copies the parameters of rank 0 into the buffers of the others.
    fn share_parameters(&mut self) -> Result<(), EngineError> {
        let Some((sides, side)) = self.whole.sides() else { return Err(self.whole.fail(NO_STATE)) };
        let state = &mut sides[side].state;
        let mut values = flat(self.read.iter().map(|&i| state[i].tensor()));
        self.world.broadcast(&mut values)?;
        if !self.world.leads() {
            let read = state.iter_mut().enumerate().filter(|(i, _)| self.read.contains(i));
            fill(read.map(|(_, buffer)| buffer.tensor_mut()), &values);
        }
        Ok(())
    }
}
