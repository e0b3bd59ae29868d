//! Elements of tensors, and what they share: sets, bounds, the budget, and the assumptions made.

use crate::budget::Budget;
use crate::elem::Elem;
use crate::error::Problem;
use crate::fast::FastMap;
use crate::sets::{EMPTY, Sets};
use crate::value::{Value, coarse};

/// In a pattern: an element known to be zero, which stops dependencies.
pub(crate) const DEAD: u32 = u32::MAX;

/// An element of a tensor, packed into ids. It depends on the union of the sets `a` and `b`. A
/// matrix product would otherwise create a set for each pair of factors, most of which are never
/// needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cell {
    a: u32,
    b: u32,
    v: u32,
}

impl Cell {
    /// Any number, independent of the image.
    pub const OPAQUE: Cell = Cell { a: EMPTY, b: EMPTY, v: 1 };
    pub const ZERO: Cell = Cell { a: EMPTY, b: EMPTY, v: 0 };

    /// Whether it does not depend on the image.
    pub fn is_free(self) -> bool {
        self.a == EMPTY
    }
}

/// An element of a tensor: the union of two sets that it depends on, and its bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct El {
    pub a: u32,
    pub b: u32,
    pub v: Value,
}

impl El {
    /// An element that depends on a set. If its value is known, it depends on nothing.
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

/// Assumptions that can be made if bounds do not suffice for a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Assume {
    /// No computation overflows or gives NaN.
    pub finite: bool,
    /// Elements masked by a large negative number have no weight in a softmax.
    pub masks: bool,
    /// Operators that are not modeled exactly depend on nothing: an underestimate.
    pub clear: bool,
    /// Known zeros, masks and saturation stop nothing, so that a result depends on all that the
    /// graph connects it to.
    pub alive: bool,
}

impl Assume {
    pub const NOTHING: Assume = Assume { finite: false, masks: false, clear: false, alive: false };
}

/// An assumption that was needed, with the first node that needed it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Granted {
    /// Values stay finite at this node.
    Finite { node: String },
    /// The scores of this softmax stay above a bound.
    Above { node: String, bound: f64 },
    /// The scores of this softmax differ by less than `spread`.
    Within { node: String, spread: f64 },
}

/// Which assumptions could make a difference.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Noticed {
    /// A value might not be finite.
    pub infinite: bool,
    /// A constant might be meant as a mask.
    pub masks: bool,
}

/// The bytes that an element takes while it is being computed: the cell and two indices.
const BYTES: usize = size_of::<Cell>() + 2 * size_of::<usize>();

pub(crate) struct Store {
    pub sets: Sets,
    pub budget: Budget,
    pub assume: Assume,
    pub granted: Vec<Granted>,
    pub noticed: Noticed,
    /// The name of the node that is running.
    pub node: String,
    /// The opaque operators that were met, each with the first node that uses it.
    pub uncertain: Vec<(String, String)>,
    values: Vec<Value>,
    value_index: FastMap<(u64, u64, u8, u64), u32>,
    counter: u64,
}

impl Store {
    /// An empty store, for images of `bits` values.
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

    /// A new unique number.
    pub fn ticket(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Reserves the first tickets for tensors from another store.
    pub fn skip_tickets(&mut self) {
        self.counter += 1 << 40;
    }

    fn overhead(&self) -> usize {
        self.sets.bytes() + self.values.capacity() * 24 + self.value_index.capacity() * 30
    }

    /// Counts steps, each of which makes one element.
    ///
    /// # Errors
    /// [`Problem::TooLarge`] if memory or time has run out.
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
    /// [`Problem::TooLarge`] if memory or time has run out.
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

    /// The id of a cell's bounds.
    pub fn value_key(cell: Cell) -> u32 {
        cell.v
    }

    /// A cell that depends on the sets of `x` and `y`, with the bounds of id `v`. With `point`, the
    /// value is known, and the cell depends on nothing.
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

    /// A cell that depends on the whole image, with the bounds of id `v`.
    pub fn everything(&mut self, v: u32) -> Cell {
        self.noticed.infinite = true;
        let all = self.sets.all();
        Cell { a: all, b: EMPTY, v }
    }

    /// Adds the sets of an element to the union in progress.
    pub fn add_el(&mut self, el: El) {
        self.sets.add(el.a);
        self.sets.add(el.b);
    }

    /// The union of the sets of these elements.
    pub fn join(&mut self, els: &[El]) -> u32 {
        self.sets.begin();
        for &el in els {
            self.add_el(el);
        }
        self.sets.end()
    }

    /// The union of the two sets of an element.
    pub fn set_of(&mut self, el: El) -> u32 {
        self.sets.union(el.a, el.b)
    }

    /// The code of a cell in a pattern: [`DEAD`], or the id of its set.
    pub fn code(&mut self, cell: Cell) -> u32 {
        if cell.a == EMPTY {
            return if self.value(cell).is_zero() { DEAD } else { EMPTY };
        }
        if cell.b == EMPTY { cell.a } else { self.sets.union(cell.a, cell.b) }
    }

    /// The bounds of a result of float arithmetic. If values are assumed to be finite, the bounds
    /// are made finite, and the assumption is recorded.
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

    /// Records an assumption, unless a recorded one implies it.
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
