//! A data-parallel step whose state stays in ONNX Runtime, in host memory.
//!
//! The update ([`Bindings`]) has two sets of buffers for the state. Every shard has two bindings, which
//! read the parameters from one set or the other, and its own result buffers. The buffers of the first
//! shard receive the average, which the update reads. Only the images are copied.

use std::thread;

use ort::memory::Allocator;
use ort::session::{IoBinding, Session as OrtSession};
use ort::value::Tensor as OrtTensor;

use super::ring::fixed;
use super::session::LoadedProgram;
use super::stepper::{Bindings, array, bind_feed};
use crate::data_parallel::divide;
use crate::signature::bind;
use crate::stepper::NO_STATE;
use crate::{Array, EngineError, Stepper, Tensor};

/// The stepper of a [`DataParallel`](crate::DataParallel) step.
pub(super) struct OrtDataParallel {
    whole: Bindings,
    parts: Vec<Part>,
    /// The results of a shard, in the order of its buffers, and whether the update reads each.
    found: Vec<(Tensor, bool)>,
    /// The inputs that are not carried.
    feeds: Vec<Tensor>,
    program: String,
}

/// A part of the batch.
struct Part {
    session: OrtSession,
    /// By the side of the state that it reads.
    bindings: Option<[IoBinding; 2]>,
    found: Vec<OrtTensor<f32>>,
}

impl Part {
    /// Buffers for what is found, all of fixed shapes.
    fn new(session: OrtSession, found: &[(Tensor, bool)]) -> ort::Result<Part> {
        let allocator = Allocator::default();
        let buffer = |(tensor, _): &(Tensor, bool)| {
            OrtTensor::new(&allocator, fixed(tensor).unwrap_or_default())
        };
        let found = found.iter().map(buffer).collect::<ort::Result<_>>()?;
        Ok(Part { session, bindings: None, found })
    }

    /// Runs it on its share of a batch.
    fn run(&mut self, side: usize, share: &[(&Tensor, Array)]) -> ort::Result<()> {
        let Some(bindings) = &mut self.bindings else { return Err(ort::Error::new(NO_STATE)) };
        for (tensor, array) in share {
            bind_feed(&mut bindings[side], &tensor.name, tensor.elements, array)?;
        }
        self.session.run_binding(&bindings[side]).map(drop)
    }
}

impl OrtDataParallel {
    /// Nothing if the programs are not made for it: a part that reads what is neither divided nor
    /// carried, or finds what has no fixed shape.
    pub(super) fn new(
        whole: Bindings,
        parts: Vec<LoadedProgram>,
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
            && found.iter().all(|(t, _)| fixed(t).is_some());
        if !suits || feeds.is_empty() {
            return None;
        }
        let given = |t: &&Tensor| !found.iter().any(|(found, _)| found.name == t.name);
        feeds.extend(whole.split().feeds.iter().filter(given).cloned());
        let part = |part: LoadedProgram| Part::new(part.into_session(), &found);
        let parts = parts.into_iter().map(part).collect::<ort::Result<_>>();
        let program = program.to_owned();
        Some(parts.map(|parts| OrtDataParallel { whole, parts, found, feeds, program }))
    }

    /// Binds the parts to the buffers of the state, and the update to those of the first part.
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

/// Every part on its share of the batch, then the average over all images, in the first part's
/// buffers. The order of the sum is that of the parts.
fn find(parts: &mut [Part], side: usize, batch: &[(&Tensor, &Array)]) -> ort::Result<()> {
    let shares = divide(batch, parts.len());
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
    let count: usize = shares.iter().map(size).sum();
    let share = |i: usize| size(&shares[i]) as f32 / count as f32;
    let Some((first, others)) = parts.split_first_mut() else { return Ok(()) };
    for (i, sum) in first.found.iter_mut().enumerate() {
        let sum = sum.extract_tensor_mut().1;
        sum.iter_mut().for_each(|sum| *sum *= share(0));
        for (k, part) in others.iter().enumerate().take(shares.len() - 1) {
            let share = share(k + 1);
            let more = part.found[i].extract_tensor().1;
            sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += share * more);
        }
    }
    Ok(())
}

impl Stepper for OrtDataParallel {
    fn set_state(&mut self, state: &[(&str, &Array)]) -> Result<(), EngineError> {
        self.whole.set_state(state)?;
        self.bind().map_err(|e| self.whole.fail(e))
    }

    fn step(&mut self, feeds: &[(&str, &Array)]) -> Result<Vec<(String, Array)>, EngineError> {
        let bound = bind(&self.feeds, feeds)
            .map_err(|error| EngineError::Input { program: self.program.clone(), error })?;
        let given = self.feeds.iter().zip(bound.arrays);
        let (batch, rest): (Vec<_>, Vec<_>) = given.partition(|(t, _)| t.is_batch());
        let rest: Vec<(&str, &Array)> = rest.iter().map(|(t, a)| (t.name.as_str(), *a)).collect();
        let Some((_, side)) = self.whole.sides() else { return Err(self.whole.fail(NO_STATE)) };
        let updated = match find(&mut self.parts, side, &batch) {
            Ok(()) => self.whole.update(&rest)?,
            Err(error) => return Err(self.whole.fail(error)),
        };
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

    fn state(&mut self) -> Result<Vec<(String, Array)>, EngineError> {
        self.whole.state()
    }

    fn undo(&mut self) -> bool {
        self.whole.undo()
    }
}
