//! Decides where `remat` cuts a graph: at boundaries of layers, such that the memory for the values kept
//! between blocks plus the memory of the largest block is smallest.

use std::ops::Range;

use pixelrnn_graph::{Dim, Node, Origin, Type};
use pixelrnn_ops::rules::Rules;
use pixelrnn_ops::{Op, PixelGraph, Scan, SweepForm};

/// The memory of a block while its gradient is computed, as a multiple of its activations: the activations,
/// and cotangents of the same sizes.
const WORKING: u64 = 2;

/// Whether a value depends on the batch, that is, has a batch axis.
pub(crate) fn depends_on_batch(ty: &Type) -> bool {
    ty.shape.iter().any(|d| matches!(d, Dim::Batch(_)))
}

/// The number of elements of a value per image; 0 if it has no batch axis.
fn elements(ty: &Type) -> u64 {
    if depends_on_batch(ty) { ty.size() as u64 } else { 0 }
}

/// The number of elements per image that a node stores for its gradient.
fn stored(graph: &PixelGraph, node: &Node<Op>) -> u64 {
    let results = node.outputs.iter().map(|&v| elements(graph.ty(v))).sum::<u64>();
    match &node.op {
        Op::Scan(scan) => results.saturating_add(stacked(graph, node, scan)),
        Op::LstmSweep(sweep) if sweep.form == SweepForm::Native => {
            let inputs: Vec<&Type> = node.inputs.iter().map(|&v| graph.ty(v)).collect();
            let all = sweep.saving().infer(&inputs).unwrap_or_default();
            all.iter().map(elements).sum()
        }
        _ => results,
    }
}

/// The number of elements per image that a loop stacks for its gradient.
fn stacked(graph: &PixelGraph, node: &Node<Op>, scan: &Scan) -> u64 {
    let scanned = node.inputs.get(scan.carried()).map(|&v| graph.ty(v));
    let steps = scanned.and_then(|ty| ty.extents(1).first().copied()).unwrap_or(1) as u64;
    let body: u64 = scan.body.nodes().map(|(_, inner)| stored(&scan.body, inner)).sum();
    steps.saturating_mul(body)
}

/// For each node, whether a cut before it could change the bits of a result. ONNX Runtime fuses a product or
/// convolution with the addition or activation after it, unless another node reads the value between them. A
/// barrier would be such a node.
fn fused(graph: &PixelGraph) -> Vec<bool> {
    let uses = graph.use_counts();
    let mut fused = vec![false; graph.nodes().len()];
    for (reader, node) in graph.nodes() {
        if !matches!(node.op, Op::Add(_) | Op::Relu(_) | Op::Tanh(_) | Op::Sigmoid(_)) {
            continue;
        }
        for &v in node.inputs.iter().filter(|v| uses[v.index()] == 1) {
            if let Origin::Node(maker, _) = graph.origin(v) {
                fused[maker.index() + 1..=reader.index()].fill(true);
            }
        }
    }
    fused
}

/// The blocks of a graph, as ranges of its nodes, in order. A single block if cutting does not save memory.
pub(crate) fn blocks(graph: &PixelGraph) -> Vec<Range<usize>> {
    let costs = Costs::new(graph);
    let whole = costs.inner(0, costs.cuts.len() - 1).saturating_mul(WORKING);
    // The limit for the largest block: at first the smallest possible one, then larger in steps.
    let intervals = costs.cuts.len() - 1;
    let mut limit = (0..intervals).map(|i| costs.inner(i, i + 1)).max().unwrap_or(0);
    let mut best = (whole, vec![0, intervals]);
    while limit.saturating_mul(WORKING) < best.0 {
        if let Some((kept, path)) = costs.cheapest(limit) {
            let total = kept.saturating_add(limit.saturating_mul(WORKING));
            if total < best.0 {
                best = (total, path);
            }
        }
        limit = limit.saturating_add(limit / 4).saturating_add(1);
    }
    best.1.windows(2).map(|ends| costs.cuts[ends[0]]..costs.cuts[ends[1]]).collect()
}

/// The costs of blocks between possible cuts.
struct Costs {
    /// The indices of nodes before which a layer ends, with both ends of the graph.
    cuts: Vec<usize>,
    /// Elements stored by the nodes before each cut.
    before: Vec<u64>,
    /// The values that cross a cut: the interval between cuts that computes it, the last interval that reads
    /// it, and its number of elements.
    crossing: Vec<(usize, usize, u64)>,
}

