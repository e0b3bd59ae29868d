//! A stepper whose state stays in ONNX Runtime, in the memory of the device.
//!
//! There are two sets of buffers for the carried values, and two bindings. One reads the first set and writes
//! the second, the other does the reverse. They are used in turn. A single set is not enough: an output that
//! is bound to the memory of an input may be written before the input has been read for the last time.
//!
//! Where that memory is not the host's, the outputs that are not carried stay there, too, in a ring of buffers,
//! until somebody asks for them. So a step moves its feeds to the device and nothing else.

use ndarray::IxDyn;
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, NoSelectedOutputs, RunOptions, Session as OrtSession};
use ort::value::Tensor as OrtTensor;

use super::device::{Device, Feed, OnDevice, Place};
use super::ring::Ring;
use super::session::{bytes, whole};
use crate::signature::bind;
use crate::stepper::{NO_STATE, Split, Transfers};
use crate::{Array, Elements, EngineError, Stepper, Tensor};

/// Outputs by name, in the order of the program.
type Outputs = Vec<(String, Array)>;

pub(super) struct Bindings {
    engine: &'static str,
    program: String,
    split: Split,
    place: Place,
    device: Device,
    sides: Option<[Side; 2]>,
    /// The index of the side that contains the current state.
    now: usize,
    /// Whether the other side contains the previous state.
    undoable: bool,
    /// Feeds on their way to the device, by name; unused in host memory.
    feeds: Vec<(String, Feed)>,
    /// Outputs on the device; nothing if they come to the host at once.
    ring: Option<Ring>,
    /// Whether all addresses stay the same, and steps are captured as CUDA graphs.
    capture: bool,
    /// The options of a run from each side if they are.
    graphs: Option<[RunOptions<NoSelectedOutputs>; 2]>,
    session: OrtSession,
}

/// One set of buffers, and the binding that reads it.
pub(super) struct Side {
    pub binding: IoBinding,
    pub state: Vec<OnDevice>,
}

