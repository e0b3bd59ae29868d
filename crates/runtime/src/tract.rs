//! The engine `tract`: pure Rust, on the CPU, without installation.
//!
//! A model with symbolic extents is type-checked once and optimized for each set of sizes, since tract is
//! faster and more reliable with concrete shapes. The last few plans are kept.

use std::any::Any;
use std::collections::HashMap;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ndarray::IxDyn;
use tract_onnx::prelude as t;
use tract_onnx::prelude::{Datum, Framework, InferenceModelExt, IntoRunnable};
use tract_onnx::tract_hir::infer::{Factoid, GenericFactoid, InferenceFact};

use crate::signature::bind;
use crate::{Array, Elements, Engine, EngineError, Extent, Program, Session, Tensor};

const NAME: &str = "tract";

/// The number of plans kept per session. An epoch needs two, since its last batch is smaller.
const PLANS: usize = 8;

type Plan = Arc<t::TypedRunnableModel>;

/// The engine `tract`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TractEngine;

impl Engine for TractEngine {
    fn name(&self) -> &'static str {
        NAME
    }

    fn portable_only(&self) -> bool {
        true
    }

    fn load(&self, program: &Program) -> Result<Box<dyn Session>, EngineError> {
        let fail = |reason| load_error(program.name, reason);
        let model =
            quiet(|| t::onnx().model_for_read(&mut Cursor::new(program.onnx))).map_err(fail)?;
        let inputs = signature(program.name, &model, &model.inputs, true)?;
        let outputs = signature(program.name, &model, &model.outputs, false)?;
        let typed = quiet(|| model.into_typed()).map_err(fail)?;
        real_outputs(program.name, &typed, &outputs)?;
        let mut session = TractSession {
            program: program.name.to_owned(),
            inputs,
            outputs,
            typed,
            plans: vec![],
        };
        let symbolic =
            |t: &Tensor| t.shape.iter().flatten().any(|extent| !matches!(extent, Extent::Fixed(_)));
        if !session.inputs.iter().any(symbolic) {
            // All sizes are known, so planning now reports what tract does not support.
            session.plan(Vec::new()).map_err(fail)?;
        }
        Ok(Box::new(session))
    }
}

struct TractSession {
    program: String,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    typed: t::TypedModel,
    /// The plans by the values of the symbols, the latest last.
    plans: Vec<(Vec<(String, usize)>, Plan)>,
}

impl TractSession {
    fn plan(&mut self, sizes: Vec<(String, usize)>) -> Result<Plan, String> {
        if let Some(at) = self.plans.iter().position(|(s, _)| *s == sizes) {
            let hit = self.plans.remove(at);
            let plan = hit.1.clone();
            self.plans.push(hit);
            return Ok(plan);
        }
        let typed = &self.typed;
        let plan = quiet(|| {
            let mut substitutions = HashMap::new();
            for (name, size) in &sizes {
                let symbol = typed.symbols.sym(name);
                substitutions.insert(symbol, t::TDim::Val(i64::try_from(*size)?));
            }
            let concrete = if substitutions.is_empty() {
                typed.clone()
            } else {
                typed.set_symbols(&substitutions)?
            };
            concrete.into_optimized()?.into_runnable()
        })?;
        if self.plans.len() == PLANS {
            self.plans.remove(0);
        }
        self.plans.push((sizes, plan.clone()));
        Ok(plan)
    }
}

impl Session for TractSession {
    fn inputs(&self) -> &[Tensor] {
        &self.inputs
    }

    fn outputs(&self) -> &[Tensor] {
        &self.outputs
    }

    fn run(&mut self, inputs: &[(&str, &Array)]) -> Result<Vec<(String, Array)>, EngineError> {
        let bound = bind(&self.inputs, inputs)
            .map_err(|error| EngineError::Input { program: self.program.clone(), error })?;
        let sizes = bound.symbols.iter().map(|(&name, &size)| (name.to_owned(), size)).collect();
        let pairs = self.inputs.iter().zip(&bound.arrays);
        let tensors = pairs.map(|(t, array)| to_tract(t, array)).collect::<Result<_, _>>();
        let program = self.program.clone();
        let fail =
            |reason: String| EngineError::Run { engine: NAME, program: program.clone(), reason };
        let tensors: t::TVec<t::TValue> = tensors.map_err(fail)?;
        let plan = self.plan(sizes).map_err(fail)?;
        let results = quiet(|| plan.run(tensors)).map_err(fail)?;
        self.outputs
            .iter()
            .zip(&results)
            .map(|(tensor, value)| {
                let array = from_tract(value)
                    .map_err(|reason| fail(format!("output `{}`: {reason}", tensor.name)))?;
                Ok((tensor.name.clone(), array))
            })
            .collect()
    }
}

