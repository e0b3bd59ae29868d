//! The loops closed: `sample` and `replay`.

use pixelrnn_graph::{Dim, Graph, Role, Type, Value};
use pixelrnn_ops::{Draw, Op, Pixel, PixelGraph, Row, Select, StreamError, Streaming, Transpose};

use super::SampleError;
use super::close;
use super::walk::{Ends, Walk};
use crate::CausalProof;

/// How images are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleOptions {
    /// Logits are divided by it.
    pub temperature: f64,
    /// Whether part of the image may be given: two more inputs, `given` and `mask`.
    pub complete: bool,
}

impl Default for SampleOptions {
    fn default() -> Self {
        SampleOptions { temperature: 1.0, complete: false }
    }
}

impl SampleOptions {
    /// Whether they make sense.
    ///
    /// # Errors
    /// A temperature that is not above zero, or so small or large that its inverse is no f32.
    pub fn check(&self) -> Result<(), SampleError> {
        let factor = self.factor() as f32;
        match factor.is_finite() && factor > 0.0 {
            true => Ok(()),
            false => Err(SampleError::Temperature(self.temperature)),
        }
    }

    /// What logits are multiplied by.
    fn factor(&self) -> f64 {
        1.0 / self.temperature
    }
}

/// What one pixel of the image is made of.
pub(super) struct Drawing {
    pub uniform: Pixel,
    /// What is given, and above one half where that is kept.
    pub fixed: Option<[Pixel; 2]>,
    pub options: SampleOptions,
}

impl Drawing {
    /// Draws all colours of a pixel, `[N, C]`.
    pub fn pixel(
        &self,
        walk: &mut Walk,
        ends: &Ends,
        cx: &mut Streaming,
    ) -> Result<Pixel, StreamError> {
        let mut levels = Vec::new();
        for g in 0..ends.colours {
            let logits = walk.colour(ends, g, cx)?;
            cx.visit("draw", None, &[]);
            let u = cx.pixel_slice(self.uniform, g, 1, "u")?;
            let draw = Draw { factor: self.options.factor() };
            let mut level = cx.pixel(draw, &[logits, u], "level")?;
            if let Some([given, mask]) = self.fixed {
                let given = cx.pixel_slice(given, g, 1, "given")?;
                let mask = cx.pixel_slice(mask, g, 1, "mask")?;
                level = cx.pixel(Select, &[mask, given, level], "kept_or_drawn")?;
            }
            levels.push(level);
            walk.drawn(ends, g, level, cx)?;
        }
        walk.end_pixel(cx)?;
        cx.visit("draw", None, &[]);
        cx.pixel_concat(&levels, "pixel")
    }
}

/// `[N, H, W, C]` to what is scanned, and back: rows first, then pixels.
const ROWS_FIRST: [usize; 4] = [1, 2, 0, 3];
const BATCH_FIRST: [usize; 4] = [2, 0, 1, 3];

struct Loops {
    cx: Streaming,
    scanned: Vec<(Value, Row)>,
}

impl Loops {
    fn push(
        &mut self,
        op: impl Into<Op>,
        inputs: &[Value],
        name: &str,
    ) -> Result<Value, StreamError> {
        Ok(self.cx.once.push(op.into(), inputs, name, None)?[0])
    }

    /// What a pixel sees of a value `[H, W, N, C]`.
    fn scan(&mut self, v: Value, name: &str) -> Pixel {
        let ty = self.cx.once.ty(v);
        let ty = Type::real(ty.shape[1..].iter().copied());
        let row = Row(self.cx.row.input(name, ty, Role::Data));
        self.scanned.push((v, row));
        self.cx.visit(name, None, &[]);
        self.cx.scan(row, "pixel")
    }
}

