//! Footprints: which cells of the inputs each cell of a result reads.
//!
//! A tensor is divided into cells by a list of bounds along each axis. Spatial axes are cut at every
//! position, feature axes only where the color group changes, so the analysis is exact and small. The batch
//! axis is one cell, since the analysis concerns what one image reads of itself.

use std::ops::Range;

use pixelrnn_graph::{Array, Type};

/// How a tensor is divided into cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    /// For each axis, the bounds of its cells in rising order, from 0 to the extent.
    pub axes: Vec<Vec<usize>>,
}

impl Grid {
    /// The grid with a single cell.
    pub fn whole(ty: &Type) -> Grid {
        Grid { axes: ty.extents(1).into_iter().map(|n| vec![0, n]).collect() }
    }

    /// The grid with one cell per element.
    pub fn unit(ty: &Type) -> Grid {
        Grid { axes: ty.extents(1).into_iter().map(every).collect() }
    }

    /// The number of cells along each axis.
    pub fn counts(&self) -> Vec<usize> {
        self.axes.iter().map(|b| b.len() - 1).collect()
    }

    /// The total number of cells.
    pub fn cells(&self) -> usize {
        self.axes.iter().map(|b| b.len() - 1).product()
    }

    /// The same grid with other bounds along one axis.
    pub fn with(mut self, axis: usize, bounds: Vec<usize>) -> Grid {
        self.axes[axis] = bounds;
        self
    }
}

/// Bounds that cut an axis at every position.
pub fn every(extent: usize) -> Vec<usize> {
    (0..=extent).collect()
}

/// The union of two lists of bounds. An axis of extent one takes the bounds of the other.
pub fn refine(a: &[usize], b: &[usize]) -> Vec<usize> {
    let extent = |v: &[usize]| v.last().copied().unwrap_or(0);
    match (extent(a), extent(b)) {
        (1, n) if n != 1 => b.to_vec(),
        (n, 1) if n != 1 => a.to_vec(),
        _ => {
            let mut all: Vec<usize> = a.iter().chain(b).copied().collect();
            all.sort_unstable();
            all.dedup();
            all
        }
    }
}

/// The inputs of an operator, as its footprint rule sees them.
pub struct Reading<'a> {
    /// The types of the inputs.
    pub types: &'a [&'a Type],
    /// The type of the result.
    pub result: &'a Type,
    /// The grid of each input.
    pub grids: &'a [&'a Grid],
    /// The values of inputs that are constants; `None` for others.
    pub constants: &'a [Option<&'a Array>],
}

/// A cell: a range along each axis.
pub type Cell<'c> = &'c [Range<usize>];

/// A callback that gets the index of an input and the part of it that is read.
pub type Visit<'v> = dyn FnMut(usize, Cell) + 'v;

/// Calls the callback with everything that a cell of the result reads.
pub type Reads<'a> = Box<dyn Fn(Cell, &mut Visit) + 'a>;

/// The grid of a result, and what each of its cells reads.
pub struct Footprint<'a> {
    /// The grid of the result.
    pub grid: Grid,
    /// What each of its cells reads.
    pub reads: Reads<'a>,
    /// Whether every cell reads only the same cell of every input. An analysis may then copy its results.
    pub same_place: bool,
    /// Whether a result depends on other images of the batch.
    pub mixes_batch: bool,
}

impl<'a> Footprint<'a> {
    /// A footprint without dependences between images.
    pub fn new(grid: Grid, reads: impl Fn(Cell, &mut Visit) + 'a) -> Footprint<'a> {
        Footprint { grid, reads: Box::new(reads), same_place: false, mixes_batch: false }
    }

    /// Every cell of the result reads all of every input. This is always correct, but rarely exact.
    pub fn everything(reading: &'a Reading<'a>) -> Footprint<'a> {
        Footprint::new(Grid::whole(reading.result), move |_, visit| {
            for (i, ty) in reading.types.iter().enumerate() {
                let all: Vec<Range<usize>> = ty.extents(1).into_iter().map(|n| 0..n).collect();
                visit(i, &all);
            }
        })
    }

    /// Every element reads the same position of every input, or the only one along axes of extent one.
    pub fn elementwise(reading: &'a Reading<'a>) -> Footprint<'a> {
        let mut grid = reading.grids[0].clone();
        for other in &reading.grids[1..] {
            for (mine, theirs) in grid.axes.iter_mut().zip(&other.axes) {
                *mine = refine(mine, theirs);
            }
        }
        let reads = move |cell: Cell, visit: &mut Visit| {
            for i in 0..reading.types.len() {
                visit(i, &spread(cell, reading.types[i]));
            }
        };
        Footprint { same_place: true, ..Footprint::new(grid, reads) }
    }
}

/// The part of an operand that a cell of a broadcast result reads. Along an axis of extent one, it is that
/// element.
pub fn spread(cell: Cell, operand: &Type) -> Vec<Range<usize>> {
    let extents = operand.extents(1);
    cell.iter().zip(extents).map(|(r, n)| if n == 1 { 0..1 } else { r.clone() }).collect()
}
