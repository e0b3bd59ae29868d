//! Computes the masked convolution pixel by pixel.
//!
//! The rows above the center are in a cache, the *window*; their contribution is one convolution along the
//! row, computed before the row begins. The pixels to the left are in a state, the *register*. Only the
//! center tap reads the pixel itself, one color group after another.

use super::MaskedConv;
use crate::mask::{Mask, MaskKind};
use crate::op::{
    Add, Broadcast, Concat, Constant, MatMul, MergeAxes, Mul, Slice, StateConv, Transpose,
};
use crate::rules::prelude::*;

/// A masked convolution of the first input of a node, as it is streamed. For a recurrent layer, the terms of
/// the gates that come from the states are part of the same matrix product.
///
/// Output features are ordered by color group. With several gates, each group holds its part of every gate,
/// so that a group is always contiguous.
pub(in crate::op) struct Product {
    mask: Mask,
    inputs: usize,
    outputs: usize,
    /// The terms that are known when the row begins, `[N, G]` or `[1, G]`.
    base: PixelValue,
    /// Values of earlier pixels, and the matrices `[.., G]` they are multiplied with.
    known: Vec<(PixelValue, PreludeValue)>,
    /// The matrix of the center tap, `[F, G]`, without its mask.
    centre: Option<PreludeValue>,
    window: Option<(usize, RowValue)>,
    register: Option<(usize, PixelValue)>,
    /// `base` plus the products of `known`, if the color groups share them.
    ready: Option<PixelValue>,
}

/// Terms to add to a convolution.
#[derive(Default)]
pub(in crate::op) struct More {
    /// A term for the whole row, `[W, N, G]`.
    pub row: Option<RowValue>,
    /// Values of earlier pixels, and the matrices they are multiplied with.
    pub known: Vec<(PixelValue, PreludeValue)>,
}

impl Product {
    /// Begins a pixel. Weight `[G, F, kh, kw]` and bias `[G]` are in the declared order; `more` is ordered by
    /// group.
    pub fn begin(
        cx: &mut Streaming,
        mask: &Mask,
        [weight, bias]: [PreludeValue; 2],
        more: More,
    ) -> Result<Product, StreamError> {
        let &[outputs, inputs, ..] = &cx.extents(weight)[..] else {
            return Err(cx.misshapen());
        };
        let [cy, left] = mask.centre();
        // An open kernel would read pixels that are not drawn yet, unless it consists of the center only.
        let late = cx.phase(0)? == Phase::Pixel;
        if late && mask.is_open() && (mask.kernel != [1, 1] || mask.colours > 1) {
            return Err(cx.ahead());
        }
        if cx.gates(0)? > 1 && mask.colours > 1 {
            return Err(cx.misshapen());
        }
        let weight = cx.by_group(weight, 0, mask.gates, "weight")?;
        let bias = cx.by_group(bias, 0, mask.gates, "bias")?;
        let bias = cx.prelude_lead(bias, "bias_row")?;
        let mut row = more.row;
        let mut window = None;
        if cy > 0 {
            let shape = cx.row_shape(cy * inputs);
            let initial = cx.initial(None, &shape, "window_initial")?;
            let cache = cx.cache(initial, "window");
            let value = cx.caches[cache].value;
            window = Some((cache, value));
            // The features of the rows are concatenated, oldest row first.
            let above = cx.prelude_slice(weight, 2, 0, cy, "above")?;
            let above = cx.prelude(Transpose { perm: vec![0, 2, 1, 3] }, &[above], "above_t")?;
            let above = cx.prelude(MergeAxes { axis: 1 }, &[above], "above_rows")?;
            let sum = along(cx, value, above, left, "above")?;
            row = Some(match row {
                Some(other) => cx.row(Add, &[other, sum], "row_sum")?,
                None => sum,
            });
        }
        let base = match row {
            Some(row) => {
                let bias = cx.prelude_lead(bias, "bias_row")?;
                let bias = cx.in_row(bias, "bias_row");
                let row = cx.row(Add, &[row, bias], "row")?;
                cx.scan(row, "row")
            }
            None => cx.in_pixel(bias, "bias_row"),
        };

        let own = cx.prelude_slice(weight, 2, cy, 1, "own_row")?;
        let mut known = more.known;
        let mut register = None;
        if left > 0 {
            let (state, value) = cx.state(None, left * inputs, "register")?;
            register = Some((state, value));
            let taps = cx.prelude_slice(own, 3, 0, left, "left")?;
            let taps = cx.prelude(Transpose { perm: vec![3, 2, 1, 0] }, &[taps], "left_t")?;
            let taps = cx.prelude(MergeAxes { axis: 0 }, &[taps], "left_taps")?;
            let matrix = cx.prelude(MergeAxes { axis: 0 }, &[taps], "left_matrix")?;
            known.push((value, matrix));
        }
        let centre = match mask.live(cy, left) {
            true => {
                let tap = cx.prelude_slice(own, 3, left, 1, "centre")?;
                Some(matrix(cx, tap, "centre")?)
            }
            false => None,
        };
        let mask = mask.clone();
        Ok(Product { mask, inputs, outputs, base, known, centre, window, register, ready: None })
    }

