//! Elements of tensors, and what they share: sets, bounds, the budget, what had to be assumed.

use crate::budget::Budget;
use crate::elem::Elem;
use crate::error::Problem;
use crate::fast::FastMap;
use crate::sets::{EMPTY, Sets};
use crate::value::{Value, coarse};

/// In patterns: a known zero, through which nothing passes.
pub(crate) const DEAD: u32 = u32::MAX;

/// One element of a tensor, packed. What it depends on is the union of two sets, since products of
/// all pairs would make a set of each pair that nobody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cell {
    a: u32,
    b: u32,
    v: u32,
}

impl Cell {
    /// Anything, but no function of the image.
    pub const OPAQUE: Cell = Cell { a: EMPTY, b: EMPTY, v: 1 };
    pub const ZERO: Cell = Cell { a: EMPTY, b: EMPTY, v: 0 };

    /// Whether it depends on nothing.
    pub fn is_free(self) -> bool {
        self.a == EMPTY
    }
}

/// One element of a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct El {
    pub a: u32,
    pub b: u32,
    pub v: Value,
}

impl El {
    /// A function of a set. What is known depends on nothing.
    pub fn new(set: u32, v: Value) -> El {
        El::pair((set, EMPTY), v)
    }

    pub fn pair((a, b): (u32, u32), v: Value) -> El {
        if v.point().is_some() { El { a: EMPTY, b: EMPTY, v } } else { El { a, b, v } }
    }

    pub fn known(x: f64) -> El {
        El::new(EMPTY, Value::known(x))
    }

    pub fn point(self) -> Option<f64> {
        self.v.point()
    }
}

/// What may be taken for granted, one step after the other, when bounds do not suffice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Assume {
    /// No number overflows, and none is NaN.
    pub finite: bool,
    /// What is masked by a large negative number weighs nothing in a softmax.
    pub masks: bool,
    /// Operators that are not modeled read nothing: an underestimate.
    pub clear: bool,
    /// Known zeros, masks and saturation stop nothing: what the graph connects at all.
    pub alive: bool,
}

impl Assume {
    pub const NOTHING: Assume = Assume { finite: false, masks: false, clear: false, alive: false };
}

/// Something that was taken for granted, where it was first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Granted {
    /// Values stay finite at this node.
    Finite { node: String },
    /// Scores of this softmax stay above a number.
    Above { node: String, bound: f64 },
    /// Scores of this softmax differ by less than a number.
    Within { node: String, spread: f64 },
}

/// What assumptions might change.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Noticed {
    /// Something may not be finite.
    pub infinite: bool,
    /// Something may be a mask.
    pub masks: bool,
}

/// Bytes that an element takes while it is made: the cell, and where it comes from.
const BYTES: usize = size_of::<Cell>() + 2 * size_of::<usize>();

pub(crate) struct Store {
    pub sets: Sets,
    pub budget: Budget,
    pub assume: Assume,
    pub granted: Vec<Granted>,
    pub noticed: Noticed,
    /// The node at work.
    pub node: String,
    /// Operators that were not modeled, with the first node of each.
    pub uncertain: Vec<(String, String)>,
    values: Vec<Value>,
    value_index: FastMap<(u64, u64, u8, u64), u32>,
    counter: u64,
}

impl Store {
    /// Sets over `bits` values.
    pub fn new(bits: usize, budget: Budget, assume: Assume) -> Store {
        let mut store = Store {
            sets: Sets::new(bits, budget.memory()),
            budget,
            assume,
            granted: Vec::new(),
            noticed: Noticed::default(),
            node: String::new(),
            uncertain: Vec::new(),
            values: Vec::new(),
            value_index: FastMap::default(),
            counter: 0,
        };
        store.value_id(Value::ZERO);
        store.value_id(Value::ANY);
        store
    }