impl Costs {
    fn new(graph: &PixelGraph) -> Costs {
        let count = graph.nodes().len();
        let layers: Vec<_> = graph.nodes().map(|(id, _)| graph.site(id).layer).collect();
        let fused = fused(graph);
        let mut cuts = vec![0];
        cuts.extend((1..count).filter(|&i| layers[i] != layers[i - 1] && !fused[i]));
        cuts.push(count);
        let mut before = vec![0];
        let mut interval_of = vec![0; count];
        let mut sum = 0u64;
        let mut interval = 0;
        for (id, node) in graph.nodes() {
            if id.index() == cuts[interval + 1] {
                before.push(sum);
                interval += 1;
            }
            interval_of[id.index()] = interval;
            sum = sum.saturating_add(stored(graph, node));
        }
        before.push(sum);
        let mut last = vec![None; graph.value_count()];
        for (id, node) in graph.nodes() {
            for v in &node.inputs {
                last[v.index()] = Some(interval_of[id.index()]);
            }
        }
        let mut crossing = Vec::new();
        for (id, node) in graph.nodes() {
            for &v in &node.outputs {
                let made = interval_of[id.index()];
                let elements = elements(graph.ty(v));
                if let Some(read) = last[v.index()].filter(|&read| read > made && elements > 0) {
                    crossing.push((made, read, elements));
                }
            }
        }
        Costs { cuts, before, crossing }
    }

    /// The number of elements that the nodes between two cuts store.
    fn inner(&self, from: usize, to: usize) -> u64 {
        self.before[to].saturating_sub(self.before[from])
    }

    /// The cuts that keep the fewest elements between blocks, if no block may store more than `limit`: that
    /// number of elements, and the cuts.
    fn cheapest(&self, limit: u64) -> Option<(u64, Vec<usize>)> {
        let ends = self.cuts.len();
        let mut made: Vec<Vec<(usize, u64)>> = vec![Vec::new(); ends];
        for &(from, read, elements) in &self.crossing {
            made[from].push((read, elements));
        }
        let mut best: Vec<Option<(u64, usize)>> = vec![None; ends];
        best[0] = Some((0, 0));
        for to in 1..ends {
            let mut kept = 0u64;
            for from in (0..to).rev() {
                if self.inner(from, to) > limit {
                    break;
                }
                let leaving = made[from].iter().filter(|(read, _)| *read >= to);
                kept = kept.saturating_add(leaving.map(|(_, n)| n).sum());
                let Some((so_far, _)) = best[from] else { continue };
                let total = kept.saturating_add(so_far);
                // If equal, prefers the path with fewer cuts: it needs fewer barriers.
                if best[to].is_none_or(|(least, _)| total <= least) {
                    best[to] = Some((total, from));
                }
            }
        }
        let (total, _) = best[ends - 1]?;
        let mut path = vec![ends - 1];
        while let Some(&to) = path.last().filter(|&&to| to > 0) {
            path.push(best[to]?.1);
        }
        path.reverse();
        Some((total, path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pixelrnn_graph::{Dim, OutputRole, Role, Site};
    use pixelrnn_ops::{Add, Slice, Tanh};

    /// A graph of layers that widen a map, apply a function, and narrow it again.
    fn chain(layers: usize) -> PixelGraph {
        let mut graph = PixelGraph::new("chain");
        let ty = Type::real([Dim::N, Dim::Fixed(1), Dim::Fixed(4), Dim::Fixed(4)]);
        let mut x = graph.input("image", ty, Role::Local);
        for i in 0..layers {
            let layer = graph.layer(&format!("layer.{i}"));
            let site = Site { layer: Some(layer), ..Site::NONE };
            let wide = graph
                .push(pixelrnn_ops::Concat { axis: 1 }.into(), &[x; 16], "wide", site)
                .unwrap()[0];
            let wide = graph.push(Tanh.into(), &[wide], "tanh", site).unwrap()[0];
            let part = Slice { axis: 1, start: 3, length: 1 };
            let part = graph.push(part.into(), &[wide], "part", site).unwrap()[0];
            x = graph.push(Add.into(), &[x, part], "sum", site).unwrap()[0];
        }
        graph.output_as("y", x, OutputRole::Local);
        graph
    }

    #[test]
    fn blocks_end_where_layers_end() {
        let graph = chain(12);
        let blocks = blocks(&graph);
        assert!(blocks.len() > 2, "{blocks:?}");
        assert_eq!(blocks[0].start, 0);
        assert_eq!(blocks[blocks.len() - 1].end, graph.nodes().len());
        for pair in blocks.windows(2) {
            assert_eq!(pair[0].end, pair[1].start);
            assert_eq!(pair[0].end % 4, 0, "{blocks:?}");
        }
    }

    #[test]
    fn no_cut_between_a_sum_and_its_activation() {
        let mut graph = chain(12);
        // Only the function reads this sum.
        let last = graph.nodes().next_back().unwrap().1.outputs[0];
        let sum = graph.push(Add.into(), &[last, last], "last_sum", Site::NONE).unwrap()[0];
        let layer = graph.layer("head");
        let site = Site { layer: Some(layer), ..Site::NONE };
        let y = graph.push(Tanh.into(), &[sum], "head", site).unwrap()[0];
        graph.output_as("z", y, OutputRole::Local);
        let head = graph.nodes().len() - 1;
        let blocks = blocks(&graph);
        assert!(blocks.len() > 2);
        assert!(blocks.iter().all(|block| block.start != head), "{blocks:?}");
    }

    #[test]
    fn one_layer_is_one_block() {
        let graph = chain(1);
        assert_eq!(blocks(&graph), vec![0..graph.nodes().len()]);
    }
}
