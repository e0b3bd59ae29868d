//! The order in which a recurrence visits the cells of a map.

use std::ops::Range;

/// Which cells are computed in the same step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// Those of a row. They read cells of the row above.
    Rows,
    /// Those of a diagonal, `x + y` constant. They read the cells to the left and above.
    Diagonals,
}

/// A recurrence over a map, in one or more directions that do not read each other.
///
/// The position of a cell in its step is its column (rows) or its row (diagonals). A cell at position p
/// reads, from the previous step, the cell state at p and the hidden states at the positions
/// `p - before .. p - before + taps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Which cells are computed in the same step.
    pub order: Order,
    /// For each direction, whether it runs from right to left.
    pub mirror: Vec<bool>,
    /// The number of rows of the map.
    pub height: usize,
    /// The number of columns of the map.
    pub width: usize,
    /// The number of images, N.
    pub images: usize,
    /// The number of features of the states, h.
    pub features: usize,
    /// The number of hidden states that a cell reads, K.
    pub taps: usize,
    /// The first of them is at the position this far before the cell's own.
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

    /// The index of the cell at a live position, counted row by row.
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

    /// The number of values in the state of one cell for all images.
    pub(crate) fn block(&self) -> usize {
        self.images * self.features
    }

    /// The cells that read a position, by their positions in the next step, each with the tap that reads.
    pub(crate) fn readers(&self, position: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (before, positions) = (self.before, self.positions());
        (0..self.taps).filter_map(move |tap| {
            let reader = (position + before).checked_sub(tap)?;
            (reader < positions).then_some((reader, tap))
        })
    }
}
