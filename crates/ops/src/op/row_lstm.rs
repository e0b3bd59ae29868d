//! `row_lstm(x, input_weight, input_bias, state_weight, [h0, c0], [bias]) {colours, learned, biased}`:
//! the Row LSTM of section 3.1. A composite: it is expanded to a scan over rows.

use pixelrnn_graph::Site;

use super::lstm::{Expansion, Gathered, add_bias, add_late_bias, at_pixel, step};
use super::lstm_sweep::{SweepForm, SweepOrder, SweepShape};
use super::masked_conv::Layout;
use super::masked_conv::stream::{More, Product, along};
use super::{Add, LstmSweep, MaskedConv, MergeAxes, Transpose};
use crate::mask::{Mask, MaskKind};
use crate::rules::prelude::*;

/// The Row LSTM.
///
/// Inputs: `x [N, F, H, W]`, `input_weight [4h, F, 1, k]`, `input_bias [4h]`, `state_weight [4h, h, k]`; if
/// `learned`, the initial states `h0 [h]` and `c0 [h]`; if `biased`, a map `[N, 4h, H, W]` or `[N, 4h, 1, 1]`
/// that is added to the gates. The result is `[N, h, H, W]`.
///
/// Pixel (y, x) reads the cell state of (y-1, x) and, for k = 3, the hidden states of (y-1, x-1 .. x+1).
/// Above the first row are the initial states; beside the image are zeros.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowLstm {
    /// The colors of the image.
    pub colours: usize,
    /// Whether the initial states are inputs. Otherwise they are zero.
    pub learned: bool,
    /// Whether a map is added to the gates.
    pub biased: bool,
}

impl RowLstm {
    /// The index of the bias among the inputs.
    fn bias(&self) -> Option<usize> {
        self.biased.then_some(if self.learned { 6 } else { 4 })
    }

    fn conv(&self, width: usize, layout: Layout) -> MaskedConv {
        let kernel = [1, width];
        let mask = Mask { kind: MaskKind::B, kernel, colours: self.colours, gates: 4 };
        MaskedConv { mask, layout }
    }
}

impl Rules for RowLstm {
    const MNEMONIC: &'static str = "row_lstm";

    fn attributes(&self) -> Attributes {
        Attributes::none()
            .int("colours", self.colours)
            .int("learned", usize::from(self.learned))
            .int("biased", usize::from(self.biased))
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        let learned = attributes.int("learned")? != 0;
        let biased = attributes.int("biased")? != 0;
        Ok(RowLstm { colours: attributes.int("colours")?, learned, biased })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        let states = if self.learned { 6 } else { 4 };
        shape::arity(inputs, states + usize::from(self.biased))?;
        shape::rank(inputs, 1, 4)?;
        shape::rank(inputs, 3, 3)?;
        let width = shape::fixed(inputs, 1, 3)?;
        let gates = self.conv(width, Layout::Maps).infer(&inputs[..3])?;
        let features = shape::fixed(inputs, 3, 1)?;
        let taps = shape::fixed(inputs, 3, 2)?;
        if features == 0 || taps % 2 == 0 {
            return Err(TypeError::attribute(
                "state_weight",
                "must have an odd width and features",
            ));
        }
        let all = features.checked_mul(4).ok_or(TypeError::Overflow)?;
        shape::extent(inputs, 3, 0, all)?;
        shape::extent(inputs, 1, 0, all)?;
        if let Some(bias) = self.bias() {
            super::lstm::fits_gates(inputs, bias, &gates[0])?;
        }
        for i in 4..states {
            shape::rank(inputs, i, 1)?;
            shape::extent(inputs, i, 0, features)?;
        }
        Ok(vec![shape::with_axis(&gates[0], 1, features)])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        // Not exact. `verify_causality` expands the composite first, and the expansion has exact footprints.
        Footprint::everything(reading)
    }

    fn gradient(&self, _: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        Err(AdjointError::Composite { mnemonic: Self::MNEMONIC })
    }

    fn lower(&self, _: &mut Lower, _: &[Value]) -> Result<Vec<Value>, LowerError> {
        Err(LowerError::Composite { mnemonic: Self::MNEMONIC })
    }

