//! Graphs that cannot be declared: built node by node, or edited.

use pixelrnn::internal::graph::{Dim, Init, OutputRole, Role, Type, Value};
use pixelrnn::internal::ops::{
    Distribution, Mask, MaskKind, MaskedConv, Op, Pad, PixelGraph, Slice,
};
use pixelrnn::internal::passes::cse_dce::Bodies;
use pixelrnn::internal::passes::rewrite::Rewrite;

/// A graph from `image` to `logits` under construction.
pub struct Build {
    pub graph: PixelGraph,
    colours: usize,
}

impl Build {
    /// An empty graph, and its image.
    pub fn new(colours: usize, height: usize, width: usize) -> (Build, Value) {
        let mut graph = PixelGraph::new("fixture");
        let shape = [Dim::N, Dim::Fixed(colours), Dim::Fixed(height), Dim::Fixed(width)];
        let image = graph.input("image", Type::real(shape), Role::Image);
        (Build { graph, colours }, image)
    }

    /// Adds a node with one result.
    pub fn push(&mut self, op: impl Into<Op>, inputs: &[Value], name: &str) -> Value {
        self.graph.push(op.into(), inputs, name, None).unwrap_or_else(|e| panic!("{e}"))[0]
    }

    /// Adds a weight.
    pub fn param(&mut self, shape: &[usize]) -> Value {
        let name = format!("p{}", self.graph.inputs().len());
        let ty = Type::real(shape.iter().copied());
        self.graph.input(name, ty, Role::Parameter(Init::Uniform { fan_in: 4 }))
    }

    /// Adds a convolution on maps.
    pub fn conv(
        &mut self,
        x: Value,
        kind: MaskKind,
        kernel: [usize; 2],
        outputs: usize,
        name: &str,
    ) -> Value {
        let inputs = self.graph.ty(x).extents(1)[1];
        let weight = self.param(&[outputs, inputs, kernel[0], kernel[1]]);
        let bias = self.param(&[outputs]);
        let mask = Mask { kind, kernel, colours: self.colours, gates: 1 };
        self.push(MaskedConv::on_maps(mask), &[x, weight, bias], name)
    }

    /// Moves a map down and right, with zeros in the free cells.
    pub fn moved(&mut self, x: Value, down: isize, right: isize) -> Value {
        let mut x = x;
        for (axis, by) in [(2, down), (3, right)] {
            let extent = self.graph.ty(x).extents(1)[axis];
            let far = by.unsigned_abs();
            let (before, after) = if by > 0 { (far, 0) } else { (0, far) };
            if far > 0 {
                let slice = Slice { axis, start: after, length: extent - far };
                x = self.push(slice, &[x], "moved");
                x = self.push(Pad { axis, before, after }, &[x], "moved");
            }
        }
        x
    }

    /// Adds the last layer.
    pub fn logits(mut self, x: Value) -> PixelGraph {
        let logits = self.conv(x, MaskKind::B, [1, 1], self.colours, "logits");
        let role = OutputRole::Parameters(Distribution::of_logits(2).expect("two levels"));
        self.graph.output_as("logits", logits, role);
        self.graph
    }
}

/// Copies a graph with its bodies, and replaces some operators.
pub fn edit(graph: &PixelGraph, change: &dyn Fn(&str, &Op) -> Option<Op>) -> PixelGraph {
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    for (id, node) in graph.nodes() {
        let op = change(&node.name, &node.op).unwrap_or_else(|| {
            node.op.map_bodies(&|body| Ok(edit(body, change))).expect("the body fits")
        });
        rewrite.node_as(id, op).unwrap_or_else(|e| panic!("{e}"));
    }
    rewrite.finish().expect("every output is made")
}
