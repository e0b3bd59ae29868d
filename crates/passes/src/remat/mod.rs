//! `remat`: gradients that recompute activations instead of storing them (rematerialization, also called
//! gradient checkpointing).
//!
//! [`differentiate`](crate::differentiate()) keeps every activation from the forward to the backward pass.
//! Here the forward graph is cut into blocks of one or more layers, and only the values that cross from one
//! block to another are kept. The backward pass goes from the last block to the first: it recomputes the
//! block from the kept values, and then computes its gradient. The recomputation of a block waits, behind a
//! [`Barrier`], for the gradients of the block after it. So only the activations of one block are alive at a
//! time, in whatever order an engine runs the nodes.
//!
//! The gradients are bit-identical to those of `differentiate`: the same operators run on the same numbers,
//! and sums have the same order.

mod blocks;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use pixelrnn_graph::{BuildError, Node, NodeId, Origin, Site, Value};
use pixelrnn_ops::rules::adjoint::{AdjointError, pull_back, wanted_from};
use pixelrnn_ops::{Barrier, Op, PixelGraph};

use crate::differentiate::{Loss, likelihood, mean, outputs, saving, wanted_parameters};
use crate::rewrite::Rewrite;

pub(crate) use blocks::depends_on_batch;

/// Like [`differentiate`](crate::differentiate()), with activations that are computed twice. `native`: whether
/// barriers become operators of the engine.
///
/// # Errors
/// [`AdjointError`] if an operator between a parameter and the loss has no gradient.
pub fn remat(graph: &PixelGraph, native: bool) -> Result<PixelGraph, AdjointError> {
    let blocks = blocks::blocks(graph);
    let mut wanted = wanted_parameters(graph);
    wanted_from(graph, &mut wanted);
    let native = native && !turns(graph, &wanted);
    let last = blocks.last().map_or(0, |block| block.start);
    let mut rewrite = Rewrite::new(graph);
    rewrite.inputs();
    let mut copies = Vec::new();
    for (id, node) in graph.nodes() {
        let op = match id.index() >= last || !recomputed(graph, node) {
            true => saving(&node.op)?,
            false => node.op.clone(),
        };
        let inputs = rewrite.inputs_of(id)?;
        let results = rewrite.new.push(op, &inputs, &node.name, graph.site(id))?;
        for (&old, new) in node.outputs.iter().zip(results) {
            rewrite.set(old, new);
        }
        copies.push(newest(&rewrite.new)?);
    }
    let nll = rewrite.value(likelihood(graph)?)?;
    let forward = (0..graph.value_count()).map(|_| None).collect();
    let mut backward = Backward {
        old: graph,
        native,
        wanted,
        copies,
        forward,
        new: PixelGraph::new(""),
        cotangents: BTreeMap::new(),
        tokens: Vec::new(),
    };
    let all = graph.inputs().iter().map(|input| input.value);
    for old in all.chain(graph.nodes().flat_map(|(_, node)| node.outputs.iter().copied())) {
        backward.forward[old.index()] = Some(rewrite.value(old)?);
    }
    backward.new = rewrite.new;
    let loss = mean(&mut backward.new, nll)?;
    for (i, block) in blocks.iter().enumerate().rev() {
        match i + 1 == blocks.len() {
            true => backward.last(block.clone(), &loss)?,
            false => backward.again(block.clone())?,
        }
    }
    let Backward { mut new, forward, cotangents, .. } = backward;
    let found: BTreeMap<Value, Value> = cotangents
        .into_iter()
        .filter_map(|(old, cotangent)| Some((forward[old.index()]?, cotangent)))
        .collect();
    outputs(&mut new, loss.loss, |value| found.get(&value).copied())?;
    Ok(new)
}

/// Whether there is a transpose with a gradient. ONNX Runtime moves transposes along the graph, but not past an
/// operator of the engine. Then sums would have another order than without barriers.
fn turns(graph: &PixelGraph, wanted: &[bool]) -> bool {
    graph.nodes().any(|(_, node)| {
        matches!(node.op, Op::Transpose(_)) && node.inputs.iter().any(|v| wanted[v.index()])
    })
}

/// Whether a node is computed twice. Values that depend only on parameters and constants are small, and kept.
fn recomputed(graph: &PixelGraph, node: &Node<Op>) -> bool {
    node.outputs.iter().any(|v| depends_on_batch(graph.ty(*v)))
}

/// The node that was added last.
fn newest(graph: &PixelGraph) -> Result<NodeId, BuildError> {
    let last = graph.nodes().next_back().map(|(id, _)| id);
    last.ok_or_else(|| BuildError::internal(&graph.name, "no node was added"))
}

