//! The processes of this job: this one alone, or the ranks of an MPI job.
//!
//! All ranks run the same command. Those of [`divides`] share its work; every other command runs on rank 0 alone. Rank
//! 0 prints and writes. An error ends all ranks: if all of them have one, as for wrong arguments, rank 0 prints its own;
//! otherwise the rank that failed prints its error and ends the job.

use std::sync::{Arc, OnceLock};

use pixelrnn::runtime::world::{Alone, World};
use pixelrnn::runtime::{DistributedEngine, Engine};

use crate::commands::Command;
use crate::exit::{ExitCode, Failure};
use crate::out::Out;

/// What is the same for the whole process.
struct Ranks {
    world: Arc<dyn World>,
    /// The threads of each rank; `None` leaves all cores to this process.
    threads: Option<usize>,
}

static RANKS: OnceLock<Ranks> = OnceLock::new();

/// The MPI job, from the start of the process to its end.
pub struct Job {
    #[cfg(feature = "mpi")]
    mpi: Option<crate::mpi::Job>,
}

impl Job {
    /// Joins the job, if a launcher of MPI programs started this process. To be called before anything else.
    #[cfg(feature = "mpi")]
    pub fn start() -> Job {
        let Some((job, world)) = crate::mpi::Job::start() else { return Job { mpi: None } };
        let threads = Some(crate::mpi::threads(&world));
        // Nobody has asked for the world before.
        let _ = RANKS.set(Ranks { world: Arc::new(world), threads });
        Job { mpi: Some(job) }
    }

    /// Without MPI, every process is alone.
    #[cfg(not(feature = "mpi"))]
    pub fn start() -> Job {
        Job {}
    }

    /// Prints the error of a failed command, and returns the exit code. Does not return if other ranks have no error:
    /// then the whole job ends.
    pub fn fail(&self, out: &Out, failure: &Failure) -> ExitCode {
        let code = failure.code();
        #[cfg(feature = "mpi")]
        if let Some(job) = &self.mpi
            && !job.all_failed()
        {
            out.rank(&job.name());
            out.failure(failure);
            job.abort(code as i32);
        }
        if leads() {
            out.failure(failure);
        }
        code
    }

    /// Leaves the job when all ranks do.
    pub fn end(self) {
        #[cfg(feature = "mpi")]
        if let Some(job) = self.mpi {
            job.end();
        }
    }
}

fn ranks() -> &'static Ranks {
    RANKS.get_or_init(|| Ranks { world: Arc::new(Alone), threads: None })
}

/// The ranks.
pub fn world() -> Arc<dyn World> {
    Arc::clone(&ranks().world)
}

/// Whether this process prints and writes.
pub fn leads() -> bool {
    ranks().world.leads()
}

/// The threads that this process may use, if others of the job use the same cores.
pub fn threads() -> Option<usize> {
    ranks().threads
}

/// Divides the work of an engine among the ranks.
pub fn divided(engine: &dyn Engine) -> DistributedEngine<'_> {
    DistributedEngine::new(engine, world())
}

/// Whether the ranks share the work of a command.
pub fn divides(command: &Command) -> bool {
    matches!(command, Command::Train(_) | Command::Eval(_) | Command::Sample(_))
}

/// Warns if MPI started several processes that know nothing of each other.
pub fn warn_of_strangers(out: &Out) {
    let size = |name| std::env::var(name).ok()?.parse::<usize>().ok();
    let started = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"].into_iter().find_map(size);
    if !cfg!(feature = "mpi") && started.is_some_and(|size| size > 1) {
        out.warn(
            "this program was built without MPI, so each of the processes works alone: build it with \
             `--features mpi`",
        );
    }
}