    /// The columns of a group: the first, and their number.
    fn columns(&self, cx: &Streaming, group: usize) -> (usize, usize) {
        let bounds = cx.bounds(self.outputs / self.mask.gates);
        let gates = self.mask.gates;
        (gates * bounds[group], gates * (bounds[group + 1] - bounds[group]))
    }

    /// Computes a color group of the result, `[N, gates * features of the group]`.
    pub fn colour(
        &mut self,
        cx: &mut Streaming,
        group: usize,
    ) -> Result<Option<PixelValue>, StreamError> {
        if cx.colours == 1 {
            let mut known = self.known.clone();
            if let Some(centre) = self.centre {
                known.push((cx.whole(0)?, centre));
            }
            return sum(cx, &known, self.base).map(Some);
        }
        let (start, length) = self.columns(cx, group);
        if length == 0 {
            return Ok(None);
        }
        let ready = match self.ready {
            Some(ready) => ready,
            None => sum(cx, &self.known, self.base)?,
        };
        self.ready = Some(ready);
        let base = cx.pixel_slice(ready, start, length, "group")?;
        let count = if self.mask.kind == MaskKind::A { group } else { group + 1 };
        let inputs = cx.groups(0, count)?;
        let (Some(centre), Some(x)) = (self.centre, inputs) else {
            return sum(cx, &[], base).map(Some);
        };
        let rows = cx.bounds(self.inputs)[count];
        let centre = cx.prelude_slice(centre, 0, 0, rows, "centre_rows")?;
        let centre = cx.prelude_slice(centre, 1, start, length, "centre_group")?;
        sum(cx, &[(x, centre)], base).map(Some)
    }

    /// Advances the register by a pixel, and requests the complete row that the window needs.
    pub fn end_pixel(&self, cx: &mut Streaming) -> Result<(), StreamError> {
        if self.register.is_none() && self.window.is_none() {
            return Ok(());
        }
        let x = cx.whole(0)?;
        if let Some((state, value)) = self.register {
            let kept = (self.mask.centre()[1] - 1) * self.inputs;
            let next = match kept {
                0 => x,
                _ => {
                    let kept = cx.pixel_slice(value, self.inputs, kept, "register_kept")?;
                    cx.pixel_concat(&[kept, x], "register_next")?
                }
            };
            cx.set_state(state, next)?;
        }
        if self.window.is_some() {
            cx.keep_row(0)?;
        }
        Ok(())
    }

    /// Moves the window down by a row.
    pub fn end_row(&self, cx: &mut Streaming) -> Result<(), StreamError> {
        let Some((cache, value)) = self.window else { return Ok(()) };
        move_down(cx, cache, value, self.inputs)
    }

