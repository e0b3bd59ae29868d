//! The arena from which ONNX Runtime allocates the values of a session, as far as it decides how much
//! memory the process takes.
//!
//! It asks the system for regions that grow by powers of two, and returns none. A value gets the
//! smallest free chunk that is large enough. The chunk is divided only if it is at least twice as large
//! as needed. Neighbors that are both free become one chunk.

use std::collections::BTreeMap;

/// Sizes are rounded up to multiples of this.
const ROUND: u64 = 256;
/// The size of the first region.
const FIRST: u64 = 1 << 20;
/// A chunk is also divided if otherwise more than this would be unused.
const DEAD: u64 = 128 << 20;
/// Regions do not grow beyond this, unless a single value is larger.
const LARGEST: u64 = 1 << 30;

/// The place of a chunk: its region and its offset there.
type Place = (usize, u64);

#[derive(Clone, Copy)]
struct Chunk {
    bytes: u64,
    free: bool,
}

/// An arena without memory.
pub struct Arena {
    chunks: BTreeMap<Place, Chunk>,
    /// For each region, the end of its part that was ever used: only that part takes memory.
    used: Vec<u64>,
    /// The size of the next region.
    next: u64,
}

impl Arena {
    pub fn new() -> Arena {
        Arena { chunks: BTreeMap::new(), used: Vec::new(), next: FIRST }
    }

    /// The memory that the process takes for the arena, in bytes.
    pub fn bytes(&self) -> u64 {
        self.used.iter().sum()
    }

    pub fn allocate(&mut self, bytes: u64) -> Place {
        let wanted = bytes.max(1).div_ceil(ROUND).saturating_mul(ROUND);
        let fits = self.chunks.iter().filter(|(_, chunk)| chunk.free && chunk.bytes >= wanted);
        let found =
            fits.min_by_key(|(place, chunk)| (chunk.bytes, **place)).map(|(place, _)| *place);
        let place = found.unwrap_or_else(|| self.extend(wanted));
        let whole = self.chunks.get(&place).map_or(wanted, |chunk| chunk.bytes);
        let rest = whole - wanted;
        let divide = rest >= wanted || rest >= DEAD;
        let own = if divide { wanted } else { whole };
        self.chunks.insert(place, Chunk { bytes: own, free: false });
        if divide && rest > 0 {
            let after = (place.0, place.1 + wanted);
            self.chunks.insert(after, Chunk { bytes: rest, free: true });
        }
        let used = &mut self.used[place.0];
        *used = (*used).max(place.1 + wanted);
        place
    }

    fn extend(&mut self, wanted: u64) -> Place {
        let grows = wanted > self.next;
        while wanted > self.next {
            self.next = self.next.saturating_mul(2);
        }
        let place = (self.used.len(), 0);
        self.chunks.insert(place, Chunk { bytes: self.next, free: true });
        self.used.push(0);
        if !grows && self.next < LARGEST {
            self.next *= 2;
        }
        place
    }

    pub fn free(&mut self, mut place: Place) {
        let Some(chunk) = self.chunks.get(&place).copied() else { return };
        let mut bytes = chunk.bytes;
        let after = (place.0, place.1 + bytes);
        if let Some(next) = self.chunks.get(&after).filter(|next| next.free).copied() {
            self.chunks.remove(&after);
            bytes += next.bytes;
        }
        let before = self.chunks.range(..place).next_back().map(|(place, chunk)| (*place, *chunk));
        if let Some((at, previous)) = before.filter(|(at, chunk)| at.0 == place.0 && chunk.free) {
            self.chunks.remove(&place);
            place = at;
            bytes += previous.bytes;
        }
        self.chunks.insert(place, Chunk { bytes, free: true });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn only_what_was_used_takes_memory() {
        let mut arena = Arena::new();
        // The region has 4 MiB.
        let a = arena.allocate(3 * MIB);
        assert_eq!(arena.bytes(), 3 * MIB);
        // The chunk of `a` is not divided: this needs a new region.
        let b = arena.allocate(MIB);
        assert_eq!(arena.bytes(), 4 * MIB);
        arena.free(a);
        // The rest of the second region is the smaller chunk.
        let c = arena.allocate(2 * MIB);
        assert_eq!((c, arena.bytes()), ((b.0, MIB), 6 * MIB));
        // Now only the first is large enough.
        let d = arena.allocate(2 * MIB);
        assert_eq!(d, a);
        [b, c, d].into_iter().for_each(|place| arena.free(place));
        assert_eq!(arena.bytes(), 6 * MIB);
    }

    #[test]
    fn neighbors_that_are_free_become_one() {
        let mut arena = Arena::new();
        let parts: Vec<Place> = (0..4).map(|_| arena.allocate(MIB / 4)).collect();
        assert!(parts.iter().all(|place| place.0 == 0));
        for i in [1, 3, 2, 0] {
            arena.free(parts[i]);
        }
        assert_eq!(arena.allocate(MIB), (0, 0));
        assert_eq!(arena.bytes(), MIB);
    }
}
