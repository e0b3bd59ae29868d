//! MPI, through the crate `mpi`: the only file that knows it.
//!
//! MPI's own handler of errors stays: a failed transfer ends the job. If a rank is killed, the launcher ends the others.

use std::mem::ManuallyDrop;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use mpi::Threading;
use mpi::collective::CommunicatorCollectives;
use mpi::datatype::PartitionMut;
use mpi::environment::Universe;
use mpi::point_to_point::{Destination, Source};
use mpi::topology::{Communicator, SimpleCommunicator};
use mpi::traits::Root;
use pixelrnn::runtime::world::{World, WorldError};

/// What launchers set: those of Open MPI, of MPICH and its relatives, and Slurm. Without one of them MPI is not started,
/// since a single process needs none.
const LAUNCHED: [&str; 4] = ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE"];

/// How long a rank that failed waits for others that may have failed, too.
const PATIENCE: Duration = Duration::from_secs(3);

/// The most numbers or bytes in one call; MPI counts with 32 bits.
const MOST: usize = 1 << 28;

/// A running MPI job.
pub struct Job {
    /// Dropped by [`Job::end`] alone: a panic must not wait for the other ranks, as the end of MPI does.
    universe: ManuallyDrop<Universe>,
    /// Used by ranks that failed, and by nothing else.
    failures: ManuallyDrop<SimpleCommunicator>,
}

impl Job {
    /// Starts MPI, if this process was started by a launcher.
    pub fn start() -> Option<(Job, Ranks)> {
        LAUNCHED.iter().find(|name| std::env::var_os(name).is_some())?;
        let (universe, _) = mpi::initialize_with_threading(Threading::Serialized)?;
        let world = universe.world();
        let count = |n: i32| usize::try_from(n).unwrap_or(0);
        let ranks =
            Ranks { rank: count(world.rank()), size: count(world.size()), one: Mutex::new(()) };
        let failures = ManuallyDrop::new(world.duplicate());
        Some((Job { universe: ManuallyDrop::new(universe), failures }, ranks))
    }

    /// Waits until all ranks have called this, but not for long. Returns whether they have.
    pub fn all_failed(&self) -> bool {
        let begun = Instant::now();
        let mut here = self.failures.immediate_barrier();
        while begun.elapsed() < PATIENCE {
            here = match here.test() {
                Ok(_) => return true,
                Err(request) => request,
            };
            thread::sleep(Duration::from_millis(5));
        }
        // The job is about to end; a request that is dropped would complain.
        std::mem::forget(here);
        false
    }

    /// The rank and its machine, for messages.
    pub fn name(&self) -> String {
        let (rank, size) = (self.failures.rank(), self.failures.size());
        format!("rank {rank} of {size} on {}", host())
    }

    /// Ends all ranks.
    pub fn abort(&self, code: i32) -> ! {
        self.failures.abort(code)
    }

    /// Leaves MPI; waits for all ranks to do so.
    pub fn end(mut self) {
        // SAFETY: neither is used afterwards.
        unsafe {
            ManuallyDrop::drop(&mut self.failures);
            ManuallyDrop::drop(&mut self.universe);
        }
    }
}

fn host() -> String {
    mpi::environment::processor_name().unwrap_or_default()
}

/// The ranks of the job.
pub struct Ranks {
    rank: usize,
    size: usize,
    /// One thread at a time calls MPI.
    one: Mutex<()>,
}

impl Ranks {
    /// Calls MPI.
    fn call<T>(&self, work: impl FnOnce(SimpleCommunicator) -> T) -> T {
        let _one = self.one.lock();
        work(SimpleCommunicator::world())
    }
}

fn as_rank(rank: usize) -> Result<i32, WorldError> {
    i32::try_from(rank).map_err(|_| WorldError::Failed(format!("there is no rank {rank}")))
}

impl World for Ranks {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn send(&self, to: usize, values: &[f32]) -> Result<(), WorldError> {
        let to = as_rank(to)?;
        self.call(|world| {
            values.chunks(MOST).for_each(|part| world.process_at_rank(to).send(part))
        });
        Ok(())
    }

    fn receive(&self, from: usize, values: &mut [f32]) -> Result<(), WorldError> {
        let from = as_rank(from)?;
        self.call(|world| {
            for part in values.chunks_mut(MOST) {
                world.process_at_rank(from).receive_into(part);
            }
        });
        Ok(())
    }

    fn broadcast(&self, values: &mut [f32]) -> Result<(), WorldError> {
        self.call(|world| {
            for part in values.chunks_mut(MOST) {
                world.process_at_rank(0).broadcast_into(part);
            }
        });
        Ok(())
    }

    fn all_gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>, WorldError> {
        let mut lengths = vec![0u64; self.size];
        self.call(|world| world.all_gather_into(&(own.len() as u64), &mut lengths[..]));
        let lengths = lengths.into_iter().map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let mut all: Vec<Vec<u8>> = lengths.map(|n| vec![0; n]).collect();
        let longest = all.iter().map(Vec::len).max().unwrap_or(0);
        // In rounds of as many bytes of all ranks together as MPI can count.
        let most = MOST / self.size;
        for start in (0..longest).step_by(most) {
            let of = |length: usize| start.min(length)..(start + most).min(length);
            let counts: Vec<i32> = all.iter().map(|own| of(own.len()).len() as i32).collect();
            let starts: Vec<i32> = counts
                .iter()
                .scan(0, |at, count| Some(std::mem::replace(at, *at + count)))
                .collect();
            let mut round = vec![0u8; counts.iter().sum::<i32>() as usize];
            let mut parts = PartitionMut::new(&mut round[..], &counts[..], &starts[..]);
            self.call(|world| world.all_gather_varcount_into(&own[of(own.len())], &mut parts));
            let mut rest = &round[..];
            for own in &mut all {
                let range = of(own.len());
                let (part, others) = rest.split_at(range.len());
                own[range].copy_from_slice(part);
                rest = others;
            }
        }
        Ok(all)
    }
}

/// The threads of each rank, the same for all: the cores that a rank may use, shared with those ranks that may use the
/// same ones.
pub fn threads(world: &Ranks) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let allowed = status.lines().find(|line| line.starts_with("Cpus_allowed_list"));
    let own = format!("{} {}", host(), allowed.unwrap_or_default()).into_bytes();
    let gather = |own: &[u8]| world.all_gather(own).unwrap_or_default();
    let sharing = gather(&own).iter().filter(|other| **other == own).count();
    let threads = (cores / sharing.max(1)).max(1) as u64;
    let read = |bytes: Vec<u8>| Some(u64::from_le_bytes(bytes.try_into().ok()?));
    let fewest = gather(&threads.to_le_bytes()).into_iter().filter_map(read).min();
    usize::try_from(fewest.unwrap_or(threads)).unwrap_or(1)
}
