//! Runs a program with its batch divided among the cores of the CPU.
//!
//! As in [`DataParallel`](crate::DataParallel), every core has its own session and works on a shard of the
//! batch. The results of the shards are concatenated.

use ndarray::{Axis, concatenate};

use crate::data_parallel::run_parts;
use crate::signature::bind;
use crate::{Array, Engine, EngineError, Program, Session, Tensor};

/// Loads a program such that `parts` shards of each batch run at the same time.
///
/// A program that cannot be divided is loaded without shards: one whose batch size is fixed, or with an
/// output that does not have one value per image.
///
/// # Errors
/// As [`Engine::load`].
pub fn load_parallel(
    engine: &dyn Engine,
    program: &Program,
    parts: usize,
) -> Result<Box<dyn Session>, EngineError> {
    if parts <= 1 {
        return engine.load(program);
    }
    let threads = (engine.threads() / parts).max(1);
    let first = engine.load_on(program, threads)?;
    let divides =
        first.inputs().iter().any(Tensor::is_batch) && first.outputs().iter().all(Tensor::is_batch);
    if !divides {
        return engine.load(program);
    }
    let mut sessions = vec![first];
    for _ in 1..parts {
        sessions.push(engine.load_on(program, threads)?);
    }
    Ok(Box::new(Parallel { program: program.name.to_owned(), sessions }))
}

struct Parallel {
    program: String,
    /// At least two.
    sessions: Vec<Box<dyn Session>>,
}

impl Session for Parallel {
    fn inputs(&self) -> &[Tensor] {
        self.sessions[0].inputs()
    }

    fn outputs(&self) -> &[Tensor] {
        self.sessions[0].outputs()
    }

    fn run(&mut self, inputs: &[(&str, &Array)]) -> Result<Vec<(String, Array)>, EngineError> {
        let signature = self.sessions[0].inputs().to_vec();
        let bound = bind(&signature, inputs)
            .map_err(|error| EngineError::Input { program: self.program.clone(), error })?;
        let names = signature.iter().map(|t| t.name.as_str());
        let given: Vec<(&str, &Array)> = names.zip(bound.arrays).collect();
        let found = run_parts(&mut self.sessions, &given).into_iter().map(|(_, results)| results);
        let mut found: Vec<_> = found.collect::<Result<_, _>>()?;
        if found.len() == 1 {
            return Ok(found.remove(0));
        }
        let whole = |i: usize| {
            let parts: Vec<_> = found.iter().map(|results| results[i].1.view()).collect();
            let name = found[0][i].0.clone();
            let wrong = |e: ndarray::ShapeError| EngineError::Run {
                engine: "a divided batch",
                program: self.program.clone(),
                reason: e.to_string(),
            };
            Ok((name, concatenate(Axis(0), &parts).map_err(wrong)?))
        };
        (0..found[0].len()).map(whole).collect()
    }
}
