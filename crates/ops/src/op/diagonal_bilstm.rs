//! `diagonal_bilstm(x, [input_weight, input_bias, state_weight, [h0, c0]] x 2, [bias]) {colours, learned,
//! biased}`: the Diagonal BiLSTM of section 3.2. A composite: it is expanded to one scan over the diagonals,
//! with both directions at once.

use pixelrnn_graph::Site;

use super::lstm::{Expansion, Gathered, add_bias, add_late_bias, at_pixel, step};
use super::lstm_sweep::{SweepForm, SweepOrder, SweepShape};
use super::masked_conv::Layout;
use super::masked_conv::stream::{More, Product, along};
use super::{Add, Concat, LstmSweep, MaskedConv, MergeAxes, Pad, Slice, Transpose};
use crate::mask::{Mask, MaskKind};
use crate::rules::prelude::*;
use crate::rules::stream::Sweep;

/// The Diagonal BiLSTM.
///
/// Inputs: `x [N, F, H, W]`; then for the left and for the right direction `input_weight [4h, F, 1, 1]`,
/// `input_bias [4h]`, `state_weight [4h, h, 2]` and, if `learned`, the initial states `h0 [h]` and `c0 [h]`;
/// then, if `biased`, a map `[N, 4h, H, W]` or `[N, 4h, 1, 1]` that is added to the gates of both directions.
/// The result is `[N, h, H, W]`.
///
/// In the left direction, which runs from left to right, pixel (y, x) reads the cell state of (y, x-1) and
/// the hidden states of (y-1, x) (tap 0) and (y, x-1) (tap 1). The right direction does the same on the
/// mirrored image; its result is mirrored back and moved down one row, so that it reads no later pixel. The
/// result is the sum of both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiagonalBilstm {
    /// The colors of the image.
    pub colours: usize,
    /// Whether the initial states are inputs. Otherwise they are zero.
    pub learned: bool,
    /// Whether a map is added to the gates.
    pub biased: bool,
}

impl DiagonalBilstm {
    fn conv(&self, layout: Layout) -> MaskedConv {
        let mask = Mask { kind: MaskKind::B, kernel: [1, 1], colours: self.colours, gates: 4 };
        MaskedConv { mask, layout }
    }

    /// The index of the bias among the inputs.
    fn bias(&self) -> Option<usize> {
        self.biased.then_some(1 + 2 * self.per_direction())
    }

    /// The number of inputs of one direction.
    fn per_direction(&self) -> usize {
        if self.learned { 5 } else { 3 }
    }
}

impl Rules for DiagonalBilstm {
    const MNEMONIC: &'static str = "diagonal_bilstm";

