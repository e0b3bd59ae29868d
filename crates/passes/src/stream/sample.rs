//! The graphs `sample` and `replay`, with closed loops.

use pixelrnn_graph::{Dim, Graph, OutputRole, Role, Site, Type, Value};
use pixelrnn_ops::{
    ClampUniform, Distribution, Draw, Op, PixelGraph, PixelValue, RowValue, Select, StreamError,
    Streaming, Transpose,
};

use super::SampleError;
use super::scan_loops;
use super::walk::Walk;
use crate::causality::ProvedScale;
use crate::cse_dce::{cse_dce, unread_parameters};
use crate::endpoints::GraphEndpoints;

/// Options for drawing images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleOptions {
    /// The temperature: logits are divided by it.
    pub temperature: f64,
    /// Whether part of the image can be given, by two additional inputs `given` and `mask`.
    pub complete: bool,
}

impl Default for SampleOptions {
    fn default() -> Self {
        SampleOptions { temperature: 1.0, complete: false }
    }
}

impl SampleOptions {
    /// Checks the options.
    ///
    /// # Errors
    /// [`SampleError::Temperature`] if the temperature is not positive, or its inverse is not a finite,
    /// positive f32.
    pub fn check(&self) -> Result<(), SampleError> {
        let factor = self.factor() as f32;
        match factor.is_finite() && factor > 0.0 {
            true => Ok(()),
            false => Err(SampleError::Temperature(self.temperature)),
        }
    }

    /// The factor of the logits: the inverse temperature.
    fn factor(&self) -> f64 {
        1.0 / self.temperature
    }
}

/// The inputs and options for drawing one pixel.
pub(super) struct Drawing {
    pub uniform: PixelValue,
    /// The given level and the mask. The given level is kept where the mask is above one half.
    pub fixed: Option<[PixelValue; 2]>,
    pub options: SampleOptions,
    pub distribution: Distribution,
}

impl Drawing {
    /// Draws all colors of a pixel, `[N, C]`.
    pub fn pixel(&self, walk: &mut Walk, cx: &mut Streaming) -> Result<PixelValue, StreamError> {
        let mut levels = Vec::new();
        for g in 0..cx.colours {
            let parameters = walk.colour(g, cx)?;
            cx.visit("draw", Site::NONE, &[]);
            let u = cx.pixel_slice(self.uniform, g, 1, "u")?;
            let draw = Draw { distribution: self.distribution, factor: self.options.factor() };
            let mut level = cx.pixel(draw, &[parameters, u], "level")?;
            if let Some([given, mask]) = self.fixed {
                let given = cx.pixel_slice(given, g, 1, "given")?;
                let mask = cx.pixel_slice(mask, g, 1, "mask")?;
                level = cx.pixel(Select, &[mask, given, level], "kept_or_drawn")?;
            }
            levels.push(level);
            walk.drawn(g, level, cx)?;
        }
        walk.end_pixel(cx)?;
        cx.visit("draw", Site::NONE, &[]);
        cx.pixel_concat(&levels, "pixel")
    }
}

/// Permutes the axes of `[N, H, W, C]` for the loops, which scan rows and then pixels, and back.
const ROWS_FIRST: [usize; 4] = [1, 2, 0, 3];
const BATCH_FIRST: [usize; 4] = [2, 0, 1, 3];

struct Loops {
    cx: Streaming,
    scanned: Vec<(Value, RowValue)>,
}

impl Loops {
    fn push(
        &mut self,
        op: impl Into<Op>,
        inputs: &[Value],
        name: &str,
    ) -> Result<Value, StreamError> {
        Ok(self.cx.prelude.push(op.into(), inputs, name, Site::NONE)?[0])
    }

    /// The current pixel of a value `[H, W, N, C]`.
    fn scan(&mut self, v: Value, name: &str) -> PixelValue {
        let ty = self.cx.prelude.ty(v);
        let ty = Type::real(ty.shape[1..].iter().copied());
        let row = RowValue(self.cx.row.input(name, ty, Role::Local));
        self.scanned.push((v, row));
        self.cx.visit(name, Site::NONE, &[]);
        self.cx.scan(row, "pixel")
    }
}

/// The three graphs for a proved scale, still empty.
pub(super) fn streaming(proved: &ProvedScale) -> Result<(Streaming, GraphEndpoints), StreamError> {
    let graph = proved.graph();
    let ends = GraphEndpoints::of(graph).map_err(StreamError::Form)?;
    let mut cx = Streaming::new(&graph.name, ends.dims(), graph.layers());
    cx.prelude.doc.clone_from(&graph.doc);
    Ok((cx, ends))
}

