//! The memory that a stepper computes in, and every copy between it and the host.
//!
//! A tensor in that memory is an [`OnDevice`]. The host reaches its values only through a [`Device`], which counts
//! the bytes. So [`Stepper::transfers`](crate::Stepper::transfers) is complete by construction, and a test can run
//! the code of a GPU in host memory ([`Place::StandIn`]).

use std::fmt::Debug;

use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, Session as OrtSession};
use ort::value::{PrimitiveTensorElementType, Tensor as OrtTensor};

use super::stepper::{array, values};
use crate::stepper::Transfers;
use crate::{Array, Elements};

/// Where a stepper keeps its state and its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In host memory. Nothing is copied.
    Host,
    /// In host memory that is treated like that of a GPU.
    StandIn,
    /// In the memory of this GPU.
    Cuda(i32),
}

/// A tensor in the memory of a device.
pub(super) struct OnDevice(OrtTensor<f32>);

impl OnDevice {
    /// For bindings.
    pub(super) fn tensor(&self) -> &OrtTensor<f32> {
        &self.0
    }

    /// For bindings.
    pub(super) fn tensor_mut(&mut self) -> &mut OrtTensor<f32> {
        &mut self.0
    }
}

/// Allocates and copies.
pub(super) struct Device {
    place: Place,
    /// States and results.
    buffers: Allocator,
    /// What the host writes and a GPU reads.
    staging: Allocator,
    transfers: Transfers,
}

impl Device {
    pub(super) fn new(place: Place, session: &OrtSession) -> ort::Result<Device> {
        let mut transfers = Transfers::default();
        let (buffers, staging) = match place {
            Place::Host | Place::StandIn => (Allocator::default(), Allocator::default()),
            Place::Cuda(id) => {
                let buffers = allocator(session, AllocationDevice::CUDA, id, MemoryType::Default)?;
                let pinned = pinned(session, id);
                transfers.pinned = pinned.is_some();
                (buffers, pinned.unwrap_or_default())
            }
        };
        Ok(Device { place, buffers, staging, transfers })
    }

    pub(super) fn transfers(&self) -> Transfers {
        self.transfers
    }

    /// A tensor without values.
    pub(super) fn empty(&self, shape: &[usize]) -> ort::Result<OnDevice> {
        Ok(OnDevice(OrtTensor::new(&self.buffers, shape.to_vec())?))
    }

    /// Writes the values of an array of the same shape.
    pub(super) fn upload(&mut self, array: &Array, to: &mut OnDevice) -> ort::Result<()> {
        self.count_upload(array.len() * size_of::<f32>());
        if let Place::Cuda(_) = self.place {
            let host = OrtTensor::from_array((array.shape().to_vec(), values(array)))?;
            return host.copy_into(&mut to.0);
        }
        write(&mut to.0, array, |x| x)
    }

    /// Reads all values.
    pub(super) fn download(&mut self, from: &OnDevice) -> ort::Result<Array> {
        let host;
        let tensor = match self.place {
            Place::Host | Place::StandIn => &from.0,
            Place::Cuda(_) => {
                host = from.0.to(AllocationDevice::CPU, 0)?;
                &host
            }
        };
        let (shape, data) = tensor.try_extract_tensor::<f32>()?;
        self.count_download(size_of_val(data));
        array(shape, data)
    }

    /// Counts values that ONNX Runtime itself copies to the host, since their shape is not known before.
    pub(super) fn count_download(&mut self, bytes: usize) {
        if self.place != Place::Host {
            self.transfers.to_host += bytes as u64;
        }
    }

    fn count_upload(&mut self, bytes: usize) {
        if self.place != Place::Host {
            self.transfers.to_device += bytes as u64;
        }
    }
}

fn allocator(
    session: &OrtSession,
    device: AllocationDevice,
    id: i32,
    memory: MemoryType,
) -> ort::Result<Allocator> {
    Allocator::new(session, MemoryInfo::new(device, id, AllocatorType::Device, memory)?)
}