    /// The gates of a complete row `[W, N, F]`, from the center tap only: `[W, N, G]`, with the features in
    /// the declared order.
    pub fn complete_row(
        cx: &mut Streaming,
        mask: &Mask,
        [weight, bias]: [PreludeValue; 2],
        row: RowValue,
    ) -> Result<RowValue, StreamError> {
        let extents = cx.extents(weight);
        let mut matrix = matrix(cx, weight, "right_centre")?;
        if mask.colours > 1 {
            let (outputs, inputs) = (extents[0], extents[1]);
            let on = |i: ndarray::IxDyn| {
                if mask.allows(i[1], outputs, i[0], inputs, [0, 0]) { 1.0 } else { 0.0 }
            };
            let value = ndarray::ArrayD::from_shape_fn(vec![inputs, outputs], on);
            let mask = cx.prelude(Constant { value }, &[], "right_mask")?;
            matrix = cx.prelude(Mul, &[matrix, mask], "right_masked")?;
        }
        let matrix = cx.in_row(matrix, "right_centre");
        let bias = cx.prelude_lead(bias, "right_bias")?;
        let bias = cx.prelude_lead(bias, "right_bias")?;
        let bias = cx.in_row(bias, "right_bias");
        let gates = cx.row(MatMul, &[row, matrix], "right_input")?;
        cx.row(Add, &[gates, bias], "right_biased")
    }
}

/// Reshapes `[G, F, 1, 1]` to a matrix `[F, G]`.
fn matrix(cx: &mut Streaming, tap: PreludeValue, part: &str) -> Result<PreludeValue, StreamError> {
    let tap = cx.prelude(Transpose { perm: vec![1, 0, 2, 3] }, &[tap], part)?;
    let tap = cx.prelude(MergeAxes { axis: 1 }, &[tap], part)?;
    cx.prelude(MergeAxes { axis: 1 }, &[tap], part)
}

/// Convolves a row `[W, N, F]` along its width with a weight `[G, F, K]`; the result is `[W, N, G]`.
pub(in crate::op) fn along(
    cx: &mut Streaming,
    row: RowValue,
    weight: PreludeValue,
    before: usize,
    part: &str,
) -> Result<RowValue, StreamError> {
    let weight = cx.prelude_lead(weight, &format!("{part}_weight"))?;
    let weight = cx.in_row(weight, &format!("{part}_weight"));
    let line = cx.row_lead(row, &format!("{part}_line"))?;
    let sum = cx.row(StateConv { before }, &[line, weight], part)?;
    cx.row(MergeAxes { axis: 0 }, &[sum], part)
}

/// `base` plus all products, computed as one matrix product.
fn sum(
    cx: &mut Streaming,
    parts: &[(PixelValue, PreludeValue)],
    base: PixelValue,
) -> Result<PixelValue, StreamError> {
    let (values, matrices): (Vec<PixelValue>, Vec<PreludeValue>) = parts.iter().copied().unzip();
    if values.is_empty() {
        let mut shape = cx.pixel.ty(base.0).shape.clone();
        shape[0] = Dim::N;
        if cx.pixel.ty(base.0).shape == shape {
            return Ok(base);
        }
        return cx.pixel(Broadcast { to: shape }, &[base], "spread");
    }
    let x = cx.pixel_concat(&values, "taps")?;
    let matrix = cx.prelude_concat(&matrices, 0, "taps_matrix")?;
    let product = cx.pixel_product(x, matrix, "product")?;
    cx.pixel(Add, &[product, base], "sum")
}

/// Moves a window of rows `[W, N, rows F]`, oldest first, down by the input's complete row.
fn move_down(
    cx: &mut Streaming,
    cache: usize,
    value: RowValue,
    inputs: usize,
) -> Result<(), StreamError> {
    let row = cx.complete_row(0)?;
    let kept = cx.row.ty(value.0).shape[2].with_batch(1) - inputs;
    cx.caches[cache].next = Some(match kept {
        0 => row,
        _ => {
            let slice = Slice { axis: 2, start: inputs, length: kept };
            let kept = cx.row(slice, &[value], "window_kept")?;
            cx.row(Concat { axis: 2 }, &[kept, row], "window_next")?
        }
    });
    Ok(())
}

/// A convolution of a map that is known when the row begins. The rows above are in a cache, and the result is
/// one convolution along the row over all of them.
struct WholeRow {
    result: RowValue,
    window: Option<(usize, RowValue)>,
    inputs: usize,
}