fn to_tract(declared: &Tensor, array: &Array) -> Result<t::TValue, String> {
    if declared.elements == Elements::Whole {
        let data: Vec<i64> = array.iter().map(|&x| x as i64).collect();
        let tensor = t::Tensor::from_shape(array.shape(), &data);
        return tensor.map(Into::into).map_err(|e| format!("{e:#}"));
    }
    if declared.elements == Elements::Byte {
        let data: Vec<u8> = array.iter().map(|&x| x as u8).collect();
        let tensor = t::Tensor::from_shape(array.shape(), &data);
        return tensor.map(Into::into).map_err(|e| format!("{e:#}"));
    }
    let tensor = match array.as_slice() {
        Some(data) => t::Tensor::from_shape(array.shape(), data),
        None => {
            let data: Vec<f32> = array.iter().copied().collect();
            t::Tensor::from_shape(array.shape(), &data)
        }
    };
    tensor.map(Into::into).map_err(|e| format!("{e:#}"))
}

fn from_tract(value: &t::TValue) -> Result<Array, String> {
    let bytes = value.datum_type() == u8::datum_type();
    let data = value.try_as_plain_ram().and_then(|view| {
        Ok(match bytes {
            true => view.as_slice::<u8>()?.iter().map(|&x| f32::from(x)).collect(),
            false => view.as_slice::<f32>()?.to_vec(),
        })
    });
    let data = data.map_err(|e| format!("{e:#}"))?;
    Array::from_shape_vec(IxDyn(value.shape()), data).map_err(|e| e.to_string())
}

/// The declared signature of some values of a model that has been parsed but not analyzed.
fn signature(
    program: &str,
    model: &t::InferenceModel,
    outlets: &[t::OutletId],
    inputs: bool,
) -> Result<Vec<Tensor>, EngineError> {
    let describe = |&outlet| {
        let fact = model.outlet_fact(outlet).map_err(|e| load_error(program, format!("{e:#}")))?;
        let name = match model.outlet_label(outlet) {
            Some(label) => label.to_owned(),
            None => model.node(outlet.node).name.clone(),
        };
        let elements = match fact.datum_type.concretize() {
            None => Elements::Real,
            Some(kind) if kind == f32::datum_type() => Elements::Real,
            Some(kind) if kind == i64::datum_type() && inputs => Elements::Whole,
            Some(kind) if kind == u8::datum_type() => Elements::Byte,
            Some(kind) => {
                return Err(EngineError::Elements {
                    engine: NAME,
                    program: program.to_owned(),
                    value: name,
                    found: format!("a tensor of {kind:?}"),
                });
            }
        };
        Ok(Tensor { name, elements, shape: shape(fact) })
    };
    outlets.iter().map(describe).collect()
}

/// Checks the inferred element types of outputs. Files often do not declare them.
fn real_outputs(
    program: &str,
    model: &t::TypedModel,
    outputs: &[Tensor],
) -> Result<(), EngineError> {
    for (&outlet, tensor) in model.outputs.iter().zip(outputs) {
        let fact = model.outlet_fact(outlet).map_err(|e| load_error(program, format!("{e:#}")))?;
        if ![f32::datum_type(), u8::datum_type()].contains(&fact.datum_type) {
            return Err(EngineError::Elements {
                engine: NAME,
                program: program.to_owned(),
                value: tensor.name.clone(),
                found: format!("a tensor of {:?}", fact.datum_type),
            });
        }
    }
    Ok(())
}

fn shape(fact: &InferenceFact) -> Option<Vec<Extent>> {
    let extent = |dim: &GenericFactoid<t::TDim>| match dim {
        GenericFactoid::Any => Extent::Unknown,
        GenericFactoid::Only(t::TDim::Val(n)) => {
            usize::try_from(*n).map_or(Extent::Unknown, Extent::Fixed)
        }
        GenericFactoid::Only(t::TDim::Sym(symbol)) => Extent::Symbol(symbol.to_string()),
        // A formula: tract itself checks it.
        GenericFactoid::Only(_) => Extent::Unknown,
    };
    (!fact.shape.is_open()).then(|| fact.shape.dims().map(extent).collect())
}

/// Runs a function of tract, and converts its error to text. Panics are converted, too, since a model that
/// causes one must not end a comparison of engines.
fn quiet<T>(piece: impl FnOnce() -> t::TractResult<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(piece)) {
        Ok(result) => result.map_err(|e| format!("{e:#}")),
        Err(payload) => Err(format!("it panicked: {}", panic_text(&*payload))),
    }
}

fn panic_text(payload: &(dyn Any + Send)) -> &str {
    match (payload.downcast_ref::<String>(), payload.downcast_ref::<&str>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "without a message",
    }
}

fn load_error(program: &str, reason: String) -> EngineError {
    EngineError::Load { engine: NAME, program: program.to_owned(), reason }
}
