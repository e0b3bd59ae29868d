//! A program that ONNX Runtime has loaded.

use ndarray::IxDyn;
use ort::session::{Session as OrtSession, SessionInputValue};
use ort::value::{Outlet, Tensor as OrtTensor, TensorElementType, TensorRef, ValueType};

use crate::signature::bind;
use crate::{Array, Elements, EngineError, Extent, Session, Tensor};

pub(super) struct LoadedProgram {
    engine: &'static str,
    program: String,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    session: OrtSession,
}

impl LoadedProgram {
    pub(super) fn new(
        engine: &'static str,
        program: &str,
        session: OrtSession,
    ) -> Result<LoadedProgram, EngineError> {
        let signature = |outlets: &[Outlet], whole: bool| -> Result<Vec<Tensor>, EngineError> {
            outlets
                .iter()
                .map(|outlet| {
                    describe(outlet, whole).map_err(|found| EngineError::Elements {
                        engine,
                        program: program.to_owned(),
                        value: outlet.name().to_owned(),
                        found,
                    })
                })
                .collect()
        };
        let (inputs, outputs) =
            (signature(session.inputs(), true)?, signature(session.outputs(), false)?);
        Ok(LoadedProgram { engine, program: program.to_owned(), inputs, outputs, session })
    }

    pub(super) fn into_session(self) -> OrtSession {
        self.session
    }
}

impl Session for LoadedProgram {
    fn inputs(&self) -> &[Tensor] {
        &self.inputs
    }

    fn outputs(&self) -> &[Tensor] {
        &self.outputs
    }

    fn run(&mut self, inputs: &[(&str, &Array)]) -> Result<Vec<(String, Array)>, EngineError> {
        let bound = bind(&self.inputs, inputs)
            .map_err(|error| EngineError::Input { program: self.program.clone(), error })?;
        let (engine, program) = (self.engine, self.program.as_str());
        let fail = |reason| EngineError::Run { engine, program: program.to_owned(), reason };

        let mut values: Vec<(&str, SessionInputValue)> = Vec::with_capacity(bound.arrays.len());
        for (tensor, array) in self.inputs.iter().zip(&bound.arrays) {
            let value = input(tensor, array);
            let value = value.map_err(|e| fail(format!("input `{}`: {e}", tensor.name)))?;
            values.push((tensor.name.as_str(), value));
        }
        let results = self.session.run(values).map_err(|e| fail(e.to_string()))?;
        results
            .iter()
            .map(|(name, value)| {
                let bad = |reason: String| fail(format!("output `{name}`: {reason}"));
                let bytes =
                    self.outputs.iter().any(|t| t.name == name && t.elements == Elements::Byte);
                let extracted = match bytes {
                    true => value
                        .try_extract_tensor::<u8>()
                        .map(|(shape, data)| (shape, data.iter().map(|&x| f32::from(x)).collect())),
                    false => value
                        .try_extract_tensor::<f32>()
                        .map(|(shape, data)| (shape, data.to_vec())),
                };
                let (shape, data): (_, Vec<f32>) = extracted.map_err(|e| bad(e.to_string()))?;
                let array = Array::from_shape_vec(dimensions(shape), data)
                    .map_err(|e| bad(e.to_string()))?;
                Ok((name.to_owned(), array))
            })
            .collect()
    }
}

/// An input for ONNX Runtime. It borrows the array if that is contiguous; a sliced or transposed array is
/// copied.
fn input<'a>(tensor: &Tensor, array: &'a Array) -> ort::Result<SessionInputValue<'a>> {
    let shape = array.shape().to_vec();
    Ok(match (tensor.elements, array.as_slice()) {
        (Elements::Whole, _) => whole(array)?.into(),
        (Elements::Byte, _) => bytes(array)?.into(),
        (Elements::Real, Some(slice)) => TensorRef::from_array_view((shape, slice))?.into(),
        (Elements::Real, None) => {
            let copy: Vec<f32> = array.iter().copied().collect();
            OrtTensor::from_array((shape, copy))?.into()
        }
    })
}

/// Converts whole numbers to i64.
pub(super) fn whole(array: &Array) -> ort::Result<OrtTensor<i64>> {
    let data: Vec<i64> = array.iter().map(|&x| x as i64).collect();
    OrtTensor::from_array((array.shape().to_vec(), data))
}

/// Converts whole numbers to u8.
pub(super) fn bytes(array: &Array) -> ort::Result<OrtTensor<u8>> {
    let data: Vec<u8> = array.iter().map(|&x| x as u8).collect();
    OrtTensor::from_array((array.shape().to_vec(), data))
}

fn dimensions(shape: &[i64]) -> IxDyn {
    // ONNX Runtime returns no negative extent for a value. If it did, the length would not match.
    let extents: Vec<usize> = shape.iter().map(|&n| usize::try_from(n).unwrap_or(0)).collect();
    IxDyn(&extents)
}

/// The type of an input or output. The error is its type if that is not a tensor of f32, u8 or, with `whole`,
/// i64.
fn describe(outlet: &Outlet, whole: bool) -> Result<Tensor, String> {
    let ValueType::Tensor { ty, shape, dimension_symbols } = outlet.dtype() else {
        return Err(format!("{:?}", outlet.dtype()));
    };
    let elements = match ty {
        TensorElementType::Float32 => Elements::Real,
        TensorElementType::Int64 if whole => Elements::Whole,
        TensorElementType::Uint8 => Elements::Byte,
        ty => return Err(format!("a tensor of {ty}")),
    };
    let extents = shape.iter().enumerate().map(|(axis, &n)| match usize::try_from(n) {
        Ok(n) => Extent::Fixed(n),
        Err(_) => match dimension_symbols.get(axis).filter(|name| !name.is_empty()) {
            Some(name) => Extent::Symbol(name.clone()),
            None => Extent::Unknown,
        },
    });
    Ok(Tensor { name: outlet.name().to_owned(), elements, shape: Some(extents.collect()) })
}
