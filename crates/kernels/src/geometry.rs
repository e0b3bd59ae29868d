//! The order in which a recurrence visits the cells of a map.

use std::ops::Range;

/// Which cells make up a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// A row: its cells read cells of the row above.
    Rows,
    /// A diagonal, `x + y` constant: its cells read those to the left and above.
    Diagonals,
}

/// A recurrence over a map, in one or several directions that do not read each other.
///
/// The position of a cell in its step is its column (rows), or its row (diagonals). A cell reads the
/// cell state of its own position in the step before, and the hidden states of the positions
/// `p - before .. p - before + taps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Which cells make up a step.
    pub order: Order,
    /// For each direction, whether it runs from right to left.
    pub mirror: Vec<bool>,
    /// Rows of the map.
    pub height: usize,
    /// Columns of the map.
    pub width: usize,
    /// Images, N.
    pub images: usize,
    /// Features of the states, h.
    pub features: usize,
    /// Hidden states that a cell reads, K.
    pub taps: usize,
    /// How many positions before its own the first of them is.
    pub before: usize,
}

impl Sweep {
    /// The number of steps.
    pub fn steps(&self) -> usize {
        match self.order {
            Order::Rows => self.height,
            Order::Diagonals => self.width + self.height - 1,
        }
    }

    /// The number of positions of a step.
    pub fn positions(&self) -> usize {
        match self.order {
            Order::Rows => self.width,
            Order::Diagonals => self.height,
        }
    }

    /// The positions of a step that are cells of the map.
    pub fn live(&self, step: usize) -> Range<usize> {
        match self.order {
            Order::Rows => 0..self.width,
            Order::Diagonals => (step + 1).saturating_sub(self.width)..self.height.min(step + 1),
        }
    }

    /// The number of the cell at a live position, counted row by row.
    pub(crate) fn cell(&self, direction: usize, step: usize, position: usize) -> usize {
        let (y, x) = match self.order {
            Order::Rows => (step, position),
            Order::Diagonals => (position, step - position),
        };
        y * self.width + if self.mirror[direction] { self.width - 1 - x } else { x }
    }

    /// The number of cells of the map.
    pub(crate) fn cells(&self) -> usize {
        self.height * self.width
    }

    /// What `h` of a cell's row of images takes, in numbers.
    pub(crate) fn block(&self) -> usize {
        self.images * self.features
    }

    /// The positions whose cells read a position, each with the tap through which they do.
    pub(crate) fn readers(&self, position: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (before, positions) = (self.before, self.positions());
        (0..self.taps).filter_map(move |tap| {
            let reader = (position + before).checked_sub(tap)?;
            (reader < positions).then_some((reader, tap))
        })
    }
}
