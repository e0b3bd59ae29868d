//! Interned sets of image values.
//!
//! The values of an image are numbered in raster order. Most dependencies then consist of a few
//! ranges: one per row of a receptive field, or a single one for attention. A set is stored as its
//! ranges (runs), or as a bit set if that is shorter. Equal sets have equal ids.

use crate::fast::FastMap;

/// The empty set.
pub(crate) const EMPTY: u32 = 0;

/// Where a set is stored, and in which form.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u64,
    len: u32,
    /// For a bit set, the index of its first word; for runs, [`RUNS`].
    first: u32,
}

const RUNS: u32 = u32::MAX;

/// The arena of interned sets, with a union in progress.
pub(crate) struct Sets {
    bits: usize,
    entries: Vec<Entry>,
    arena: Vec<u32>,
    /// By hash, the newest set with that hash. `chain` leads to older ones.
    index: FastMap<u64, u32>,
    chain: Vec<u32>,
    pairs: FastMap<u64, u32>,
    /// The union in progress: its distinct members. `stamps` says in which union each set was last
    /// a member.
    members: Vec<u32>,
    stamps: Vec<u32>,
    now: u32,
    scratch: Vec<u64>,
    touched: (usize, usize),
    encoded: Vec<u32>,
    /// Maximal number of bytes for sets.
    limit: usize,
    full: bool,
    work: u64,
}

impl Sets {
    /// An empty arena for sets of values below `bits`.
    pub fn new(bits: usize, limit: usize) -> Sets {
        Sets {
            bits,
            entries: vec![Entry { start: 0, len: 0, first: RUNS }],
            arena: Vec::new(),
            index: FastMap::from_iter([(hash(RUNS, &[]), EMPTY)]),
            chain: vec![EMPTY],
            pairs: FastMap::default(),
            members: Vec::new(),
            stamps: vec![0],
            now: 0,
            scratch: vec![0; bits.div_ceil(64)],
            touched: (usize::MAX, 0),
            encoded: Vec::new(),
            limit,
            full: false,
            work: 0,
        }
    }

    /// The number of different sets.
    pub fn distinct(&self) -> usize {
        self.entries.len()
    }

    /// Whether a set did not fit into memory. Results since then are invalid.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// The number of steps since the last call.
    pub fn take_work(&mut self) -> u64 {
        std::mem::take(&mut self.work)
    }

    /// The bytes in use.
    pub fn bytes(&self) -> usize {
        self.arena.capacity() * 4
            + self.entries.capacity() * (size_of::<Entry>() + 4 + 4)
            + (self.index.capacity() + self.pairs.capacity()) * 18
            + self.scratch.len() * 8
    }

    /// The set of one value.
    pub fn single(&mut self, bit: usize) -> u32 {
        self.encoded.clear();
        self.encoded.extend([bit as u32, bit as u32 + 1]);
        self.intern(RUNS)
    }

    /// The set of all values.
    pub fn all(&mut self) -> u32 {
        self.run(0, self.bits)
    }

    /// The set of the values `start..end`.
    fn run(&mut self, start: usize, end: usize) -> u32 {
        if start >= end {
            return EMPTY;
        }
        self.encoded.clear();
        self.encoded.extend([start as u32, end as u32]);
        self.intern(RUNS)
    }

    /// Starts a union.
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

    /// Adds a set to the union in progress.
    pub fn add(&mut self, id: u32) {
        if id != EMPTY
            && let Some(stamp) = self.stamps.get_mut(id as usize)
            && *stamp != self.now
        {
            *stamp = self.now;
            self.members.push(id);
        }
    }

    /// Finishes the union in progress, and returns its set.
    pub fn end(&mut self) -> u32 {
        match self.members[..] {
            [] => EMPTY,
            [one] => one,
            [a, b] => self.union(a, b),
            _ => self.unite(),
        }
    }

