//! Walks over a declaration's graph and calls the rule of every operator.

use std::collections::BTreeSet;

use pixelrnn_graph::{NodeId, Operation, Role, Value};
use pixelrnn_ops::{
    Begun, Op, Phase, PixelGraph, PixelValue, PreludeValue, Slice, Stream, StreamError, StreamRule,
    Streaming,
};

use crate::endpoints::GraphEndpoints;

enum PixelRule {
    Pointwise { gates: usize },
    Features { start: usize, length: usize, gates: usize },
    Parts,
    Cached(Box<dyn StreamRule>),
}

/// The rules of all nodes that depend on the image, in order.
pub(super) struct Walk<'a> {
    graph: &'a PixelGraph,
    ends: GraphEndpoints,
    rules: Vec<(NodeId, PixelRule)>,
    /// Maps that depend on the pixel itself: a group of them is known only once its color is drawn.
    late: BTreeSet<Value>,
    /// Results that are known when the row begins. Their rules are not called for each pixel.
    early: BTreeSet<Value>,
}

impl<'a> Walk<'a> {
    /// Declares conditions and parameters, finds the rules, and begins each rule.
    pub fn begin(
        graph: &'a PixelGraph,
        ends: &GraphEndpoints,
        cx: &mut Streaming,
    ) -> Result<Walk<'a>, StreamError> {
        for input in graph.inputs().iter().filter(|i| i.role != Role::Image) {
            let ty = graph.ty(input.value).clone();
            let value = cx.prelude.input_like(input, ty.clone());
            cx.set_given(input.value, ty, PreludeValue(value));
        }
        cx.set_map(ends.image, graph.ty(ends.image).clone(), 1);
        let mut walk = Walk {
            graph,
            ends: *ends,
            rules: Vec::new(),
            late: BTreeSet::from([ends.image]),
            early: BTreeSet::new(),
        };
        for (id, node) in graph.nodes() {
            cx.visit(&node.name, graph.site(id), &node.inputs);
            let mut last = Phase::Given;
            for input in 0..cx.arity() {
                last = last.max(cx.phase(input)?);
            }
            match last {
                Phase::Given => walk.given(id, cx)?,
                _ => walk.add(id, last, cx)?,
            }
        }
        Ok(walk)
    }

    /// Adds a node that depends only on conditions and parameters, before the loops.
    fn given(&self, id: NodeId, cx: &mut Streaming) -> Result<(), StreamError> {
        let node = self.graph.node(id);
        let inputs: Vec<Value> =
            (0..cx.arity()).map(|input| cx.given(input).map(|v| v.0)).collect::<Result<_, _>>()?;
        let results = cx.prelude.push(node.op.clone(), &inputs, &node.name, self.graph.site(id))?;
        for (&value, result) in node.outputs.iter().zip(results) {
            cx.set_given(value, self.graph.ty(value).clone(), PreludeValue(result));
        }
        Ok(())
    }

    /// Begins the rule of a node that depends on the image.
    fn add(&mut self, id: NodeId, last: Phase, cx: &mut Streaming) -> Result<(), StreamError> {
        let node = self.graph.node(id);
        let no_rule = || {
            let (node, mnemonic) = (node.name.clone(), node.op.mnemonic());
            StreamError::NoRule { node, mnemonic, span: self.graph.site(id).span }
        };
        let &[result] = &node.outputs[..] else { return Err(no_rule()) };
        let stream = node.op.stream();
        if matches!(stream, Stream::Expanded) {
            return Err(no_rule());
        }
        let ty = self.graph.ty(result).clone();
        self.is_map(&ty.extents(1), cx)?;
        let mut rule = match stream {
            Stream::Pointwise => PixelRule::Pointwise { gates: pixel_gates(cx)? },
            Stream::Features { start, length } => features(cx, start, length)?,
            Stream::Parts(parts) if parts == cx.colours => PixelRule::Parts,
            Stream::Parts(_) => return Err(cx.misshapen()),
            Stream::Cached(rule) => PixelRule::Cached(rule),
            Stream::Expanded => return Err(no_rule()),
        };
        let begun = match &mut rule {
            PixelRule::Cached(rule) => rule.begin(cx)?,
            _ if last == Phase::Row => Begun::Row(whole_row(cx, &node.op, &rule)?),
            PixelRule::Pointwise { gates } => Begun::Pixel { gates: *gates },
            PixelRule::Features { length, gates, .. } => {
                let kept = *length * *gates / cx.features(0)?.max(1);
                Begun::Pixel { gates: kept.max(1) }
            }
            PixelRule::Parts => Begun::Pixel { gates: 1 },
        };
        match begun {
            Begun::Row(row) => {
                cx.set_row(result, ty, row);
                self.early.insert(result);
            }
            Begun::Pixel { gates } => {
                cx.set_map(result, ty, gates);
                let of_pixel = !matches!(rule, PixelRule::Cached(_));
                if of_pixel && node.inputs.iter().any(|v| self.late.contains(v)) {
                    self.late.insert(result);
                }
            }
        }
        self.rules.push((id, rule));
        Ok(())
    }

    /// Checks that a result is as large as the image.
    fn is_map(&self, extents: &[usize], cx: &Streaming) -> Result<(), StreamError> {
        match extents {
            [_, _, h, w] | [_, _, _, h, w] if [*h, *w] == [self.ends.height, self.ends.width] => {
                Ok(())
            }
            _ => Err(cx.misshapen()),
        }
    }

    /// Computes the maps of one color group that do not need the value itself, and returns the parameters of
    /// its distribution.
    pub fn colour(&mut self, group: usize, cx: &mut Streaming) -> Result<PixelValue, StreamError> {
        self.run(group, cx, false)?;
        cx.visit("output", pixelrnn_graph::Site::NONE, &[self.ends.output]);
        cx.group(0, group)?.ok_or(StreamError::Form("a color has no distribution"))
    }

    /// Sets the drawn value of a color group, and computes the maps that depend on it pointwise.
    pub fn drawn(
        &mut self,
        group: usize,
        level: PixelValue,
        cx: &mut Streaming,
    ) -> Result<(), StreamError> {
        cx.set_group(self.ends.image, Some(level));
        self.run(group, cx, true)
    }

    fn run(&mut self, group: usize, cx: &mut Streaming, late: bool) -> Result<(), StreamError> {
        for (id, rule) in &mut self.rules {
            let node = self.graph.node(*id);
            let result = node.outputs[0];
            if self.early.contains(&result) || self.late.contains(&result) != late {
                continue;
            }
            cx.visit(&node.name, self.graph.site(*id), &node.inputs);
            let value = match rule {
                PixelRule::Cached(rule) => rule.colour(cx, group)?,
                PixelRule::Parts => cx.group(0, group)?,
                PixelRule::Pointwise { gates } => pointwise(cx, &node.op, *gates, group)?,
                PixelRule::Features { start, length, gates } => {
                    select(cx, [*start, *length], *gates, group)?
                }
            };
            cx.set_group(result, value);
        }
        Ok(())
    }

    /// Adds what the next pixel needs.
    pub fn end_pixel(&mut self, cx: &mut Streaming) -> Result<(), StreamError> {
        self.each(cx, |rule, cx| rule.end_pixel(cx))
    }

    /// Adds what the next row needs.
    pub fn end_row(&mut self, cx: &mut Streaming) -> Result<(), StreamError> {
        self.each(cx, |rule, cx| rule.end_row(cx))?;
        cx.run_sweeps()
    }

    fn each(
        &mut self,
        cx: &mut Streaming,
        run: impl Fn(&mut dyn StreamRule, &mut Streaming) -> Result<(), StreamError>,
    ) -> Result<(), StreamError> {
        for (id, rule) in &mut self.rules {
            let node = self.graph.node(*id);
            cx.visit(&node.name, self.graph.site(*id), &node.inputs);
            if let PixelRule::Cached(rule) = rule {
                run(rule.as_mut(), cx)?;
            }
        }
        Ok(())
    }
}

