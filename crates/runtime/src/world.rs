//! Processes that share the work of one task, such as the ranks of an MPI job.
//!
//! A batch has a number of shards, and each rank computes a block of them that lie next to each other. Sums over
//! shards go from rank to rank: each adds its own in their order and passes the sum on. So a sum has the same bits on
//! any number of ranks. The order of the blocks is the reverse of that of the ranks, so that the sum arrives at rank 0.

use std::ops::Range;

use ndarray::IxDyn;

use crate::Array;

/// The processes of one job, numbered from 0. All of them run the same program with the same arguments and call the same
/// methods of this trait in the same order. Rank 0 leads: it decides, writes files, and speaks.
///
/// Numbers arrive with the same bits. A method returns when the process can go on, and may wait for other ranks.
pub trait World: Send + Sync {
    /// The number of this process, below [`World::size`].
    fn rank(&self) -> usize;

    /// The number of processes, at least 1.
    fn size(&self) -> usize;

    /// Sends numbers to another rank, which calls [`World::receive`].
    ///
    /// # Errors
    /// [`WorldError::Failed`]: the other process is gone.
    fn send(&self, to: usize, values: &[f32]) -> Result<(), WorldError>;

    /// Receives as many numbers as `values` has from another rank, which calls [`World::send`].
    ///
    /// # Errors
    /// [`WorldError::Failed`]: the other process is gone, or sent another count.
    fn receive(&self, from: usize, values: &mut [f32]) -> Result<(), WorldError>;

    /// Copies the numbers of rank 0 to all ranks, which give equally many.
    ///
    /// # Errors
    /// [`WorldError::Failed`]: another process is gone, or gave another count.
    fn broadcast(&self, values: &mut [f32]) -> Result<(), WorldError>;

    /// Returns the bytes of all ranks, by rank, on all ranks.
    ///
    /// # Errors
    /// [`WorldError::Failed`]: another process is gone.
    fn all_gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>, WorldError>;

    /// Whether this is rank 0.
    fn leads(&self) -> bool {
        self.rank() == 0
    }
}

/// Why ranks could not go on together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// Another process is gone, or the ranks do not do the same.
    #[error("the ranks cannot go on together: {0}")]
    Failed(String),
    /// Rank 0 failed, and says why.
    #[error("rank 0 failed; its error says why")]
    Leader,
}

/// A world of one process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl World for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn send(&self, to: usize, _: &[f32]) -> Result<(), WorldError> {
        Err(WorldError::Failed(format!("there is no rank {to}")))
    }

    fn receive(&self, from: usize, _: &mut [f32]) -> Result<(), WorldError> {
        Err(WorldError::Failed(format!("there is no rank {from}")))
    }

    fn broadcast(&self, _: &mut [f32]) -> Result<(), WorldError> {
        Ok(())
    }

    fn all_gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>, WorldError> {
        Ok(vec![own.to_vec()])
    }
}

/// The shards of a batch that one process computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The number of shards of the batch.
    pub all: usize,
    /// Those of this process.
    pub own: Range<usize>,
}

impl Block {
    /// The block of a rank. The sizes of blocks differ by at most one; rank 0 has the last block.
    pub(crate) fn of(world: &dyn World, shards: usize) -> Block {
        let (all, ranks) = (shards.max(1), world.size());
        let place = ranks - 1 - world.rank();
        Block { all, own: place * all / ranks..(place + 1) * all / ranks }
    }
}

/// Returns what rank 0 gives.
///
/// # Errors
/// As [`World::all_gather`].
pub fn share(world: &dyn World, of_rank_0: &[u8]) -> Result<Vec<u8>, WorldError> {
    let own = if world.leads() { of_rank_0 } else { &[] };
    Ok(world.all_gather(own)?.swap_remove(0))
}

/// Waits until all ranks are here.
///
/// # Errors
/// As [`World::all_gather`].
pub fn meet(world: &dyn World) -> Result<(), WorldError> {
    world.all_gather(&[]).map(drop)
}