impl Bindings {
    /// `capture`: whether all addresses stay the same, and the steps are captured as CUDA graphs.
    pub(super) fn new(
        engine: &'static str,
        program: &str,
        split: Split,
        (place, capture): (Place, bool),
        session: OrtSession,
    ) -> ort::Result<Bindings> {
        let program = program.to_owned();
        let device = Device::new(place, &session)?;
        Ok(Bindings {
            engine,
            program,
            split,
            place,
            device,
            sides: None,
            now: 0,
            undoable: false,
            feeds: Vec::new(),
            ring: None,
            capture,
            graphs: None,
            session,
        })
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

    /// A step in host memory; what is not among the feeds is bound already.
    pub(super) fn update(&mut self, feeds: &[(&str, &Array)]) -> Result<Outputs, EngineError> {
        self.run(feeds).map(Option::unwrap_or_default)
    }

    /// A step. Returns its outputs unless they stay on the device.
    fn run(&mut self, feeds: &[(&str, &Array)]) -> Result<Option<Outputs>, EngineError> {
        // A step that fails writes the other side alone.
        self.undoable = false;
        let results = self.bind_feeds(feeds).and_then(|()| self.run_bound());
        let results = results.map_err(|e| self.fail(e))?;
        (self.now, self.undoable) = (1 - self.now, true);
        Ok(results)
    }

    /// Gives the feeds to the binding that reads the state.
    fn bind_feeds(&mut self, feeds: &[(&str, &Array)]) -> ort::Result<()> {
        for (name, array) in feeds {
            let declared = self.split.feeds.iter().find(|tensor| tensor.name == *name);
            let elements = declared.map_or(Elements::Real, |tensor| tensor.elements);
            let Some(sides) = &mut self.sides else { return Err(ort::Error::new(NO_STATE)) };
            if self.place == Place::Host {
                bind_feed(&mut sides[self.now].binding, name, elements, array)?;
                continue;
            }
            let fixed = self.capture;
            let known = self.feeds.iter().position(|(known, _)| known == name);
            let at = match known {
                Some(at) if self.feeds[at].1.shape() == array.shape() => at,
                Some(_) if fixed => {
                    return Err(ort::Error::new(format!(
                        "a captured CUDA graph has one shape: `{name}` now has shape {:?}, before {:?}",
                        array.shape(),
                        known.map(|at| self.feeds[at].1.shape()).unwrap_or_default(),
                    )));
                }
                _ => {
                    let feed = Feed::new(&self.device, elements, array.shape(), fixed)?;
                    if fixed {
                        feed.bind(&mut sides[0].binding, name)?;
                        feed.bind(&mut sides[1].binding, name)?;
                    }
                    self.feeds.retain(|(known, _)| known != name);
                    self.feeds.push(((*name).to_owned(), feed));
                    self.feeds.len() - 1
                }
            };
            let feed = &mut self.feeds[at].1;
            feed.write(&mut self.device, array)?;
            if !fixed {
                feed.bind(&mut sides[self.now].binding, name)?;
            }
        }
        Ok(())
    }

    /// Runs the binding that reads the state.
    fn run_bound(&mut self) -> ort::Result<Option<Outputs>> {
        let Some(sides) = &mut self.sides else { return Err(ort::Error::new(NO_STATE)) };
        let side = &mut sides[self.now];
        if let Some(ring) = &mut self.ring {
            ring.bind(&mut self.device, &mut side.binding, &self.split.results, self.now)?;
        }
        let away = self.place != Place::Host;
        if away {
            side.binding.synchronize_inputs()?;
        }
        let results = match &self.graphs {
            Some(graphs) => {
                self.session.run_binding_with_options(&side.binding, &graphs[self.now])?
            }
            None => self.session.run_binding(&side.binding)?,
        };
        if away {
            side.binding.synchronize_outputs()?;
        }
        if let Some(ring) = &mut self.ring {
            ring.done();
            return Ok(None);
        }
        let mut seen = Vec::with_capacity(self.split.results.len());
        for Tensor { name, .. } in &self.split.results {
            let Some(value) = results.get(name.as_str()) else { continue };
            let (shape, data) = value.try_extract_tensor::<f32>()?;
            self.device.count_download(size_of_val(data));
            seen.push((name.clone(), array(shape, data)?));
        }
        Ok(Some(seen))
    }

    /// Sets the state. If steps are captured, the buffers stay, since what was captured knows their addresses.
    fn prepare(&mut self, arrays: &[&Array]) -> ort::Result<()> {
        if let (true, Some(sides), Some(ring)) = (self.capture, &mut self.sides, &mut self.ring) {
            ring.clear();
            self.undoable = false;
            for (array, buffer) in arrays.iter().zip(&mut sides[self.now].state) {
                self.device.upload(array, buffer)?;
            }
            return Ok(());
        }
        self.create_buffers(arrays)
    }

    /// Creates all buffers and bindings, with these values as the state.
    fn create_buffers(&mut self, arrays: &[&Array]) -> ort::Result<()> {
        (self.sides, self.now, self.undoable) = (None, 0, false);
        self.feeds.clear();
        self.ring = match self.place {
            Place::Host => None,
            _ => Ring::new(&self.device, &self.split.results, self.capture)?,
        };
        if self.capture {
            if self.ring.is_none() {
                return Err(ort::Error::new(
                    "a CUDA graph can be captured only if all outputs are f32 and have a fixed \
                     shape: compile the program for a fixed batch",
                ));
            }
            self.graphs = Some([graph_options(1)?, graph_options(2)?]);
        }
        self.sides = Some(self.buffers(arrays)?);
        Ok(())
    }

    /// Both sets of buffers, the first with these values.
    fn buffers(&mut self, arrays: &[&Array]) -> ort::Result<[Side; 2]> {
        let device = &mut self.device;
        let buffers = |device: &Device| -> ort::Result<Vec<OnDevice>> {
            arrays.iter().map(|a| device.empty(a.shape())).collect()
        };
        let (mut first, mut second) = (buffers(device)?, buffers(device)?);
        for (array, buffer) in arrays.iter().zip(&mut first) {
            device.upload(array, buffer)?;
        }
        let forth = self.binding(&first, &mut second)?;
        let back = self.binding(&second, &mut first)?;
        Ok([Side { binding: forth, state: first }, Side { binding: back, state: second }])
    }

    fn binding(&self, from: &[OnDevice], to: &mut [OnDevice]) -> ort::Result<IoBinding> {
        let mut binding = self.session.create_binding()?;
        for (tensor, buffer) in self.split.state.iter().zip(from) {
            binding.bind_input(tensor.name.as_str(), buffer.tensor())?;
        }
        for (name, buffer) in self.split.next.iter().zip(to) {
            binding.bind_output(name.as_str(), buffer.tensor_mut())?;
        }
        if self.ring.is_some() {
            return Ok(binding);
        }
        // Outputs for the caller are copied to the host.
        let host = MemoryInfo::new(
            AllocationDevice::CPU,
            0,
            AllocatorType::Device,
            MemoryType::CPUOutput,
        )?;
        for tensor in &self.split.results {
            binding.bind_output_to_device(tensor.name.as_str(), &host)?;
        }
        Ok(binding)
    }

    fn fetch(&mut self) -> ort::Result<Option<Outputs>> {
        let Some(sides) = &self.sides else { return Ok(None) };
        let mut state = Vec::with_capacity(self.split.state.len());
        for (tensor, buffer) in self.split.state.iter().zip(&sides[self.now].state) {
            state.push((tensor.name.clone(), self.device.download(buffer)?));
        }
        Ok(Some(state))
    }
}

/// Each side of the state is a CUDA graph of its own, since it has its own addresses.
fn graph_options(number: u32) -> ort::Result<RunOptions<NoSelectedOutputs>> {
    let mut options = RunOptions::new()?;
    options.set("gpu_graph_id", number.to_string())?;
    Ok(options)
}

impl Stepper for Bindings {
    fn set_state(&mut self, state: &[(&str, &Array)]) -> Result<(), EngineError> {
        let signature = self.split.state.clone();
        let bound = bind(&signature, state)
            .map_err(|error| EngineError::Input { program: self.program.clone(), error })?;
        self.prepare(&bound.arrays).map_err(|e| self.fail(e))
    }