/// The number of gates of the maps that a pointwise operator reads at its pixel. All must have the same
/// number.
fn pixel_gates(cx: &Streaming) -> Result<usize, StreamError> {
    let mut gates = None;
    for input in 0..cx.arity() {
        if cx.phase(input)? == Phase::Pixel {
            let own = cx.gates(input)?;
            if *gates.get_or_insert(own) != own && cx.colours > 1 {
                return Err(cx.misshapen());
            }
        }
    }
    Ok(gates.unwrap_or(1))
}

/// The rule that selects features. If there are color groups, it can select whole gates only.
fn features(cx: &Streaming, start: usize, length: usize) -> Result<PixelRule, StreamError> {
    let gates = if cx.colours == 1 { 1 } else { cx.gates(0)? };
    let grouped = cx.colours > 1 && cx.phase(0)? == Phase::Pixel;
    let gate = cx.features(0)? / gates.max(1);
    if grouped && !(start.is_multiple_of(gate) && length.is_multiple_of(gate)) {
        return Err(cx.misshapen());
    }
    Ok(PixelRule::Features { start, length, gates })
}

/// Applies an operator to whole rows, whose last axis is the feature axis.
fn whole_row(
    cx: &mut Streaming,
    op: &Op,
    rule: &PixelRule,
) -> Result<pixelrnn_ops::RowValue, StreamError> {
    let rows = (0..cx.arity()).map(|input| cx.row_of(input)).collect::<Result<Vec<_>, _>>()?;
    match rule {
        PixelRule::Features { start, length, .. } => {
            cx.row(Slice { axis: 2, start: *start, length: *length }, &rows, "row")
        }
        // The parts need no node: the layout of the features does not change.
        PixelRule::Parts => Ok(rows[0]),
        _ => cx.row(op.clone(), &rows, "row"),
    }
}

fn pointwise(
    cx: &mut Streaming,
    op: &Op,
    gates: usize,
    group: usize,
) -> Result<Option<PixelValue>, StreamError> {
    let mut values = Vec::new();
    for input in 0..cx.arity() {
        match cx.group_of(input, group, gates)? {
            Some(value) => values.push(value),
            None => return Ok(None),
        }
    }
    cx.pixel(op.clone(), &values, "pixel").map(Some)
}

/// Selects features of a group. For a map with several gates, these are whole gates.
fn select(
    cx: &mut Streaming,
    [start, length]: [usize; 2],
    gates: usize,
    group: usize,
) -> Result<Option<PixelValue>, StreamError> {
    let Some(value) = cx.group_of(0, group, gates)? else { return Ok(None) };
    if cx.colours == 1 {
        return cx.pixel_slice(value, start, length, "features").map(Some);
    }
    let gate = cx.features(0)? / gates;
    let own = cx.pixel.ty(value.0).shape[1].with_batch(1) / gates;
    cx.pixel_slice(value, start / gate * own, length / gate * own, "gates").map(Some)
}
