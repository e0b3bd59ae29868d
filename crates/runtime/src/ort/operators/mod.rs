//! The operators that this process adds to ONNX Runtime. They connect its inputs and outputs with the kernels
//! of [`pixelrnn_kernels`].
//!
//! Only graphs that are compiled for this engine contain them; see `passes/src/native.rs`.

use std::sync::{Mutex, PoisonError};

use ort::operator::{
    ComputeContext, Kernel, KernelContext, Operator, OperatorDomain, OperatorInput, OperatorOutput,
};
use ort::value::{DynValueTypeMarker, TensorElementType, ValueRef, ValueRefMut};

mod barrier;
mod categorical;
mod conv;
mod sweep;

/// The operator domain with all operators.
pub(super) fn domain() -> ort::Result<OperatorDomain> {
    let domain = OperatorDomain::new("pixelrnn")?;
    domain
        .add(Native::<barrier::Barrier>::default())?
        .add(Native::<sweep::LstmSweep>::default())?
        .add(Native::<sweep::LstmSweepGradient>::default())?
        .add(Native::<conv::MaskedConv>::default())?
        .add(Native::<conv::InputGradient>::default())?
        .add(Native::<conv::WeightGradient>::default())?
        .add(Native::<categorical::Nll>::default())?
        .add(Native::<categorical::NllSlope>::default())
}

/// An operator whose inputs and results are f32 tensors.
trait Compute: Send + Sync + Sized + 'static {
    const NAME: &'static str;
    /// Inputs that are returned as they are, each with the index of the result.
    const SAME: &'static [(u32, u32)] = &[];
    /// Inputs that a result of the same shape may replace, each with the index of the result: see
    /// [`replaced`].
    const REPLACED: &'static [(u32, u32)] = &[];

    fn new(attributes: &KernelContext) -> ort::Result<Self>;

    fn compute(&mut self, cx: &ComputeContext) -> ort::Result<()>;
}

struct Native<C>(std::marker::PhantomData<C>);

impl<C> Default for Native<C> {
    fn default() -> Self {
        Native(std::marker::PhantomData)
    }
}

struct Running<C>(C);

impl<C: Compute> Kernel for Running<C> {
    fn compute(&mut self, cx: &ComputeContext) -> ort::Result<()> {
        self.0.compute(cx)
    }
}

impl<C: Compute> Operator for Native<C> {
    type Kernel<'attr> = Running<C>;

    const ALIASES: &'static [(u32, u32)] = C::SAME;
    const INPLACES: &'static [(u32, u32)] = C::REPLACED;

    fn name(&self) -> &str {
        C::NAME
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [OperatorInput::variadic(1).homogenous(TensorElementType::Float32)]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::variadic(1).homogenous(TensorElementType::Float32)]
    }

    fn create_kernel<'attr>(&self, attributes: &KernelContext<'attr>) -> ort::Result<Running<C>> {
        C::new(attributes).map(Running)
    }
}

fn attribute(attributes: &KernelContext, name: &str) -> ort::Result<Vec<i64>> {
    let missing = || ort::Error::new(format!("attribute `{name}` is missing"));
    attributes.get::<Vec<i64>>(name).ok_or_else(missing)
}

/// The inputs of a node.
struct Inputs<'a>(Vec<ValueRef<'a, DynValueTypeMarker>>);

impl<'a> Inputs<'a> {
    fn of(cx: &'a ComputeContext) -> ort::Result<Inputs<'a>> {
        let input = |i| cx.input(i)?.ok_or_else(|| ort::Error::new("an input is missing"));
        Ok(Inputs((0..cx.num_inputs()?).map(input).collect::<ort::Result<_>>()?))
    }

    /// The shape and the elements of an input.
    fn get(&self, i: usize) -> ort::Result<(Vec<usize>, &[f32])> {
        let value = self.0.get(i).ok_or_else(|| ort::Error::new("too few inputs"))?;
        let (shape, data) = value.try_extract_tensor::<f32>()?;
        Ok((shape.iter().map(|&n| n as usize).collect(), data))
    }
}

/// Allocates a result of this shape.
fn output<'a>(
    cx: &'a ComputeContext,
    i: usize,
    shape: &[usize],
) -> ort::Result<ValueRefMut<'a, DynValueTypeMarker>> {
    let shape: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
    cx.output(i, shape)?.ok_or_else(|| ort::Error::new("a result is missing"))
}

/// Allocates a result that contains the values of an input of the same shape. If nobody else reads the input,
/// ONNX Runtime gives the result its memory: then nothing is copied, and the input must not be read again.
fn replaced<'a>(
    cx: &'a ComputeContext,
    inputs: &Inputs,
    input: usize,
    result: usize,
) -> ort::Result<ValueRefMut<'a, DynValueTypeMarker>> {
    let (shape, from) = inputs.get(input)?;
    let place = from.as_ptr();
    let mut value = output(cx, result, &shape)?;
    let to = value.try_extract_tensor_mut::<f32>()?.1;
    if to.as_ptr() != place {
        to.copy_from_slice(from);
    }
    Ok(value)
}

/// Runs every work item once, on the threads of the session.
fn each<W: Send>(
    cx: &ComputeContext,
    work: impl IntoIterator<Item = W>,
    run: impl Fn(usize, W) + Sync + Send,
) -> ort::Result<()> {
    let work: Vec<Mutex<Option<W>>> = work.into_iter().map(|w| Mutex::new(Some(w))).collect();
    cx.par_for(work.len(), 0, |i| {
        let piece = work[i].lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(piece) = piece {
            run(i, piece);
        }
    })
}

/// Splits a slice into the parts of the directions.
fn parts(all: &[f32], directions: usize) -> impl Iterator<Item = &[f32]> {
    let length = all.len() / directions;
    (0..directions).map(move |d| &all[d * length..(d + 1) * length])
}

fn parts_mut(mut all: &mut [f32], directions: usize) -> Vec<&mut [f32]> {
    let length = all.len() / directions;
    let mut parts = Vec::with_capacity(directions);
    for _ in 0..directions {
        let (part, rest) = std::mem::take(&mut all).split_at_mut(length);
        parts.push(part);
        all = rest;
    }
    parts
}