    fn eval<R: Real>(&self, env: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let (&[n, _, height, width], &[_, features, taps]) = (inputs[0].shape(), inputs[3].shape())
        else {
            return Err(EvalError::Array("takes maps and a state weight of three axes".into()));
        };
        let conv = self.conv(inputs[1].shape()[3], Layout::Maps);
        let mut gates = conv.eval(env, &inputs[..3])?.remove(0);
        if let Some(bias) = self.bias() {
            gates = super::kind::zip(&gates, inputs[bias], |a, b| a + b)?;
        }
        let initial = |i: usize, k: usize| match self.learned {
            true => inputs[i][[k].as_slice()],
            false => R::of(0.0),
        };
        let mut out = Array::<R>::from_elem(vec![n, features, height, width], R::of(0.0));
        for b in 0..n {
            let mut c: Vec<Vec<R>> = vec![(0..features).map(|k| initial(5, k)).collect(); width];
            for y in 0..height {
                for x in 0..width {
                    let mut a: Vec<R> =
                        (0..4 * features).map(|g| gates[[b, g, y, x].as_slice()]).collect();
                    for tap in 0..taps {
                        let from = (x + tap).wrapping_sub(taps / 2);
                        if from >= width {
                            continue;
                        }
                        for j in 0..features {
                            let h = match y {
                                0 => initial(4, j),
                                _ => out[[b, j, y - 1, from].as_slice()],
                            };
                            for (g, a) in a.iter_mut().enumerate() {
                                *a += inputs[3][[g, j, tap].as_slice()] * h;
                            }
                        }
                    }
                    for (k, h) in step(&a, &mut c[x]).into_iter().enumerate() {
                        out[[b, k, y, x].as_slice()] = h;
                    }
                }
            }
        }
        Ok(vec![out])
    }

    fn stream(&self) -> Stream {
        Stream::Cached(Box::new(RowRule { op: *self, parts: None }))
    }

    fn pixel_major(&self) -> Option<(usize, Op)> {
        None
    }

    fn composite(&self) -> Option<&dyn Composite> {
        Some(self)
    }

    fn samples() -> Vec<Sample> {
        let real = |shape: &[usize]| Type::real(shape.iter().copied());
        let x = Type::real([Dim::N, Dim::Fixed(4), Dim::Fixed(3), Dim::Fixed(4)]);
        let mut inputs = vec![x, real(&[12, 4, 1, 3]), real(&[12]), real(&[12, 3, 3])];
        let plain =
            Sample::new(RowLstm { colours: 1, learned: false, biased: false }, inputs.clone());
        let mut wide = inputs.clone();
        wide[3] = real(&[12, 3, 5]);
        let wide = Sample::new(RowLstm { colours: 1, learned: false, biased: false }, wide);
        inputs.extend([real(&[3]), real(&[3])]);
        let learned = RowLstm { colours: 3, learned: true, biased: false };
        let learned = Sample::new(learned, inputs.clone());
        let with_bias = |op: RowLstm, inputs: &[Type], side: [usize; 2]| {
            let bias = [Dim::N, Dim::Fixed(12), Dim::Fixed(side[0]), Dim::Fixed(side[1])];
            let inputs = inputs.iter().cloned().chain([Type::real(bias)]);
            Sample::new(RowLstm { biased: true, ..op }, inputs)
        };
        let op = RowLstm { colours: 1, learned: false, biased: false };
        let biased = with_bias(op, &inputs[..4], [3, 4]);
        let spread = with_bias(RowLstm { learned: true, ..op }, &inputs, [1, 1]);
        inputs[1] = real(&[12, 4, 1, 1]);
        inputs[3] = real(&[12, 3, 1]);
        inputs.truncate(4);
        let narrow = Sample::new(RowLstm { colours: 2, learned: false, biased: false }, inputs);
        vec![plain, wide, learned, biased, spread, narrow]
    }
}

impl Composite for RowLstm {
    fn expand(
        &self,
        graph: &mut PixelGraph,
        inputs: &[Value],
        name: &str,
        site: Site,
    ) -> Result<Vec<Value>, BuildError> {
        let mut cx = Expansion { graph, name, site };
        let kernel = cx.graph.ty(inputs[1]).extents(1)[3];
        let perm = vec![2, 3, 0, 1];
        let x = cx.push(Transpose { perm: perm.clone() }, &[inputs[0]], "pixels")?;
        let conv = self.conv(kernel, Layout::PixelMajor);
        let mut z = cx.push(conv, &[x, inputs[1], inputs[2]], "input_to_state")?;
        if let Some(bias) = self.bias() {
            let bias = cx.push(Transpose { perm: perm.clone() }, &[inputs[bias]], "bias")?;
            z = cx.push(Add, &[z, bias], "biased")?;
        }
        let z = cx.unsqueeze(z, "gates")?;
        let weight = cx.unsqueeze(inputs[3], "state_weight")?;
        let shape = SweepShape {
            order: SweepOrder::Rows,
            mirror: vec![false],
            before: cx.graph.ty(inputs[3]).extents(1)[2] / 2,
            learned: self.learned,
        };
        let mut sweep = vec![weight, z];
        if self.learned {
            sweep.push(cx.initial(inputs[4], "h0")?);
            sweep.push(cx.initial(inputs[5], "c0")?);
        }
        let states = cx.push(LstmSweep { shape, form: SweepForm::Plain }, &sweep, "sweep")?;
        let rows = cx.push(MergeAxes { axis: 0 }, &[states], "rows")?;
        Ok(vec![cx.push(Transpose { perm }, &[rows], "maps")?])
    }
}