/// The graph that draws images; see the module's page.
///
/// # Errors
/// A layer has no rule; its error names it. Or a temperature that does not suit.
pub fn sample(proof: &CausalProof, options: &SampleOptions) -> Result<PixelGraph, SampleError> {
    options.check()?;
    let graph = proof.graph();
    let ends = Ends::of(graph)?;
    let mut cx = Streaming::new(&graph.name, ends.colours, ends.width);
    cx.once.doc.clone_from(&graph.doc);
    let shape = [Dim::N, Dim::Fixed(ends.height), Dim::Fixed(ends.width), Dim::Fixed(ends.colours)];
    let mut input = |name: &str| cx.once.input(name, Type::real(shape), Role::Data);
    let uniform = input("uniform");
    let fixed = options.complete.then(|| [input("given"), input("mask")]);
    let mut walk = Walk::begin(graph, &ends, &mut cx)?;
    let mut loops = Loops { cx, scanned: Vec::new() };
    let mut scanned = |input: Value, name: &str| -> Result<Pixel, StreamError> {
        let turn = Transpose { perm: ROWS_FIRST.to_vec() };
        let rows = loops.push(turn, &[input], &format!("{name}/rows"))?;
        Ok(loops.scan(rows, name))
    };
    let uniform = scanned(uniform, "uniform")?;
    let fixed = match fixed {
        None => None,
        Some([given, mask]) => Some([scanned(given, "given")?, scanned(mask, "mask")?]),
    };
    let drawing = Drawing { uniform, fixed, options: *options };
    let image = drawing.pixel(&mut walk, &ends, &mut loops.cx)?;
    let image = finish(&mut loops, &mut walk, image)?;
    let image = loops.push(Transpose { perm: BATCH_FIRST.to_vec() }, &[image], "image")?;
    loops.cx.once.output("image", image);
    Ok(crate::tidy::tidy(&loops.cx.once)?)
}

/// Closes both loops around what a pixel gives; the stacked result.
fn finish(loops: &mut Loops, walk: &mut Walk, result: Pixel) -> Result<Value, StreamError> {
    let cx = &mut loops.cx;
    cx.stack(result);
    close::pixels(cx)?;
    walk.end_row(cx)?;
    let row = cx.complete(result)?;
    Ok(close::rows(cx, &loops.scanned, &[row])?[0])
}

/// The graph that computes the logits of a given image as sampling would; see the module's page.
///
/// # Errors
/// A layer has no rule; its error names it.
pub fn replay(proof: &CausalProof) -> Result<PixelGraph, SampleError> {
    let graph = proof.graph();
    let ends = Ends::of(graph)?;
    let mut cx = Streaming::new(&graph.name, ends.colours, ends.width);
    let image = cx.once.input("image", graph.ty(ends.image).clone(), Role::Data);
    let mut walk = Walk::begin(graph, &ends, &mut cx)?;
    let mut loops = Loops { cx, scanned: Vec::new() };
    let turn = Transpose { perm: vec![2, 3, 0, 1] };
    let image = loops.push(turn, &[image], "image/rows")?;
    let image = loops.scan(image, "image");
    let mut all = Vec::new();
    for g in 0..ends.colours {
        all.push(walk.colour(&ends, g, &mut loops.cx)?);
        loops.cx.visit("image", None, &[]);
        let level = loops.cx.pixel_slice(image, g, 1, "level")?;
        walk.drawn(&ends, g, level, &mut loops.cx)?;
    }
    walk.end_pixel(&mut loops.cx)?;
    loops.cx.visit("logits", None, &[]);
    let logits = loops.cx.pixel_concat(&all, "colours")?;
    // [H, W, N, C L] to [N, C L, H, W].
    let logits = finish(&mut loops, &mut walk, logits)?;
    let mut logits = loops.push(Transpose { perm: vec![2, 3, 0, 1] }, &[logits], "logits/maps")?;
    if ends.categorical {
        let split = pixelrnn_ops::SplitAxis { axis: 1, parts: ends.colours };
        logits = loops.push(split, &[logits], "logits/levels")?;
    }
    let mut once: PixelGraph = std::mem::replace(&mut loops.cx.once, Graph::new(""));
    once.output("logits", logits);
    Ok(crate::tidy::tidy(&once)?)
}