    /// A number that nothing else has.
    pub fn ticket(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Leaves the first tickets to tensors from another store.
    pub fn skip_tickets(&mut self) {
        self.counter += 1 << 40;
    }

    fn overhead(&self) -> usize {
        self.sets.bytes() + self.values.capacity() * 24 + self.value_index.capacity() * 30
    }

    /// Counts steps, each of which makes an element.
    ///
    /// # Errors
    /// Out of memory or time.
    pub fn spend(&mut self, elements: usize) -> Result<(), Problem> {
        let work = self.sets.take_work() + elements as u64;
        let others = self.overhead();
        self.budget.check(work, elements.saturating_mul(BYTES), others)?;
        if self.sets.is_full() {
            let limit = self.budget.memory();
            return Err(Problem::TooLarge(crate::error::Resource::Memory { needed: limit, limit }));
        }
        Ok(())
    }

    /// Counts steps that need no memory.
    ///
    /// # Errors
    /// Out of memory or time.
    pub fn work(&mut self, steps: usize) -> Result<(), Problem> {
        let work = self.sets.take_work() + steps as u64;
        let others = self.overhead();
        self.budget.check(work, 0, others)
    }

    pub fn value_id(&mut self, v: Value) -> u32 {
        let flags = u8::from(v.nan) | u8::from(v.signed) << 1;
        let key = (v.lo.to_bits(), v.hi.to_bits(), flags, v.mask.to_bits());
        if let Some(&id) = self.value_index.get(&key) {
            return id;
        }
        let id = self.values.len() as u32;
        self.values.push(v);
        self.value_index.insert(key, id);
        id
    }

    pub fn value(&self, cell: Cell) -> Value {
        self.value_of(cell.v)
    }

    pub fn value_of(&self, id: u32) -> Value {
        self.values.get(id as usize).copied().unwrap_or(Value::ANY)
    }

    /// Unpacks an element.
    pub fn el(&self, cell: Cell) -> El {
        El { a: cell.a, b: cell.b, v: self.value(cell) }
    }

    /// Packs an element.
    pub fn cell(&mut self, el: El) -> Cell {
        let v = if el.v.point().is_some() { el.v } else { coarse(el.v) };
        Cell { a: el.a, b: el.b, v: self.value_id(v) }
    }

    /// The identity of a cell's bounds.
    pub fn value_key(cell: Cell) -> u32 {
        cell.v
    }

    /// A cell with the sets of two others and bounds by number.
    pub fn merged(&mut self, x: Cell, y: Cell, v: u32, point: bool) -> Cell {
        if point {
            return Cell { a: EMPTY, b: EMPTY, v };
        }
        if y.a == EMPTY || (x.a == y.a && x.b == y.b) {
            return Cell { v, ..x };
        }
        if x.a == EMPTY {
            return Cell { v, ..y };
        }
        if x.b == EMPTY && y.b == EMPTY {
            return Cell { a: x.a.min(y.a), b: x.a.max(y.a), v };
        }
        self.sets.begin();
        for id in [x.a, x.b, y.a, y.b] {
            self.sets.add(id);
        }
        let (a, b) = self.sets.end_pair();
        Cell { a, b, v }
    }

    /// A cell that depends on all of the image, with bounds by number.
    pub fn everything(&mut self, v: u32) -> Cell {
        self.noticed.infinite = true;
        let all = self.sets.all();
        Cell { a: all, b: EMPTY, v }
    }

    /// Adds what an element depends on to the union being formed.
    pub fn add_el(&mut self, el: El) {
        self.sets.add(el.a);
        self.sets.add(el.b);
    }

    /// The union of what some elements depend on.
    pub fn join(&mut self, els: &[El]) -> u32 {
        self.sets.begin();
        for &el in els {
            self.add_el(el);
        }
        self.sets.end()
    }

    /// One set for all that an element depends on.
    pub fn set_of(&mut self, el: El) -> u32 {
        self.sets.union(el.a, el.b)
    }

    /// What a cell is in a pattern: [`DEAD`], or its set.
    pub fn code(&mut self, cell: Cell) -> u32 {
        if cell.a == EMPTY {
            return if self.value(cell).is_zero() { DEAD } else { EMPTY };
        }
        if cell.b == EMPTY { cell.a } else { self.sets.union(cell.a, cell.b) }
    }

    /// Bounds of a result of float arithmetic, kept finite where that is assumed.
    pub fn settle(&mut self, elem: Elem, v: Value) -> Value {
        if v.is_finite() || !elem.is_float() || v.point().is_some() {
            return v;
        }
        self.noticed.infinite = true;
        if !self.assume.finite {
            return v;
        }
        let node = self.node.clone();
        self.grant(Granted::Finite { node });
        let clamp = |x: f64| x.clamp(elem.min(), elem.max());
        Value { lo: clamp(v.lo), hi: clamp(v.hi), nan: false, ..v }
    }

    /// Notes an assumption, once for each node.
    pub fn grant(&mut self, granted: Granted) {
        let same = |g: &Granted| match (g, &granted) {
            (Granted::Finite { .. }, Granted::Finite { .. }) => true,
            (Granted::Above { node: a, bound: x }, Granted::Above { node: b, bound: y }) => {
                a == b && x >= y
            }
            (Granted::Within { node: a, spread: x }, Granted::Within { node: b, spread: y }) => {
                a == b && x <= y
            }
            _ => false,
        };
        if !self.granted.iter().any(same) {
            self.granted.push(granted);
        }
    }
}