/// The graph that draws images; see [`super`].
///
/// # Errors
/// [`SampleError`] if a layer has no streaming rule (the error names it), or if the temperature is invalid.
pub fn sample(proved: &ProvedScale, options: &SampleOptions) -> Result<PixelGraph, SampleError> {
    options.check()?;
    let (mut cx, ends) = streaming(proved)?;
    let shape = [Dim::N, Dim::Fixed(ends.height), Dim::Fixed(ends.width), Dim::Fixed(ends.colours)];
    let mut input = |name: &str, role: Role| cx.prelude.input(name, Type::real(shape), role);
    let uniform = input("uniform", Role::Uniform);
    let fixed = options.complete.then(|| [input("given", Role::Given), input("mask", Role::Kept)]);
    let mut walk = Walk::begin(proved.graph(), &ends, &mut cx)?;
    let mut loops = Loops { cx, scanned: Vec::new() };
    // Clamped once for all pixels, not in the loop.
    let uniform = loops.push(ClampUniform, &[uniform], "uniform/clamped")?;
    let mut scanned = |input: Value, name: &str| -> Result<PixelValue, StreamError> {
        let turn = Transpose { perm: ROWS_FIRST.to_vec() };
        let rows = loops.push(turn, &[input], &format!("{name}/rows"))?;
        Ok(loops.scan(rows, name))
    };
    let uniform = scanned(uniform, "uniform")?;
    let fixed = match fixed {
        None => None,
        Some([given, mask]) => Some([scanned(given, "given")?, scanned(mask, "mask")?]),
    };
    let distribution = ends.distribution;
    let drawing = Drawing { uniform, fixed, options: *options, distribution };
    let image = drawing.pixel(&mut walk, &mut loops.cx)?;
    let image = finish(&mut loops, &mut walk, image)?;
    let image = loops.push(Transpose { perm: BATCH_FIRST.to_vec() }, &[image], "image")?;
    loops.cx.prelude.output_as("image", image, OutputRole::Image);
    Ok(loops.cx.prelude)
}

/// Closes both loops around the result of a pixel, and returns the stacked result.
fn finish(loops: &mut Loops, walk: &mut Walk, result: PixelValue) -> Result<Value, StreamError> {
    let cx = &mut loops.cx;
    cx.stack(result);
    scan_loops::pixels(cx)?;
    walk.end_row(cx)?;
    let row = cx.complete(result)?;
    Ok(scan_loops::rows(cx, &loops.scanned, &[row])?[0])
}

/// The graph that computes the parameters of the distributions for a given image as sampling would; see
/// [`super`].
///
/// # Errors
/// [`SampleError`] if a layer has no streaming rule. The error names it.
pub fn replay(proved: &ProvedScale) -> Result<PixelGraph, SampleError> {
    let graph = proved.graph();
    let (mut cx, ends) = streaming(proved)?;
    let image = cx.prelude.input("image", graph.ty(ends.image).clone(), Role::Image);
    let mut walk = Walk::begin(graph, &ends, &mut cx)?;
    let mut loops = Loops { cx, scanned: Vec::new() };
    let turn = Transpose { perm: vec![2, 3, 0, 1] };
    let image = loops.push(turn, &[image], "image/rows")?;
    let image = loops.scan(image, "image");
    let mut all = Vec::new();
    for g in 0..ends.colours {
        all.push(walk.colour(g, &mut loops.cx)?);
        loops.cx.visit("image", Site::NONE, &[]);
        let level = loops.cx.pixel_slice(image, g, 1, "level")?;
        walk.drawn(g, level, &mut loops.cx)?;
    }
    walk.end_pixel(&mut loops.cx)?;
    loops.cx.visit("output", Site::NONE, &[]);
    let all = loops.cx.pixel_concat(&all, "colours")?;
    // [H, W, N, C P] to [N, C P, H, W].
    let all = finish(&mut loops, &mut walk, all)?;
    let mut all = loops.push(Transpose { perm: vec![2, 3, 0, 1] }, &[all], "output/maps")?;
    if ends.distribution.has_axis() {
        let split = pixelrnn_ops::SplitAxis { axis: 1, parts: ends.colours };
        all = loops.push(split, &[all], "output/parameters")?;
    }
    let mut prelude: PixelGraph = std::mem::replace(&mut loops.cx.prelude, Graph::new(""));
    let role = OutputRole::Parameters(ends.distribution);
    prelude.output_as("logits", all, role);
    Ok(unread_parameters(&cse_dce(&prelude)?)?)
}
