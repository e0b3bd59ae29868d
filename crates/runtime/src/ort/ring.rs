//! Outputs of steps that wait on the device until the host reads them.

use std::collections::VecDeque;

use ort::session::IoBinding;

use super::device::{Device, OnDevice};
use crate::{Array, Elements, Extent, Tensor};

/// The most steps whose outputs wait, and the memory that they may take. One step has two sets in any case.
const STEPS: usize = 64;
const BYTES: usize = 1 << 20;

/// Buffers for the outputs of some steps. When all are in use, they are read and kept on the host.
pub(super) struct Ring {
    slots: Vec<Vec<OnDevice>>,
    /// Whether a step uses the slot of its side: then addresses never change.
    by_side: bool,
    /// The slot of the next step if it does not.
    next: usize,
    /// The slot that is bound.
    bound: usize,
    /// The slots of the steps that were not read, oldest first.
    waiting: VecDeque<usize>,
    /// What was read and not taken, oldest first.
    read: VecDeque<Vec<(String, Array)>>,
    /// Whether the outputs of the last step were not taken.
    last_waits: bool,
}

/// A shape without an unknown extent.
pub(super) fn fixed(tensor: &Tensor) -> Option<Vec<usize>> {
    let extent = |e: &Extent| match e {
        Extent::Fixed(n) => Some(*n),
        _ => None,
    };
    tensor.shape.as_ref()?.iter().map(extent).collect()
}

impl Ring {
    /// Buffers for these outputs, or `None` if one of them has no fixed shape or is not f32.
    pub(super) fn new(
        device: &Device,
        outputs: &[Tensor],
        by_side: bool,
    ) -> ort::Result<Option<Ring>> {
        let shape = |t: &Tensor| fixed(t).filter(|_| t.elements == Elements::Real);
        let Some(shapes) = outputs.iter().map(shape).collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let values: usize = shapes.iter().map(|shape| shape.iter().product::<usize>()).sum();
        let most = BYTES / (values * size_of::<f32>()).max(1);
        let count = if by_side { 2 } else { most.clamp(2, STEPS) };
        let slot = |_| shapes.iter().map(|shape| device.empty(shape)).collect();
        Ok(Some(Ring {
            slots: (0..count).map(slot).collect::<ort::Result<_>>()?,
            by_side,
            next: 0,
            bound: 0,
            waiting: VecDeque::new(),
            read: VecDeque::new(),
            last_waits: false,
        }))
    }

    /// Binds the outputs of a step to a free slot.
    pub(super) fn bind(
        &mut self,
        device: &mut Device,
        binding: &mut IoBinding,
        outputs: &[Tensor],
        side: usize,
    ) -> ort::Result<()> {
        self.bound = if self.by_side { side } else { self.next };
        if self.waiting.contains(&self.bound) {
            self.read_all(device, outputs)?;
        }
        for (tensor, buffer) in outputs.iter().zip(&mut self.slots[self.bound]) {
            binding.bind_output(tensor.name.as_str(), buffer.tensor_mut())?;
        }
        Ok(())
    }

    /// The step has filled the slot that was bound.
    pub(super) fn done(&mut self) {
        self.waiting.push_back(self.bound);
        self.next = (self.bound + 1) % self.slots.len();
        self.last_waits = true;
    }

    fn read_all(&mut self, device: &mut Device, outputs: &[Tensor]) -> ort::Result<()> {
        while let Some(&slot) = self.waiting.front() {
            let named = outputs.iter().zip(&self.slots[slot]);
            let results =
                named.map(|(tensor, buffer)| Ok((tensor.name.clone(), device.download(buffer)?)));
            self.read.push_back(results.collect::<ort::Result<_>>()?);
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// The outputs of all steps that were not taken, oldest first.
    pub(super) fn take(
        &mut self,
        device: &mut Device,
        outputs: &[Tensor],
    ) -> ort::Result<Vec<Vec<(String, Array)>>> {
        self.read_all(device, outputs)?;
        self.last_waits = false;
        Ok(self.read.drain(..).collect())
    }

    /// The outputs of the last step.
    pub(super) fn take_last(
        &mut self,
        device: &mut Device,
        outputs: &[Tensor],
    ) -> ort::Result<Option<Vec<(String, Array)>>> {
        self.read_all(device, outputs)?;
        self.last_waits = false;
        Ok(self.read.pop_back())
    }

    /// Forgets all outputs.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.read.clear();
        self.last_waits = false;
    }

    /// Forgets the outputs of the last step.
    pub(super) fn undo(&mut self) {
        if std::mem::take(&mut self.last_waits) && self.waiting.pop_back().is_none() {
            self.read.pop_back();
        }
    }
}
