//! The walk over a declaration's graph that asks every rule.

use std::collections::BTreeSet;

use pixelrnn_graph::{NodeId, Role, Value};
use pixelrnn_ops::{Op, Pixel, PixelGraph, Stream, StreamError, StreamRule, Streaming};

/// The extents of the image and the two ends of a declaration's graph.
pub(super) struct Ends {
    pub image: Value,
    pub logits: Value,
    pub colours: usize,
    pub height: usize,
    pub width: usize,
    /// Whether `logits` have an axis of levels.
    pub categorical: bool,
}

impl Ends {
    pub fn of(graph: &PixelGraph) -> Result<Ends, StreamError> {
        let form = StreamError::Form;
        let image = graph.inputs().iter().find(|i| i.name == "image" && i.role == Role::Data);
        let image = image.ok_or(form("it has no input `image`"))?.value;
        let logits = graph.outputs().iter().find(|o| o.name == "logits");
        let logits = logits.ok_or(form("it has no output `logits`"))?.value;
        let &[_, colours, height, width] = &graph.ty(image).extents(1)[..] else {
            return Err(form("`image` is not [N, C, H, W]"));
        };
        let categorical = match graph.ty(logits).extents(1)[..] {
            [_, c, h, w] if [c, h, w] == [colours, height, width] => false,
            [_, c, _, h, w] if [c, h, w] == [colours, height, width] => true,
            _ => return Err(form("`logits` have another size than `image`")),
        };
        Ok(Ends { image, logits, colours, height, width, categorical })
    }
}

enum Rule {
    Pointwise,
    Parts,
    Cached(Box<dyn StreamRule>),
}

/// The rules of all nodes, in order.
pub(super) struct Walk<'a> {
    graph: &'a PixelGraph,
    rules: Vec<(NodeId, Rule)>,
    /// Maps of the pixel itself, whose groups are known only once they are drawn.
    late: BTreeSet<Value>,
}

impl<'a> Walk<'a> {
    /// Finds the rules and begins each.
    pub fn begin(
        graph: &'a PixelGraph,
        ends: &Ends,
        cx: &mut Streaming,
    ) -> Result<Walk<'a>, StreamError> {
        for (input, init) in graph.parameters() {
            let ty = graph.ty(input.value).clone();
            let value = cx.once.input(input.name.clone(), ty, Role::Parameter(init));
            cx.set_parameter(input.value, pixelrnn_ops::Once(value));
        }
        let mut walk = Walk { graph, rules: Vec::new(), late: BTreeSet::from([ends.image]) };
        cx.set_map(ends.image, ends.colours);
        for (id, node) in graph.nodes() {
            cx.visit(&node.name, graph.span(id), &node.inputs);
            let result = node.outputs[0];
            let mut rule = match node.op.stream() {
                Stream::Pointwise => Rule::Pointwise,
                Stream::Parts(parts) if parts == ends.colours => Rule::Parts,
                Stream::Parts(_) => return Err(cx.misshapen()),
                Stream::Cached(rule) => Rule::Cached(rule),
                Stream::Expanded => {
                    use pixelrnn_graph::Operation;
                    let (node, mnemonic) = (node.name.clone(), node.op.mnemonic());
                    return Err(StreamError::NoRule { node, mnemonic, span: graph.span(id) });
                }
            };
            match &mut rule {
                Rule::Cached(rule) => rule.begin(cx)?,
                Rule::Pointwise => {
                    let ty = graph.ty(result);
                    if node.inputs.iter().any(|v| graph.ty(*v) != ty) {
                        return Err(cx.misshapen());
                    }
                }
                Rule::Parts => {}
            }
            if !matches!(rule, Rule::Cached(_)) && node.inputs.iter().any(|v| walk.late.contains(v))
            {
                walk.late.insert(result);
            }
            let features = match graph.ty(result).extents(1)[..] {
                [_, f, _, _] => f,
                [_, c, l, _, _] => c * l,
                _ => return Err(cx.misshapen()),
            };
            cx.set_map(result, features);
            walk.rules.push((id, rule));
        }
        Ok(walk)
    }

    /// The maps of one colour group that do not need the value itself; then its logits.
    pub fn colour(
        &mut self,
        ends: &Ends,
        group: usize,
        cx: &mut Streaming,
    ) -> Result<Pixel, StreamError> {
        self.run(group, cx, false)?;
        cx.visit("logits", None, &[ends.logits]);
        cx.group(0, group)?.ok_or(StreamError::Form("a colour has no logits"))
    }

    /// Gives the value of a colour group, and what can be computed of it at once.
    pub fn drawn(
        &mut self,
        ends: &Ends,
        group: usize,
        level: Pixel,
        cx: &mut Streaming,
    ) -> Result<(), StreamError> {
        cx.set_group(ends.image, Some(level));
        self.run(group, cx, true)
    }

    fn run(&mut self, group: usize, cx: &mut Streaming, late: bool) -> Result<(), StreamError> {
        for (id, rule) in &mut self.rules {
            let node = self.graph.node(*id);
            let result = node.outputs[0];
            if self.late.contains(&result) != late {
                continue;
            }
            cx.visit(&node.name, self.graph.span(*id), &node.inputs);
            let value = match rule {
                Rule::Cached(rule) => rule.colour(cx, group)?,
                Rule::Parts => cx.group(0, group)?,
                Rule::Pointwise => pointwise(cx, &node.op, node.inputs.len(), group)?,
            };
            cx.set_group(result, value);
        }
        Ok(())
    }

    /// What the next pixel needs.
    pub fn end_pixel(&mut self, cx: &mut Streaming) -> Result<(), StreamError> {
        self.each(cx, |rule, cx| rule.end_pixel(cx))
    }

    /// What the next row needs.
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
            cx.visit(&node.name, self.graph.span(*id), &node.inputs);
            if let Rule::Cached(rule) = rule {
                run(rule.as_mut(), cx)?;
            }
        }
        Ok(())
    }
}

fn pointwise(
    cx: &mut Streaming,
    op: &Op,
    inputs: usize,
    group: usize,
) -> Result<Option<Pixel>, StreamError> {
    let mut values = Vec::new();
    for input in 0..inputs {
        match cx.group(input, group)? {
            Some(value) => values.push(value),
            None => return Ok(None),
        }
    }
    cx.pixel(op.clone(), &values, "pixel").map(Some)
}
