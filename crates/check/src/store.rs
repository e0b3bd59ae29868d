//! Interned sets of image inputs, and the elements that hold them.

use std::collections::HashMap;

use super::error::{Problem, Resource};

/// The empty set.
pub(super) const EMPTY: u32 = 0;
/// In patterns: a known zero, through which nothing passes.
pub(super) const DEAD: u32 = u32::MAX;
/// The bit of a [`Cell`] that says "known".
const KNOWN: u32 = 1 << 31;
/// Steps that one analysis may take.
const WORK: u64 = 1 << 36;

/// One element of a tensor, packed: a known number, or the set it depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Cell(u32);

impl Cell {
    /// Unknown, but no function of the image.
    pub const OPAQUE: Cell = Cell(EMPTY);

    pub fn is_known(self) -> bool {
        self.0 & KNOWN != 0
    }
}

/// One element of a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum El {
    Known(f64),
    /// Unknown, a function of the inputs in this set.
    Set(u32),
}

/// The sets. Equal sets have equal numbers.
pub(super) struct Store {
    /// Words of a set.
    stride: usize,
    words: Vec<u64>,
    /// By content hash, the newest set with it; `chain` leads to the older ones.
    index: HashMap<u64, u32>,
    chain: Vec<u32>,
    pairs: HashMap<u64, u32>,
    numbers: Vec<f64>,
    number_index: HashMap<u64, u32>,
    /// The union being formed: distinct members, and when each set was last a member.
    members: Vec<u32>,
    stamps: Vec<u32>,
    now: u32,
    scratch: Vec<u64>,
    max_words: usize,
    full: bool,
    work: u64,
}

impl Store {
    /// Sets over `bits` inputs that may take `memory` bytes together.
    pub fn new(bits: usize, memory: usize) -> Store {
        let stride = bits.div_ceil(64).max(1);
        Store {
            stride,
            words: vec![0; stride],
            index: HashMap::from([(hash(&vec![0; stride]), EMPTY)]),
            chain: vec![EMPTY],
            pairs: HashMap::new(),
            numbers: Vec::new(),
            number_index: HashMap::new(),
            members: Vec::new(),
            stamps: vec![0],
            now: 0,
            scratch: vec![0; stride],
            max_words: (memory / 8).max(stride),
            full: false,
            work: 0,
        }
    }

    /// Counts steps.
    pub fn spend(&mut self, steps: usize) -> Result<(), Problem> {
        self.work = self.work.saturating_add(steps as u64);
        if self.full {
            return Err(Problem::TooLarge(Resource::Memory));
        }
        if self.work > WORK { Err(Problem::TooLarge(Resource::Work)) } else { Ok(()) }
    }

    /// Unpacks an element.
    pub fn el(&self, cell: Cell) -> El {
        match cell.0 & KNOWN {
            0 => El::Set(cell.0),
            _ => {
                let number = self.numbers.get((cell.0 & !KNOWN) as usize);
                El::Known(number.copied().unwrap_or(f64::NAN))
            }
        }
    }

    /// Packs an element.
    pub fn cell(&mut self, el: El) -> Cell {
        match el {
            El::Set(id) => Cell(id),
            El::Known(x) => {
                // One zero: the sign of it changes no dependence.
                let x = if x == 0.0 { 0.0 } else { x };
                let next = self.numbers.len() as u32;
                if next >= KNOWN {
                    self.full = true;
                    return Cell::OPAQUE;
                }
                let id = *self.number_index.entry(x.to_bits()).or_insert(next);
                if id == next {
                    self.numbers.push(x);
                }
                Cell(KNOWN | id)
            }
        }
    }

    /// What a cell is in a pattern: [`DEAD`], or its set.
    pub fn code(&self, cell: Cell) -> u32 {
        match self.el(cell) {
            El::Known(0.0) => DEAD,
            El::Known(_) => EMPTY,
            El::Set(id) => id,
        }
    }

    /// The set of one input.
    pub fn single(&mut self, bit: usize) -> u32 {
        self.scratch.fill(0);
        if let Some(word) = self.scratch.get_mut(bit / 64) {
            *word |= 1 << (bit % 64);
        }
        self.intern()
    }

    /// The words of a set.
    pub fn words(&self, id: u32) -> &[u64] {
        let start = id as usize * self.stride;
        self.words.get(start..start + self.stride).unwrap_or(&[])
    }

    /// How many sets there are.
    pub fn distinct(&self) -> usize {
        self.chain.len()
    }

    /// Begins a union.
    pub fn begin(&mut self) {
        self.members.clear();
        self.now = match self.now.checked_add(1) {
            Some(now) => now,
            None => {
                self.stamps.fill(0);
                1
            }
        };
    }

    /// Adds a set to the union. The empty set and [`DEAD`] change nothing.
    pub fn add(&mut self, id: u32) {
        if id != EMPTY
            && let Some(stamp) = self.stamps.get_mut(id as usize)
            && *stamp != self.now
        {
            *stamp = self.now;
            self.members.push(id);
        }
    }

    /// Ends a union.
    pub fn end(&mut self) -> u32 {
        match self.members[..] {
            [] => EMPTY,
            [one] => one,
            [a, b] => self.union(a, b),
            _ => {
                self.scratch.fill(0);
                for &id in &self.members {
                    let start = id as usize * self.stride;
                    if let Some(words) = self.words.get(start..start + self.stride) {
                        self.scratch.iter_mut().zip(words).for_each(|(s, w)| *s |= w);
                    }
                }
                self.intern()
            }
        }
    }

    /// The union of two sets.
    pub fn union(&mut self, a: u32, b: u32) -> u32 {
        if a == b || b == EMPTY {
            return a;
        }
        if a == EMPTY {
            return b;
        }
        let key = u64::from(a.min(b)) << 32 | u64::from(a.max(b));
        if let Some(&id) = self.pairs.get(&key) {
            return id;
        }
        let (i, j) = (a as usize * self.stride, b as usize * self.stride);
        if let (Some(x), Some(y)) =
            (self.words.get(i..i + self.stride), self.words.get(j..j + self.stride))
        {
            self.scratch.iter_mut().zip(x.iter().zip(y)).for_each(|(s, (x, y))| *s = x | y);
        }
        let id = self.intern();
        self.pairs.insert(key, id);
        id
    }

    /// The number of the set in `scratch`.
    fn intern(&mut self) -> u32 {
        let key = hash(&self.scratch);
        let newest = self.index.get(&key).copied();
        let mut at = newest;
        while let Some(id) = at {
            if self.words(id) == self.scratch {
                return id;
            }
            at = self.chain.get(id as usize).copied().filter(|&next| next != id);
        }
        let id = self.chain.len() as u32;
        if self.words.len() + self.stride > self.max_words || id >= KNOWN {
            self.full = true;
            return EMPTY;
        }
        self.words.extend_from_slice(&self.scratch);
        self.chain.push(newest.unwrap_or(id));
        self.stamps.push(0);
        self.index.insert(key, id);
        id
    }
}

fn hash(words: &[u64]) -> u64 {
    let mix = |h: u64, w: &u64| (h.rotate_left(5) ^ w).wrapping_mul(0x517c_c1b7_2722_0a95);
    let h = words.iter().fold(0, mix);
    h ^ h >> 29
}
