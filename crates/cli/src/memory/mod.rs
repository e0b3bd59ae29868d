//! Predicts the memory of a graph, by simulating ONNX Runtime's memory planner on the exported
//! graph.
//!
//! The order of nodes and the reuse of buffers are those of ONNX Runtime. Nodes run depth first,
//! starting from the last result. A node can write its result into the buffer of an input that is
//! not read again. A free buffer is reused only for a value of the same shape, and its memory is
//! released after the last of these values, to an arena ([`arena`]). Memory that kernels allocate while
//! a node runs is not counted.

mod arena;

use std::collections::BTreeMap;

use pixelrnn::internal::graph::{Dim, Origin, Role, Type, Value};
use pixelrnn::internal::onnx::{Native, OnnxGraph, OnnxOp};

use arena::Arena;

/// The memory of a process without a model: the program, ONNX Runtime, and what both reserve.
const BASE: u64 = 48 << 20;
/// The memory that ONNX Runtime needs per node.
const NODE: u64 = 8 << 10;

/// The predicted memory of a process that runs a graph, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// All values between nodes.
    pub values: u64,
    /// Weights. For a training step, also all states that the engine keeps, and their copies.
    pub state: u64,
    /// The program and the engine.
    pub base: u64,
}

impl Memory {
    /// The sum of all parts.
    pub fn total(self) -> u64 {
        self.values.saturating_add(self.state).saturating_add(self.base)
    }
}

/// Predicts the memory of a process that runs a training step on ONNX Runtime with this batch size.
pub fn step_memory(graph: &OnnxGraph, batch: usize) -> Memory {
    let sum = |roles: fn(Role) -> bool| -> u64 {
        let these = graph.inputs().iter().filter(|i| roles(i.role));
        these.map(|i| bytes(graph.ty(i.value), batch)).sum()
    };
    let parameters = sum(|role| matches!(role, Role::Parameter(_)));
    let states = sum(|role| matches!(role, Role::Parameter(_) | Role::State));
    // The caller's weights and initial states, and two sets of buffers: steps read from one and
    // write to the other, in turn.
    let state = parameters + 3 * states;
    let base = BASE + NODE * graph.total_nodes() as u64;
    Memory { values: peak(graph, batch, true), state, base }
}

fn bytes(ty: &Type, batch: usize) -> u64 {
    let elements = ty.shape.iter().fold(1u64, |n, d| n.saturating_mul(d.with_batch(batch) as u64));
    elements.saturating_mul(ty.elem.bytes() as u64)
}

/// The order in which ONNX Runtime runs nodes, as indices. It is depth first, from the nodes whose
/// results no other node reads, the last of them first. Among the inputs of a node, the one that
/// was created last is computed first.
fn order(graph: &OnnxGraph) -> Vec<usize> {
    let nodes: Vec<_> = graph.nodes().map(|(_, node)| node).collect();
    let makers = |node: usize| -> Vec<usize> {
        let makers = nodes[node].inputs.iter().filter_map(|&v| match graph.origin(v) {
            Origin::Node(id, _) => Some(id.index()),
            Origin::Input(_) => None,
        });
        let mut makers: Vec<usize> = makers.collect();
        makers.sort_unstable();
        makers
    };
    let mut read = vec![false; nodes.len()];
    for node in 0..nodes.len() {
        makers(node).into_iter().for_each(|maker| read[maker] = true);
    }
    let mut stack: Vec<(usize, bool)> =
        (0..nodes.len()).filter(|&node| !read[node]).map(|node| (node, false)).collect();
    let mut visited = vec![false; nodes.len()];
    let mut order = Vec::with_capacity(nodes.len());
    while let Some((node, leave)) = stack.pop() {
        if leave {
            order.push(node);
            continue;
        }
        if std::mem::replace(&mut visited[node], true) {
            continue;
        }
        stack.push((node, true));
        stack.extend(makers(node).into_iter().filter(|&m| !visited[m]).map(|m| (m, false)));
    }
    order
}

/// The input whose buffer ONNX Runtime can give to a result. Sums and products always get buffers of
/// their own.
fn replaceable(op: &OnnxOp, result: usize) -> Option<usize> {
    match (op, result) {
        (OnnxOp::Native(native), _) => match (native.name, result) {
            ("LstmSweep", 2) => Some(1),
            ("LstmSweepGradient", 1) => Some(4),
            ("CategoricalNllSlope" | Native::BARRIER, 0) => Some(0),
            _ => None,
        },
        (OnnxOp::Relu | OnnxOp::Sigmoid | OnnxOp::Tanh | OnnxOp::Cast { .. }, 0) => Some(0),
        _ => is_view(op).then_some(0),
    }
}

/// Whether the result is the first input in another shape.
fn is_view(op: &OnnxOp) -> bool {
    match op {
        OnnxOp::Reshape { .. } | OnnxOp::Unsqueeze { .. } | OnnxOp::Identity => true,
        OnnxOp::Native(native) => native.name == Native::BARRIER,
        _ => false,
    }
}