    fn step(&mut self, feeds: &[(&str, &Array)]) -> Result<Outputs, EngineError> {
        if let Some(results) = self.advance(feeds)? {
            return Ok(results);
        }
        let last = match &mut self.ring {
            Some(ring) => ring.take_last(&mut self.device, &self.split.results),
            None => Ok(None),
        };
        last.map_err(|e| self.fail(e))?.ok_or_else(|| self.fail("the outputs are missing"))
    }

    fn advance(&mut self, feeds: &[(&str, &Array)]) -> Result<Option<Outputs>, EngineError> {
        bind(&self.split.feeds, feeds)
            .map_err(|error| EngineError::Input { program: self.program.clone(), error })?;
        self.run(feeds)
    }

    fn results(&mut self) -> Result<Vec<Outputs>, EngineError> {
        let Some(ring) = &mut self.ring else { return Ok(Vec::new()) };
        let results = ring.take(&mut self.device, &self.split.results);
        results.map_err(|e| self.fail(e))
    }

    fn transfers(&self) -> Transfers {
        self.device.transfers()
    }

    fn state(&mut self) -> Result<Outputs, EngineError> {
        self.fetch().map_err(|e| self.fail(e))?.ok_or_else(|| self.fail(NO_STATE))
    }

    fn undo(&mut self) -> bool {
        let undone = std::mem::take(&mut self.undoable);
        if undone {
            self.now = 1 - self.now;
            if let Some(ring) = &mut self.ring {
                ring.undo();
            }
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
