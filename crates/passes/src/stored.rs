//! `store_bf16` and `store_int8`: store the weights of products and convolutions in fewer bits, and convert
//! them to f32 before they are used.
//!
//! Computation stays in f32: ONNX has no bf16 convolution before operator set 22, and ONNX Runtime has almost
//! no bf16 kernels for CPUs. Engines that fold constants undo the storage when they load a model.
//!
//! The weights of a recurrence are converted inside the loop body, since OpenVINO does not let a loop body
//! read a value that is computed outside. The nested loops of a sampler, which OpenVINO does not support
//! anyway, read weights that are converted once, before both loops.

use std::collections::BTreeMap;

use pixelrnn_graph::{BuildError, Elem, Site, Value};
use pixelrnn_onnx::{Literal, OnnxGraph, OnnxOp, Scan, narrow};

use crate::cse_dce::{Bodies, cse_dce};
use crate::rewrite::Rewrite;

/// Constants with fewer elements stay in f32: storing them in fewer bits would save nothing.
const LEAST: usize = 32;

/// The format of stored weights.
#[derive(Clone, Copy)]
enum Storage {
    Bf16,
    Int8,
}

/// Stores weights in bf16.
///
/// # Errors
/// [`BuildError`] if the graph is not valid.
pub fn store_bf16(graph: &OnnxGraph) -> Result<OnnxGraph, BuildError> {
    cse_dce(&store(graph, Storage::Bf16)?)
}

/// Stores weights in int8, with one scale per output channel.
///
/// # Errors
/// [`BuildError`] if the graph is not valid.
pub fn store_int8(graph: &OnnxGraph) -> Result<OnnxGraph, BuildError> {
    cse_dce(&store(graph, Storage::Int8)?)
}

/// A stored weight.
#[derive(Clone)]
struct Stored {
    /// The stored constants, in the new graph.
    parts: Vec<Value>,
    /// The operator that converts the constants to f32.
    op: OnnxOp,
    name: String,
}

impl Storage {
    /// Adds a stored weight to a graph.
    fn weight(
        self,
        graph: &mut OnnxGraph,
        values: &ndarray::ArrayD<f32>,
        axis: usize,
        name: &str,
    ) -> Result<Stored, BuildError> {
        let mut constant = |literal: Literal, name: &str| {
            Ok(graph.push(OnnxOp::constant(literal), &[], name, Site::NONE)?[0])
        };
        let (parts, op) = match self {
            Storage::Bf16 => {
                (vec![constant(Literal::bf16(values), name)?], OnnxOp::Cast { to: Elem::Real })
            }
            Storage::Int8 => {
                let (quantized, scales) = narrow::quantize(values, axis);
                let scales = Literal::Real(ndarray::Array1::from(scales).into_dyn());
                let quantized = constant(Literal::Int8(quantized), name)?;
                let scales = constant(scales, &format!("{name}/scale"))?;
                (vec![quantized, scales], OnnxOp::DequantizeLinear { axis })
            }
        };
        Ok(Stored { parts, op, name: format!("{name}/f32") })
    }
}

fn store(graph: &OnnxGraph, storage: Storage) -> Result<OnnxGraph, BuildError> {
    let channels = output_channels(graph);
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    let mut weights: BTreeMap<Value, Stored> = BTreeMap::new();
    for (id, node) in graph.nodes() {
        match &node.op {
            OnnxOp::Constant(literal) => {
                let output = node.outputs[0];
                match (&**literal, channels.get(&output)) {
                    (Literal::Real(values), Some(&axis)) if values.len() >= LEAST => {
                        let name = &node.name;
                        let stored = storage.weight(&mut rewrite.new, values, axis, name)?;
                        let (op, site) = (stored.op.clone(), graph.site(id));
                        let f32 = rewrite.new.push(op, &stored.parts, &stored.name, site)?[0];
                        rewrite.set(output, f32);
                        weights.insert(output, stored);
                    }
                    _ => {
                        rewrite.node(id)?;
                    }
                }
            }
            OnnxOp::Scan(scan) if !has_loop(&scan.body) => {
                let stored: Vec<Option<&Stored>> =
                    node.inputs.iter().map(|v| weights.get(v)).collect();
                let inputs = rewrite.inputs_of(id)?;
                let scan = Scan { body: store(&scan.body, storage)?, ..(**scan).clone() };
                let (scan, inputs) = restored_inside(&scan, &stored, &inputs, &rewrite.new)?;
                let op = OnnxOp::Scan(Box::new(scan));
                let results = rewrite.new.push(op, &inputs, &node.name, graph.site(id))?;
                for (&old, new) in node.outputs.iter().zip(results) {
                    rewrite.set(old, new);
                }
            }
            op => {
                let op = op.map_bodies(&|body| store(body, storage))?;
                rewrite.node_as(id, op)?;
            }
        }
    }
    rewrite.finish()
}