    /// Finishes the union in progress. If it has two members, both are returned without computing
    /// their union; otherwise the second result is empty.
    pub fn end_pair(&mut self) -> (u32, u32) {
        match self.members[..] {
            [a, b] => (a.min(b), a.max(b)),
            _ => (self.end(), EMPTY),
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
        self.members.clear();
        self.members.extend([a, b]);
        let id = self.unite();
        if self.pairs.len() >= 1 << 22 {
            self.pairs.clear();
        }
        self.pairs.insert(key, id);
        id
    }

    /// The runs of a set in ascending order.
    pub fn runs(&self, id: u32) -> Vec<(usize, usize)> {
        let Some(entry) = self.entries.get(id as usize) else { return Vec::new() };
        let words = self.slice(entry);
        if entry.first == RUNS {
            return words
                .as_chunks::<2>()
                .0
                .iter()
                .map(|r| (r[0] as usize, r[1] as usize))
                .collect();
        }
        let mut runs = Vec::new();
        let offset = entry.first as usize * 64;
        let words =
            words.as_chunks::<2>().0.iter().map(|w| u64::from(w[0]) | u64::from(w[1]) << 32);
        for_runs(words, |a, b| runs.push((offset + a, offset + b)));
        runs
    }

    /// The first value of a set that is at least `bit`.
    pub fn first_from(&self, id: u32, bit: usize) -> Option<usize> {
        let after = |&(a, b): &(usize, usize)| (b > bit).then(|| a.max(bit));
        self.runs(id).iter().find_map(after)
    }

    /// The number of values of a set that are below `bound`.
    pub fn count_below(&self, id: u32, bound: usize) -> usize {
        self.runs(id).iter().map(|&(a, b)| b.min(bound).saturating_sub(a)).sum()
    }

    /// Whether a set holds a value.
    pub fn holds(&self, id: u32, bit: usize) -> bool {
        self.first_from(id, bit) == Some(bit)
    }

    fn slice(&self, entry: &Entry) -> &[u32] {
        let start = entry.start as usize;
        self.arena.get(start..start + entry.len as usize).unwrap_or(&[])
    }

    /// Computes the union of `members`.
    fn unite(&mut self) -> u32 {
        let members = std::mem::take(&mut self.members);
        for &id in &members {
            let Some(&entry) = self.entries.get(id as usize) else { continue };
            let start = entry.start as usize;
            let words = self.arena.get(start..start + entry.len as usize).unwrap_or(&[]);
            self.work += 2 + words.len() as u64;
            if entry.first == RUNS {
                for run in words.as_chunks::<2>().0 {
                    fill(&mut self.scratch, &mut self.touched, run[0] as usize, run[1] as usize);
                }
            } else {
                let first = entry.first as usize;
                let pairs = words.as_chunks::<2>().0;
                for (slot, w) in self.scratch.iter_mut().skip(first).zip(pairs) {
                    *slot |= u64::from(w[0]) | u64::from(w[1]) << 32;
                }
                self.touched.0 = self.touched.0.min(first);
                self.touched.1 = self.touched.1.max(first + pairs.len());
            }
        }
        self.members = members;
        self.harvest()
    }

    /// Interns the set in `scratch`, and clears `scratch`.
    fn harvest(&mut self) -> u32 {
        let (first, end) = std::mem::replace(&mut self.touched, (usize::MAX, 0));
        if first >= end {
            return EMPTY;
        }
        self.work += (end - first) as u64 * 2;
        self.encoded.clear();
        let words = self.scratch.get_mut(first..end).unwrap_or_default();
        let limit = words.len() * 2;
        let encoded = &mut self.encoded;
        let base = (first * 64) as u32;
        for_runs(words.iter().copied(), |a, b| {
            if encoded.len() <= limit {
                encoded.extend([base + a as u32, base + b as u32]);
            }
        });
        let mut kind = RUNS;
        if encoded.len() > limit {
            encoded.clear();
            encoded.extend(words.iter().flat_map(|&w| [w as u32, (w >> 32) as u32]));
            kind = first as u32;
        }
        words.fill(0);
        self.intern(kind)
    }

    /// The id of the set that is encoded in `encoded`; a new one if there is none yet.
    fn intern(&mut self, first: u32) -> u32 {
        let key = hash(first, &self.encoded);
        let newest = self.index.get(&key).copied();
        let mut at = newest;
        while let Some(id) = at {
            let found = self.entries.get(id as usize);
            if found.is_some_and(|e| e.first == first && self.slice(e) == self.encoded) {
                return id;
            }
            at = self.chain.get(id as usize).copied().filter(|&next| next != id);
        }
        let id = self.entries.len() as u32;
        if self.bytes() > self.limit || id >= u32::MAX - 2 {
            self.full = true;
            return EMPTY;
        }
        let start = self.arena.len() as u64;
        self.arena.extend_from_slice(&self.encoded);
        self.entries.push(Entry { start, len: self.encoded.len() as u32, first });
        self.chain.push(newest.unwrap_or(id));
        self.stamps.push(0);
        self.index.insert(key, id);
        id
    }
}

/// Sets the bits `start..end`.
fn fill(words: &mut [u64], touched: &mut (usize, usize), start: usize, end: usize) {
    let (first, last) = (start / 64, (end - 1) / 64);
    touched.0 = touched.0.min(first);
    touched.1 = touched.1.max(last + 1);
    let head = u64::MAX << (start % 64);
    let tail = u64::MAX >> (63 - (end - 1) % 64);
    let Some(span) = words.get_mut(first..=last) else { return };
    match span {
        [one] => *one |= head & tail,
        [a, middle @ .., b] => {
            *a |= head;
            middle.fill(u64::MAX);
            *b |= tail;
        }
        [] => {}
    }
}

/// Calls `each` with every run of ones.
fn for_runs(words: impl Iterator<Item = u64>, mut each: impl FnMut(usize, usize)) {
    let mut open: Option<usize> = None;
    let mut base = 0;
    for word in words {
        let mut at = 0;
        while at < 64 {
            let rest = word >> at;
            if open.is_some() {
                let ones = (!rest).trailing_zeros().min(64 - at);
                at += ones;
                if at < 64 {
                    each(open.take().unwrap_or(0), base + at as usize);
                }
            } else {
                let zeros = rest.trailing_zeros().min(64 - at);
                at += zeros;
                if at < 64 {
                    open = Some(base + at as usize);
                }
            }
        }
        base += 64;
    }
    if let Some(start) = open {
        each(start, base);
    }
}

fn hash(first: u32, words: &[u32]) -> u64 {
    let mix =
        |h: u64, w: &u32| (h.rotate_left(5) ^ u64::from(*w)).wrapping_mul(0x517c_c1b7_2722_0a95);
    let h = words.iter().fold(u64::from(first), mix);
    h ^ h >> 29
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unions_are_what_bits_say() {
        let mut sets = Sets::new(300, 1 << 20);
        let mut seed = 1u64;
        let mut next = move || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) as usize
        };
        let mut known: Vec<(u32, Vec<bool>)> = Vec::new();
        for _ in 0..40 {
            let (a, n) = (next() % 300, next() % 70);
            let end = (a + n).min(300);
            known.push((sets.run(a, end), (0..300).map(|i| a <= i && i < end).collect()));
        }
        for _ in 0..400 {
            let mut bits = vec![false; 300];
            sets.begin();
            for _ in 0..1 + next() % 4 {
                let (id, more) = &known[next() % known.len()];
                sets.add(*id);
                bits.iter_mut().zip(more).for_each(|(b, m)| *b |= m);
            }
            // Sometimes every other bit, for which a bit set is shorter than runs.
            if next() % 3 == 0 {
                for i in (next() % 7..200).step_by(2) {
                    let one = sets.single(i);
                    sets.add(one);
                    bits[i] = true;
                }
            }
            let id = sets.end();
            for (i, &bit) in bits.iter().enumerate() {
                assert_eq!(sets.holds(id, i), bit);
            }
            assert_eq!(sets.count_below(id, 150), bits[..150].iter().filter(|b| **b).count());
            if let Some((same, _)) = known.iter().find(|(_, b)| *b == bits) {
                assert_eq!(*same, id);
            }
            known.push((id, bits));
        }
        assert!(!sets.is_full());
    }
}
