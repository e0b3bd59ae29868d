//! What the ranks of a training run agree on.
//!
//! All ranks run the same loop over the same batches. What could differ between them comes from rank 0: the state that a
//! run starts from, the clock, and the request to stop.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};

use pixelrnn_files as files;
use pixelrnn_passes::{Weights, complete_state, fresh_state};
use pixelrnn_runtime::world::{World, WorldError, lead, share, share_arrays};
use serde_json::Value;

use crate::checkpoint::{self, Progress};
use crate::log::Log;
use crate::train::Task;
use crate::{Run, TrainError};

/// What a training session starts from.
pub(crate) struct Start {
    /// Held as long as the session lasts, on rank 0.
    pub lock: Option<File>,
    /// The whole training state.
    pub state: Weights,
    pub progress: Progress,
    /// Whether the weights of the best validation are missing.
    pub lost_best: bool,
    /// Whether there is no checkpoint yet.
    pub fresh: bool,
}

impl Start {
    /// Reads the run folder on rank 0, and gives all ranks what it says.
    pub(crate) fn of(task: &Task, run: &Run, world: &dyn World) -> Result<Start, TrainError> {
        let own = lead(world, || Start::read(task, run))?;
        if world.size() == 1 {
            return own.ok_or(WorldError::Leader.into());
        }
        let (lock, state, rest) = match own {
            Some(Start { lock, state, progress, lost_best, fresh }) => {
                let flags = [u8::from(lost_best), u8::from(fresh)];
                (lock, state, [&flags, progress.json().to_string().as_bytes()].concat())
            }
            None => (None, Weights::new(), Vec::new()),
        };
        let rest = share(world, &rest)?;
        let state = share_arrays(world, state.into_iter().collect())?.into_iter().collect();
        let progress = rest.get(2..).and_then(|text| serde_json::from_slice(text).ok());
        let progress = progress.as_ref().and_then(Progress::from_json);
        let garbled = || WorldError::Failed("the progress of rank 0 cannot be read".to_string());
        let progress = progress.ok_or_else(garbled)?;
        Ok(Start { lock, state, progress, lost_best: rest[0] == 1, fresh: rest[1] == 1 })
    }

    /// Locks the folder and reads its checkpoint. Writes the settings.
    fn read(task: &Task, run: &Run) -> Result<Start, TrainError> {
        let lock = run.lock()?;
        files::sweep(run.folder()).map_err(TrainError::io(run.folder(), "read"))?;
        let fresh = !run.last_path().exists();
        let (mut state, mut progress) = match fresh {
            false => checkpoint::load(&run.last_path())?,
            // A resumed run must never silently start from step 0.
            true if run.best_path().exists() || Log::tells_of_steps(run) => {
                let reason = "the checkpoint is missing, although the log has steps".to_string();
                return Err(TrainError::Damaged { path: run.last_path(), reason });
            }
            true => (fresh_state(task.weights, &task.recipe.optimizer), Progress::default()),
        };
        let lost_best = progress.best.is_some() && !run.best_path().is_file();
        if lost_best {
            (progress.best, progress.since_best) = (None, 0);
        }
        complete_state(&mut state, &task.recipe.optimizer, progress.step);
        run.write_settings(task.settings)?;
        Ok(Start { lock, state, progress, lost_best, fresh })
    }
}

/// The number of rank 0.
pub(crate) fn agreed(world: &dyn World, own: f64) -> Result<f64, WorldError> {
    if world.size() == 1 {
        return Ok(own);
    }
    let bytes = share(world, &own.to_le_bytes())?;
    let bytes = bytes.try_into().map_err(|_| WorldError::Failed("expected a number".into()))?;
    Ok(f64::from_le_bytes(bytes))
}

/// Whether the flag of rank 0 is set.
pub(crate) fn agreed_flag(world: &dyn World, own: &AtomicBool) -> Result<bool, WorldError> {
    let own = own.load(Ordering::Relaxed);
    match world.size() {
        1 => Ok(own),
        _ => Ok(share(world, &[u8::from(own)])? == [1]),
    }
}

/// Checks that all ranks have the same settings, as for run.json.
///
/// # Errors
/// [`TrainError::Differs`], on all ranks, with the first rank that has other settings than rank 0.
pub fn same_settings(world: &dyn World, settings: &Value) -> Result<(), TrainError> {
    if world.size() == 1 {
        return Ok(());
    }
    let all = world.all_gather(settings.to_string().as_bytes())?;
    let Some(rank) = all.iter().position(|other| *other != all[0]) else { return Ok(()) };
    let read = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap_or_default();
    let (leader, other) = (read(&all[0]), read(&all[rank]));
    let entries = leader.as_object().into_iter().flatten();
    let differing = entries.filter(|(name, value)| other[name.as_str()] != **value).map(|(n, _)| n);
    let what = differing.map(String::as_str).next().unwrap_or("recipe").to_string();
    Err(TrainError::Differs { rank, what })
}