/// Page-locked host memory, which a GPU reads without a copy by the driver, if ONNX Runtime gives it out. Its
/// number is that of the GPU or 0, depending on the version.
fn pinned(session: &OrtSession, id: i32) -> Option<Allocator> {
    let usable = |allocator: &Allocator| {
        OrtTensor::<f32>::new(allocator, [1_usize])
            .is_ok_and(|mut tensor| tensor.try_extract_tensor_mut::<f32>().is_ok())
    };
    [id, 0]
        .into_iter()
        .filter_map(|id| {
            allocator(session, AllocationDevice::CUDA_PINNED, id, MemoryType::CPUInput).ok()
        })
        .find(usable)
}

/// Writes the values of an array of the same shape into host memory.
fn write<T: PrimitiveTensorElementType + Debug>(
    tensor: &mut OrtTensor<T>,
    array: &Array,
    of: impl Fn(f32) -> T,
) -> ort::Result<()> {
    let (_, to) = tensor.try_extract_tensor_mut::<T>()?;
    to.iter_mut().zip(array.iter()).for_each(|(to, &from)| *to = of(from));
    Ok(())
}

/// The buffers of an input that the host gives at every step, by type.
pub(super) struct Feed {
    shape: Vec<usize>,
    buffers: Buffers,
}

enum Buffers {
    Real(Staged<f32>),
    Whole(Staged<i64>),
    Byte(Staged<u8>),
}

/// A buffer that the host writes. With a fixed address on the device, also the one that the program reads;
/// otherwise ONNX Runtime copies from the first when it is bound.
struct Staged<T: PrimitiveTensorElementType + Debug> {
    host: OrtTensor<T>,
    device: Option<OrtTensor<T>>,
}

impl<T: PrimitiveTensorElementType + Debug + Clone + 'static> Staged<T> {
    fn new(device: &Device, shape: &[usize], fixed: bool) -> ort::Result<Staged<T>> {
        let host = OrtTensor::new(&device.staging, shape.to_vec())?;
        let buffer = || OrtTensor::new(&device.buffers, shape.to_vec());
        Ok(Staged { host, device: fixed.then(buffer).transpose()? })
    }

    fn write(&mut self, array: &Array, of: impl Fn(f32) -> T) -> ort::Result<()> {
        write(&mut self.host, array, of)?;
        match &mut self.device {
            Some(device) => self.host.copy_into(device),
            None => Ok(()),
        }
    }

    fn bind(&self, binding: &mut IoBinding, name: &str) -> ort::Result<()> {
        binding.bind_input(name, self.device.as_ref().unwrap_or(&self.host))
    }
}

impl Feed {
    /// `fixed`: whether the program must find it at the same address in every step.
    pub(super) fn new(
        device: &Device,
        elements: Elements,
        shape: &[usize],
        fixed: bool,
    ) -> ort::Result<Feed> {
        let buffers = match elements {
            Elements::Real => Buffers::Real(Staged::new(device, shape, fixed)?),
            Elements::Whole => Buffers::Whole(Staged::new(device, shape, fixed)?),
            Elements::Byte => Buffers::Byte(Staged::new(device, shape, fixed)?),
        };
        Ok(Feed { shape: shape.to_vec(), buffers })
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Writes the values of an array of the same shape. They reach the device now or when the feed is bound.
    pub(super) fn write(&mut self, device: &mut Device, array: &Array) -> ort::Result<()> {
        let size = match &mut self.buffers {
            Buffers::Real(staged) => staged.write(array, |x| x).map(|()| size_of::<f32>()),
            Buffers::Whole(staged) => staged.write(array, |x| x as i64).map(|()| size_of::<i64>()),
            Buffers::Byte(staged) => staged.write(array, |x| x as u8).map(|()| size_of::<u8>()),
        }?;
        device.count_upload(array.len() * size);
        Ok(())
    }

    pub(super) fn bind(&self, binding: &mut IoBinding, name: &str) -> ort::Result<()> {
        match &self.buffers {
            Buffers::Real(staged) => staged.bind(binding, name),
            Buffers::Whole(staged) => staged.bind(binding, name),
            Buffers::Byte(staged) => staged.bind(binding, name),
        }
    }
}
