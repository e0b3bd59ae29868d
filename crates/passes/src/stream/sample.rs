//! The loops closed: `sample` and `replay`.

use pixelrnn_graph::{Array, Dim, Graph, Role, Type, Value};
use pixelrnn_ops::{
    Add, Constant, Draw, Mul, Op, Pixel, PixelGraph, Row, Scale, StreamError, Streaming, Sub,
    Transpose,
};

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
    /// A temperature that is not above zero and finite.
    pub fn check(&self) -> Result<(), SampleError> {
        let scale = 1.0 / self.temperature;
        match self.temperature > 0.0 && scale.is_finite() && scale > 0.0 {
            true => Ok(()),
            false => Err(SampleError::Temperature(self.temperature)),
        }
    }
}

/// What one pixel of the image is made of.
pub(super) struct Drawing {
    pub uniform: Pixel,
    /// What is kept, zero where nothing is; and 1 where the level is drawn.
    pub fixed: Option<[Pixel; 2]>,
    pub temperature: f64,
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
            let mut logits = walk.colour(ends, g, cx)?;
            cx.visit("draw", None, &[]);
            if self.temperature != 1.0 {
                let scale = Scale { factor: 1.0 / self.temperature };
                logits = cx.pixel(scale, &[logits], "tempered")?;
            }
            let u = cx.pixel_slice(self.uniform, g, 1, "u")?;
            let mut level = cx.pixel(Draw, &[logits, u], "level")?;
            if let Some([kept, free]) = self.fixed {
                let free = cx.pixel_slice(free, g, 1, "free")?;
                let kept = cx.pixel_slice(kept, g, 1, "kept")?;
                level = cx.pixel(Mul, &[level, free], "drawn")?;
                level = cx.pixel(Add, &[level, kept], "kept_or_drawn")?;
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
    let turn = || Transpose { perm: ROWS_FIRST.to_vec() };
    let uniform = loops.push(turn(), &[uniform], "uniform/rows")?;
    let uniform = loops.scan(uniform, "uniform");
    let fixed = match fixed {
        None => None,
        Some([given, mask]) => {
            let one = Constant { value: Array::ones(vec![1; 4]) };
            let one = loops.push(one, &[], "mask/one")?;
            let kept = loops.push(Mul, &[given, mask], "given/kept")?;
            let kept = loops.push(turn(), &[kept], "given/rows")?;
            let free = loops.push(Sub, &[one, mask], "mask/free")?;
            let free = loops.push(turn(), &[free], "mask/rows")?;
            Some([loops.scan(kept, "kept"), loops.scan(free, "free")])
        }
    };
    let drawing = Drawing { uniform, fixed, temperature: options.temperature };
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