/// For each value, the number of barriers before it; 0 for those without a batch axis, whose shape has no
/// other name after a barrier.
fn barriers_before(graph: &OnnxGraph) -> Vec<usize> {
    let mut before = Native::barriers_before(graph);
    let values = graph.nodes().flat_map(|(_, node)| node.outputs.iter());
    for v in values.filter(|v| graph.ty(**v).shape.iter().all(|dim| dim.fixed().is_some())) {
        before[v.index()] = 0;
    }
    before
}

/// A buffer of the plan.
struct Buffer {
    /// The type of the first value in it.
    ty: Type,
    /// The number of barriers before that value.
    before: usize,
    bytes: u64,
    first: usize,
    last: usize,
}

/// A plan under construction.
struct Plan<'a> {
    graph: &'a OnnxGraph,
    batch: usize,
    buffers: Vec<Buffer>,
    /// The buffer of each value. `None` for inputs, constants, and values in buffers of the caller.
    of: Vec<Option<usize>>,
    /// For each buffer, how many reads of values in it remain.
    readers: Vec<usize>,
    /// The free buffers, by the number of barriers before their values, their shape and the size of an
    /// element.
    free: BTreeMap<(usize, Vec<Dim>, usize), Vec<usize>>,
    /// The number of barriers before each value.
    before: Vec<usize>,
}

impl Plan<'_> {
    fn assign(&mut self, value: Value, step: usize) -> usize {
        let ty = self.graph.ty(value);
        let key = (self.before[value.index()], ty.shape.clone(), ty.elem.bytes());
        let found = self.free.get_mut(&key).and_then(Vec::pop);
        let buffer = found.unwrap_or_else(|| {
            let bytes = bytes(ty, self.batch);
            let before = self.before[value.index()];
            self.buffers.push(Buffer { ty: ty.clone(), before, bytes, first: step, last: step });
            self.readers.push(0);
            self.buffers.len() - 1
        });
        self.buffers[buffer].last = step;
        self.of[value.index()] = Some(buffer);
        buffer
    }

    /// The buffer of an input, if this node can write its result into it. It must be the only
    /// remaining reader, unless the result is the input.
    fn taken_over(&self, op: &OnnxOp, input: Value, output: Value) -> Option<usize> {
        let (from, to) = (self.graph.ty(input), self.graph.ty(output));
        let fits = from.shape == to.shape && from.elem.bytes() == to.elem.bytes();
        let buffer = self.of[input.index()]?;
        (is_view(op) || (fits && self.readers[buffer] == 1)).then_some(buffer)
    }
}

/// The memory of all buffers in bytes. With `bound`, outputs of the graph are in buffers of the
/// caller.
fn peak(graph: &OnnxGraph, batch: usize, bound: bool) -> u64 {
    let uses = graph.use_counts();
    let mut is_output = vec![false; graph.value_count()];
    graph.outputs().iter().for_each(|out| is_output[out.value.index()] = true);
    let nodes: Vec<_> = graph.nodes().map(|(_, node)| node).collect();
    let of = vec![None; graph.value_count()];
    let mut plan = Plan {
        graph,
        batch,
        buffers: Vec::new(),
        of,
        readers: Vec::new(),
        free: BTreeMap::new(),
        before: barriers_before(graph),
    };
    let order = order(graph);
    let mut inside = vec![0; order.len()];
    for (step, &node) in order.iter().enumerate() {
        let node = nodes[node];
        if matches!(node.op, OnnxOp::Constant(_)) {
            continue;
        }
        if let OnnxOp::Scan(scan) = &node.op {
            inside[step] = peak(&scan.body, batch, false);
        }
        for (port, &out) in node.outputs.iter().enumerate() {
            if is_output[out.index()] && bound {
                continue;
            }
            let input = replaceable(&node.op, port).and_then(|i| node.inputs.get(i));
            let over = match is_output[out.index()] {
                false => input.and_then(|&v| plan.taken_over(&node.op, v, out)),
                true => None,
            };
            let buffer = match over {
                Some(buffer) => {
                    plan.of[out.index()] = Some(buffer);
                    buffer
                }
                None => plan.assign(out, step),
            };
            // The buffer of a graph's output is never free.
            plan.readers[buffer] += uses[out.index()].max(1);
            plan.buffers[buffer].last = match is_output[out.index()] {
                true => order.len(),
                false => plan.buffers[buffer].last.max(step),
            };
        }
        let unread = node.outputs.iter().filter(|v| uses[v.index()] == 0);
        for &v in node.inputs.iter().chain(unread) {
            let Some(buffer) = plan.of[v.index()] else { continue };
            plan.readers[buffer] -= 1;
            plan.buffers[buffer].last = plan.buffers[buffer].last.max(step);
            if plan.readers[buffer] == 0 {
                if uses[v.index()] == 0 {
                    // ONNX Runtime releases a value after its last reader.
                    plan.buffers[buffer].last = order.len();
                }
                let Buffer { ty, before, .. } = &plan.buffers[buffer];
                let key = (*before, ty.shape.clone(), ty.elem.bytes());
                plan.free.entry(key).or_default().push(buffer);
            }
        }
    }
    taken(&plan.buffers, &inside)
}