/// Streams the layer pixel by pixel. h and c of the row above are in caches. The state-to-state convolution
/// of the whole row is computed before the row begins, and added to the gates.
struct RowRule {
    op: RowLstm,
    parts: Option<RowParts>,
}

struct RowParts {
    gates: Product,
    /// The index of the bias, if it is known only at its pixel.
    late_bias: Option<usize>,
    caches: [usize; 2],
    /// c of the row above, at this pixel.
    c_above: PixelValue,
    features: usize,
    h: Gathered,
    c: Gathered,
}

impl StreamRule for RowRule {
    fn begin(&mut self, cx: &mut Streaming) -> Result<Begun, StreamError> {
        let [weight, bias, state_weight] = [cx.given(1)?, cx.given(2)?, cx.given(3)?];
        let extents = cx.extents(state_weight);
        let (features, taps) = (extents[1], extents[2]);
        let shape = cx.row_shape(features);
        let mut caches = [0; 2];
        for (i, (cache, part)) in caches.iter_mut().zip(["h_above", "c_above"]).enumerate() {
            let vector = match self.op.learned {
                true => Some(cx.given(4 + i)?),
                false => None,
            };
            let initial = cx.initial(vector, &shape, &format!("{part}_initial"))?;
            *cache = cx.cache(initial, part);
        }
        let [h, c] = caches.map(|cache| cx.caches[cache].value);
        let state_weight = cx.by_group(state_weight, 0, 4, "state_weight")?;
        let mut state = along(cx, h, state_weight, taps / 2, "state")?;
        let late_bias = add_bias(cx, self.op.bias(), &mut state)?;
        let c_above = cx.scan(c, "c_above");
        let mask = self.op.conv(cx.extents(weight)[3], Layout::Maps).mask;
        let more = More { row: Some(state), known: Vec::new() };
        let gates = Product::begin(cx, &mask, [weight, bias], more)?;
        let (h, c) = (Gathered::default(), Gathered::default());
        self.parts = Some(RowParts { gates, late_bias, caches, c_above, features, h, c });
        Ok(Begun::Pixel { gates: 1 })
    }

    fn colour(
        &mut self,
        cx: &mut Streaming,
        group: usize,
    ) -> Result<Option<PixelValue>, StreamError> {
        let Some(parts) = &mut self.parts else { return Ok(None) };
        let Some(gates) = parts.gates.colour(cx, group)? else { return Ok(None) };
        let gates = add_late_bias(cx, parts.late_bias, group, gates)?;
        let bounds = cx.bounds(parts.features);
        let length = bounds[group + 1] - bounds[group];
        let c = cx.pixel_slice(parts.c_above, bounds[group], length, "c_before")?;
        let [h, c] = at_pixel(cx, gates, c)?;
        parts.h.push(h);
        parts.c.push(c);
        Ok(Some(h))
    }

    fn end_pixel(&mut self, cx: &mut Streaming) -> Result<(), StreamError> {
        let Some(parts) = &mut self.parts else { return Ok(()) };
        for (all, part) in [(&mut parts.h, "h_whole"), (&mut parts.c, "c_whole")] {
            let whole = all.whole(cx, part)?;
            cx.stack(whole);
        }
        parts.gates.end_pixel(cx)
    }

    fn end_row(&mut self, cx: &mut Streaming) -> Result<(), StreamError> {
        let Some(parts) = &mut self.parts else { return Ok(()) };
        let whole = [parts.h.whole(cx, "h_whole")?, parts.c.whole(cx, "c_whole")?];
        for (cache, whole) in parts.caches.into_iter().zip(whole) {
            cx.caches[cache].next = Some(cx.complete(whole)?);
        }
        parts.gates.end_row(cx)
    }
}