    fn attributes(&self) -> Attributes {
        Attributes::none()
            .int("colours", self.colours)
            .int("learned", usize::from(self.learned))
            .int("biased", usize::from(self.biased))
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        let learned = attributes.int("learned")? != 0;
        let biased = attributes.int("biased")? != 0;
        Ok(DiagonalBilstm { colours: attributes.int("colours")?, learned, biased })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        let per = self.per_direction();
        shape::arity(inputs, 1 + 2 * per + usize::from(self.biased))?;
        let mut result: Option<Type> = None;
        for first in [1, 1 + per] {
            let conv = [inputs[0], inputs[first], inputs[first + 1]];
            let gates = self.conv(Layout::Maps).infer(&conv)?;
            if let Some(bias) = self.bias() {
                super::lstm::fits_gates(inputs, bias, &gates[0])?;
            }
            shape::rank(inputs, first + 2, 3)?;
            let features = shape::fixed(inputs, first + 2, 1)?;
            if features == 0 {
                return Err(TypeError::attribute("state_weight", "must have features"));
            }
            let all = features.checked_mul(4).ok_or(TypeError::Overflow)?;
            shape::extent(inputs, first + 2, 0, all)?;
            shape::extent(inputs, first + 2, 2, 2)?;
            shape::extent(inputs, first, 0, all)?;
            for i in first + 3..first + per {
                shape::rank(inputs, i, 1)?;
                shape::extent(inputs, i, 0, features)?;
            }
            let ty = shape::with_axis(&gates[0], 1, features);
            match &result {
                Some(first) if *first != ty => {
                    return Err(TypeError::Unequal { left: first.clone(), right: ty });
                }
                _ => result = Some(ty),
            }
        }
        Ok(result.into_iter().collect())
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
        let per = self.per_direction();
        let (&[n, _, height, width], &[_, features, _]) = (inputs[0].shape(), inputs[3].shape())
        else {
            return Err(EvalError::Array("takes maps and a state weight of three axes".into()));
        };
        let mut out = Array::<R>::from_elem(vec![n, features, height, width], R::of(0.0));
        for (first, right) in [(1, false), (1 + per, true)] {
            let conv = [inputs[0], inputs[first], inputs[first + 1]];
            let mut gates = self.conv(Layout::Maps).eval(env, &conv)?.remove(0);
            if let Some(bias) = self.bias() {
                gates = super::kind::zip(&gates, inputs[bias], |a, b| a + b)?;
            }
            let weight = inputs[first + 2];
            let initial = |i: usize, k: usize| match self.learned {
                true => inputs[first + 3 + i][[k].as_slice()],
                false => R::of(0.0),
            };
            for b in 0..n {
                let mut above = vec![vec![R::of(0.0); features]; width];
                for y in 0..height {
                    let mut h: Vec<R> = (0..features).map(|k| initial(0, k)).collect();
                    let mut c: Vec<R> = (0..features).map(|k| initial(1, k)).collect();
                    for s in 0..width {
                        let x = if right { width - 1 - s } else { s };
                        let mut a: Vec<R> =
                            (0..4 * features).map(|g| gates[[b, g, y, x].as_slice()]).collect();
                        for (g, a) in a.iter_mut().enumerate() {
                            for j in 0..features {
                                *a += weight[[g, j, 0].as_slice()] * above[x][j];
                                *a += weight[[g, j, 1].as_slice()] * h[j];
                            }
                        }
                        h = step(&a, &mut c);
                        above[x].clone_from(&h);
                        // The right direction is moved down one row.
                        let row = if right { y + 1 } else { y };
                        if row < height {
                            for (k, &h) in h.iter().enumerate() {
                                out[[b, k, row, x].as_slice()] += h;
                            }
                        }
                    }
                }
            }
        }
        Ok(vec![out])
    }

    fn stream(&self) -> Stream {
        Stream::Cached(Box::new(DiagonalRule { op: *self, parts: None }))
    }

    fn pixel_major(&self) -> Option<(usize, Op)> {
        None
    }

    fn composite(&self) -> Option<&dyn Composite> {
        Some(self)
    }

    fn samples() -> Vec<Sample> {
        let real = |shape: &[usize]| Type::real(shape.iter().copied());
        let mut all = Vec::new();
        let cases = [
            (1, false, 3, 4, None),
            (3, true, 4, 3, None),
            (1, true, 1, 3, None),
            (1, false, 3, 2, Some([3, 2])),
            (1, true, 2, 3, Some([1, 1])),
        ];
        for (colours, learned, height, width, bias) in cases {
            let x = [Dim::N, Dim::Fixed(4), Dim::Fixed(height), Dim::Fixed(width)];
            let mut inputs = vec![Type::real(x)];
            for _ in 0..2 {
                inputs.extend([real(&[12, 4, 1, 1]), real(&[12]), real(&[12, 3, 2])]);
                if learned {
                    inputs.extend([real(&[3]), real(&[3])]);
                }
            }
            if let Some([h, w]) = bias {
                let shape = [Dim::N, Dim::Fixed(12), Dim::Fixed(h), Dim::Fixed(w)];
                inputs.push(Type::real(shape));
            }
            let biased = bias.is_some();
            all.push(Sample::new(DiagonalBilstm { colours, learned, biased }, inputs));
        }
        all
    }
}