/// The backward pass under construction, from the last block to the first.
struct Backward<'a> {
    old: &'a PixelGraph,
    native: bool,
    /// For each old value, whether it depends on a parameter.
    wanted: Vec<bool>,
    /// The first copy of each old node.
    copies: Vec<NodeId>,
    /// The first copy of each old value.
    forward: Vec<Option<Value>>,
    new: PixelGraph,
    /// The cotangents of old values, as far as the finished blocks contribute to them.
    cotangents: BTreeMap<Value, Value>,
    /// The cotangents that the most recently finished block computed.
    tokens: Vec<Value>,
}

impl Backward<'_> {
    /// Differentiates the last block without recomputing it: its activations are needed right away.
    fn last(&mut self, block: Range<usize>, loss: &Loss) -> Result<(), AdjointError> {
        let mut map = BTreeMap::new();
        for (id, node) in self.old.nodes().skip(block.start) {
            for &old in node.inputs.iter().chain(&node.outputs) {
                map.insert(old, self.first(id, old)?);
            }
        }
        let mut nodes = self.copies[block].to_vec();
        // The nodes of the mean come after the forward nodes.
        nodes.extend(self.new.nodes().skip(self.copies.len()).map(|(id, _)| id));
        // Without this, an engine might compute the loss last, and keep the values that it reads.
        let after = Barrier { native: self.native }.into();
        let one = self.new.push(after, &[loss.one, loss.loss], "loss/one/kept", Site::NONE)?[0];
        self.differentiate(&map, &nodes, &[(loss.loss, one)], &[loss.share, loss.loss])
    }

    /// Recomputes a block that is not the last, and then differentiates it.
    fn again(&mut self, block: Range<usize>) -> Result<(), AdjointError> {
        let old = self.old;
        let mut map: BTreeMap<Value, Value> = BTreeMap::new();
        let mut nodes = Vec::new();
        for (id, node) in old.nodes().skip(block.start).take(block.len()) {
            let again = recomputed(old, node);
            for &v in &node.inputs {
                if let Entry::Vacant(own) = map.entry(v) {
                    let first = self.first(id, v)?;
                    own.insert(match depends_on_batch(old.ty(v)) {
                        true => self.barrier(v, first)?,
                        false => first,
                    });
                }
            }
            if !again {
                nodes.push(self.copies[id.index()]);
                for &v in &node.outputs {
                    map.insert(v, self.first(id, v)?);
                }
                continue;
            }
            let inputs: Vec<Value> = node.inputs.iter().map(|v| map[v]).collect();
            let name = format!("{}/again", node.name);
            let results = self.new.push(saving(&node.op)?, &inputs, &name, old.site(id))?;
            map.extend(node.outputs.iter().copied().zip(results));
            nodes.push(newest(&self.new)?);
        }
        self.differentiate(&map, &nodes, &[], &[])
    }

    /// The first copy of an old value.
    fn first(&self, reader: NodeId, old: Value) -> Result<Value, BuildError> {
        let unmapped = || BuildError::unmapped(self.old, Some(reader), old);
        self.forward[old.index()].ok_or_else(unmapped)
    }

    /// A kept value behind a barrier, for a block that must wait for the block after it.
    fn barrier(&mut self, old: Value, first: Value) -> Result<Value, BuildError> {
        let (name, site) = match self.old.origin(old) {
            Origin::Node(id, _) => (&self.old.node(id).name, self.old.site(id)),
            Origin::Input(i) => (&self.old.inputs()[i].name, Site::NONE),
        };
        let mut inputs = vec![first];
        inputs.extend(&self.tokens);
        Ok(self.new.push(
            Barrier { native: self.native }.into(),
            &inputs,
            &format!("{name}/kept"),
            site,
        )?[0])
    }

    /// Adds the gradient of a block. `map` has the block's own copy of each old value that it reads or
    /// computes; `also` are new values on the way to a parameter that correspond to no old value.
    fn differentiate(
        &mut self,
        map: &BTreeMap<Value, Value>,
        nodes: &[NodeId],
        seeds: &[(Value, Value)],
        also: &[Value],
    ) -> Result<(), AdjointError> {
        let mut wanted = vec![false; self.new.value_count()];
        let mut seeds = seeds.to_vec();
        for (old, &own) in map {
            wanted[own.index()] = self.wanted[old.index()];
            if let Some(&cotangent) = self.cotangents.get(old) {
                seeds.push((own, cotangent));
            }
        }
        also.iter().for_each(|v| wanted[v.index()] = true);
        let made: BTreeSet<Value> =
            nodes.iter().flat_map(|&id| self.new.node(id).outputs.clone()).collect();
        let found = pull_back(&mut self.new, nodes, &wanted, &seeds)?;
        let mut tokens = Vec::new();
        // Passes the cotangents of the block's inputs on to the blocks and parameters that they come from.
        for (old, own) in map.iter().filter(|(_, own)| !made.contains(own)) {
            if let Some(&cotangent) = found.get(own)
                && self.cotangents.insert(*old, cotangent) != Some(cotangent)
            {
                tokens.push(cotangent);
            }
        }
        if !tokens.is_empty() {
            self.tokens = tokens;
        }
        Ok(())
    }
}
