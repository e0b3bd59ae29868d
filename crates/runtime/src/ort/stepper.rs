//! A stepper whose state stays in ONNX Runtime, in the memory of the device.
//!
//! There are two sets of buffers for the carried values, and two bindings. One reads the first set and writes
//! the second, the other does the reverse. They are used in turn. A single set is not enough: an output that
//! is bound to the memory of an input may be written before the input has been read for the last time.

use ndarray::IxDyn;
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, Session as OrtSession};
use ort::value::Tensor as OrtTensor;

use super::session::{bytes, whole};
use crate::signature::bind;
use crate::stepper::{NO_STATE, Split};
use crate::{Array, Elements, EngineError, Stepper};

pub(super) struct Bindings {
    engine: &'static str,
    program: String,
    split: Split,
    /// The GPU whose memory contains the state. `None`: host memory.
    device: Option<i32>,
    sides: Option<[Side; 2]>,
    /// The index of the side that contains the current state.
    now: usize,
    /// Whether the other side contains the previous state.
    undoable: bool,
    session: OrtSession,
}

/// One set of buffers, and the binding that reads it.
pub(super) struct Side {
    pub binding: IoBinding,
    pub state: Vec<OrtTensor<f32>>,
}

impl Side {
    /// Runs a step. `away`: whether the state is in another memory than the feeds and results.
    fn run(
        &mut self,
        session: &mut OrtSession,
        split: &Split,
        feeds: &[(&str, &Array)],
        away: bool,
    ) -> ort::Result<Vec<(String, Array)>> {
        for (name, array) in feeds {
            let declared = split.feeds.iter().find(|tensor| tensor.name == *name);
            let elements = declared.map_or(Elements::Real, |tensor| tensor.elements);
            bind_feed(&mut self.binding, name, elements, array)?;
        }
        if away {
            self.binding.synchronize_inputs()?;
        }
        let results = session.run_binding(&self.binding)?;
        if away {
            self.binding.synchronize_outputs()?;
        }
        let mut seen = Vec::with_capacity(split.results.len());
        for name in &split.results {
            let Some(value) = results.get(name.as_str()) else { continue };
            let (shape, data) = value.try_extract_tensor::<f32>()?;
            seen.push((name.clone(), array(shape, data)?));
        }
        Ok(seen)
    }
}

impl Bindings {
    pub(super) fn new(
        engine: &'static str,
        program: &str,
        split: Split,
        device: Option<i32>,
        session: OrtSession,
    ) -> Bindings {
        let program = program.to_owned();
        Bindings { engine, program, split, device, sides: None, now: 0, undoable: false, session }
    }

    pub(super) fn fail(&self, reason: impl ToString) -> EngineError {
        let (engine, program) = (self.engine, self.program.clone());
        EngineError::Run { engine, program, reason: reason.to_string() }
    }

    /// The two sides and the index of the one with the current state; `None` before a state is set.
    pub(super) fn sides(&mut self) -> Option<(&mut [Side; 2], usize)> {
        self.sides.as_mut().map(|sides| (sides, self.now))
    }

    pub(super) fn split(&self) -> &Split {
        &self.split
    }

    /// Runs a step. Inputs that are not among the feeds are bound already.
    pub(super) fn update(
        &mut self,
        feeds: &[(&str, &Array)],
    ) -> Result<Vec<(String, Array)>, EngineError> {
        // A step that fails has written only the other side.
        self.undoable = false;
        let results = match &mut self.sides {
            Some(sides) => {
                sides[self.now].run(&mut self.session, &self.split, feeds, self.device.is_some())
            }
            None => Err(ort::Error::new(NO_STATE)),
        };
        let results = results.map_err(|e| self.fail(e))?;
        (self.now, self.undoable) = (1 - self.now, true);
        Ok(results)
    }

    fn allocator(&self) -> ort::Result<Allocator> {
        match self.device {
            None => Ok(Allocator::default()),
            Some(id) => Allocator::new(
                &self.session,
                MemoryInfo::new(
                    AllocationDevice::CUDA,
                    id,
                    AllocatorType::Device,
                    MemoryType::Default,
                )?,
            ),
        }
    }

