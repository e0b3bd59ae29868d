//! The memory and time limits of an analysis, shared by sets, tensors, constants and loops.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::error::{Problem, Resource};
use crate::value::Value;

/// The limits of an analysis, and what it has used so far.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    memory: usize,
    time: Duration,
    begin: Instant,
    /// Bytes in live [`Buffer`]s.
    used: Rc<Cell<usize>>,
    /// Steps since the clock was last read.
    since: Cell<u64>,
}

/// Steps between two readings of the clock.
const LOOK: u64 = 1 << 16;
/// An upper bound on how many nodes run per second. Work that could not finish in time even at this
/// rate is refused before it starts.
const NODES_PER_SECOND: f64 = 1.5e6;

impl Budget {
    pub fn new(memory: usize, time: Duration) -> Budget {
        Budget {
            memory,
            time,
            begin: Instant::now(),
            used: Rc::new(Cell::new(0)),
            since: Cell::new(0),
        }
    }

    /// A budget with the same time limit and start, whose memory is counted separately.
    pub fn again(&self) -> Budget {
        Budget { used: Rc::new(Cell::new(0)), since: Cell::new(0), ..self.clone() }
    }

    pub fn memory(&self) -> usize {
        self.memory
    }

    /// Counts `steps` steps, and checks that `more` bytes fit in addition to buffers and `others`
    /// bytes.
    ///
    /// # Errors
    /// [`Problem::TooLarge`] if memory or time has run out.
    pub fn check(&self, steps: u64, more: usize, others: usize) -> Result<(), Problem> {
        let total = self.used.get().saturating_add(others).saturating_add(more);
        if total > self.memory {
            return Err(Problem::TooLarge(Resource::Memory { needed: total, limit: self.memory }));
        }
        let since = self.since.get().saturating_add(steps);
        self.since.set(since);
        if since >= LOOK {
            self.since.set(0);
            if self.begin.elapsed() > self.time {
                return Err(self.late());
            }
        }
        Ok(())
    }

    /// Checks that `runs` node executions can finish within the time limit.
    ///
    /// # Errors
    /// [`Problem::TooLarge`] if they cannot.
    pub fn check_runs(&self, runs: f64) -> Result<(), Problem> {
        if runs > self.time.as_secs_f64() * NODES_PER_SECOND { Err(self.late()) } else { Ok(()) }
    }

    fn late(&self) -> Problem {
        Problem::TooLarge(Resource::Time { limit: self.time })
    }
}

/// A list whose bytes count against the budget until it is dropped.
#[derive(Debug)]
pub(crate) struct Buffer<T> {
    pub list: Vec<T>,
    /// Bounds of all entries, computed at most once.
    pub hull: OnceCell<Value>,
    bytes: usize,
    used: Rc<Cell<usize>>,
}

impl<T> Buffer<T> {
    pub fn new(budget: &Budget, list: Vec<T>) -> Buffer<T> {
        let bytes = list.capacity() * size_of::<T>();
        budget.used.set(budget.used.get().saturating_add(bytes));
        Buffer { list, hull: OnceCell::new(), bytes, used: Rc::clone(&budget.used) }
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        self.used.set(self.used.get().saturating_sub(self.bytes));
    }
}