impl Composite for DiagonalBilstm {
    fn expand(
        &self,
        graph: &mut PixelGraph,
        inputs: &[Value],
        name: &str,
        site: Site,
    ) -> Result<Vec<Value>, BuildError> {
        let mut cx = Expansion { graph, name, site };
        let extents = cx.graph.ty(inputs[0]).extents(1);
        let height = extents[2];
        let per = self.per_direction();
        let (left, right) = inputs[1..=2 * per].split_at(per);
        let mut both = |i: usize, part: &str| -> Result<Value, BuildError> {
            let l = cx.unsqueeze(left[i], &format!("left_{part}"))?;
            let r = cx.unsqueeze(right[i], &format!("right_{part}"))?;
            cx.push(Concat { axis: 0 }, &[l, r], part)
        };
        let input_weight = both(0, "input_weight")?;
        let input_bias = both(1, "input_bias")?;
        let weight = both(2, "state_weight")?;
        let mut initial = Vec::new();
        for (i, part) in [(3, "h0"), (4, "c0")].into_iter().take(2 * usize::from(self.learned)) {
            let l = cx.initial(left[i], part)?;
            let r = cx.initial(right[i], part)?;
            initial.push(cx.push(Concat { axis: 0 }, &[l, r], part)?);
        }

        let perm = vec![2, 3, 0, 1];
        let x = cx.push(Transpose { perm: perm.clone() }, &[inputs[0]], "pixels")?;
        let conv = self.conv(Layout::PixelMajor);
        let mut z = cx.push(conv, &[x, input_weight, input_bias], "input_to_state")?;
        if let Some(bias) = self.bias() {
            let bias = cx.push(Transpose { perm: perm.clone() }, &[inputs[bias]], "bias")?;
            let bias = cx.unsqueeze(bias, "bias")?;
            z = cx.push(Add, &[z, bias], "biased")?;
        }
        let shape = SweepShape {
            order: SweepOrder::Diagonals,
            mirror: vec![false, true],
            before: 1,
            learned: self.learned,
        };
        let mut sweep = vec![weight, z];
        sweep.extend(initial);
        let states = cx.push(LstmSweep { shape, form: SweepForm::Plain }, &sweep, "sweep")?;
        let direction = |start| Slice { axis: 0, start, length: 1 };
        let mut sum = cx.push(direction(0), &[states], "left")?;
        if height > 1 {
            let right = cx.push(direction(1), &[states], "right")?;
            let upper = Slice { axis: 1, start: 0, length: height - 1 };
            let right = cx.push(upper, &[right], "right_upper")?;
            let right = cx.push(Pad { axis: 1, before: 1, after: 0 }, &[right], "right_down")?;
            sum = cx.push(Add, &[sum, right], "sum")?;
        }
        let rows = cx.push(MergeAxes { axis: 0 }, &[sum], "rows")?;
        Ok(vec![cx.push(Transpose { perm }, &[rows], "maps")?])
    }
}

/// Streams the layer pixel by pixel. For the left direction, h and c of the pixel to the left are in states,
/// and h of the row above is in a cache. The right direction runs over a row once the row is complete; its
/// result is kept in a cache for the next row, where it is used.
struct DiagonalRule {
    op: DiagonalBilstm,
    parts: Option<DiagonalParts>,
}

struct DiagonalParts {
    gates: Product,
    /// The index of the bias, if it is known only at its pixel.
    late_bias: Option<usize>,
    /// Caches of h of the row above, for the left and for the right direction.
    caches: [usize; 2],
    /// States with h and c of the pixel to the left.
    states: [usize; 2],
    c_left: PixelValue,
    /// h of the right direction in the row above, at this pixel.
    right: PixelValue,
    features: usize,
    h: Gathered,
    c: Gathered,
}

impl DiagonalRule {
    /// The parameters of the left and of the right direction.
    fn parameters(&self, cx: &Streaming) -> Result<[Vec<PreludeValue>; 2], StreamError> {
        let per = self.op.per_direction();
        let of = |first: usize| -> Result<Vec<PreludeValue>, StreamError> {
            (first..first + per).map(|i| cx.given(i)).collect()
        };
        Ok([of(1)?, of(1 + per)?])
    }

    fn mask(&self) -> Mask {
        self.op.conv(Layout::Maps).mask
    }
}