fn has_loop(body: &OnnxGraph) -> bool {
    body.nodes().any(|(_, node)| matches!(node.op, OnnxOp::Scan(_)))
}

/// Returns the loop with stored weights as constants of its body and their conversion to f32, and the inputs
/// that are left. The constants are in the body because ONNX Runtime does not load a quantized weight that a
/// loop captures.
fn restored_inside(
    scan: &Scan,
    stored: &[Option<&Stored>],
    inputs: &[Value],
    outer: &OnnxGraph,
) -> Result<(Scan, Vec<Value>), BuildError> {
    let mut rewrite = Rewrite::new(&scan.body);
    let (mut actual, mut invariants) = (Vec::new(), 0);
    let carried = scan.states..scan.states + scan.invariants;
    let mut restored = Vec::new();
    for (i, (formal, &input)) in scan.body.inputs().iter().zip(inputs).enumerate() {
        match stored[i].filter(|_| carried.contains(&i)) {
            Some(weight) => restored.push((formal, weight)),
            None => {
                rewrite.input(formal);
                actual.push(input);
                invariants += usize::from(carried.contains(&i));
            }
        }
    }
    for (formal, weight) in restored {
        let mut parts = Vec::new();
        for maker in weight.parts.iter().filter_map(|&part| outer.maker(part)) {
            parts.push(rewrite.new.push(maker.op.clone(), &[], &maker.name, Site::NONE)?[0]);
        }
        let f32 = rewrite.new.push(weight.op.clone(), &parts, &weight.name, Site::NONE)?[0];
        rewrite.set(formal.value, f32);
    }
    rewrite.nodes()?;
    let body = rewrite.finish()?;
    Ok((Scan { body, invariants, states: scan.states, reverse: scan.reverse }, actual))
}

/// For each value that is a weight of a product or convolution, the axis of its output channels.
fn output_channels(graph: &OnnxGraph) -> BTreeMap<Value, usize> {
    let mut axes = BTreeMap::new();
    let nodes: Vec<_> = graph.nodes().collect();
    for (_, node) in nodes.into_iter().rev() {
        let rank = |i: usize| graph.ty(node.inputs[i]).rank();
        let own = match &node.op {
            OnnxOp::MatMul => vec![(0, rank(0) - 2), (1, rank(1) - 1)],
            OnnxOp::Conv { .. } => vec![(1, 0)],
            OnnxOp::Scan(scan) => {
                let inner = output_channels(&scan.body);
                let formals = scan.body.inputs().iter().enumerate();
                let invariants = formals.skip(scan.states).take(scan.invariants);
                invariants.filter_map(|(i, f)| Some((i, *inner.get(&f.value)?))).collect()
            }
            // The axis of output channels is the first in these views of a weight.
            OnnxOp::Transpose { .. }
            | OnnxOp::Reshape { .. }
            | OnnxOp::Unsqueeze { .. }
            | OnnxOp::Slice { .. }
            | OnnxOp::Split { .. }
            | OnnxOp::Concat { .. }
                if node.outputs.iter().any(|v| axes.contains_key(v)) =>
            {
                (0..node.inputs.len()).filter(|&i| rank(i) > 1).map(|i| (i, 0)).collect()
            }
            _ => Vec::new(),
        };
        for (i, axis) in own {
            axes.entry(node.inputs[i]).or_insert(axis);
        }
    }
    axes
}