impl WholeRow {
    fn begin(
        cx: &mut Streaming,
        mask: &Mask,
        [weight, bias]: [PreludeValue; 2],
    ) -> Result<WholeRow, StreamError> {
        let &[outputs, inputs, height, width] = &cx.extents(weight)[..] else {
            return Err(cx.misshapen());
        };
        let [cy, left] = mask.centre();
        // Rows below are not known yet.
        if (cy + 1..height).any(|r| (0..width).any(|c| mask.live(r, c))) {
            return Err(cx.ahead());
        }
        let on = |i: ndarray::IxDyn| {
            if mask.allows(i[0], outputs, i[1], inputs, [i[2], i[3]]) { 1.0 } else { 0.0 }
        };
        let taps = cx.prelude_slice(weight, 2, 0, cy + 1, "live_rows")?;
        let masked = Array::from_shape_fn(vec![outputs, inputs, cy + 1, width], on);
        let taps = match masked.iter().all(|&m| m == 1.0) {
            true => taps,
            false => {
                let mask = cx.prelude(Constant { value: masked }, &[], "mask")?;
                cx.prelude(Mul, &[taps, mask], "masked")?
            }
        };
        // The features of the rows are concatenated, oldest row first, current row last.
        let taps = cx.prelude(Transpose { perm: vec![0, 2, 1, 3] }, &[taps], "rows_t")?;
        let taps = cx.prelude(MergeAxes { axis: 1 }, &[taps], "rows")?;
        let mut row = cx.complete_row(0)?;
        let mut window = None;
        if cy > 0 {
            let shape = cx.row_shape(cy * inputs);
            let initial = cx.initial(None, &shape, "window_initial")?;
            let cache = cx.cache(initial, "window");
            let value = cx.caches[cache].value;
            window = Some((cache, value));
            row = cx.row(Concat { axis: 2 }, &[value, row], "window_and_row")?;
        }
        let sum = along(cx, row, taps, left, "rows")?;
        let bias = cx.prelude_lead(bias, "bias_row")?;
        let bias = cx.prelude_lead(bias, "bias_row")?;
        let bias = cx.in_row(bias, "bias_row");
        let result = cx.row(Add, &[sum, bias], "row")?;
        Ok(WholeRow { result, window, inputs })
    }

    fn end_row(&self, cx: &mut Streaming) -> Result<(), StreamError> {
        self.window.map_or(Ok(()), |(cache, value)| move_down(cx, cache, value, self.inputs))
    }
}

/// The streaming rule of a convolution layer.
pub(super) struct ConvRule {
    conv: MaskedConv,
    product: Option<Product>,
    whole: Option<WholeRow>,
}

impl ConvRule {
    pub fn new(conv: &MaskedConv) -> ConvRule {
        ConvRule { conv: conv.clone(), product: None, whole: None }
    }
}

impl StreamRule for ConvRule {
    fn begin(&mut self, cx: &mut Streaming) -> Result<Begun, StreamError> {
        let weights = [cx.given(1)?, cx.given(2)?];
        let mask = &self.conv.mask;
        if cx.phase(0)? != Phase::Pixel {
            let whole = WholeRow::begin(cx, mask, weights)?;
            let result = whole.result;
            self.whole = Some(whole);
            return Ok(Begun::Row(result));
        }
        self.product = Some(Product::begin(cx, mask, weights, More::default())?);
        Ok(Begun::Pixel { gates: mask.gates })
    }

    fn colour(
        &mut self,
        cx: &mut Streaming,
        group: usize,
    ) -> Result<Option<PixelValue>, StreamError> {
        match &mut self.product {
            Some(product) => product.colour(cx, group),
            None => Ok(None),
        }
    }

    fn end_pixel(&mut self, cx: &mut Streaming) -> Result<(), StreamError> {
        self.product.as_ref().map_or(Ok(()), |product| product.end_pixel(cx))
    }

    fn end_row(&mut self, cx: &mut Streaming) -> Result<(), StreamError> {
        match &self.whole {
            Some(whole) => whole.end_row(cx),
            None => self.product.as_ref().map_or(Ok(()), |product| product.end_row(cx)),
        }
    }
}