impl StreamRule for DiagonalRule {
    fn begin(&mut self, cx: &mut Streaming) -> Result<Begun, StreamError> {
        let [left, _] = self.parameters(cx)?;
        let features = cx.extents(left[2])[1];
        let shape = cx.row_shape(features);
        let zero = cx.initial(None, &shape, "above_initial")?;
        let caches = [cx.cache(zero, "left_above"), cx.cache(zero, "right_above")];
        let (h_state, h_left) = cx.state(left.get(3).copied(), features, "h_left")?;
        let (c_state, c_left) = cx.state(left.get(4).copied(), features, "c_left")?;
        let states = [h_state, c_state];
        let weight = cx.by_group(left[2], 0, 4, "state_weight")?;
        let above = cx.prelude_slice(weight, 2, 0, 1, "state_above")?;
        let mut row = along(cx, cx.caches[caches[0]].value, above, 0, "state")?;
        let late_bias = add_bias(cx, self.op.bias(), &mut row)?;
        let own = cx.prelude_slice(weight, 2, 1, 1, "state_left")?;
        let own = cx.prelude(Transpose { perm: vec![1, 0, 2] }, &[own], "state_left_t")?;
        let own = cx.prelude(MergeAxes { axis: 1 }, &[own], "state_left_matrix")?;
        let known = vec![(h_left, own)];
        let more = More { row: Some(row), known };
        let gates = Product::begin(cx, &self.mask(), [left[0], left[1]], more)?;
        let right = cx.scan(cx.caches[caches[1]].value, "right_above");
        let (h, c) = (Gathered::default(), Gathered::default());
        self.parts =
            Some(DiagonalParts { gates, late_bias, caches, states, c_left, right, features, h, c });
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
        let (start, length) = (bounds[group], bounds[group + 1] - bounds[group]);
        let c = cx.pixel_slice(parts.c_left, start, length, "c_before")?;
        let [h, c] = at_pixel(cx, gates, c)?;
        parts.h.push(h);
        parts.c.push(c);
        let right = cx.pixel_slice(parts.right, start, length, "right")?;
        cx.pixel(Add, &[h, right], "both").map(Some)
    }

    fn end_pixel(&mut self, cx: &mut Streaming) -> Result<(), StreamError> {
        let Some(parts) = &mut self.parts else { return Ok(()) };
        let h = parts.h.whole(cx, "h_whole")?;
        let c = parts.c.whole(cx, "c_whole")?;
        for (state, next) in parts.states.into_iter().zip([h, c]) {
            cx.set_state(state, next)?;
        }
        cx.stack(h);
        // The right direction reads the complete row.
        cx.keep_row(0)?;
        parts.late_bias.map_or(Ok(()), |bias| cx.keep_row(bias))
    }

    fn end_row(&mut self, cx: &mut Streaming) -> Result<(), StreamError> {
        let [_, right] = self.parameters(cx)?;
        let mask = self.mask();
        let Some(parts) = &mut self.parts else { return Ok(()) };
        let h = parts.h.whole(cx, "h_whole")?;
        cx.caches[parts.caches[0]].next = Some(cx.complete(h)?);
        let x = cx.complete_row(0)?;
        let gates = Product::complete_row(cx, &mask, [right[0], right[1]], x)?;
        let above = cx.prelude_slice(right[2], 2, 0, 1, "right_state_above")?;
        let above = along(cx, cx.caches[parts.caches[1]].value, above, 0, "right_state")?;
        let mut gates = cx.row(Add, &[gates, above], "right_gates")?;
        if let Some(bias) = self.op.bias() {
            // A bias that is known at its pixel is ordered by group; here, features are in the declared
            // order.
            let map = cx.complete_row(bias)?;
            let late = parts.late_bias.is_some();
            let map = if late { cx.row_as_declared(map, 4, "right_bias")? } else { map };
            gates = cx.row(Add, &[gates, map], "right_biased")?;
        }
        let weight = cx.prelude_slice(right[2], 2, 1, 1, "right_state_own")?;
        let initial = match right[..] {
            [_, _, _, h, c] => Some([h, c]),
            _ => None,
        };
        let (features, cache) = (parts.features, parts.caches[1]);
        let name = cx.node().to_string();
        cx.sweep(Sweep { name, features, gates, weight, initial, cache });
        Ok(())
    }
}
