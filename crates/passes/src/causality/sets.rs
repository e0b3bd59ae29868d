//! Propagates sets of image values through an unrolled graph.

use std::ops::Range;
use std::rc::Rc;

use pixelrnn_graph::{Array, BitRows, Type, Value};
use pixelrnn_ops::rules::footprint::Cell;
use pixelrnn_ops::{Footprint, Grid, Op, PixelGraph, Reading};

use super::CausalityError;
use crate::endpoints::GraphEndpoints;

/// The number of image values that are propagated at once. More values take several rounds, to limit memory.
const WINDOW: usize = 4096;

/// The sets of one value of the graph: its grid, and for each cell the image values that it reads (`None`:
/// none).
#[derive(Clone)]
pub(super) struct Sets {
    pub grid: Rc<Grid>,
    pub rows: Option<Rc<BitRows>>,
}

/// An unrolled graph and its endpoints.
pub(super) struct Analysis<'a> {
    pub graph: &'a PixelGraph,
    ends: GraphEndpoints,
}

impl<'a> Analysis<'a> {
    pub fn new(graph: &'a PixelGraph) -> Result<Analysis<'a>, CausalityError> {
        let ends = GraphEndpoints::of(graph).map_err(CausalityError::Form)?;
        Ok(Analysis { graph, ends })
    }

    /// Colors, rows and columns of the image.
    pub fn dims(&self) -> [usize; 3] {
        self.ends.dims()
    }

    /// The index of an image value in raster order, colors innermost.
    pub fn number(&self, c: usize, y: usize, x: usize) -> usize {
        (y * self.ends.width + x) * self.ends.colours + c
    }

    /// The image values that every output reads.
    pub fn reads(&self) -> Result<BitRows, CausalityError> {
        let total = self.dims().iter().product();
        let mut table = BitRows::new(total, total);
        let mut start = 0;
        while start < total {
            let end = total.min(start + WINDOW);
            let all = self.run(start..end, false)?;
            let sets = all[self.ends.output.index()].as_ref();
            let sets = sets.ok_or(CausalityError::Form("nothing computes its output"))?;
            self.collect(sets, start, &mut table);
            start = end;
        }
        Ok(table)
    }

    fn collect(&self, sets: &Sets, start: usize, table: &mut BitRows) {
        let Some(rows) = &sets.rows else { return };
        let [colours, height, width] = self.dims();
        for c in 0..colours {
            for y in 0..height {
                for x in 0..width {
                    let output = self.number(c, y, x);
                    let cell = self.output_cell(c, y, x);
                    for_overlaps(&sets.grid, &cell, &mut |i| {
                        for (w, &word) in rows.row(i).iter().enumerate() {
                            table.row_mut(output)[start / 64 + w] |= word;
                        }
                    });
                }
            }
        }
    }

    /// The part of the output that holds the parameters of one image value.
    pub fn output_cell(&self, c: usize, y: usize, x: usize) -> Vec<Range<usize>> {
        let distribution = self.ends.distribution;
        let mut cell = vec![0..1, c..c + 1, y..y + 1, x..x + 1];
        if distribution.has_axis() {
            cell.insert(2, 0..distribution.parameters());
        }
        cell
    }

    /// The value that holds the parameters of the distribution.
    pub fn output(&self) -> Value {
        self.ends.output
    }

    /// Computes the sets of every value of the graph, restricted to the image values in `window`. The sets of
    /// a value are dropped after its last reader, unless `keep` is set.
    pub fn run(
        &self,
        window: Range<usize>,
        keep: bool,
    ) -> Result<Vec<Option<Sets>>, CausalityError> {
        let graph = self.graph;
        let mut uses = graph.use_counts();
        let mut all: Vec<Option<Sets>> = vec![None; graph.value_count()];
        for input in graph.inputs() {
            let ty = graph.ty(input.value);
            let sets = if input.value == self.ends.image {
                self.image_sets(ty, &window)
            } else {
                Sets { grid: Rc::new(Grid::whole(ty)), rows: None }
            };
            all[input.value.index()] = Some(sets);
        }
        for (id, node) in graph.nodes() {
            let inputs: Vec<&Sets> =
                node.inputs.iter().filter_map(|v| all[v.index()].as_ref()).collect();
            let &[result] = &node.outputs[..] else {
                let (node, span) = (node.name.clone(), graph.site(id).span);
                return Err(CausalityError::Results { node, span });
            };
            if inputs.len() != node.inputs.len() {
                return Err(CausalityError::Form("a node reads what is not computed yet"));
            }
            let types: Vec<&Type> = node.inputs.iter().map(|&v| graph.ty(v)).collect();
            let constants = constants(graph, &node.inputs);
            let result_type = graph.ty(result);
            let (sets, mixes) =
                apply(&node.op, &inputs, &types, result_type, &constants, window.len());
            if mixes && sets.rows.is_some() {
                let (node, span) = (node.name.clone(), graph.site(id).span);
                return Err(CausalityError::MixesBatch { node, span });
            }
            all[result.index()] = Some(sets);
            for v in &node.inputs {
                uses[v.index()] -= 1;
                if uses[v.index()] == 0 && !keep {
                    all[v.index()] = None;
                }
            }
        }
        Ok(all)
    }

    fn image_sets(&self, ty: &Type, window: &Range<usize>) -> Sets {
        let grid = Grid::unit(ty);
        let mut rows = BitRows::new(grid.cells(), window.len());
        let [colours, height, width] = self.dims();
        for c in 0..colours {
            for y in 0..height {
                for x in 0..width {
                    let number = self.number(c, y, x);
                    if window.contains(&number) {
                        rows.set((c * height + y) * width + x, number - window.start);
                    }
                }
            }
        }
        Sets { grid: Rc::new(grid), rows: Some(Rc::new(rows)) }
    }
}

/// For each input, its literal if it is a constant.
pub(super) fn constants<'g>(graph: &'g PixelGraph, inputs: &[Value]) -> Vec<Option<&'g Array>> {
    let literal = |v: &Value| match graph.maker(*v).map(|n| &n.op) {
        Some(Op::Constant(c)) => Some(&c.value),
        _ => None,
    };
    inputs.iter().map(literal).collect()
}