/// The memory that an arena takes for buffers, and for the memory inside of loops.
fn taken(buffers: &[Buffer], inside: &[u64]) -> u64 {
    let mut first = vec![Vec::new(); inside.len()];
    let mut last = vec![Vec::new(); inside.len() + 1];
    for (i, buffer) in buffers.iter().enumerate() {
        first[buffer.first].push(i);
        last[buffer.last].push(i);
    }
    let mut arena = Arena::new();
    let mut places = BTreeMap::new();
    for (step, &inside) in inside.iter().enumerate() {
        for &i in &first[step] {
            places.insert(i, arena.allocate(buffers[i].bytes));
        }
        if inside > 0 {
            let place = arena.allocate(inside);
            arena.free(place);
        }
        last[step].iter().filter_map(|i| places.remove(i)).for_each(|place| arena.free(place));
    }
    arena.bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pixelrnn::internal::graph::{OutputRole, Site};
    use pixelrnn::{ExportOptions, GraphKind, zoo};

    fn push(graph: &mut OnnxGraph, op: OnnxOp, inputs: &[Value]) -> Value {
        graph.push(op, inputs, "node", Site::NONE).expect("fits")[0]
    }

    /// A graph with an input of 64 numbers per image.
    fn start() -> (OnnxGraph, Value) {
        let mut graph = OnnxGraph::new("graph");
        let x = graph.input("x", Type::real([Dim::N, Dim::Fixed(64)]), Role::Local);
        (graph, x)
    }

    #[test]
    fn buffers_are_taken_over_and_used_again() {
        let one = 256 * 3;
        let turn = OnnxOp::Transpose { perm: vec![0, 1] };
        let (mut graph, x) = start();
        let a = push(&mut graph, turn.clone(), &[x]);
        let b = push(&mut graph, OnnxOp::Relu, &[a]);
        graph.output_as("b", b, OutputRole::Local);
        // An output has its own buffer.
        assert_eq!(peak(&graph, 3, false), 2 * one);
        assert_eq!(peak(&graph, 3, true), one);

        let (mut graph, x) = start();
        let mut y = x;
        for _ in 0..5 {
            y = push(&mut graph, turn.clone(), &[y]);
            y = push(&mut graph, OnnxOp::Relu, &[y]);
        }
        graph.output_as("y", y, OutputRole::Local);
        // The function runs in place. A transpose cannot reuse the buffer of its input, but the
        // next transpose can.
        assert_eq!(peak(&graph, 3, true), 2 * one);
    }

    #[test]
    fn a_value_with_two_readers_stays() {
        let one = 256 * 3;
        let (mut graph, x) = start();
        let a = push(&mut graph, OnnxOp::Relu, &[x]);
        let b = push(&mut graph, OnnxOp::Tanh, &[a]);
        let c = push(&mut graph, OnnxOp::Mul, &[a, b]);
        graph.output_as("c", c, OutputRole::Local);
        assert_eq!(peak(&graph, 3, true), 2 * one);
    }

    #[test]
    fn nodes_run_depth_first_from_the_last_result() {
        let (mut graph, x) = start();
        let a = push(&mut graph, OnnxOp::Relu, &[x]);
        let b = push(&mut graph, OnnxOp::Tanh, &[x]);
        let c = push(&mut graph, OnnxOp::Exp, &[a]);
        let d = push(&mut graph, OnnxOp::Neg, &[b]);
        graph.output_as("c", c, OutputRole::Local);
        graph.output_as("d", d, OutputRole::Local);
        assert_eq!(order(&graph), [1, 3, 0, 2]);
    }

    #[test]
    fn recomputing_activations_takes_less_memory() {
        let model = zoo::find("cifar-diagonal").unwrap().declare(&[]).unwrap();
        let values = |remat, native, batch| {
            let options = ExportOptions { remat, native, ..ExportOptions::default() };
            let graph = model.compile(GraphKind::Train, &options, &mut |_, _| {}).unwrap();
            step_memory(&graph, batch).values
        };
        let [stored, again] = [false, true].map(|remat| values(remat, false, 8));
        assert!(5 * again < 2 * stored, "{again} of {stored} bytes");
        // With operators of the engine, blocks share no buffers, and take what the block before has
        // released.
        let [stored, again] = [false, true].map(|remat| values(remat, true, 32));
        assert!(3 * again < stored, "{again} of {stored} bytes");
        let once = ExportOptions::default();
        let graph = model.compile(GraphKind::Train, &once, &mut |_, _| {}).unwrap();
        let (small, large) = (step_memory(&graph, 4).values, step_memory(&graph, 8).values);
        assert!(2 * small >= large && large > small, "{small}, {large}");
    }
}