/// Does something on rank 0 alone, which all other ranks wait for. Returns its result there.
///
/// # Errors
/// On rank 0 that of `work`, on all others [`WorldError::Leader`].
pub fn lead<T, E: From<WorldError>>(
    world: &dyn World,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<Option<T>, E> {
    let done = world.leads().then(work);
    let failed = matches!(done, Some(Err(_)));
    let told = share(world, &[u8::from(failed)])?;
    match done {
        Some(done) => done.map(Some),
        None if told == [0] => Ok(None),
        None => Err(WorldError::Leader.into()),
    }
}

/// The most numbers in one message: a rank adds a piece while the next piece is under way.
const PIECE: usize = 1 << 15;

/// Adds up, in the order of the shards, the numbers of each times its share of the batch. `own` has the shards of this
/// rank, each with `length` numbers. The sum arrives at rank 0; what other ranks return is a part of it.
///
/// # Errors
/// As [`World::send`] and [`World::receive`].
pub(crate) fn weighted_sum(
    world: &dyn World,
    own: &[(f32, Vec<f32>)],
    length: usize,
) -> Result<Vec<f32>, WorldError> {
    let (rank, last) = (world.rank(), world.size() - 1);
    let mut sum = vec![0.0; length];
    for start in (0..length).step_by(PIECE) {
        let piece = start..(start + PIECE).min(length);
        let sum = &mut sum[piece.clone()];
        if rank < last {
            world.receive(rank + 1, sum)?;
        }
        for (i, (share, values)) in own.iter().enumerate() {
            let values = sum.iter_mut().zip(&values[piece.clone()]);
            match rank == last && i == 0 {
                true => values.for_each(|(sum, x)| *sum = x * share),
                false => values.for_each(|(sum, x)| *sum += share * x),
            }
        }
        if rank > 0 {
            world.send(rank - 1, sum)?;
        }
    }
    Ok(sum)
}

/// The names and shapes of the last rank, which has the first block: shards are never missing there.
///
/// # Errors
/// As [`World::all_gather`].
pub(crate) fn shapes_of_first_block(
    world: &dyn World,
    own: Vec<(String, Vec<usize>)>,
) -> Result<Vec<(String, Vec<usize>)>, WorldError> {
    if world.size() == 1 {
        return Ok(own);
    }
    let head = header(own.iter().map(|(name, shape)| (name.as_str(), &shape[..])));
    let last = world.all_gather(&head)?.pop().unwrap_or_default();
    read_header(&last).ok_or_else(|| garbled("a header"))
}

/// Copies the arrays of rank 0, with their names, to all ranks. The others may give nothing.
///
/// # Errors
/// As [`World::broadcast`].
pub fn share_arrays(
    world: &dyn World,
    of_rank_0: Vec<(String, Array)>,
) -> Result<Vec<(String, Array)>, WorldError> {
    if world.size() == 1 {
        return Ok(of_rank_0);
    }
    let head = share(world, &header(shapes(&of_rank_0)))?;
    let mut values = of_rank_0.iter().flat_map(|(_, array)| array).copied().collect::<Vec<f32>>();
    let shapes = read_header(&head).ok_or_else(|| garbled("a header"))?;
    let length = |shape: &[usize]| shape.iter().product::<usize>();
    values.resize(shapes.iter().map(|(_, shape)| length(shape)).sum(), 0.0);
    world.broadcast(&mut values)?;
    if world.leads() {
        return Ok(of_rank_0);
    }
    let mut rest = values.into_iter();
    let array = |(name, shape): (String, Vec<usize>)| {
        let own: Vec<f32> = rest.by_ref().take(length(&shape)).collect();
        let array = Array::from_shape_vec(IxDyn(&shape), own).map_err(|_| garbled("an array"))?;
        Ok((name, array))
    };
    shapes.into_iter().map(array).collect()
}

/// Returns the arrays of all ranks, by rank, on all ranks.
///
/// # Errors
/// As [`World::all_gather`].
pub fn gather_arrays(
    world: &dyn World,
    own: &[(String, Array)],
) -> Result<Vec<Vec<(String, Array)>>, WorldError> {
    let head = header(shapes(own));
    let mut bytes = (head.len() as u64).to_le_bytes().to_vec();
    bytes.extend(head);
    bytes.extend(own.iter().flat_map(|(_, array)| array).flat_map(|x| x.to_le_bytes()));
    let read = |bytes: Vec<u8>| read_arrays(&bytes).ok_or_else(|| garbled("an array"));
    world.all_gather(&bytes)?.into_iter().map(read).collect()
}

fn garbled(what: &str) -> WorldError {
    WorldError::Failed(format!("{what} arrived that no rank sends"))
}

fn shapes(arrays: &[(String, Array)]) -> impl Iterator<Item = (&str, &[usize])> {
    arrays.iter().map(|(name, array)| (name.as_str(), array.shape()))
}

fn header<'a>(shapes: impl Iterator<Item = (&'a str, &'a [usize])>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let number = |bytes: &mut Vec<u8>, n: usize| bytes.extend((n as u64).to_le_bytes());
    for (name, shape) in shapes {
        number(&mut bytes, name.len());
        bytes.extend(name.as_bytes());
        number(&mut bytes, shape.len());
        shape.iter().for_each(|&n| number(&mut bytes, n));
    }
    bytes
}

/// Takes a number from the front.
fn number(bytes: &mut &[u8]) -> Option<usize> {
    let (head, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    usize::try_from(u64::from_le_bytes(*head)).ok()
}

fn read_header(mut bytes: &[u8]) -> Option<Vec<(String, Vec<usize>)>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let length = number(&mut bytes)?;
        let (name, rest) = bytes.split_at_checked(length)?;
        bytes = rest;
        let axes = number(&mut bytes)?;
        let shape = (0..axes).map(|_| number(&mut bytes)).collect::<Option<_>>()?;
        all.push((String::from_utf8(name.to_vec()).ok()?, shape));
    }
    Some(all)
}

fn read_arrays(mut bytes: &[u8]) -> Option<Vec<(String, Array)>> {
    let length = number(&mut bytes)?;
    let (head, values) = bytes.split_at_checked(length)?;
    let mut values = values.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
    let array = |(name, shape): (String, Vec<usize>)| {
        let own: Vec<f32> = values.by_ref().take(shape.iter().product()).collect();
        Some((name, Array::from_shape_vec(IxDyn(&shape), own).ok()?))
    };
    read_header(head)?.into_iter().map(array).collect()
}
