//! The path of a leak, step by step from the output back to the input.

use std::ops::Range;

use pixelrnn_graph::{Dim, Operation, Origin, Type};
use pixelrnn_ops::{Footprint, Grid, PixelGraph, Reading};

use super::sets::{Analysis, Sets, constants, for_overlaps};
use super::{CausalityError, Hop, Witness};

/// Propagates the witness's input alone through the graph, and then walks back from the output.
pub(super) fn path(graph: &PixelGraph, witness: &Witness) -> Result<Vec<Hop>, CausalityError> {
    let analysis = Analysis::new(graph)?;
    let [colours, height, width] = analysis.dims();
    let Witness { output, input, .. } = witness;
    let number = analysis.number(input.colour, input.y, input.x);
    let all = analysis.run(number..number + 1, true)?;
    let mut value = analysis.output();
    let mut cell = analysis.output_cell(output.colour, output.y, output.x);
    let mut hops: Vec<Hop> = Vec::new();
    while let Origin::Node(id, _) = graph.origin(value) {
        let node = graph.node(id);
        let sets: Vec<&Sets> = node.inputs.iter().filter_map(|v| all[v.index()].as_ref()).collect();
        let types: Vec<&Type> = node.inputs.iter().map(|&v| graph.ty(v)).collect();
        let grids: Vec<&Grid> = sets.iter().map(|s| &*s.grid).collect();
        let constants = constants(graph, &node.inputs);
        let reading = Reading {
            types: &types,
            result: graph.ty(value),
            grids: &grids,
            constants: &constants,
        };
        let Footprint { grid, reads, .. } = node.op.footprint(&reading);
        // Finds a cell of the result inside the requested part, and a part of an input that it reads and that
        // depends on the witness's input.
        let mut found: Option<(usize, Vec<Range<usize>>, Vec<Range<usize>>)> = None;
        let counts = grid.counts();
        for_overlaps(&grid, &cell, &mut |i| {
            if found.is_some() {
                return;
            }
            let own = cell_at(&grid, &counts, i);
            reads(&own, &mut |input, part| {
                let Some(rows) = &sets[input].rows else { return };
                for_overlaps(&sets[input].grid, part, &mut |j| {
                    if found.is_none() && rows.get(j, 0) {
                        let grid = &sets[input].grid;
                        let read = cell_at(grid, &grid.counts(), j);
                        let read = read.iter().zip(part);
                        let read = read.map(|(a, b)| a.start.max(b.start)..a.end.min(b.end));
                        found = Some((input, read.collect(), own.clone()));
                    }
                });
            });
        });
        let Some((input, read, own)) = found else { break };
        // All nodes of a layer are one step of the path, at the position of the layer's result. A node
        // without a layer is a step of its own.
        let layer = graph.layer_of(id).unwrap_or(&node.name);
        if hops.last().is_none_or(|h| h.layer != layer) {
            let ty = graph.ty(value);
            let place = match (&ty.shape[..], &own[..]) {
                ([Dim::Batch(_), .., h, w], [_, .., y, x])
                    if [*h, *w] == [Dim::Fixed(height), Dim::Fixed(width)] =>
                {
                    Some((y.start, x.start))
                }
                _ => None,
            };
            let features = ty.extents(1).get(1).copied().unwrap_or(1);
            let group = own.get(1).map_or(0, |f| f.start * colours / features.max(1));
            let (mnemonic, span) = (node.op.mnemonic(), graph.site(id).span);
            hops.push(Hop { layer: layer.to_string(), mnemonic, span, place, group });
        }
        value = node.inputs[input];
        cell = read;
    }
    Ok(hops)
}

fn cell_at(grid: &Grid, counts: &[usize], mut i: usize) -> Vec<Range<usize>> {
    let mut cell = Vec::with_capacity(counts.len());
    for (axis, &n) in counts.iter().enumerate().rev() {
        let k = i % n;
        i /= n;
        cell.push(grid.axes[axis][k]..grid.axes[axis][k + 1]);
    }
    cell.reverse();
    cell
}