    /// Allocates both sets of buffers, and copies the values to the first.
    fn buffers(&self, arrays: &[&Array]) -> ort::Result<[Side; 2]> {
        let allocator = self.allocator()?;
        let buffers = || -> ort::Result<Vec<OrtTensor<f32>>> {
            arrays.iter().map(|a| OrtTensor::new(&allocator, a.shape().to_vec())).collect()
        };
        let (mut first, mut second) = (buffers()?, buffers()?);
        for (array, buffer) in arrays.iter().zip(&mut first) {
            if self.device.is_some() {
                let host = OrtTensor::from_array((array.shape().to_vec(), values(array)))?;
                host.copy_into(buffer)?;
            } else {
                // The buffer has the shape of the array, so also its number of elements.
                let elements = buffer.extract_tensor_mut().1.iter_mut();
                elements.zip(array.iter()).for_each(|(to, from)| *to = *from);
            }
        }
        let forth = self.binding(&first, &mut second)?;
        let back = self.binding(&second, &mut first)?;
        Ok([Side { binding: forth, state: first }, Side { binding: back, state: second }])
    }

    fn binding(
        &self,
        from: &[OrtTensor<f32>],
        to: &mut [OrtTensor<f32>],
    ) -> ort::Result<IoBinding> {
        let mut binding = self.session.create_binding()?;
        for (tensor, buffer) in self.split.state.iter().zip(from) {
            binding.bind_input(tensor.name.as_str(), buffer)?;
        }
        for (name, buffer) in self.split.next.iter().zip(to) {
            binding.bind_output(name.as_str(), buffer)?;
        }
        // Outputs for the caller are copied to the host.
        let host = MemoryInfo::new(
            AllocationDevice::CPU,
            0,
            AllocatorType::Device,
            MemoryType::CPUOutput,
        )?;
        for name in &self.split.results {
            binding.bind_output_to_device(name.as_str(), &host)?;
        }
        Ok(binding)
    }

    fn fetch(&self) -> ort::Result<Option<Vec<(String, Array)>>> {
        let Some(sides) = &self.sides else { return Ok(None) };
        let mut state = Vec::with_capacity(self.split.state.len());
        for (tensor, buffer) in self.split.state.iter().zip(&sides[self.now].state) {
            let host;
            let buffer = match self.device {
                None => buffer,
                Some(_) => {
                    host = buffer.to(AllocationDevice::CPU, 0)?;
                    &host
                }
            };
            let (shape, data) = buffer.try_extract_tensor::<f32>()?;
            state.push((tensor.name.clone(), array(shape, data)?));
        }
        Ok(Some(state))
    }
}

impl Stepper for Bindings {
    fn set_state(&mut self, state: &[(&str, &Array)]) -> Result<(), EngineError> {
        let bound = bind(&self.split.state, state)
            .map_err(|error| EngineError::Input { program: self.program.clone(), error })?;
        self.sides = Some(self.buffers(&bound.arrays).map_err(|e| self.fail(e))?);
        (self.now, self.undoable) = (0, false);
        Ok(())
    }

    fn step(&mut self, feeds: &[(&str, &Array)]) -> Result<Vec<(String, Array)>, EngineError> {
        bind(&self.split.feeds, feeds)
            .map_err(|error| EngineError::Input { program: self.program.clone(), error })?;
        self.update(feeds)
    }

    fn state(&mut self) -> Result<Vec<(String, Array)>, EngineError> {
        self.fetch().map_err(|e| self.fail(e))?.ok_or_else(|| self.fail(NO_STATE))
    }

    fn undo(&mut self) -> bool {
        let undone = std::mem::take(&mut self.undoable);
        if undone {
            self.now = 1 - self.now;
        }
        undone
    }
}

/// Binds an input to a copy of an array.
pub(super) fn bind_feed(
    binding: &mut IoBinding,
    name: &str,
    elements: Elements,
    array: &Array,
) -> ort::Result<()> {
    match elements {
        Elements::Whole => binding.bind_input(name, &whole(array)?),
        Elements::Byte => binding.bind_input(name, &bytes(array)?),
        Elements::Real => {
            let value = OrtTensor::from_array((array.shape().to_vec(), values(array)))?;
            binding.bind_input(name, &value)
        }
    }
}

pub(super) fn values(array: &Array) -> Vec<f32> {
    array.iter().copied().collect()
}

pub(super) fn array(shape: &[i64], data: &[f32]) -> ort::Result<Array> {
    let extents: Vec<usize> = shape.iter().map(|&n| usize::try_from(n).unwrap_or(0)).collect();
    Array::from_shape_vec(IxDyn(&extents), data.to_vec()).map_err(ort::Error::wrap)
}
