//! A program that ONNX Runtime has loaded.

use std::borrow::Cow;

use ndarray::IxDyn;
use ort::session::Session as OrtSession;
use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};

use crate::signature::bind;
use crate::{Array, EngineError, Extent, Session, Tensor};

pub(super) struct Loaded {
    engine: &'static str,
    program: String,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    session: OrtSession,
}

impl Loaded {
    pub(super) fn new(
        engine: &'static str,
        program: &str,
        session: OrtSession,
    ) -> Result<Loaded, EngineError> {
        let signature = |outlets: &[Outlet]| -> Result<Vec<Tensor>, EngineError> {
            outlets
                .iter()
                .map(|outlet| {
                    describe(outlet).map_err(|found| EngineError::Elements {
                        engine,
                        program: program.to_owned(),
                        value: outlet.name().to_owned(),
                        found,
                    })
                })
                .collect()
        };
        let (inputs, outputs) = (signature(session.inputs())?, signature(session.outputs())?);
        Ok(Loaded { engine, program: program.to_owned(), inputs, outputs, session })
    }

    pub(super) fn into_session(self) -> OrtSession {
        self.session
    }
}

impl Session for Loaded {
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

        // Borrowed where it can be; an array that was sliced or transposed is copied.
        let data: Vec<Cow<'_, [f32]>> = bound
            .arrays
            .iter()
            .map(|array| match array.as_slice() {
                Some(slice) => Cow::Borrowed(slice),
                None => Cow::Owned(array.iter().copied().collect()),
            })
            .collect();
        let mut values = Vec::with_capacity(data.len());
        for ((tensor, array), data) in self.inputs.iter().zip(&bound.arrays).zip(&data) {
            let value = TensorRef::from_array_view((array.shape().to_vec(), &**data))
                .map_err(|e| fail(format!("input `{}`: {e}", tensor.name)))?;
            values.push((tensor.name.as_str(), value));
        }
        let results = self.session.run(values).map_err(|e| fail(e.to_string()))?;
        results
            .iter()
            .map(|(name, value)| {
                let bad = |reason: String| fail(format!("output `{name}`: {reason}"));
                let (shape, data) =
                    value.try_extract_tensor::<f32>().map_err(|e| bad(e.to_string()))?;
                let array = Array::from_shape_vec(dimensions(shape), data.to_vec())
                    .map_err(|e| bad(e.to_string()))?;
                Ok((name.to_owned(), array))
            })
            .collect()
    }
}

fn dimensions(shape: &[i64]) -> IxDyn {
    // ONNX Runtime gives no negative extent for a value; were it to, the length would not match.
    let extents: Vec<usize> = shape.iter().map(|&n| usize::try_from(n).unwrap_or(0)).collect();
    IxDyn(&extents)
}

/// An input or output as declared, or what it is instead of an f32 tensor.
fn describe(outlet: &Outlet) -> Result<Tensor, String> {
    let ValueType::Tensor { ty, shape, dimension_symbols } = outlet.dtype() else {
        return Err(format!("{:?}", outlet.dtype()));
    };
    if *ty != TensorElementType::Float32 {
        return Err(format!("a tensor of {ty}"));
    }
    let extents = shape.iter().enumerate().map(|(axis, &n)| match usize::try_from(n) {
        Ok(n) => Extent::Fixed(n),
        Err(_) => match dimension_symbols.get(axis).filter(|name| !name.is_empty()) {
            Some(name) => Extent::Symbol(name.clone()),
            None => Extent::Unknown,
        },
    });
    Ok(Tensor { name: outlet.name().to_owned(), shape: Some(extents.collect()) })
}