/// The sets of a node's result, and whether the node mixes the images of a batch.
fn apply(
    op: &Op,
    inputs: &[&Sets],
    types: &[&Type],
    result: &Type,
    constants: &[Option<&Array>],
    columns: usize,
) -> (Sets, bool) {
    let grids: Vec<&Grid> = inputs.iter().map(|s| &*s.grid).collect();
    let reading = Reading { types, result, grids: &grids, constants };
    let Footprint { grid, reads, same_place, mixes_batch } = op.footprint(&reading);
    let reading_any: Vec<&Sets> = inputs.iter().copied().filter(|s| s.rows.is_some()).collect();
    if reading_any.is_empty() {
        return (Sets { grid: Rc::new(grid), rows: None }, mixes_batch);
    }
    // Two shortcuts for speed: most nodes copy or merge the sets at one position.
    if same_place && reading_any.iter().all(|s| *s.grid == grid) {
        let mut rows = reading_any[0].rows.clone();
        for other in &reading_any[1..] {
            if let (Some(mine), Some(theirs)) = (&mut rows, &other.rows)
                && !Rc::ptr_eq(mine, theirs)
            {
                let mine = Rc::make_mut(mine);
                for i in 0..mine.rows() {
                    mine.union(i, theirs.row(i));
                }
            }
        }
        return (Sets { grid: reading_any[0].grid.clone(), rows }, mixes_batch);
    }
    let mut rows = BitRows::new(grid.cells(), columns);
    let mut row = 0;
    for_cells(&grid, &mut |cell| {
        reads(cell, &mut |input, part| {
            if let Some(theirs) = &inputs[input].rows {
                for_overlaps(&inputs[input].grid, part, &mut |i| rows.union(row, theirs.row(i)));
            }
        });
        row += 1;
    });
    (Sets { grid: Rc::new(grid), rows: Some(Rc::new(rows)) }, mixes_batch)
}

/// Calls `visit` with every cell of a grid, in row-major order.
pub(super) fn for_cells(grid: &Grid, visit: &mut dyn FnMut(Cell)) {
    let counts = grid.counts();
    if counts.contains(&0) {
        return;
    }
    let mut index = vec![0; counts.len()];
    let range = |axis: usize, i: usize| grid.axes[axis][i]..grid.axes[axis][i + 1];
    let mut cell: Vec<Range<usize>> = (0..counts.len()).map(|a| range(a, 0)).collect();
    loop {
        visit(&cell);
        let mut axis = counts.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            if index[axis] < counts[axis] {
                cell[axis] = range(axis, index[axis]);
                break;
            }
            index[axis] = 0;
            cell[axis] = range(axis, 0);
        }
    }
}

/// Calls `visit` with the index of every cell of a grid that overlaps a part of the tensor.
pub(super) fn for_overlaps(grid: &Grid, part: Cell, visit: &mut dyn FnMut(usize)) {
    fn walk(grid: &Grid, part: Cell, axis: usize, base: usize, visit: &mut dyn FnMut(usize)) {
        let Some(bounds) = grid.axes.get(axis) else { return visit(base) };
        let cells = bounds.len() - 1;
        let range = &part[axis];
        // An axis that is cut at every position needs no search.
        let unit = bounds.last() == Some(&cells);
        let mut i = match unit {
            true => range.start,
            false => bounds.partition_point(|&b| b <= range.start).saturating_sub(1),
        };
        while i < cells && bounds[i] < range.end {
            walk(grid, part, axis + 1, base * cells + i, visit);
            i += 1;
        }
    }
    walk(grid, part, 0, 0, visit);
}
