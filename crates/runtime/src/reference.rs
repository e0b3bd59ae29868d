//! The reference interpreter as an engine: simple, not fast, in f32 or f64. It runs the graph of the pixel IR
//! that a model was compiled from, not the model itself. So comparing results with it also tests the
//! compiler.

use std::collections::BTreeMap;

use pixelrnn_graph::{Dim, Elem};
use pixelrnn_ops::{Env, PixelGraph, Real, evaluate};

use crate::signature::bind;
use crate::{Array, Elements, Engine, EngineError, Extent, Program, Session, Tensor};

/// The precision of the interpreter. Inputs and outputs are always f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precision {
    /// f32, like the other engines.
    Single,
    /// f64, as a reference for the other engines.
    #[default]
    Double,
}

/// The reference interpreter.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReferenceEngine {
    /// The precision of the computation.
    pub precision: Precision,
}

impl Engine for ReferenceEngine {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn load(&self, program: &Program) -> Result<Box<dyn Session>, EngineError> {
        let Some(graph) = program.graph else {
            return Err(EngineError::Load {
                engine: "reference",
                program: program.name.to_owned(),
                reason: "it interprets a declaration's graph, and there is only a model".into(),
            });
        };
        let extent = |d: &Dim| match d {
            Dim::Fixed(n) => Extent::Fixed(*n),
            Dim::Batch(1) => Extent::Symbol("batch".into()),
            Dim::Batch(_) => Extent::Unknown,
        };
        let tensor = |name: &str, value| Tensor {
            name: name.to_owned(),
            elements: match graph.ty(value).elem {
                Elem::Int => Elements::Whole,
                _ => Elements::Real,
            },
            shape: Some(graph.ty(value).shape.iter().map(extent).collect()),
        };
        Ok(Box::new(Interpreter {
            graph: graph.clone(),
            precision: self.precision,
            inputs: graph.inputs().iter().map(|i| tensor(&i.name, i.value)).collect(),
            outputs: graph.outputs().iter().map(|o| tensor(&o.name, o.value)).collect(),
        }))
    }
}

struct Interpreter {
    graph: PixelGraph,
    precision: Precision,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
}

impl Session for Interpreter {
    fn inputs(&self) -> &[Tensor] {
        &self.inputs
    }

    fn outputs(&self) -> &[Tensor] {
        &self.outputs
    }

    fn run(&mut self, inputs: &[(&str, &Array)]) -> Result<Vec<(String, Array)>, EngineError> {
        let bound = bind(&self.inputs, inputs)
            .map_err(|error| EngineError::Input { program: self.graph.name.clone(), error })?;
        let batch = bound.symbols.get("batch").copied().unwrap_or(1);
        let arrays: Vec<(&str, &Array)> =
            self.inputs.iter().map(|t| t.name.as_str()).zip(bound.arrays.iter().copied()).collect();
        let results = match self.precision {
            Precision::Single => self.evaluate::<f32>(batch, &arrays),
            Precision::Double => self.evaluate::<f64>(batch, &arrays),
        };
        let results = results.map_err(|error| EngineError::Run {
            engine: "reference",
            program: self.graph.name.clone(),
            reason: error.to_string(),
        })?;
        Ok(self.outputs.iter().map(|t| t.name.clone()).zip(results).collect())
    }
}

impl Interpreter {
    fn evaluate<R: Real>(
        &self,
        batch: usize,
        inputs: &[(&str, &Array)],
    ) -> Result<Vec<Array>, pixelrnn_ops::EvalError> {
        let convert = |a: &Array| a.mapv(|x| R::of(f64::from(x)));
        let given: BTreeMap<String, Array<R>> =
            inputs.iter().map(|(name, a)| ((*name).to_owned(), convert(a))).collect();
        let results = evaluate(&self.graph, &Env { batch }, &given)?;
        Ok(results.into_iter().map(|a| a.mapv(|x| x.to_f64() as f32)).collect())
    }
}
